"""Which stretch of time a question is about, and what its answer says of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from asknown.reference.moments import iso
from asknown.research.asking import Ask, earliest, latest, shown
from asknown.research.sources import INTERVALS, Source
from asknown.research.tables import Tables

SECOND_WINDOW = timedelta(days=3)  # bars of a second are many


def about(ask: Ask, tables: Tables) -> dict[str, Any]:
    """Return what every answer of the lake rests on."""
    assert ask.known_at and ask.symbol_as_of  # noqa: S101  # completed
    return {
        "from": "lake",
        "start": shown(ask.start),
        "end": shown(ask.end),
        "known_at": iso(ask.known_at),
        "symbol_as_of": iso(ask.symbol_as_of),
        "snapshots": tables.snapshots,
        "schemas": tables.schemas,
    }


def windows(ask: Ask, source: Source) -> Iterator[tuple[datetime, datetime]]:
    """Yield the stretches of time that are read one after the other."""
    assert ask.start and ask.known_at  # noqa: S101  # completed
    start = earliest(ask.start)
    stop = latest(ask.end) if ask.end is not None else ask.known_at + timedelta(days=1)
    length = source.window or (stop - start)
    if ask.options.get("interval_seconds") == INTERVALS["1s"]:
        length = SECOND_WINDOW
    while start < stop:
        end = min(start + length, stop)
        yield start, end
        start = end


def in_range(table: pa.Table, time: str, ask: Ask) -> pa.Table:
    """Return the rows from start on and before end, by session date or by time as was asked."""
    by_date = pc.coalesce(
        table.column("trade_date"), table.column(time).cast(pa.date32(), safe=False)
    )
    for limit, compare in ((ask.start, pc.greater_equal), (ask.end, pc.less)):
        if limit is None:
            continue
        if isinstance(limit, datetime):
            keep = compare(table.column(time), pa.scalar(limit, table.schema.field(time).type))
        else:
            keep = compare(by_date, pa.scalar(limit, pa.date32()))
        table, by_date = table.filter(keep), by_date.filter(keep)
    return table
