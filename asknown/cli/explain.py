"""The command that says what a reason code means."""

from __future__ import annotations

from typing import Annotated

import typer

from asknown.cli.output import Format, FormatOption, Output, output


def register(root: typer.Typer) -> None:
    """Add `explain` to the root."""

    @root.command()
    def explain(
        reason: Annotated[
            str | None, typer.Argument(help="A reason code; without one, all of them.")
        ] = None,
        fmt: FormatOption = Format.TEXT,
    ) -> None:
        """Say what a reason code means, which rules give it, and what to do next."""
        if reason is None:
            _list(output(fmt))
        else:
            _show(reason, fmt)


def _list(printer: Output) -> None:
    from asknown.quality.explain import everything

    rows = [(one.reason.value, ", ".join(one.goes_to), one.reason.help) for one in everything()]
    printer.table("", ("reason", "goes to", "meaning"), rows)


def _show(code: str, fmt: Format) -> None:
    from asknown.quality.explain import explain

    found, printer = explain(code), output(fmt)
    rules = [(rule.file, rule.number, rule.severity.value, rule.words) for rule in found.rules]
    columns = ("file", "rule", "severity", "asks for")
    values = {
        "reason": found.reason.value,
        "meaning": found.reason.help,
        "goes to": ", ".join(found.goes_to),
        "next": found.reason.next,
    }
    if fmt is Format.JSON:
        named = [dict(zip(columns, rule, strict=True)) for rule in rules]
        printer.record(values | {"rules": named})
        return
    printer.record(values)
    if rules:
        printer.table("Rules", columns, rules)
