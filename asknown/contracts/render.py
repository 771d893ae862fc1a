"""Render a contract for each engine: Flink, Iceberg, Arrow, ClickHouse.

Stores flatten a record: envelope columns, then payload columns, then where it lay in Kafka. Times
are UTC everywhere: TIMESTAMP(3) in Flink, `timestamp` without zone in Iceberg and Arrow,
DateTime64(3, 'UTC') in ClickHouse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from asknown.contracts.catalog import Contract, Field, FieldType, Kind
from asknown.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.schema import Schema
    from pyiceberg.types import IcebergType

BRONZE = "bronze"
DEDUPLICATION_WINDOW = 1000  # insert blocks a ClickHouse table remembers by their token

_FLINK: Mapping[Kind, str] = {
    "string": "STRING",
    "int": "INT",
    "long": "BIGINT",
    "double": "DOUBLE",
    "bytes": "BYTES",
    "date": "DATE",
    "timestamp": "TIMESTAMP(3)",
    "map": "MAP<STRING, STRING>",
}
_CLICKHOUSE: Mapping[Kind, str] = {
    "string": "String",
    "int": "Int32",
    "long": "Int64",
    "double": "Float64",
    "bytes": "String",
    "date": "Date32",
    "timestamp": "DateTime64(3, 'UTC')",
    "map": "Map(String, String)",
}
# Columns with few values, kept as a dictionary by ClickHouse.
_FEW_VALUES = frozenset(
    {
        "source",
        "venue",
        "price_type",
        "session_phase",
        "status",
        "kind",
        "id_type",
        "topic",
        "stage",
        "reason",
    }
)

_COORDINATES = (
    Field(
        "kafka_partition",
        FieldType("int"),
        False,
        "Partition the record was read from.",
    ),
    Field("kafka_offset", FieldType("long"), False, "Offset the record was read from."),
)
_BRONZE_BYTES = (
    Field("raw_bytes", FieldType("bytes"), True, "The record's bytes, if undecodable."),
    Field(
        "decode_error",
        FieldType("string"),
        True,
        "Why it could not be decoded; else null.",
    ),
)
_BRONZE_TIME = (
    Field(
        "kafka_time",
        FieldType("timestamp"),
        True,
        "Time the broker keeps with the record.",
    ),
)


def quote(name: str) -> str:
    """Quote a column name for Flink and ClickHouse."""
    return f"`{name}`"


def flink_type(kind: FieldType) -> str:
    """Return the Flink SQL type of a contract type."""
    if kind.kind == "decimal":
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return _FLINK[kind.kind]


def flink_columns(c: Contract) -> str:
    """Return the column list of the topic's Flink table, nested as on the wire.

    Every column is nullable: an undecodable record is a row of nulls.
    """
    columns = [f"{quote(f.name)} {flink_type(f.type)}" for f in c.envelope]
    inner = ", ".join(f"{quote(f.name)} {flink_type(f.type)}" for f in c.payload)
    return ", ".join([*columns, f"`payload` ROW<{inner}>"])


def flink_flat_columns(c: Contract) -> list[tuple[str, str]]:
    """Return (name, Flink type) of each store column, in the store's order; names unquoted."""
    return [(f.name, flink_type(f.type)) for f in store_fields(c)]


def store_fields(c: Contract) -> tuple[Field, ...]:
    """Return the columns of the topic's tables: envelope, payload, coordinates.

    Bronze keeps what could not be decoded too, so all its columns are nullable.
    """
    fields = c.envelope + c.payload
    if c.topic.namespace != BRONZE:
        return fields + _COORDINATES
    columns = fields + _BRONZE_BYTES + _COORDINATES + _BRONZE_TIME
    return tuple(Field(f.name, f.type, True, f.doc) for f in columns)


def iceberg_schema(c: Contract) -> Schema:
    """Return the Iceberg schema of the topic's table; ids count from 1 in column order."""
    return iceberg_fields(store_fields(c))


def iceberg_fields(fields: Sequence[Field]) -> Schema:
    """Return the Iceberg schema of columns; ids count from 1 in column order."""
    # Imported here: the jobs render Flink DDL only and must not pay for PyIceberg's import.
    from pyiceberg.schema import Schema
    from pyiceberg.types import MapType, NestedField, StringType

    inner = len(fields)
    columns: list[NestedField] = []
    for number, f in enumerate(fields, start=1):
        kind: IcebergType
        if f.type.kind == "map":
            kind = MapType(inner + 1, StringType(), inner + 2, StringType(), value_required=False)
            inner += 2
        else:
            kind = _iceberg_type(f.type)
        columns.append(NestedField(number, f.name, kind, required=not f.nullable, doc=f.doc))
    return Schema(*columns)


