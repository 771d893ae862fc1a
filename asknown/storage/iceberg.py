"""The lake: Iceberg tables created and evolved from the contracts."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import DayTransform, Transform, YearTransform
from sqlalchemy.exc import OperationalError

from asknown.contracts.catalog import Contract, contracts
from asknown.contracts.render import BRONZE, iceberg_schema
from asknown.errors import UnreachableError
from asknown.settings import Settings, settings

CATALOG = "asknown"  # one name for PyIceberg, Flink and Trino: the catalog's rows carry it
PARTITION_IDS_FROM = 1000

PROPERTIES = {
    "format-version": "2",
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    "write.distribution-mode": "none",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
    "commit.retry.num-retries": "10",
}


def lake(config: Settings | None = None) -> Catalog:
    """Return the catalog of the lake.

    Raises `UnreachableError` ASKNOWN-LAKE-001 when its database does not answer.
    """
    config = config or settings()
    try:
        return _catalog(config.catalog_uri, config.warehouse_uri)
    except OperationalError as error:
        raise UnreachableError(
            "ASKNOWN-LAKE-001",
            f"expected an answer from the Iceberg catalog, found: {error.orig}",
            where=config.catalog_uri,
            hint="`asknown status` shows whether it runs; `asknown up` starts it.",
        ) from error


@lru_cache(maxsize=4)
def _catalog(uri: str, warehouse: str) -> Catalog:
    return SqlCatalog(
        CATALOG, uri=uri, warehouse=warehouse, schema_version="v1", pool_pre_ping="true"
    )


def partition_spec(c: Contract, schema: Schema) -> PartitionSpec:
    """Return how a topic's table is cut.

    Bronze by the day it was read, the others by the day it happened. A source's own bars span
    decades with a row a day: by day, one commit would open thousands of files, so by year.
    """
    column = "kafka_time" if c.topic.namespace == BRONZE else "event_time"
    by_year = c.topic.name == "normalized.bar"
    transform: Transform[int, int] = YearTransform() if by_year else DayTransform()
    name = f"{column}_{'year' if by_year else 'day'}"
    source = schema.find_field(column).field_id
    return PartitionSpec(PartitionField(source, PARTITION_IDS_FROM, transform, name))


def ensure_tables(config: Settings | None = None) -> list[str]:
    """Create every namespace and table of the contracts and add columns that are missing.

    Returns one line per change, so nothing when all is as it should be.
    """
    catalog = lake(config)
    changes: list[str] = []
    for namespace in sorted({c.topic.namespace for c in contracts().values()}):
        try:
            catalog.create_namespace(namespace)
            changes.append(f"created namespace {namespace}")
        except NamespaceAlreadyExistsError:
            pass
    for c in contracts().values():
        changes += _ensure_table(catalog, c)
    return changes


def _ensure_table(catalog: Catalog, c: Contract) -> list[str]:
    wanted = iceberg_schema(c)
    try:
        table = catalog.load_table(c.topic.table)
    except NoSuchTableError:
        spec = partition_spec(c, wanted)
        catalog.create_table(c.topic.table, wanted, partition_spec=spec, properties=PROPERTIES)
        return [f"created table {c.topic.table}"]
    return _evolve(table, wanted, c.topic.table)


def _evolve(table: Table, wanted: Schema, name: str) -> list[str]:
    known = {f.name for f in table.schema().fields}
    missing = [f for f in wanted.fields if f.name not in known]
    if not missing:
        return []
    order = [f.name for f in wanted.fields]
    with table.update_schema() as update:
        for f in missing:
            # Optional whatever the contract says: rows written before have no value.
            update.add_column(f.name, f.field_type, f.doc, required=False)
            position = order.index(f.name)
            if position:
                update.move_after(f.name, order[position - 1])
            else:
                update.move_first(f.name)
    return [f"added column {f.name} to table {name}" for f in missing]


def count(table: str, config: Settings | None = None) -> int:
    """Return how many rows a table such as `silver.trade` holds; 0 when it has no snapshot.

    Read from the snapshot's summary, which is exact as long as no row-level deletes exist.
    """
    found = lake(config).load_table(table)
    snapshot = found.current_snapshot()
    if snapshot is None:
        return 0
    summary = snapshot.summary
    total = summary["total-records"] if summary else None
    deletes = summary["total-delete-files"] if summary else None
    if total is not None and int(deletes or 0) == 0:
        return int(total)
    return found.scan(row_filter=AlwaysTrue()).count()


def count_between(table: str, first: date, end: date, config: Settings | None = None) -> int:
    """Return how many rows of a table have an event time in the days [first, end), UTC."""
    found = lake(config).load_table(table)
    chosen = f"event_time >= '{first}T00:00:00' AND event_time < '{end}T00:00:00'"
    return found.scan(row_filter=chosen).count()


def recomputed(table: str, config: Settings | None = None) -> bool:
    """Tell whether a backfill has replaced partitions of a table.

    Its rows were carried by no topic, which their coordinates say; late rows are among them, so
    the table may then hold more than its topic.
    """
    found = lake(config).load_table(table)
    if not any(f.name == "kafka_partition" for f in found.schema().fields):
        return False
    return any(found.scan(row_filter="kafka_partition < 0", limit=1).plan_files())
