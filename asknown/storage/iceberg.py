"""The lake: Iceberg tables created and evolved from the contracts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
)
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import (
    DayTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    YearTransform,
)
from sqlalchemy.exc import OperationalError

from asknown.contracts.catalog import Contract, contracts
from asknown.contracts.evolution import (
    Change,
    Step,
    compare,
    described,
    iceberg_columns,
    wanted_iceberg,
)
from asknown.contracts.render import iceberg_schema
from asknown.contracts.tables import LakeTable, lake_tables
from asknown.errors import AsknownError, UnreachableError
from asknown.settings import Settings, settings
from asknown.storage.lake_layout import (
    PARTITION_IDS_FROM,
    partition_spec,
    properties,
    settle,
    sort_columns,
    sort_order,
)

CATALOG = "asknown"  # one name for PyIceberg, Flink and Trino: the catalog's rows carry it
COMMIT_ATTEMPTS = 20  # the lake job commits every few seconds, so another writer first is no rarity
COMMIT_PAUSE_S = 0.25

_CUTS: Mapping[str, Transform[Any, Any]] = {
    "identity": IdentityTransform(),
    "day": DayTransform(),
    "month": MonthTransform(),
    "year": YearTransform(),
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


def ensure_tables(config: Settings | None = None) -> list[str]:
    """Create every namespace and table of the contracts and add columns that are missing.

    Returns one line per change, so nothing when all is as it should be.
    """
    catalog = lake(config)
    changes: list[str] = []
    tables = lake_tables().values()
    namespaces = {c.topic.namespace for c in contracts().values()} | {t.namespace for t in tables}
    for namespace in sorted(namespaces):
        try:
            catalog.create_namespace(namespace)
            changes.append(f"created namespace {namespace}")
        except NamespaceAlreadyExistsError:
            pass
    for c in contracts().values():
        changes += _ensure_table(catalog, c)
    for table in tables:
        changes += _ensure_computed(catalog, table)
    return changes


def _ensure_computed(catalog: Catalog, t: LakeTable) -> list[str]:
    """Create a table that no topic feeds, or add the columns that it misses."""
    wanted = t.iceberg_schema()
    try:
        table = catalog.load_table(t.name)
    except NoSuchTableError:
        catalog.create_table(
            t.name,
            wanted,
            partition_spec=_cut(t, wanted),
            sort_order=sort_order(wanted, t.sort_by),
            properties=properties(wanted),
        )
        return [f"created table {t.name}"]
    missing = [f for f in wanted.fields if f.name not in table.schema().column_names]
    if missing:
        with table.update_schema() as update:
            for f in missing:
                update.add_column(f.name, f.field_type, f.doc, required=False)
    added = [f"added column {f.name} to {t.name}" for f in missing]
    return added + _settle(catalog, t.name, t.sort_by)


def _cut(t: LakeTable, schema: Schema) -> PartitionSpec:
    fields = []
    for number, (column, kind) in enumerate(t.partition_by):
        name = column if kind == "identity" else f"{column}_{kind}"
        source = schema.find_field(column).field_id
        fields.append(PartitionField(source, PARTITION_IDS_FROM + number, _CUTS[kind], name))
    return PartitionSpec(*fields)


def _ensure_table(catalog: Catalog, c: Contract) -> list[str]:
    try:
        catalog.load_table(c.topic.table)
    except NoSuchTableError:
        wanted = iceberg_schema(c)
        catalog.create_table(
            c.topic.table,
            wanted,
            partition_spec=partition_spec(c, wanted),
            sort_order=sort_order(wanted, sort_columns(c)),
            properties=properties(wanted),
        )
        return [f"created table {c.topic.table}"]
    return evolve(catalog, c) + _settle(catalog, c.topic.table, sort_columns(c))


def _settle(catalog: Catalog, name: str, columns: Sequence[str]) -> list[str]:
    """Bring a table's properties and order up to date; when others are first, it is tried again."""
    for _ in range(COMMIT_ATTEMPTS):
        try:
            return settle(catalog.load_table(name), columns)
        except CommitFailedException:
            time.sleep(COMMIT_PAUSE_S)
    raise AsknownError(
        "ASKNOWN-LAKE-004",
        f"expected to commit properties within {COMMIT_ATTEMPTS} attempts, found another writer"
        " first each time.",
        where=name,
        hint="run `asknown up` again.",
    )


def differences(c: Contract, config: Settings | None = None) -> list[Change] | None:
    """Return how a topic's table differs from its contract; None when there is no table."""
    try:
        table = lake(config).load_table(c.topic.table)
    except NoSuchTableError:
        return None
    return compare(iceberg_columns(table.schema()), wanted_iceberg(c))


def evolve(catalog: Catalog, c: Contract) -> list[str]:
    """Bring a topic's table to its contract and return one line per change; nothing is dropped.

    Safe beside jobs that write: a file of the old columns stays readable, and whoever commits
    second begins again with what the first one left.
    Raises `AsknownError` ASKNOWN-LAKE-002 for a column that cannot become what is wanted.
    """
    for attempt in range(COMMIT_ATTEMPTS):
        if attempt:
            time.sleep(COMMIT_PAUSE_S)
        table = catalog.load_table(c.topic.table)
        changes = compare(iceberg_columns(table.schema()), wanted_iceberg(c))
        _require_possible(c, changes)
        changes = [change for change in changes if change.possible]
        if not changes:
            return []
        try:
            _apply(table, iceberg_schema(c), changes)
        except CommitFailedException:
            continue
        return [described(change, c.topic.table) for change in changes]
    raise AsknownError(
        "ASKNOWN-LAKE-003",
        f"expected to commit new columns within {COMMIT_ATTEMPTS} attempts, found another writer"
        " first each time.",
        where=c.topic.table,
        hint="run `asknown schema migrate` again.",
    )


def _apply(table: Table, wanted: Schema, changes: Sequence[Change]) -> None:
    order = [f.name for f in wanted.fields]
    with table.update_schema() as update:
        for change in changes:
            f = wanted.find_field(change.name)
            if change.step is Step.WIDENED:
                update.update_column(f.name, f.field_type)
            elif change.step is Step.OPTIONAL:
                update.update_column(f.name, required=False)
            elif change.step is Step.DOCUMENTED:
                update.update_column(f.name, doc=f.doc)
            else:
                update.add_column(f.name, f.field_type, f.doc, required=False)
                position = order.index(f.name)
                if position:
                    update.move_after(f.name, order[position - 1])
                else:
                    update.move_first(f.name)


def _require_possible(c: Contract, changes: Sequence[Change]) -> None:
    for change in changes:
        if change.step in (Step.RETYPED, Step.REQUIRED):
            raise AsknownError(
                "ASKNOWN-LAKE-002",
                f"expected column {change.name} to be {change.wanted}, found {change.found}.",
                where=c.topic.table,
                hint="give the contract's field another name; `asknown schema diff` shows all.",
            )


def count(table: str, config: Settings | None = None, chosen: str = "") -> int:
    """Return how many rows a table such as `silver.trade` holds; 0 when it has no snapshot.

    Read from the snapshot's summary, which is exact as long as no row-level deletes exist; those of
    a choice, an expression, are counted by their files.
    """
    found = lake(config).load_table(table)
    if chosen:
        return found.scan(row_filter=chosen).count()
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
