"""Rows of a table as they are stored, of one of its states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import BooleanExpression
from pyiceberg.expressions.parser import parse
from pyparsing import ParseException

from asknown.research.asking import Ask, bad
from asknown.research.result import Result
from asknown.research.spans import about
from asknown.research.tables import Tables
from asknown.research.where import EVERY


def stored(tables: Tables, ask: Ask) -> Result:
    """Return the rows of a table, in the order of its files.

    Raises UsageError ASKNOWN-RESEARCH-001 for a condition or a column that it cannot have.
    """
    name, where = ask.options["table"], _condition(ask.options["where"])
    table = tables.open(name)
    known = table.schema().column_names
    for column in ask.options["columns"]:
        if column not in known:
            raise bad("columns", f"columns of {name}: {', '.join(known)}", column)
    fields = tuple(ask.options["columns"]) or ("*",)
    snapshot = tables.snapshots[name]
    scan = table.scan(where, fields, snapshot_id=snapshot)
    try:
        scan.plan_files()
    except ValueError as error:
        raise bad("where", f"columns of {name}: {', '.join(known)}", error) from None
    schema = _plain(scan.projection().as_arrow())

    def read() -> Iterator[pa.Table]:
        if snapshot is not None:
            for batch in scan.to_arrow_batch_reader():
                yield pa.Table.from_batches([batch])

    return Result(ask, schema, about(ask, tables), (), read)


def _condition(text: str) -> BooleanExpression:
    try:
        return parse(text) if text.strip() else EVERY
    except ParseException as error:
        raise bad("where", "a condition such as venue = 'XNSE' AND size > 10", error) from None


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema without what Iceberg notes about its columns."""
    fields: list[Any] = []
    for field in schema:
        text = pa.types.is_large_string(field.type)
        fields.append(pa.field(field.name, pa.string() if text else field.type))
    return pa.schema(fields)
