"""Iceberg tables: how the lake is written by a stream, and read and rewritten by a bounded run."""

from __future__ import annotations

from urllib.parse import urlsplit

from pyflink.table import TableEnvironment

from asknown.contracts.catalog import Contract, contract
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


def flattened(topic: str, view: str) -> str:
    """Return the SELECT that turns a source view of `topic` into rows of its table.

    Bronze keeps the undecodable too; its bytes only where they are all there is.
    """
    c = contract(topic)
    own = {f.name for f in c.envelope} | set(COORDINATES) | {"decode_error", "kafka_time"}
    columns = []
    for f in store_fields(c):
        if f.name == "raw_bytes" and c.topic.namespace == "bronze":
            column = "CASE WHEN decode_error IS NOT NULL THEN raw_bytes END"
        else:
            column = quote(f.name) if f.name in own else f"payload.{quote(f.name)}"
        columns.append(f"{column} AS {quote(f.name)}")
    return (
        f"SELECT {', '.join(columns)} FROM `{view}` "
        "WHERE source IS NULL OR source <> 'heartbeat'"
    )


def raw_view(env: TableEnvironment, topic: str, window: tuple[str, str]) -> str:
    """Return a view of bronze with the columns a live source has; in a bounded run nothing is late.

    `window` is [from, to) of event time, as SQL timestamps in UTC.
    """
    c = contract(topic)
    name = topic.replace(".", "_")
    fields = [f for f in c.payload if f.type.kind != "map"]
    values = ", ".join(quote(f.name) for f in fields)
    types = ", ".join(f"{quote(f.name)} {flink_type(f.type)}" for f in fields)
    envelope = ", ".join(quote(f.name) for f in c.envelope if f.name not in {"event_time", "ingest_time"})
    env.execute_sql(
        f"CREATE TEMPORARY VIEW `{name}` AS SELECT {envelope}, "
        "CAST(event_time AS TIMESTAMP(3)) AS event_time, "
        "CAST(ingest_time AS TIMESTAMP(3)) AS ingest_time, "
        f"CAST(ROW({values}) AS ROW<{types}>) AS payload, raw_bytes, decode_error, "
        "kafka_partition, kafka_offset, CAST(kafka_time AS TIMESTAMP(3)) AS kafka_time, "
        f"FALSE AS is_late FROM {table_path(c)} "
        f"WHERE event_time >= TIMESTAMP '{window[0]}' AND event_time < TIMESTAMP '{window[1]}'"
    )
    return name


def changes_view(env: TableEnvironment) -> str:
    """Return a view of the change points: of equal (key, effective time), the last one written."""
    c = contract("reference.entity_change")
    name = "reference_entity_change"
    fields = c.payload
    times = {"effective_time", "known_from"}
    values = ", ".join(
        f"CAST({quote(f.name)} AS TIMESTAMP(3))" if f.name in times else quote(f.name)
        for f in fields
    )
    types = ", ".join(f"{quote(f.name)} {flink_type(f.type)}" for f in fields)
    env.execute_sql(
        f"CREATE TEMPORARY VIEW `{name}` AS SELECT event_id, "
        "CAST(event_time AS TIMESTAMP(3)) AS event_time, "
        "CAST(ingest_time AS TIMESTAMP(3)) AS ingest_time, source, schema_version, entity_id, "
        f"CAST(ROW({values}) AS ROW<{types}>) AS payload, CAST(NULL AS STRING) AS decode_error "
        "FROM (SELECT *, ROW_NUMBER() OVER ("
        "PARTITION BY raw_key, effective_time ORDER BY kafka_offset DESC) AS newest "
        f"FROM {table_path(c)}) WHERE newest = 1"
    )
    return name


def overwrite(topic: str, view: str) -> str:
    """Return the INSERT that replaces, whole and at once, each partition that `view` has rows of."""
    c = contract(topic)
    envelope = {f.name for f in c.envelope}
    columns = []
    for f in store_fields(c):
        if f.name in COORDINATES:
            columns.append(f"CAST({RECOMPUTED} AS {flink_type(f.type)})")
        else:
            columns.append(quote(f.name) if f.name in envelope else f"payload.{quote(f.name)}")
    return f"INSERT OVERWRITE {table_path(c)} SELECT {', '.join(columns)} FROM `{view}`"
