"""Commands that recompute the lake from bronze."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from asknown.cli.output import Format, FormatOption, output
from asknown.errors import UsageError
from asknown.settings import settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Recompute partitions of the lake with the jobs' own code.",
)

REBUILT = ("silver.trade", "silver.quote", "gold.bar")
_DAY = ["%Y-%m-%d"]


@app.callback()
def group() -> None:
    """Recompute partitions of the lake with the jobs' own code."""


@app.command()
def apply(
    first: Annotated[datetime, typer.Option("--from", formats=_DAY, help="First day, UTC.")],
    end: Annotated[datetime, typer.Option("--to", formats=_DAY, help="Day after the last, UTC.")],
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Replace silver.trade, silver.quote and gold.bar of these days by what bronze gives.

    The pipelines of normalize and derive run as one bounded job; each day of a table is replaced
    whole, in one commit, or stays as it was.
    """
    from asknown.stack.jobs import Submission, submit
    from asknown.storage.iceberg import count_between

    window = _window(first.date(), end.date())
    before = {table: count_between(table, *window) for table in REBUILT}
    printer = output(fmt)
    arguments = ("--first-day", str(window[0]), "--end-day", str(window[1]))
    run = Submission(name="backfill", arguments=arguments, batch=True)
    done = submit(run, settings(), note=lambda text: printer.line(f"  {text}"))
    after = {table: count_between(table, *window) for table in REBUILT}
    rows = [(table, before[table], after[table]) for table in REBUILT]
    if fmt is Format.JSON:
        tables = [{"table": name, "before": old, "after": new} for name, old, new in rows]
        printer.record({"from": window[0], "to": window[1], "job": done.job_id, "tables": tables})
        return
    printer.table(f"Backfill {window[0]} to {window[1]} (rows)", ("table", "before", "after"), rows)


def _window(first: date, end: date) -> tuple[date, date]:
    if end <= first:
        raise UsageError(
            "ASKNOWN-BACKFILL-001",
            f"expected --to after --from, found {end} and {first}.",
            hint="asknown backfill apply --from 2024-10-28 --to 2024-10-29",
        )
    return first, end
