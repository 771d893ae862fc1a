"""Commands that make a store anew from another one, or compare it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from asknown.cli import recover_lost
from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import ExitCode, UsageError
from asknown.settings import Settings, settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Make a store anew from the one before it, compare them, bring back what is lost.",
)
LOADER, LIVE = "loader", "live"
MARKERS = "ops.replayed_event"
_DAY = ["%Y-%m-%d"]

app.command()(recover_lost.lost)


@app.callback()
def group() -> None:
    """Make a store anew from the one before it, compare them, bring back what is lost."""


@app.command()
def clickhouse(
    table: Annotated[
        str | None, typer.Option("--table", help="A table such as silver.trade; else all.")
    ] = None,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Make tables of ClickHouse anew from the lake, and let the loader go on behind them.

    Readers see the old rows until the new ones are whole and compared, then the new ones. The
    loader stands still meanwhile; what the lake does not have yet it reads from Kafka afterwards.
    """
    from asknown.storage.rebuild import chosen, rebuild

    config, printer = settings(), output(fmt)
    tables = chosen(table)
    with _stopped(config, LOADER):
        done = list(rebuild(config, tables, lambda text: printer.line(f"  {text}")))
    if fmt is Format.JSON:
        printer.record({"tables": [one.document() for one in done]})
        return
    rows = [(one.table, one.rows, one.recomputed, sum(one.places.values())) for one in done]
    title = "ClickHouse from the lake"
    printer.table(title, ("table", "rows", "from backfills", "sum of last offsets"), rows)


@app.command()
def redis(fmt: FormatOption = Format.TEXT) -> None:
    """Empty Redis and fill it from the lake: the newest records of each listing.

    What the lake does not have yet is read from Kafka afterwards. Clients of the stream stay
    connected; what they are sent goes on behind the numbers they have seen, or begins with a
    snapshot.
    """
    from asknown.storage.latest_rebuild import rebuild

    config, printer = settings(), output(fmt)
    with _stopped(config, LIVE):
        done = list(rebuild(config))
    if fmt is Format.JSON:
        printer.record({"topics": [one.document() for one in done]})
        return
    rows = [(one.topic, one.series, sum(one.places.values())) for one in done]
    printer.table("Redis from the lake", ("topic", "series", "sum of next offsets"), rows)


@app.command()
def lake(
    first: Annotated[datetime, typer.Option("--from", formats=_DAY, help="First day, UTC.")],
    end: Annotated[datetime, typer.Option("--to", formats=_DAY, help="Day after the last, UTC.")],
    compare: Annotated[
        bool, typer.Option("--compare", help="Compute into fresh tables and compare; required.")
    ] = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Compute silver and gold from bronze into fresh tables, day by day, and compare.

    Nothing in the lake changes. Exits with 3 when a day differs: `asknown backfill apply` replaces
    it.
    """
    _require_window(first.date(), end.date(), compare=compare)
    from asknown.storage.compare import days

    config, printer = settings(), output(fmt)
    found = [
        one for day in days(first.date(), end.date()) for one in _compare(config, printer, day)
    ]
    differ = [one for one in found if not one["same"]]
    if fmt is Format.JSON:
        printer.record({"compared": found, "differ": len(differ)})
    else:
        names = ("table", "day", "expected_rows", "found_rows", "same")
        printer.table(
            "Bronze and what was made of it", names, [tuple(one[n] for n in names) for one in found]
        )
        for one in differ:
            printer.line(f"  {one['table']} {one['day']} differs")
    if differ:
        raise typer.Exit(int(ExitCode.CHECK_FAILED))


def _compare(config: Settings, printer: Output, day: date) -> list[dict[str, Any]]:
    """Compute one day in a folder of its own and compare it."""
    from asknown.stack.flink import free_width
    from asknown.stack.jobs import Submission, submit
    from asknown.stack.paths import Paths
    from asknown.storage.compare import compare, hours
    from asknown.storage.iceberg import count_between
    from asknown.storage.partitions import DAY

    root = Paths.of(config).data / "recover"
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="compare-", dir=root))
    try:
        arguments = ["--out", str(folder), "--hours", hours(day)]
        if count_between(MARKERS, day, day + DAY, config):
            arguments.append("--replayed")
        run = Submission(
            name="backfill",
            arguments=tuple(arguments),
            batch=True,
            parallelism=free_width(config),
        )
        submit(run, config, note=lambda text: printer.line(f"  {text}"))
        return [one.document() for one in compare(config, folder, day)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _require_window(first: date, end: date, *, compare: bool) -> None:
    if end <= first or not compare:
        raise UsageError(
            "ASKNOWN-RECOVER-004",
            f"expected --compare and --to after --from, found {first} to {end}.",
            hint="asknown recover lake --from 2024-10-28 --to 2024-10-29 --compare",
        )


@contextmanager
def _stopped(config: Settings, name: str) -> Iterator[None]:
    """Let a process of the local stack stand still meanwhile, if it runs."""
    from asknown.stack.control import up
    from asknown.stack.paths import Paths
    from asknown.stack.supervisor import Supervisor

    supervisor = Supervisor(Paths.of(config))
    row = supervisor.states().get(name) if supervisor.pid() is not None else None
    ran = row is not None and row["statename"] in ("RUNNING", "STARTING")
    if ran:
        supervisor.stop([name])
    try:
        yield
    finally:
        if ran:
            up([name], config=config)
