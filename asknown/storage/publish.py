"""Put a day of a table of the lake into ClickHouse in place of what is there, at once.

The tables are cut by `kafka_partition`. No topic carried a published row, so its partition is a
number of its day below zero: each day that was published is one ClickHouse partition, beside those
of the loader.

1. How far the loader has come is read and kept (`loaded_offsets`): what lies up to there is
   replaced, what lies behind it stays.
2. The day is loaded from the lake, which has everything up to there, into a scratch table, and
   counted.
3. REPLACE PARTITION puts it into the table, whole, in place of what an earlier run published.
4. The loader's rows of the day up to there are deleted.

Between 3 and 4 a reader finds the new rows besides the old ones, and of a row that is in both the
old one; never a day that lacks rows. Which row wins is fixed: a published one has an offset below
zero (-1: as known then; -2 - T: by the knowledge of T, UTC milliseconds), so what the loader adds
afterwards is newer than it. Each step can be repeated, so a run that
was killed anywhere is finished by doing all of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from asknown.contracts.catalog import Contract, contracts
from asknown.contracts.render import arrow_schema, clickhouse_key, store_fields
from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.storage import clickhouse, loaded_offsets
from asknown.storage.iceberg import lake
from asknown.storage.lake_rows import reader
from asknown.storage.partition_sums import DAY, of_day

EPOCH = date(1970, 1, 1)
BATCH_ROWS = 200_000
AS_KNOWN = -1  # the offset of a published row that was made as known then
_REVISED = "revision"
# A block is taken although an equal one was taken before: the scratch table is made anew.
_INSERT: Mapping[str, Any] = {"async_insert": 0, "insert_deduplicate": 0}
_WHOLE: Mapping[str, Any] = {"mutations_sync": 2, "lightweight_deletes_sync": 2}

Frontier = Mapping[int, int]  # Kafka partition -> offset up to which rows are replaced


@dataclass(frozen=True)
class Published:
    """What became of a day: rows that are there now, rows of the loader that were taken out."""

    rows: int
    removed: int


def partition_of(day: date) -> int:
    """Return the number of the partition that holds a day that was published."""
    return -1 - (day - EPOCH).days


def frontiers(config: Settings, tables: Iterable[str]) -> dict[str, dict[int, int]]:
    """Return how far the loader has come with some tables, and keep it.

    Read it before the lake is waited for, so that the lake has everything up to there.
    """
    found = {}
    with clickhouse.client("writer", settings=config) as connection:
        for table in tables:
            found[table] = loaded_offsets.loaded(connection, table)
            loaded_offsets.keep(connection, table, found[table])
    return found


def publish_day(
    config: Settings,
    table: str,
    day: date,
    frontier: Frontier,
    done: Callable[[str], None] = lambda _: None,
) -> Published:
    """Replace a day of a table; `done` is told each step when it is done.

    Raises `AsknownError` ASKNOWN-BACKFILL-011 when ClickHouse refuses, or has not taken what the
    lake has; readers then have what they had before.
    """
    c = next(one for one in contracts().values() if one.topic.table == table)
    try:
        with (
            clickhouse.client("writer", settings=config) as connection,
            _scratch(connection, c) as scratch,
        ):
            rows = _load(config, connection, c, scratch, (day, frontier))
            done("staged")
            _replace(connection, table, scratch, day, rows)
            done("replaced")
            removed = _delete(connection, c, day, frontier)
            done("removed")
    except ClickHouseError as error:
        raise _refused(table, day, str(error).splitlines()[0]) from error
    return Published(rows, removed)


@contextmanager
def _scratch(connection: Client, c: Contract) -> Iterator[str]:
    """Make an empty table like a topic's; what an earlier process left of it is dropped.

    It replaces no rows, so that they can be counted.
    """
    name = f"{c.topic.table}_publishing"
    keys = ", ".join(clickhouse_key(c)[1])
    connection.command(f"DROP TABLE IF EXISTS {name} SYNC")
    connection.command(
        f"CREATE TABLE {name} AS {c.topic.table} ENGINE = MergeTree"
        f" PARTITION BY kafka_partition ORDER BY ({keys})"
    )
    yield name
    connection.command(f"DROP TABLE IF EXISTS {name} SYNC")


def _load(
    config: Settings, connection: Client, c: Contract, scratch: str, place: tuple[date, Frontier]
) -> int:
    """Load a day from the lake; return how many rows it has."""
    day, frontier = place
    names = tuple(f.name for f in store_fields(c))
    scan = lake(config).load_table(c.topic.table).scan(of_day(day), selected_fields=names)
    database, _, bare = scratch.partition(".")
    loaded = 0
    for batch in reader(scan):
        rows = _published_rows(pa.Table.from_batches([batch]), c, day, frontier)
        for start in range(0, rows.num_rows, BATCH_ROWS):
            part = rows.slice(start, BATCH_ROWS).combine_chunks()
            connection.insert_arrow(bare, part, database=database, settings=dict(_INSERT))
        loaded += rows.num_rows
    found = int(connection.query(f"SELECT count() FROM {scratch}").result_rows[0][0])  # noqa: S608  # a name of topics.yaml
    if found != loaded:
        raise _refused(c.topic.table, day, f"{found:,} rows in place of {loaded:,}")
    return found


def _published_rows(rows: pa.Table, c: Contract, day: date, frontier: Frontier) -> pa.Table:
    """Return rows of the lake as they are published, without those the loader brings itself."""
    partitions, offsets = (rows[name].to_numpy() for name in ("kafka_partition", "kafka_offset"))
    kept = partitions < 0  # what a backfill made; and of the loader's what it has brought
    for partition, last in frontier.items():
        kept |= (partitions == partition) & (offsets <= last)
    rows = rows.filter(pa.array(kept))
    known_at = np.where(partitions < 0, offsets, AS_KNOWN)[kept]
    written = np.where(known_at < 0, AS_KNOWN, -2 - known_at)
    made = {
        "kafka_partition": pa.array(np.full(rows.num_rows, partition_of(day)), pa.int32()),
        "kafka_offset": pa.array(written, pa.int64()),
    }
    schema = arrow_schema(c)
    columns = [made[name] if name in made else rows[name] for name in schema.names]
    return pa.Table.from_arrays(columns, names=schema.names).cast(schema)


def _replace(connection: Client, table: str, scratch: str, day: date, rows: int) -> None:
    number = partition_of(day)
    if rows:
        connection.command(f"ALTER TABLE {table} REPLACE PARTITION {number} FROM {scratch}")
    else:
        connection.command(f"ALTER TABLE {table} DROP PARTITION {number}")


def _delete(connection: Client, c: Contract, day: date, frontier: Frontier) -> int:
    """Delete the loader's rows of a day up to the frontier; return how many there were.

    Of bars the revisions before the published one stay: what was known before a correction can
    still be asked for.
    """
    if not frontier:
        return 0
    table, of_table = c.topic.table, f"{c.topic.table} WHERE "
    reached = " OR ".join(
        f"(kafka_partition = {partition} AND kafka_offset <= {offset})"
        for partition, offset in sorted(frontier.items())
    )
    start, end = (f"toDateTime64('{one} 00:00:00', 3, 'UTC')" for one in (day, day + DAY))
    chosen = f"event_time >= {start} AND event_time < {end} AND ({reached})"
    if any(f.name == _REVISED for f in c.payload):
        grain = "entity_id, interval_seconds, price_type, bar_start, factor_version"
        chosen += (
            f" AND ({grain}, {_REVISED}) NOT IN (SELECT {grain}, arrayJoin(range({_REVISED}))"  # noqa: S608  # names of ours
            f" FROM {table} WHERE kafka_partition = {partition_of(day)})"
        )
    counted = connection.query(f"SELECT count() FROM {of_table}{chosen}").result_rows  # noqa: S608
    removed = int(counted[0][0])
    if removed:
        connection.command(f"DELETE FROM {of_table}{chosen}", settings=dict(_WHOLE))  # noqa: S608
    return removed


def _refused(table: str, day: date, found: str) -> AsknownError:
    return AsknownError(
        "ASKNOWN-BACKFILL-011",
        f"expected ClickHouse to take {day} of {table}, found: {found}.",
        hint="asknown status; then asknown backfill retry with the id of the run.",
    )
