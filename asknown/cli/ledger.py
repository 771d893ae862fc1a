"""The command `asknown ledger`: every raw record in one lane, and the same in every store."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import ExitCode, UnreachableError, UsageError

if TYPE_CHECKING:
    from asknown.quality.ledger import Ledger
    from asknown.storage.ledger import Reading
    from asknown.storage.ledger_report import Ledgers, Report

POLL_S = 1.0
BY = ("topic", "partition", "hour")
SHOWN = 20
_LANES = ("raw", "normalized", "duplicate", "late", "quarantined", "difference")
RUNBOOK = "docs/operate/ledger-open.md"

WaitOption = Annotated[
    float, typer.Option("--wait", min=0, help="Seconds to wait until it closes and stores agree.")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", help="Only what the broker took in from a day or time on, UTC."),
]


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(ledger)


def ledger(
    wait: WaitOption = 0.0,
    since: SinceOption = None,
    by: Annotated[str, typer.Option("--by", help="topic, partition or hour.")] = "topic",
    lake: Annotated[
        bool, typer.Option("--lake", help="Look every record up in the lake as well.")
    ] = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Check raw = normalized + duplicate + late + quarantined, and compare the stores.

    Exits with 3 when the ledger does not close or the stores differ, and names the offsets of the
    records that are in no lane or in two. With --since the stores are not compared.
    """
    from asknown.settings import settings
    from asknown.storage.ledger_report import Asked, By, Ledgers

    if by not in BY:
        raise UsageError(
            "ASKNOWN-LEDGER-003",
            f"expected one of {', '.join(BY)}, was {by!r}.",
            where="--by",
            hint="asknown ledger --by partition.",
        )
    asked = Asked(By(by), since_ms(since), lake)
    with Ledgers(settings(), asked) as ledgers:
        report = _read(ledgers, wait)
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record(report.document())
    else:
        _show(printer, report)
    if not report.passed:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def since_ms(text: str | None) -> int | None:
    """Return a day (its beginning, UTC) or a time in milliseconds.

    Raises `UsageError` ASKNOWN-LEDGER-004 for anything else.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "ASKNOWN-LEDGER-004",
            f"expected a day or a time, was {text!r}.",
            where="--since",
            hint="2024-10-28, or 2024-10-28T09:15:00+05:30; without offset it is UTC.",
        ) from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _read(ledgers: Ledgers, wait: float) -> Report:
    """Read until all is well or the time is over; a store that is away may come back meanwhile."""
    deadline = time.monotonic() + wait
    while True:
        try:
            report = ledgers.read()
        except UnreachableError:
            if time.monotonic() >= deadline:
                raise
        else:
            if report.passed:
                return report
            if time.monotonic() >= deadline:
                return ledgers.complete(report)
        time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))


def _show(printer: Output, report: Report) -> None:
    reading = report.kafka
    rows = [*reading.ledgers.items(), ("total", reading.total)]
    printer.table("Ledger", ("topic", *_LANES), [(name, *_counts(x)) for name, x in rows])
    _show_places(printer, report)
    _show_stores(printer, reading)
    if reading.reasons:
        printer.table("Quarantined", ("reason", "records"), list(reading.reasons.items()))
        if reading.discarded:
            printer.line(f"of these {reading.discarded:,} discarded: left there by a person")
    _show_lake(printer, report)
    _show_gaps(printer, report)
    verdict = "closed" if reading.closed and report.exact else f"open by {_open(report):,}"
    agree = "agree" if reading.stores_equal and not report.differences else "differ"
    printer.line(f"ledger {verdict}; stores {agree}")


def _show_stores(printer: Output, reading: Reading) -> None:
    if not reading.stores:
        return
    printer.table(
        "Stores (records)",
        ("topic", "table", "kafka", "iceberg", "clickhouse", "without FINAL", "equal"),
        [
            (
                *(row.topic, row.table, row.kafka, row.iceberg),
                *(row.clickhouse, row.clickhouse_rows),
                ("yes" if row.equal else "NO") if row.compared else "not compared: compacted",
            )
            for row in reading.stores
        ],
    )


def _show_places(printer: Output, report: Report) -> None:
    places = report.places
    if places is None or report.asked.by == "topic":
        return
    if report.asked.by == "partition":
        rows = [(*key, *_counts(found)) for key, found in places.partitions.items()]
        printer.table("By partition", ("topic", "partition", *_LANES), rows)
        return
    hours = [
        (h.topic, h.partition, f"{h.hour:%Y-%m-%dT%H:00Z}" if h.hour else None, *_counts(h.ledger))
        for h in places.hours
    ]
    columns = ("topic", "partition", "hour it came", *_LANES)
    printer.table("By partition and hour", columns, hours)


def _show_lake(printer: Output, report: Report) -> None:
    if report.lake is None:
        return
    rows = [(one.topic, *_counts(one.total()), "yes" if one.exact else "NO") for one in report.lake]
    printer.table("Lake, record by record", ("topic", *_LANES, "exact"), rows)
    for one in report.differences:
        place = one.topic if one.partition < 0 else f"{one.topic}[{one.partition}]"
        printer.line(f"{place} {one.lane}: {one.kafka:,} in Kafka, {one.lake:,} in the lake")
    if report.live is not None:
        overdue, difference = report.live["overdue_records"], report.live["difference"]
        printer.line(f"live metric: {overdue:,} overdue, {difference:,} on their way")


def _show_gaps(printer: Output, report: Report) -> None:
    gaps = report.gaps
    if not gaps:
        return
    rows = [(gap.name, gap.fault, gap.records) for gap in gaps[:SHOWN]]
    printer.table(f"Not in exactly one lane: {len(gaps):,}", ("offsets", "fault", "records"), rows)
    printer.line(f"what to do: {RUNBOOK}")


def _open(report: Report) -> int:
    return report.kafka.total.difference or sum(gap.records for gap in report.gaps)


def _counts(found: Ledger) -> tuple[int, ...]:
    return (
        *(found.raw, found.normalized, found.duplicate),
        *(found.late, found.quarantined, found.difference),
    )
