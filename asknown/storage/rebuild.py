"""Make a table of ClickHouse anew from the lake, beside readers, without a loader.

The rows of one snapshot go into a table beside the one that is asked. When it is whole, and its
count and checksum are those of the snapshot, the two change places in one step, so a reader has the
old rows or the new ones. Killed before that, nothing has changed; the next run begins again.

The lake job copies each partition of a topic in the order of its offsets. So what the snapshot has
of one ends at the highest offset it has, and there the loader goes on: it reads where from the
table. It must not run meanwhile: it knows its own place in the old table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from pyiceberg.exceptions import NoSuchTableError

from asknown.contracts.catalog import Contract
from asknown.contracts.render import arrow_schema, store_fields
from asknown.errors import AsknownError, UsageError
from asknown.settings import Settings
from asknown.storage import clickhouse
from asknown.storage.checksum import Checksum, of_rows
from asknown.storage.iceberg import lake
from asknown.storage.lake_rows import reader
from asknown.storage.loader import running_inserts

BLOCK_ROWS = 100_000
SUFFIX = "__rebuilt"
# Rows are compared before any of them replaces another: neither in an insert nor in a merge.
_INSERT = {"optimize_on_insert": 0, "insert_deduplicate": 0, "async_insert": 0}
_TEXT = {"output_format_arrow_string_as_string": 1}

Note = Callable[[str], None]


@dataclass(frozen=True)
class Rebuilt:
    """How many rows a table has now; `recomputed` of them come from a backfill, not from a topic.

    `places` is, by Kafka partition, the offset behind which the loader goes on.
    """

    table: str
    rows: int
    recomputed: int
    snapshot: int | None
    places: dict[int, int]

    def document(self) -> dict[str, Any]:
        """Return it as names and values."""
        return asdict(self)


def chosen(name: str | None) -> list[Contract]:
    """Return the contracts of the tables to rebuild: the one named, or all that ClickHouse holds.

    Raises `UsageError` ASKNOWN-RECOVER-001 when ClickHouse holds no such table.
    """
    found = [c for c in clickhouse.held() if name in (None, c.topic.table)]
    if not found:
        raise UsageError(
            "ASKNOWN-RECOVER-001",
            f"expected a table that ClickHouse holds, was {name!r}.",
            hint=f"use one of: {', '.join(clickhouse.tables())}.",
        )
    return found


def rebuild(config: Settings, tables: Sequence[Contract], note: Note = print) -> Iterator[Rebuilt]:
    """Rebuild tables one after the other and yield what each holds.

    Raises `AsknownError` ASKNOWN-RECOVER-002 while a loader inserts, and ASKNOWN-RECOVER-003 when
    ClickHouse has not what the lake has; the table that is asked is then as it was.
    """
    with clickhouse.client("writer", settings=config) as connection:
        running = running_inserts(connection)
        if running:
            raise AsknownError(
                "ASKNOWN-RECOVER-002",
                f"expected no loader beside a rebuild, found {running} inserts of one.",
                where=config.clickhouse_url,
                hint="stop the loader first; `asknown recover clickhouse` does, on a local stack.",
            )
        for c in tables:
            yield _rebuild(config, connection, c, note)


def _rebuild(config: Settings, connection: Client, c: Contract, note: Note) -> Rebuilt:
    name = c.topic.table
    beside = f"{name}{SUFFIX}"
    _restore(connection, name)
    connection.command(f"DROP TABLE IF EXISTS {beside} SYNC")
    connection.command(f"CREATE TABLE {beside} AS {name}")
    connection.command(f"SYSTEM STOP MERGES {beside}")
    expected, recomputed, snapshot = _copy(config, connection, c, beside)
    found = _stored(connection, c, beside)
    if found != expected:
        raise AsknownError(
            "ASKNOWN-RECOVER-003",
            f"expected the rows of the lake, {expected}, found {found}; {name} is as it was.",
            where=beside,
            hint="run `asknown recover clickhouse` again.",
        )
    connection.command(f"SYSTEM START MERGES {beside}")
    connection.command(f"EXCHANGE TABLES {name} AND {beside}")
    connection.command(f"DROP TABLE {beside} SYNC")
    note(f"{name}: {expected.rows:,} rows")
    return Rebuilt(name, expected.rows, recomputed, snapshot, _places(connection, name))


def _restore(connection: Client, name: str) -> None:
    """Make a table that was dropped, empty; the migrations bear repetition."""
    begin = (f"CREATE TABLE IF NOT EXISTS {name}\n", f"ALTER TABLE {name} ")
    connection.command(f"CREATE DATABASE IF NOT EXISTS {name.partition('.')[0]} ENGINE = Atomic")
    for migration in clickhouse.migrations():
        for statement in migration.statements:
            if statement.startswith(begin):
                connection.command(statement)


def _copy(
    config: Settings, connection: Client, c: Contract, target: str
) -> tuple[Checksum, int, int | None]:
    """Copy the newest snapshot; return what it holds, how much a backfill made, and its id."""
    try:
        table = lake(config).load_table(c.topic.table)
    except NoSuchTableError:
        return Checksum(), 0, None
    names = [f.name for f in store_fields(c)]
    schema = arrow_schema(c)
    database, _, bare = target.partition(".")
    total, recomputed = Checksum(), 0
    found = reader(table.scan(selected_fields=tuple(names)))
    for rows in _blocks(found, schema):
        total += of_rows(rows, names)
        recomputed += pa.compute.sum(pa.compute.less(rows["kafka_partition"], 0)).as_py() or 0
        connection.insert_arrow(bare, rows, database=database, settings=_INSERT)
    snapshot = table.current_snapshot()
    return total, recomputed, snapshot.snapshot_id if snapshot else None


def _blocks(reader: Any, schema: pa.Schema) -> Iterator[Any]:
    """Yield rows as ClickHouse takes them, in blocks of about BLOCK_ROWS."""
    held: list[Any] = []
    for batch in reader:
        held.append(batch)
        if sum(one.num_rows for one in held) >= BLOCK_ROWS:
            yield _block(held, schema)
            held = []
    if held:
        yield _block(held, schema)


def _block(batches: Sequence[Any], schema: pa.Schema) -> Any:
    rows = pa.Table.from_batches(batches).select(schema.names)
    columns = [
        _filled(rows[f.name], f) if pa.types.is_map(f.type) else rows[f.name].cast(f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema).combine_chunks()


def _filled(column: Any, field: pa.Field) -> Any:
    """Return a column of maps without nulls, which ClickHouse does not have."""
    return pa.array([list(value or ()) for value in column.to_pylist()], type=field.type)


def _stored(connection: Client, c: Contract, table: str) -> Checksum:
    names = [f.name for f in store_fields(c)]
    columns = ", ".join(f"`{name}`" for name in names)
    question = f"SELECT {columns} FROM {table}"  # noqa: S608  # names of contracts
    with connection.query_arrow_stream(question, settings=_TEXT) as stream:
        return sum((of_rows(_rows(one), names) for one in stream), Checksum())


def _rows(found: Any) -> Any:
    return pa.Table.from_batches([found]) if isinstance(found, pa.RecordBatch) else found


def _places(connection: Client, table: str) -> dict[int, int]:
    rows = connection.query(
        f"SELECT kafka_partition, max(kafka_offset) FROM {table}"  # noqa: S608  # a name of topics.yaml
        " WHERE kafka_partition >= 0 GROUP BY kafka_partition ORDER BY kafka_partition"
    ).result_rows
    return {int(partition): int(offset) for partition, offset in rows}
