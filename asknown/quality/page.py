"""Render docs/reasons.md: every reason code, from the codes and the rules themselves.

`python -m asknown.quality.page` writes it; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from asknown.quality.explain import Explanation, everything
from asknown.settings import CHECKOUT

PAGE = CHECKOUT / "docs" / "reasons.md"
_INTRODUCTION = """\
# Reason codes

<!-- Rendered from the reasons and schemas/quality: python -m asknown.quality.page -->

Why a record was set aside, or what is odd about one that was not. A record that is set aside has
one code: that of the first thing found wrong with it. An accepted one has, in `quality_flags`, the
codes of all rules that flag it. A code is never renamed. How many there are of each:
`asknown ledger`; the records: `ops.quarantine_event`, `ops.late_event`, `ops.duplicate_event`, each
with topic, partition and offset of the raw record. The same in a terminal: `asknown explain CODE`.

| code | goes to | meaning |
|---|---|---|
"""


def page() -> str:
    """Return the text of the page."""
    found = everything()
    rows = (
        f"| [`{one.reason}`](#{one.reason.lower()}) | {_places(one)} | {one.reason.help} |\n"
        for one in found
    )
    return _INTRODUCTION + "".join(rows) + "".join(_section(one) for one in found)


def _places(one: Explanation) -> str:
    return ", ".join(f"`{place}`" for place in one.goes_to)


def _section(one: Explanation) -> str:
    lines = [f"\n## {one.reason}\n", f"{one.reason.help}\n"]
    if one.rules:
        lines.append("| rule | severity | asks for |\n|---|---|---|")
        lines += [
            f"| [{rule.file.rpartition('/')[2]}](../{rule.file}) {rule.number} "
            f"| {rule.severity} | {_cell(rule.words)} |"
            for rule in one.rules
        ]
        lines.append("")
    lines.append(f"Its records: {_places(one)}. Next: {one.reason.next}\n")
    return "\n".join(lines)


def _cell(words: str) -> str:
    """Return words as a table's cell: a pattern may hold what Markdown reads as more."""
    text, matching, expression = words.partition(" matching ")
    shown = f"{text}{matching}`{expression}`" if matching else words
    return shown.replace("|", "\\|")


def write(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
