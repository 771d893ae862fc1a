"""A lake with late trades, and what a bounded job would have made of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema
from asknown.settings import Settings
from tests.unit.storage.lake_rows import Row, append, row_of, utc

T0 = utc(2024, 10, 28, 4)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
_KEPT_BY_STORES = ("kafka_partition", "kafka_offset")


def trade(offset: int, at: datetime, event_id: str = "") -> Row:
    """Return a normalized trade of AAA as the lake has it."""
    return row_of(
        "normalized.trade",
        event_id=event_id or f"e{offset}",
        event_time=at,
        ingest_time=at + SECOND,
        entity_id="e_AAA",
        raw_key="SIM:EQ:AAA",
        raw_partition=0,
        raw_offset=offset,
        factor_version=0,
        trade_date=at.date(),
    )


def bar(at: datetime, events: int, *, seconds: int = 60, revision: int = 0) -> Row:
    """Return a bar of AAA."""
    start = at.replace(microsecond=0, second=0 if seconds == 60 else at.second)
    ms = round((start - utc(1970, 1, 1)).total_seconds() * 1000)
    return row_of(
        "analytics.bar",
        event_id=f"e_AAA:{seconds}:trade:{ms}:0:{revision}",
        event_time=start,
        bar_start=start,
        interval_seconds=seconds,
        entity_id="e_AAA",
        price_type="trade",
        factor_version=0,
        revision=revision,
        event_count=events,
        volume=Decimal(events),
    )


def late(offset: int, event_id: str = "", **more: Any) -> Row:
    """Return the lane's row of a late raw trade, or of what `more` says."""
    place = {"topic": "raw.trade", "partition": 0, "offset": offset, "stage": "normalize"} | more
    name = ":".join(str(place[n]) for n in ("topic", "partition", "offset"))
    keys = {"raw_event_id": event_id or f"e{offset}", "raw_key": "SIM:EQ:AAA"}
    return row_of("late.event", event_id=name, entity_id=name, **keys, **place)


def healed(offset: int, event_id: str = "", outcome: str = "NORMALIZED") -> Row:
    """Return the marker of a late raw trade."""
    place = {"topic": "raw.trade", "partition": 0, "offset": offset}
    return row_of("healed.event", raw_event_id=event_id or f"e{offset}", outcome=outcome, **place)


def came_late(config: Settings, *records: tuple[datetime, str], first: int = 0) -> None:
    """Put trades of (time, event id) into bronze and into the late lane."""
    places = range(first, first + len(records))
    bronze = [
        row_of(
            "raw.trade",
            event_id=event_id,
            event_time=at,
            ingest_time=at + SECOND,
            source="test",
            entity_id="SIM:EQ:AAA",
            kafka_partition=0,
            kafka_offset=offset,
        )
        for offset, (at, event_id) in zip(places, records, strict=True)
    ]
    append(config, "raw.trade", *bronze)
    lanes = [late(n, event_id) for n, (_, event_id) in zip(places, records, strict=True)]
    append(config, "late.event", *({**row, "kafka_offset": row["offset"]} for row in lanes))


def recomputed(folder: Path, **topics: list[Row]) -> None:
    """Write the tables that a bounded job would: a topic's name with `_` for its dot, its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog("job", uri=f"sqlite:///{folder / 'c.db'}", warehouse=folder.as_uri())
    catalog.create_namespace("run")
    for name, rows in topics.items():
        whole = arrow_schema(contract(name.replace("_", ".", 1)))
        schema = pa.schema([f for f in whole if f.name not in _KEPT_BY_STORES])
        table = catalog.create_table(
            f"run.{name}", schema, location=(folder / "run" / name).as_uri()
        )
        table.append(pa.Table.from_pylist(rows, schema=schema))


def aside(topic: str, offset: int, reason: str) -> Row:
    """Return a lane's row of a raw trade."""
    place = {"topic": "raw.trade", "partition": 0, "offset": offset}
    return row_of(topic, reason=reason, **place)
