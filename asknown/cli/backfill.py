"""Commands that recompute the lake from bronze: planned, applied, verified, published."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from asknown.cli import backfill_show as show_
from asknown.cli import backfill_steps as steps
from asknown.cli.backfill_steps import AS_KNOWN
from asknown.cli.output import Format, FormatOption, output
from asknown.errors import ExitCode, UsageError
from asknown.settings import settings

if TYPE_CHECKING:
    from asknown.settings import Settings
    from asknown.storage.backfill_book import Run
    from asknown.storage.backfill_plan import Cause, Plan

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Recompute partitions of the lake with the jobs' own code.",
)

_DAY = ["%Y-%m-%d"]
From = Annotated[datetime | None, typer.Option("--from", formats=_DAY, help="First day, UTC.")]
To = Annotated[datetime | None, typer.Option("--to", formats=_DAY, help="Day after the last, UTC.")]
Knowledge = Annotated[
    str,
    typer.Option(
        help="as-known: what each moment knew, as the stream did; as-of-now: what is known "
        "today; or a time such as 2024-10-29T12:00:00Z: what was known then."
    ),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run.")]
MaybeRun = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Id of a run.")]
Why = Annotated[str, typer.Option(help="Why, for whoever reads it later.")]


@app.callback()
def group() -> None:
    """Recompute partitions of the lake with the jobs' own code."""


