"""Daily bars: those the platform computed, and where it has none, those of the sources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from asknown.errors import UsageError
from asknown.reference import calendars
from asknown.research.sources import COMPUTED_DAY, INTERVALS, SOURCE_DAY
from asknown.research.tables import TIME, Tables, believed
from asknown.research.where import among

_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)


def computed_first(
    tables: Tables, rows: pa.Table, known_at: datetime, listings: Sequence[str]
) -> pa.Table:
    """Return a source's daily bars, each replaced where the platform computed one of its day.

    `rows` are of SOURCE_DAY; what was computed is taken by the knowledge of `known_at`.
    """
    where = among("entity_id", listings)
    found = believed(tables.rows(COMPUTED_DAY, known_at, where), known_at)
    if found.num_rows == 0:
        return rows
    computed = _as_bars(found).select(rows.column_names).cast(rows.schema)
    keys = ["entity_id", "trade_date"]
    rest = rows.join(computed.select(keys), keys, join_type="left anti").select(rows.column_names)
    order = [(name, "ascending") for name in SOURCE_DAY.key]
    return pa.concat_tables([computed, rest]).sort_by(order)


def _as_bars(found: pa.Table) -> pa.Table:
    """Return computed days with the columns of a source's bars; they begin at the open."""
    days = list(zip(*(found.column(n).to_pylist() for n in ("venue", "trade_date")), strict=True))
    opens = {one: session_open(*one) for one in set(days)}
    count = found.num_rows
    names: dict[str, Any] = {name: found.column(name) for name in found.column_names}
    ids = [
        f"{row['entity_id']}|{row['trade_date']}"
        for row in found.select(["entity_id", "trade_date"]).to_pylist()
    ]
    return pa.table(
        {
            **names,
            "bar_start": pa.array([opens[one] for one in days], pa.int64()).cast(TIME),
            "event_id": pa.array(ids, pa.string()),
            "interval_seconds": pa.array([INTERVALS["1d"]] * count, pa.int32()),
            "price_type": pa.array(["trade"] * count, pa.string()),
            "ingest_time": found.column("known_from"),
        }
    )


def session_open(venue: str, day: date) -> int:
    """Return when a session begins, in UTC milliseconds; midnight UTC where no calendar says."""
    try:
        return calendars.session_open(venue, day)
    except UsageError:
        return (day - _EPOCH).days * _DAY_MS


def closes(venue: str, days: Sequence[date]) -> dict[date, int]:
    """Return when sessions end, in UTC milliseconds.

    Of a day without a known session: when it is over everywhere on earth, 12:00 UTC of the next.
    """
    over = {day: (day - _EPOCH).days * _DAY_MS + _DAY_MS * 3 // 2 for day in days}
    if not days or venue not in calendars.VENUES:
        return over
    first, last = calendars.coverage(venue)
    asked = [day for day in days if first <= day <= last]
    if not asked:
        return over
    known = calendars.day_schedules(venue, min(asked), max(asked))
    wanted = set(asked)
    return over | {one.date: one.regular[1] for one in known if one.date in wanted}
