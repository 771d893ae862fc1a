"""`asknown research compute`: the research tables, anew from all that is known."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from asknown.cli.output import Format, FormatOption, Output, output
from asknown.settings import settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Compute daily bars, features and universes as they were known.",
)
TABLES = ("gold.daily_bar", "gold.feature", "gold.universe_member")


@app.callback()
def group() -> None:
    """Compute daily bars, features and universes as they were known."""


@app.command()
def features(fmt: FormatOption = Format.TEXT) -> None:
    """List the features and universes there are, with version, window and unit."""
    from asknown.features.definitions import definitions

    found = definitions()
    rows = [
        {
            "feature": one.name,
            "version": one.version,
            "measure": one.measure,
            "window": one.window,
            "unit": one.unit,
        }
        for one in found.features
    ]
    universes = [
        {"universe": f"{one.name}_<venue>", "by": one.by, "members": one.members}
        for one in found.universes
    ]
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record({"features": rows, "universes": universes})
        return
    for title, held in (("Features", rows), ("Universes", universes)):
        printer.table(title, tuple(held[0]), [tuple(row.values()) for row in held])


@app.command()
def compute(
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark",
            help="VENUE=LISTING: the listing that is the venue's market in beta. Repeatable.",
        ),
    ] = None,
    parallelism: Annotated[int, typer.Option(min=1, help="Task slots to use.")] = 1,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Compute the research tables from the lake's daily bars and history.

    Whole partitions are replaced, each table in one commit: readers see the old rows or the new.
    What was believed at any moment stays what it was; run it after a day's bars, or a backfill.
    """
    from asknown.stack.jobs import Submission, submit
    from asknown.storage import iceberg

    config, printer = settings(), output(fmt)
    arguments = [part for pair in _pairs(benchmark or []) for part in ("--benchmark", pair)]
    began = time.monotonic()
    iceberg.ensure_tables(config)
    job = Submission(
        name="research", arguments=tuple(arguments), batch=True, parallelism=parallelism
    )
    submit(job, config, note=lambda text: printer.line(f"  {text}"))
    _show(printer, fmt, time.monotonic() - began)


def _pairs(given: list[str]) -> list[str]:
    """Return benchmarks as given, once they are known to be pairs.

    Raises UsageError ASKNOWN-CLI-006 for one that is none.
    """
    from asknown.errors import UsageError

    for one in given:
        venue, _, listing = one.partition("=")
        if not venue.isalnum() or not listing or any(sign in listing for sign in "'=\"\\"):
            raise UsageError(
                "ASKNOWN-CLI-006",
                f"--benchmark: expected VENUE=LISTING, found {one!r}.",
                hint="`asknown symbol resolve SYMBOL` gives a listing's permanent id.",
            )
    return given


def _show(printer: Output, fmt: Format, seconds: float) -> None:
    from asknown.storage import iceberg

    catalog = iceberg.lake(settings())
    rows = {}
    for name in TABLES:
        snapshot = catalog.load_table(name).current_snapshot()
        summary = snapshot.summary if snapshot else None
        rows[name] = int(summary["total-records"] or 0) if summary else 0
    if fmt is Format.JSON:
        printer.record({"seconds": round(seconds, 1), "rows": rows})
        return
    printer.table("Research tables", ("table", "rows"), list(rows.items()))
    printer.line(f"computed in {seconds:.0f} s")
