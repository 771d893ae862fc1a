"""The command `asknown ledger`: every raw record in one lane, and the same in every store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import ExitCode, UnreachableError

if TYPE_CHECKING:
    from asknown.storage.ledger import Collector, Reading

POLL_S = 1.0

WaitOption = Annotated[
    float, typer.Option("--wait", min=0, help="Seconds to wait until it closes and stores agree.")
]


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(ledger)


def ledger(wait: WaitOption = 0.0, fmt: FormatOption = Format.TEXT) -> None:
    """Check raw = normalized + duplicate + late + quarantined, and compare the stores.

    Exits with 3 when the ledger does not close or the stores differ.
    """
    from asknown.storage.ledger import Collector

    with Collector() as collector:
        reading = _read(collector, wait)
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record(reading.document())
    else:
        _show(printer, reading)
    if not (reading.closed and reading.stores_equal):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _read(collector: Collector, wait: float) -> Reading:
    """Read until all is well or the time is over; a store that is away may come back meanwhile."""
    deadline = time.monotonic() + wait
    while True:
        try:
            reading = collector.read()
        except UnreachableError:
            if time.monotonic() >= deadline:
                raise
        else:
            if (reading.closed and reading.stores_equal) or time.monotonic() >= deadline:
                return reading
        time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))


def _show(printer: Output, reading: Reading) -> None:
    rows = [*reading.ledgers.items(), ("total", reading.total)]
    printer.table(
        "Ledger",
        ("topic", "raw", "normalized", "duplicate", "late", "quarantined", "difference"),
        [
            (name, x.raw, x.normalized, x.duplicate, x.late, x.quarantined, x.difference)
            for name, x in rows
        ],
    )
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
    if reading.reasons:
        printer.table("Quarantined", ("reason", "records"), list(reading.reasons.items()))
    verdict = "closed" if reading.closed else f"open by {reading.total.difference:,}"
    agree = "agree" if reading.stores_equal else "differ"
    printer.line(f"ledger {verdict}; stores {agree}")
