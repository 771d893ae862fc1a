"""A lake with many small files, and what a stream writes into it."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema, iceberg_schema
from asknown.settings import Settings
from asknown.storage import iceberg
from asknown.storage.checksum import Checksum, of_table
from asknown.storage.lake_layout import partition_spec, properties, sort_columns, sort_order
from tests.unit.storage.lake_rows import Row, row_of, utc

TOPIC, TABLE = "normalized.trade", "silver.trade"
DAY = timedelta(1)
FIRST = utc(2024, 10, 28)
JOB = {"flink.job-id": "job", "flink.operator-id": "sink"}


def lake_in(folder: Path) -> Settings:
    """Return the settings of a lake in a folder that has one table."""
    config = settings_of(folder)
    catalog, c = iceberg.lake(config), contract(TOPIC)
    catalog.create_namespace("silver")
    schema = iceberg_schema(c)
    catalog.create_table(
        TABLE,
        schema,
        partition_spec=partition_spec(c, schema),
        sort_order=sort_order(schema, sort_columns(c)),
        properties=properties(schema),
    )
    return config


def settings_of(folder: Path) -> Settings:
    """Return the settings of a lake in a folder."""
    return Settings(
        catalog_address=f"sqlite:///{folder / 'catalog.db'}?timeout=30",
        warehouse=f"file://{folder / 'warehouse'}",
        data_dir=folder / "data",
    )


def trades(first: int, count: int, days: int = 2) -> list[Row]:
    """Return trades with ids of their own, from `first` on, spread over days and listings."""
    draw = random.Random(first)
    return [
        row_of(
            TOPIC,
            event_id=f"t{number:08d}",
            entity_id=f"e_{draw.randrange(5)}",
            event_time=FIRST
            + DAY * (number % days)
            + timedelta(milliseconds=draw.randrange(10**7)),
        )
        for number in range(first, first + count)
    ]


def as_arrow(rows: list[Row]) -> Any:
    """Return rows as the table has them; their offsets are their numbers."""
    placed = [
        {"kafka_partition": 0, "kafka_offset": int(row["event_id"][1:]), **row} for row in rows
    ]
    return pa.Table.from_pylist(placed, schema=arrow_schema(contract(TOPIC)))


def append_as_flink(table: Table, rows: list[Row], checkpoint: int) -> None:
    """Append rows as the lake job does: its snapshot says which checkpoint it holds."""
    marks = {**JOB, "flink.max-committed-checkpoint-id": str(checkpoint)}
    table.append(as_arrow(rows), snapshot_properties=marks)


def fill(config: Settings, commits: int, rows: int = 6) -> Table:
    """Write small files: so many commits of so many rows."""
    table = iceberg.lake(config).load_table(TABLE)
    for number in range(commits):
        append_as_flink(table, trades(number * rows, rows), number + 1)
    return table


def ids(config: Settings) -> list[str]:
    """Return the ids of all rows, in order."""
    table = iceberg.lake(config).load_table(TABLE)
    found: list[str] = table.scan(selected_fields=("event_id",)).to_arrow()["event_id"].to_pylist()
    return sorted(found)


def whole(config: Settings) -> Checksum:
    """Return the checksum of all rows and columns of the table."""
    table = iceberg.lake(config).load_table(TABLE)
    return sum(of_table(table, table.schema().column_names).values(), Checksum())


def files(table: Table) -> list[str]:
    """Return the addresses of the files of the newest snapshot."""
    return [task.file.file_path for task in table.refresh().scan().plan_files()]
