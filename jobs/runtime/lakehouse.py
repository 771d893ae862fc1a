"""Iceberg tables: how the lake is written by a stream, and read and rewritten by a bounded run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pyflink.table import TableEnvironment

from asknown.contracts.catalog import Contract, Field, contract
from asknown.contracts.render import flink_type, quote, store_fields
from asknown.contracts.tables import LakeTable
from asknown.settings import Settings

CATALOG = "asknown"  # the same name for Flink, PyIceberg and Trino
COORDINATES = ("kafka_partition", "kafka_offset")
# No topic carried a row that a backfill wrote. Its partition says so, its offset how it was made:
# as it was known then (-1), or by the knowledge of a moment (the moment in UTC milliseconds).
RECOMPUTED = -1
FOLDER, RUN = "folder", "run"  # catalog and namespace of tables that belong to one run


def use_catalog(env: TableEnvironment, settings: Settings) -> None:
    """Make the Iceberg catalog known to `env`."""
    user = urlsplit(settings.catalog_uri).username or ""
    options = {
        "type": "iceberg",
        # 'catalog-type'='jdbc' is not known to this Flink runtime; the class is.
        "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        "uri": settings.catalog_jdbc,
        "jdbc.user": user,
        "jdbc.schema-version": "V1",
        "warehouse": settings.warehouse_uri,
    }
    pairs = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    env.execute_sql(f"CREATE CATALOG {CATALOG} WITH ({pairs})")


def use_folder(env: TableEnvironment, folder: Path) -> None:
    """Make a folder known to `env` in which tables can be made that belong to this run alone."""
    env.execute_sql(
        f"CREATE CATALOG {FOLDER} WITH ('type' = 'iceberg', 'catalog-type' = 'hadoop', "
        f"'warehouse' = '{folder.as_uri()}')"
    )
    env.execute_sql(f"CREATE DATABASE `{FOLDER}`.`{RUN}`")


def table_in_folder(env: TableEnvironment, c: Contract) -> str:
    """Make the table of a topic in the folder and return its name; files of Parquet."""
    name = f"`{FOLDER}`.`{RUN}`.`{c.topic.name.replace('.', '_')}`"
    fields = c.envelope + c.payload
    columns = ", ".join(f"{quote(f.name)} {_stored_type(f)}" for f in fields)
    env.execute_sql(
        f"CREATE TABLE {name} ({columns}) WITH ('format-version' = '2', "
        "'write.parquet.compression-codec' = 'snappy', 'write.distribution-mode' = 'none')"
    )
    return name


def table_path(c: Contract) -> str:
    """Return the table of a topic as Flink names it."""
    return _path(c.topic.table)


def kept(topic: str, table: str) -> str:
    """Return the SELECT that turns a source table of `topic` into rows of its Iceberg table.

    Bronze keeps the undecodable too; its bytes only where they are all there is.
    """
    c = contract(topic)
    columns = []
    for f in store_fields(c):
        column = quote(f.name)
        if f.name == "raw_bytes" and c.topic.namespace == "bronze":
            column = "CASE WHEN decode_error IS NOT NULL THEN message_bytes END AS `raw_bytes`"
        elif f.name == "kafka_time":
            column = "CAST(kafka_time AS TIMESTAMP(3)) AS `kafka_time`"
        columns.append(column)
    # A heartbeat is known by its key: another record that says it is one has its place in bronze.
    return (
        f"SELECT {', '.join(columns)} FROM `{table}` WHERE source IS NULL "
        "OR source <> 'heartbeat' OR entity_id IS NULL OR entity_id NOT LIKE 'heartbeat-%'"
    )


def append_rows(c: Contract, rows: str) -> str:
    """Return the INSERT of a SELECT of all store columns into the topic's table.

    Columns are named: a table may have more of them, once a newer contract has been here.
    """
    columns = ", ".join(quote(f.name) for f in store_fields(c))
    return f"INSERT INTO {table_path(c)} ({columns}) {rows}"


def raw_view(env: TableEnvironment, topic: str, windows: Sequence[tuple[str, str]]) -> str:
    """Return a view of bronze with the columns a live source has.

    Each of `windows` is [from, to) of event time, as SQL timestamps in UTC.
    """
    c = contract(topic)
    name = topic.replace(".", "_")
    fields = [f for f in c.envelope + c.payload if f.type.kind != "map"]
    env.execute_sql(
        f"CREATE TEMPORARY VIEW `{name}` AS SELECT {_columns(fields)}, "
        "raw_bytes AS message_bytes, decode_error, kafka_partition, kafka_offset, kafka_time "
        f"FROM {table_path(c)} WHERE {_within(windows)}"
    )
    return name


def changes_view(env: TableEnvironment) -> str:
    """Return a view of the change points: of equal (key, effective time), the last one written."""
    c = contract("reference.entity_change")
    name = "reference_entity_change"
    env.execute_sql(
        f"CREATE TEMPORARY VIEW `{name}` AS SELECT {_columns(c.envelope + c.payload)}, "
        "CAST(NULL AS STRING) AS decode_error "
        "FROM (SELECT *, ROW_NUMBER() OVER ("
        "PARTITION BY raw_key, effective_time ORDER BY kafka_offset DESC) AS newest "
        f"FROM {table_path(c)}) WHERE newest = 1"
    )
    return name


def stored_views(env: TableEnvironment, *topics: str) -> dict[str, str]:
    """Return, by topic, a view of each table with the columns its rows had in the stream."""
    views = {}
    for topic in topics:
        c = contract(topic)
        name = views[topic] = topic.replace(".", "_")
        env.execute_sql(
            f"CREATE TEMPORARY VIEW `{name}` AS SELECT {_columns(c.envelope + c.payload)}, "
            f"{', '.join(COORDINATES)} FROM {table_path(c)}"
        )
    return views


def published_view(env: TableEnvironment, topic: str, windows: Sequence[tuple[str, str]]) -> str:
    """Return a view of what a topic's table holds in windows of event time."""
    c = contract(topic)
    name = f"published_{topic.replace('.', '_')}"
    env.execute_sql(
        f"CREATE TEMPORARY VIEW `{name}` AS SELECT {_columns(c.envelope + c.payload)} "
        f"FROM {table_path(c)} WHERE {_within(windows)}"
    )
    return name


