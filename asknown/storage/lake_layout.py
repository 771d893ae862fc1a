"""How the lake's tables are cut, sorted and written.

A table of an older release gets what is metadata only: properties and the order of sorting, which
mean the next file. It keeps how it is cut: see docs/adr/0009-lake-maintenance.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import DayTransform, IdentityTransform, Transform, YearTransform

from asknown.contracts.catalog import Contract
from asknown.contracts.render import BRONZE

PARTITION_IDS_FROM = 1000
TARGET_BYTES = 64 * 1024 * 1024  # of a file; about two million trades
BY_DAY = ("normalized.trade", "normalized.quote", "analytics.bar")  # a backfill replaces days
OPS = "ops."
_BYTES_COLUMN = "raw_bytes"  # nobody asks for a range of these

PROPERTIES: Mapping[str, str] = {
    "format-version": "2",
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    # 9 would save 4 % and take three times as long (docs/discussion/lake.md)
    "write.parquet.compression-level": "3",
    "write.parquet.row-group-limit": "250000",  # rows; a question for one listing reads one group
    # A writer takes this much for each open file before it has a row. 20,000 rows end a page too.
    "write.parquet.page-size-bytes": str(128 * 1024),
    # Numbers and times that hardly repeat pay for a dictionary with time, and get nothing for it.
    "write.parquet.dict-size-bytes": str(64 * 1024),
    "write.target-file-size-bytes": str(TARGET_BYTES),
    # A file of the live job is sorted when it is compacted, not while it is written.
    "write.distribution-mode": "none",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
    "write.metadata.metrics.default": "truncate(16)",
    "commit.retry.num-retries": "10",
    "commit.retry.max-wait-ms": "2000",  # doubled ten times, the wait would be a minute
}


def partition_spec(c: Contract, schema: Schema) -> PartitionSpec:
    """Return how a topic's table is cut.

    A commit opens a file, and the memory of its columns, for each partition that it has rows of.
    Bronze and ops, where the event time of a row is when it was read, are cut by the day; so is
    what is recomputed by the day. Facts, a source's own bars and the measurements of them are a row
    here and there over decades: by the year.
    """
    if c.topic.namespace == BRONZE:
        return _cut(schema, "kafka_time", "day")
    by_day = c.topic.table.startswith(OPS) or c.topic.name in BY_DAY
    return _cut(schema, "event_time", "day" if by_day else "year")


def _cut(schema: Schema, column: str, unit: str) -> PartitionSpec:
    transform: Transform[int, int] = DayTransform() if unit == "day" else YearTransform()
    source = schema.find_field(column).field_id
    return PartitionSpec(PartitionField(source, PARTITION_IDS_FROM, transform, f"{column}_{unit}"))


def sort_columns(c: Contract) -> tuple[str, ...]:
    """Return by which columns a file of a topic's table is sorted: what it is asked by first."""
    return c.topic.key or ("entity_id", "event_time")


def sort_order(schema: Schema, columns: Sequence[str]) -> SortOrder:
    """Return the order by columns, each from its least value."""
    ids = (schema.find_field(column).field_id for column in columns)
    return SortOrder(*(SortField(one, IdentityTransform()) for one in ids))


def properties(schema: Schema) -> dict[str, str]:
    """Return the properties of a table of these columns."""
    found = dict(PROPERTIES)
    if any(f.name == _BYTES_COLUMN for f in schema.fields):
        found[f"write.metadata.metrics.column.{_BYTES_COLUMN}"] = "none"
    return found


def settle(table: Table, columns: Sequence[str]) -> list[str]:
    """Give a table the properties and the order that it lacks; return one line per change.

    Files that are there stay as they are until they are compacted. Raises `CommitFailedException`
    when another writer was first.
    """
    changes = []
    wanted = properties(table.schema())
    del wanted["format-version"]  # a property only of the creation
    missing = {name: value for name, value in wanted.items() if table.properties.get(name) != value}
    unsorted = table.sort_order().is_unsorted
    if not missing and not unsorted:
        return []
    with table.transaction() as transaction:
        if missing:
            transaction.set_properties(missing)
            changes.append(f"set {len(missing)} properties of {'.'.join(table.name())}")
        if unsorted:
            with transaction.update_sort_order() as update:
                for column in columns:
                    update.asc(column, IdentityTransform())
            changes.append(f"sorted {'.'.join(table.name())} by {', '.join(columns)}")
    return changes
