"""Render docs/reasons.md: every reason code, from the codes themselves.

`python -m asknown.quality.page` writes it; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from asknown.quality.reasons import Reason
from asknown.settings import CHECKOUT

PAGE = CHECKOUT / "docs" / "reasons.md"
_LANES = {
    Reason.LATE_BEYOND_WATERMARK: "late.event",
    Reason.DUPLICATE: "duplicate.event",
}
_INTRODUCTION = """\
# Reason codes

<!-- Rendered from asknown/quality/reasons.py: python -m asknown.quality.page -->

Why a record did not become a normalized one. A record has one code: that of the first thing
found wrong with it. A code is never renamed. How many there are of each:
`asknown ledger`; the records: `ops.quarantine_event`, `ops.late_event`, `ops.duplicate_event`, each
with topic, partition and offset of the raw record.

| code | goes to | meaning |
|---|---|---|
"""


def page() -> str:
    """Return the text of the page."""
    rows = (
        f"| `{reason}` | `{_LANES.get(reason, 'quarantine.event')}` | {reason.help} |\n"
        for reason in Reason
    )
    return _INTRODUCTION + "".join(rows)


def write(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
