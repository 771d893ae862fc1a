"""Rows of the lake's tables, written by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema, store_fields
from asknown.settings import Settings
from asknown.storage import iceberg

Row = dict[str, Any]
Span = tuple[datetime, datetime]
PLAIN = {"price_factor": 1.0, "split_factor": 1.0, "share_factor": 1.0, "factor_version": 0}
_NUMBERED = ("kafka_partition", "kafka_offset")
_ANYTHING = {"string": "x", "int": 1, "long": 1, "double": 1.0, "decimal": Decimal(1), "bytes": b""}


def utc(*parts: int) -> datetime:
    """Return a time as the lake has it: UTC, without saying so."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)


LONG_AGO, FOR_EVER = utc(1999, 1, 1), utc(2200, 1, 1)


def row_of(topic: str, /, **given: Any) -> Row:
    """Return a row of a topic's table: what is not given is anything that fits."""
    anything = {**_ANYTHING, "timestamp": LONG_AGO, "date": LONG_AGO.date()}
    fields = store_fields(contract(topic))
    row = {f.name: None if f.nullable else anything[f.type.kind] for f in fields}
    assert not given.keys() - row.keys()
    return {name: value for name, value in row.items() if name not in _NUMBERED} | given


def settings_of(folder: Path) -> Settings:
    """Return the settings of a lake in a folder."""
    return Settings(
        catalog_address=f"sqlite:///{folder / 'catalog.db'}",
        warehouse=f"file://{folder / 'warehouse'}",
        data_dir=folder / "data",
    )


def new_lake(folder: Path) -> Settings:
    """Make the tables of a lake in a folder and return its settings."""
    config = settings_of(folder)
    iceberg.ensure_tables(config)
    return config


def append(config: Settings, topic: str, *rows: Row) -> None:
    """Append rows to a topic's table; their offsets count from 0 unless they say otherwise."""
    numbered = [{"kafka_offset": n, "kafka_partition": 0, **row} for n, row in enumerate(rows)]
    found = pa.Table.from_pylist(numbered, schema=arrow_schema(contract(topic)))
    iceberg.lake(config).load_table(contract(topic).topic.table).append(found)


def fact(symbol: str, valid: Span, known: Span, factors: Row = PLAIN) -> Row:
    """Return a rectangle of the history."""
    names = {"raw_key": f"SIM:EQ:{symbol}", "listing_id": f"e_{symbol}", "isin": f"IN{symbol}"}
    spans = {"valid_from": valid[0], "valid_to": valid[1]}
    spans |= {"known_from": known[0], "known_to": known[1]}
    more = {"venue": "XSIM", "status": "LISTED"}
    return row_of("reference.entity_history", **names, **spans, **more, **factors)