@app.command()
def plan(  # noqa: PLR0913  # the options of one command
    why: Why,
    first: From = None,
    end: To = None,
    restatement: Annotated[
        str | None,
        typer.Option(help="What silver.restatement names: an id, a key, a listing; or all (open)."),
    ] = None,
    late: Annotated[bool, typer.Option("--late", help="Days of records not healed yet.")] = False,
    corrupted: Annotated[
        list[str] | None, typer.Option(metavar="TABLE:DAY", help="A partition; may be repeated.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option(metavar="DATASET", help="Every day of trade or quote.")
    ] = None,
    knowledge: Knowledge = AS_KNOWN,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Say what a cause has touched, down to partitions, and how long it takes to mend."""
    from asknown.storage import backfill_plan as planning
    from asknown.storage.backfill_book import PLANNED, Book

    config = settings()
    chosen = [
        *([planning.of_days(*_window(first, end))] if first or end else []),
        *([planning.of_restatement(config, restatement, _book(config))] if restatement else []),
        *([planning.of_late(config)] if late else []),
        *([planning.of_corruption(corrupted)] if corrupted else []),
        *([planning.of_rule(config, rule)] if rule else []),
    ]
    if len(chosen) != 1:
        raise UsageError(
            "ASKNOWN-BACKFILL-003",
            f"expected one cause, found {len(chosen)}.",
            hint="give --from and --to, or one of --restatement, --late, --corrupted, --rule.",
        )
    found = _plan(config, chosen[0], (why, knowledge))
    if not found.days:
        show_.nothing(output(fmt), fmt, found)
        return
    if not dry_run:
        Book(config).add(found.asked, PLANNED, PLANNED, found.detail)
    show_.plan(output(fmt), fmt, found, written=not dry_run)


def _plan(config: Settings, cause: Cause, said: tuple[str, str]) -> Plan:
    """Plan a run for a cause (why, by which knowledge); nothing is written.

    Raises `UsageError` when another run is replacing one of its days.
    """
    from asknown.storage import backfill_plan as planning

    steps.moment_of(said[1])
    found = planning.plan(config, cause, *said)
    if found.days:
        planning.require_free(_book(config), found.asked, lambda: steps.running(config))
    return found


@app.command()
def apply(  # noqa: PLR0913  # the options of one command
    run_id: MaybeRun = None,
    first: From = None,
    end: To = None,
    knowledge: Knowledge = AS_KNOWN,
    why: Why = "asked for by its days",
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Replace silver.trade, silver.quote and gold.bar of a run's days by what bronze gives.

    Each day of a table is replaced whole, in one commit, or stays as it was. With --from and --to
    it is planned first. What was done is recorded day by day: `retry` goes on where it ended.
    """
    from asknown.storage import backfill_plan as planning
    from asknown.storage.backfill_book import PLANNED, Book

    config = settings()
    if run_id is None:
        cause = planning.of_days(*_window(first, end))
        found = _plan(config, cause, (why, knowledge))
        if not found.days:
            show_.nothing(output(fmt), fmt, found)
            return
        run = Book(config).add(found.asked, PLANNED, PLANNED, found.detail)
    else:
        run = Book(config).run(run_id)
    done = steps.apply(config, output(fmt), run)
    show_.applied(output(fmt), fmt, done)


@app.command()
def verify(
    run_id: MaybeRun = None, first: From = None, end: To = None, fmt: FormatOption = Format.TEXT
) -> None:
    """Recompute days beside the lake and compare: rows and checksums, by table and day.

    Exits with 3 when a day holds something else, and prints the plan that mends it.
    """
    config, printer = settings(), output(fmt)
    run, days = _days(config, run_id, first, end)
    findings = steps.verify(config, printer, days)
    if run is not None:
        show_.record_verified(config, run, findings)
    show_.verified(printer, fmt, findings)
    if not all(finding.equal for finding in findings):
        raise typer.Exit(ExitCode.CHECK_FAILED)


@app.command()
def diff(
    what: Annotated[
        list[str], typer.Argument(metavar="[RUN] TABLE", help="A table, or a run and a table.")
    ],
    first: From = None,
    end: To = None,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show the rows of a table that differ from what bronze gives; exits with 3 when some do."""
    from asknown.storage.backfill_verify import differences
    from asknown.storage.partition_sums import REBUILT

    config, printer = settings(), output(fmt)
    table, run_id = what[-1], what[0] if len(what) > 1 else None
    if table not in REBUILT:
        raise UsageError(
            "ASKNOWN-BACKFILL-009",
            f"expected a table of {', '.join(REBUILT)}, found {table!r}.",
            hint="asknown backfill diff silver.trade --from 2024-10-28 --to 2024-10-29",
        )
    _, days = _days(config, run_id, first, end)
    found = steps.recompute(
        config,
        printer,
        days,
        lambda folder, piece: [(day, *differences(config, folder, table, day)) for day in piece],
    )
    every = [one for part in found for one in part]
    show_.different(printer, fmt, table, every)
    if any(counts for _, counts, _ in every):
        raise typer.Exit(ExitCode.CHECK_FAILED)


@app.command()
def publish(run_id: RunId, fmt: FormatOption = Format.TEXT) -> None:
    """Put the days of a run into ClickHouse in place of what is there."""
    config = settings()
    done = steps.publish(config, output(fmt), _one(config, run_id))
    show_.published(output(fmt), fmt, done)


@app.command()
def retry(run_id: RunId, fmt: FormatOption = Format.TEXT) -> None:
    """Go on with a run that failed or was killed; what is done stays done."""
    config, printer = settings(), output(fmt)
    run = _one(config, run_id)
    if run.status in ("publishing", "published") or run.failed_while == "publish":
        show_.published(printer, fmt, steps.publish(config, printer, run))
    elif run.status in ("planned", "applying") or run.failed_while == "apply":
        show_.applied(printer, fmt, steps.apply(config, printer, run))
    elif run.failed_while == "verify":
        verify(run_id, fmt=fmt)
    else:
        show_.next_step(printer, fmt, run)


@app.command("ls")
def list_(fmt: FormatOption = Format.TEXT) -> None:
    """List the runs, newest last."""
    show_.runs(output(fmt), fmt, _book(settings()))


@app.command()
def show(run_id: RunId, fmt: FormatOption = Format.TEXT) -> None:
    """Show a run: what it was for, what is done, rows and checksums before and after."""
    show_.run(output(fmt), fmt, _one(settings(), run_id))


def _book(config: Settings) -> list[Run]:
    from asknown.storage.backfill_book import Book

    return Book(config).runs()


def _one(config: Settings, run_id: str) -> Run:
    from asknown.storage.backfill_book import Book

    return Book(config).run(run_id)


def _days(
    config: Settings, run_id: str | None, first: datetime | None, end: datetime | None
) -> tuple[Run | None, list[date]]:
    """Return the run and its days, or the days of a window of which bronze has records."""
    from asknown.storage.backfill_plan import data_days

    if run_id is None:
        return None, list(data_days(config, [_window(first, end)]))
    run = _one(config, run_id)
    return run, list(run.days)


def _window(first: datetime | None, end: datetime | None) -> tuple[date, date]:
    if first is None or end is None or end <= first:
        raise UsageError(
            "ASKNOWN-BACKFILL-001",
            f"expected --from and --to, --to after --from, found {_said(first)} and {_said(end)}.",
            hint="--from 2024-10-28 --to 2024-10-29 is one day",
        )
    return first.date(), end.date()


def _said(at: datetime | None) -> str:
    return "none" if at is None else str(at.date())
