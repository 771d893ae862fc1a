"""The command `asknown audit`: questions to the lake whose right answer is no row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import ExitCode

if TYPE_CHECKING:
    from asknown.storage.audit import Verdict

PRINTED = 20


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(audit)


def audit(
    name: Annotated[
        str | None, typer.Argument(help="An audit, or the beginning of its name; default: all.")
    ] = None,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Check over the lake: no row used what was learnt later, every record is in one lane.

    Exits with 3, and shows the rows with their coordinates, when one did or is not.
    """
    from asknown.settings import settings
    from asknown.storage.audit import chosen, run

    verdicts = list(run(settings(), chosen(name)))
    printer = output(fmt)
    if fmt is Format.JSON:
        found = [_document(verdict) for verdict in verdicts]
        printer.record({"passed": all(v.passed for v in verdicts), "audits": found})
    else:
        _show(printer, verdicts)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        "audit": verdict.audit.name,
        "table": verdict.audit.table,
        "passed": verdict.passed,
        "rows": verdict.rows,
        "offending": verdict.offending,
        "shown": list(verdict.shown),
    }


def _show(printer: Output, verdicts: list[Verdict]) -> None:
    rows = [
        (v.audit.name, v.audit.table, v.rows, v.offending, "passed" if v.passed else "FAILED")
        for v in verdicts
    ]
    printer.table("Audits", ("audit", "table", "rows", "offending", ""), rows)
    for verdict in verdicts:
        if not verdict.passed:
            first = verdict.shown[:PRINTED]
            printer.table(
                f"{verdict.audit.name}: the first {len(first)} of {verdict.offending:,}",
                tuple(first[0]),
                [tuple(row.values()) for row in first],
            )
