"""Iceberg tables: how the lake is written by a stream, and read and rewritten by a bounded run."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from pyflink.table import TableEnvironment

from asknown.contracts.catalog import Contract, Field, contract
from asknown.contracts.render import flink_type, quote, store_fields
from asknown.settings import Settings

CATALOG = "asknown"  # the same name for Flink, PyIceberg and Trino
COORDINATES = ("kafka_partition", "kafka_offset")
RECOMPUTED = -1  # coordinates of a row that a backfill wrote: no topic carried it


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


def table_path(c: Contract) -> str:
    """Return the table of a topic as Flink names it."""
    namespace, _, name = c.topic.table.partition(".")
    return f"`{CATALOG}`.`{namespace}`.`{name}`"


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
    return (
        f"SELECT {', '.join(columns)} FROM `{table}` WHERE source IS NULL OR source <> 'heartbeat'"
    )


def raw_view(env: TableEnvironment, topic: str, window: tuple[str, str]) -> str:
    """Return a view of bronze with the columns a live source has.

    `window` is [from, to) of event time, as SQL timestamps in UTC.
    """
    c = contract(topic)
    name = topic.replace(".", "_")
    fields = [f for f in c.envelope + c.payload if f.type.kind != "map"]
    env.execute_sql(
        f"CREATE TEMPORARY VIEW `{name}` AS SELECT {_columns(fields)}, "
        "raw_bytes AS message_bytes, decode_error, kafka_partition, kafka_offset, kafka_time "
        f"FROM {table_path(c)} "
        f"WHERE event_time >= TIMESTAMP '{window[0]}' AND event_time < TIMESTAMP '{window[1]}'"
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


def overwrite(topic: str, view: str) -> str:
    """Return the INSERT that replaces, whole and at once, each partition `view` has rows of."""
    c = contract(topic)
    columns = [
        f"CAST({RECOMPUTED} AS {flink_type(f.type)})" if f.name in COORDINATES else quote(f.name)
        for f in store_fields(c)
    ]
    return f"INSERT OVERWRITE {table_path(c)} SELECT {', '.join(columns)} FROM `{view}`"


def _columns(fields: Iterable[Field]) -> str:
    """Return columns as the stream has them: Iceberg keeps microseconds, Flink's clock does not."""
    return ", ".join(
        f"CAST({quote(f.name)} AS TIMESTAMP(3)) AS {quote(f.name)}"
        if f.type.kind == "timestamp"
        else quote(f.name)
        for f in fields
    )
