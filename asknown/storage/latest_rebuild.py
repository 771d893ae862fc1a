"""Fill Redis anew from the lake: the newest record of each series, and where to go on.

The lake job copies each partition of a topic in the order of its offsets, so behind the highest one
that a table has, Kafka is read. Records that a backfill made carry no offset; a series whose newest
record is one of them begins at number -1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from string import Template
from typing import Any

import duckdb
from pyiceberg.exceptions import NoSuchTableError
from redis import Redis

from asknown.contracts.catalog import Contract, contract
from asknown.contracts.render import store_fields
from asknown.settings import CHECKOUT, Settings
from asknown.storage import latest
from asknown.storage.iceberg import lake
from asknown.storage.lake_rows import reader
from asknown.storage.latest import Update

MEMORY = "512MB"
SERIES_AT_ONCE = 1_000
_NEWEST = Template((CHECKOUT / "sql" / "recover/newest_of_each_series.sql").read_text())


@dataclass(frozen=True)
class Filled:
    """What one topic has in Redis now; `places` is where each partition goes on."""

    topic: str
    series: int
    places: dict[str, int]

    def document(self) -> dict[str, Any]:
        """Return it as names and values."""
        return asdict(self)


def rebuild(config: Settings) -> Iterator[Filled]:
    """Empty Redis and fill it from the lake, one topic after the other.

    Nobody else may write meanwhile: whoever does is refused, and begins again behind this. Raises
    UnreachableError ASKNOWN-LIVE-002 when Redis does not answer.
    """
    with closing(latest.client("writer", config)) as connection:
        latest.empty(connection)
        for topic in latest.TOPICS:
            yield _fill(config, connection, contract(topic))


def _fill(config: Settings, connection: Redis, c: Contract) -> Filled:
    topic = c.topic.name
    newest: dict[tuple[str, str], Update] = {}
    numbers: dict[tuple[str, str], int] = {}
    places: dict[str, int] = {}
    for partition, offset, record in _groups(config, c):
        found = latest.update(topic, record["kafka_offset"], record)
        if partition >= 0:
            at = latest.place(topic, partition)
            places[at] = max(places.get(at, 0), offset + 1)
        if found is None:
            continue
        key = (found.entity_id, found.series)
        numbers[key] = max(numbers.get(key, -1), offset)
        had = newest.get(key)
        if had is None or (had.time_ms, had.offset) < (found.time_ms, found.offset):
            newest[key] = found
    kept = [(one, numbers[key]) for key, one in newest.items()]
    for first in range(0, len(kept), SERIES_AT_ONCE):
        latest.put(connection, kept[first : first + SERIES_AT_ONCE])
    latest.go_on_at(connection, places)
    return Filled(topic, len(kept), places)


def _groups(config: Settings, c: Contract) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield partition, highest offset and newest record of each series of a table."""
    try:
        table = lake(config).load_table(c.topic.table)
    except NoSuchTableError:
        return
    names = [field.name for field in store_fields(c)]
    time = "bar_start" if "bar_start" in names else "event_time"
    series = [name for name in ("interval_seconds", "price_type") if name in names]
    question = _NEWEST.substitute(time=time, series=", ".join(series) or "entity_id")
    with closing(duckdb.connect(config={"memory_limit": MEMORY, "threads": 2})) as database:
        rows = reader(table.scan(selected_fields=tuple(names)))
        database.register("records", rows)
        yield from database.execute(question).fetchall()
