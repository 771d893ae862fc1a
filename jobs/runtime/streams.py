"""From tables to keyed Python operators and back: rows go over in blocks, as few as can be.

Each element that crosses to Python and back costs tens of microseconds, whatever it holds. So an
operator gets many records as one text and hands on many rows as one array.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from pyflink.common import Row, Types
from pyflink.common.typeinfo import RowTypeInfo, TypeInformation
from pyflink.datastream import DataStream

from asknown.contracts.catalog import Field, Kind, contract
from asknown.contracts.render import flink_type, quote
from asknown.contracts.tables import lake_table, lake_tables
from jobs.runtime.tables import Tables

BLOCK_ROWS = 1000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # Flink hands TIMESTAMP(3) over without a zone
_WIRE: dict[Kind, TypeInformation] = {
    "string": Types.STRING(),
    "int": Types.INT(),
    "long": Types.LONG(),
    "double": Types.DOUBLE(),
    "timestamp": Types.LONG(),
}


def row_type(topic: str) -> RowTypeInfo:
    """Return the type in which an operator hands on a row of `topic`.

    Instants are milliseconds; what Python and the JVM hold differently (decimals, dates) is text.
    """
    fields = _fields(topic)
    kinds = [_WIRE.get(f.type.kind, Types.STRING()) for f in fields]
    return Types.ROW_NAMED([f.name for f in fields], kinds)


def block_type(topic: str) -> TypeInformation:
    """Return the type of a block of rows of `topic`."""
    return Types.ROW_NAMED(["rows"], [Types.OBJECT_ARRAY(row_type(topic))])


def row(topic: str, envelope: dict[str, Any], payload: dict[str, Any] | None) -> Row:
    """Return a row of `topic`; a heartbeat has no payload."""
    values = envelope | (payload or {})
    return Row(*[_plain(values.get(name)) for name in _names(topic)])


def beat(partition: int, at: datetime) -> Row:
    """Return a heartbeat beside the change points of its partition."""
    return Row(partition, milliseconds(at), [])


def blocks(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield `rows` in blocks of at most BLOCK_ROWS."""
    for start in range(0, len(rows), BLOCK_ROWS):
        yield rows[start : start + BLOCK_ROWS]


def milliseconds(moment: datetime) -> int:
    """Return a TIMESTAMP(3) of Flink, as it arrives in Python, in UTC milliseconds."""
    passed = moment - _EPOCH
    return passed.days * 86_400_000 + passed.seconds * 1000 + passed.microseconds // 1000


def view_of(tables: Tables, topic: str, stream: DataStream) -> str:
    """Return a view of the rows in the blocks of `stream`, in the columns of `topic`."""
    name = topic.replace(".", "_")
    held = tables.from_stream(f"{name}_blocks", stream)
    fields = _fields(topic)
    columns = ", ".join(f"{_cast(f)} AS {quote(f.name)}" for f in fields)
    names = ", ".join(quote(f.name) for f in fields)
    return tables.view(
        f"{name}_said", "reference/said.sql", columns=columns, blocks=held, names=names
    )


@cache
def _names(topic: str) -> tuple[str, ...]:
    return tuple(f.name for f in _fields(topic))


def _fields(topic: str) -> tuple[Field, ...]:
    """Return the columns of a topic, or of a table that no topic feeds."""
    if topic in lake_tables():
        return lake_table(topic).fields
    c = contract(topic)
    return c.envelope + c.payload


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, (Decimal, date)) else value


def _cast(f: Field) -> str:
    column = f"r.{quote(f.name)}"
    if f.type.kind == "timestamp":
        return f"CAST(TO_TIMESTAMP_LTZ({column}, 3) AS TIMESTAMP(3))"
    return column if f.type.kind in _WIRE else f"CAST({column} AS {flink_type(f.type)})"