def _iceberg_type(kind: FieldType) -> IcebergType:
    from pyiceberg import types

    if kind.kind == "decimal":
        return types.DecimalType(kind.precision, kind.scale)
    simple: dict[Kind, IcebergType] = {
        "string": types.StringType(),
        "int": types.IntegerType(),
        "long": types.LongType(),
        "double": types.DoubleType(),
        "bytes": types.BinaryType(),
        "date": types.DateType(),
        "timestamp": types.TimestampType(),
    }
    return simple[kind.kind]


def arrow_schema(c: Contract) -> pa.Schema:
    """Return the Arrow schema of the topic's flattened rows.

    Times are `timestamp[us]` without zone, in UTC: what PyIceberg takes for an Iceberg
    `timestamp`, and what ClickHouse casts to DateTime64(3, 'UTC') unchanged.
    """
    return arrow_fields(store_fields(c))


def arrow_fields(fields: Iterable[Field]) -> pa.Schema:
    """Return the Arrow schema of columns."""
    import pyarrow as pa

    return pa.schema([pa.field(f.name, _arrow_type(f.type), nullable=f.nullable) for f in fields])


def _arrow_type(kind: FieldType) -> pa.DataType:
    import pyarrow as pa

    if kind.kind == "decimal":
        return pa.decimal128(kind.precision, kind.scale)
    simple: dict[Kind, pa.DataType] = {
        "string": pa.string(),
        "int": pa.int32(),
        "long": pa.int64(),
        "double": pa.float64(),
        "bytes": pa.binary(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "map": pa.map_(pa.string(), pa.string()),
    }
    return simple[kind.kind]


def clickhouse_type(f: Field) -> str:
    """Return the ClickHouse type of a store column."""
    kind = f.type
    base = f"Decimal({kind.precision}, {kind.scale})" if kind.kind == "decimal" else ""
    base = base or _CLICKHOUSE[kind.kind]
    if f.nullable and kind.kind != "map":  # ClickHouse has no Nullable(Map)
        base = f"Nullable({base})"
    return f"LowCardinality({base})" if f.name in _FEW_VALUES else base


def clickhouse_ddl(c: Contract) -> str:
    """Return the CREATE TABLE statement of the topic's ClickHouse table.

    Partitioned by kafka_partition: a loader block is one offset range of one Kafka partition, so
    it becomes exactly one part, and a part is written whole or not at all. Equal keys lie in one
    Kafka partition, so replacing rows works as well as in an unpartitioned table.
    Raises `UsageError` ASKNOWN-CONTRACT-004 for a bronze table, which ClickHouse does not hold.
    """
    if c.topic.namespace == BRONZE:
        raise UsageError(
            "ASKNOWN-CONTRACT-004",
            f"expected a table that ClickHouse holds, found {c.topic.table}.",
            hint="read bronze from Iceberg.",
        )
    columns = ",\n".join(
        f"    {quote(f.name)} {clickhouse_type(f)} COMMENT '{escaped(f.doc)}'"
        for f in store_fields(c)
    )
    version, keys = clickhouse_key(c)
    return (
        f"CREATE TABLE IF NOT EXISTS {c.topic.table}\n(\n{columns}\n)\n"
        f"ENGINE = ReplacingMergeTree({version})\n"
        "PARTITION BY kafka_partition\n"
        f"ORDER BY ({', '.join(keys)})\n"
        f"SETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}"
    )


def clickhouse_key(c: Contract) -> tuple[str, tuple[str, ...]]:
    """Return the version column and the deterministic key of a table."""
    names = {f.name for f in c.payload}
    if {"bar_start", "revision"} <= names:
        key = (
            "entity_id",
            "interval_seconds",
            "price_type",
            "bar_start",
            "factor_version",
            "revision",  # all are kept: what was known before a correction can be asked for
        )
        return "kafka_offset", key
    if c.topic.key:
        return "kafka_offset", c.topic.key
    if "interval_seconds" in names:
        return "kafka_offset", (
            "entity_id",
            "interval_seconds",
            "event_time",
            "event_id",
        )
    return "kafka_offset", ("entity_id", "event_time", "event_id")


def escaped(text: str) -> str:
    """Return a text as it stands between the quotes of a ClickHouse string."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