def overwrite(topic: str, view: str, known_at: int | None = None) -> str:
    """Return the INSERT that replaces, whole and at once, each partition `view` has rows of.

    `known_at` is the moment, in UTC milliseconds, by whose knowledge the rows were made; None is
    the knowledge that each row's own moment had.
    """
    c = contract(topic)
    made = (RECOMPUTED, RECOMPUTED if known_at is None else known_at)
    written = dict(zip(COORDINATES, made, strict=True))
    columns = [
        f"CAST({written[f.name]} AS {flink_type(f.type)})" if f.name in written else quote(f.name)
        for f in store_fields(c)
    ]
    return f"INSERT OVERWRITE {table_path(c)} SELECT {', '.join(columns)} FROM `{view}`"


def replace_rows(table: LakeTable, view: str) -> str:
    """Return the INSERT that replaces each partition of a computed table `view` has rows of."""
    columns = ", ".join(quote(f.name) for f in table.fields)
    return f"INSERT OVERWRITE {_path(table.name)} SELECT {columns} FROM `{view}`"


def _path(table: str) -> str:
    namespace, _, name = table.partition(".")
    return f"`{CATALOG}`.`{namespace}`.`{name}`"


def _within(windows: Sequence[tuple[str, str]]) -> str:
    return " OR ".join(
        f"(event_time >= TIMESTAMP '{start}' AND event_time < TIMESTAMP '{end}')"
        for start, end in windows
    )


def _stored_type(f: Field) -> str:
    return "TIMESTAMP(6)" if f.type.kind == "timestamp" else flink_type(f.type)


def _columns(fields: Iterable[Field]) -> str:
    """Return columns as the stream has them: Iceberg keeps microseconds, Flink's clock does not."""
    return ", ".join(
        f"CAST({quote(f.name)} AS TIMESTAMP(3)) AS {quote(f.name)}"
        if f.type.kind == "timestamp"
        else quote(f.name)
        for f in fields
    )
