"""A small lake of its own, of the sample companies: to try things without a stack.

Five companies from 2000 to March 2013, their daily bars, splits and dividends, each fact known from
its own day on. What the reference engine says of them is what a stack would.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from asknown.contracts.catalog import Contract, contract
from asknown.contracts.render import arrow_schema, store_fields
from asknown.ingestion.connectors import samples
from asknown.ingestion.event import Event
from asknown.ingestion.reference_load import events_of
from asknown.reference import calendars
from asknown.reference.adjusting import Factors, Timeline
from asknown.reference.engine import replay
from asknown.reference.records import FOR_EVER, Output, Record, record
from asknown.research.connection import Connection, connect
from asknown.research.lines import Point
from asknown.settings import Settings
from asknown.storage import iceberg

NOW = datetime(2013, 3, 2, tzinfo=UTC)  # the day after the last bar; it stands still
_KEPT = (
    "reference.entity_history",
    "reference.identifier_map",
    "reference.adjustment_factor",
    "normalized.corporate_action",
)
_EMPTY: Mapping[str, Any] = {"string": "", "int": 0, "long": 0, "double": 0.0, "bytes": b""}
_PRICES = ("open", "high", "low", "close", "volume")


def sandbox(folder: Path | None = None) -> Connection:
    """Return a connection to a lake of the sample companies, whose clock stands at 2013-03-02.

    Made in `folder`, or in one that is gone when the program ends. Raises UsageError
    ASKNOWN-INGEST-030 when bokeh-sampledata is not installed.
    """
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="asknown-sandbox-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = Settings(
        catalog_address=f"sqlite:///{folder / 'catalog.db'}",
        warehouse=f"file://{folder / 'warehouse'}",
    )
    iceberg.ensure_tables(config)
    said = [output for output in replay(_records()) if output.topic in _KEPT]
    for topic in _KEPT:
        _append(config, topic, (_row(one) for one in said if one.topic == topic))
    _append(config, "normalized.bar", _bars(said))
    return connect(config=config, now=lambda: NOW)


def _records() -> list[Record]:
    """Return what is known of the companies, in the order in which it became known."""
    events = sorted(events_of(samples.reference()), key=lambda event: event.event_time_ms)
    return [_record(number, event) for number, event in enumerate(events)]


def _record(number: int, event: Event) -> Record:
    kind = type(record(event.topic, partition=0, offset=0, event_id="", raw_key=""))
    held = msgspec.structs.fields(kind)
    said = {f.name: event.payload[f.name] for f in held if f.name in event.payload}
    return record(
        event.topic,
        **said,
        partition=0,
        offset=number,
        event_id=event.event_id,
        event_time=event.event_time_ms,
        raw_key=event.entity_id,
        valid_from_ms=event.payload["extra"]["valid_from_ms"],
    )


def _row(output: Output) -> dict[str, Any]:
    times = {"event_time": output.event_time, "ingest_time": output.event_time}
    return {"event_id": output.event_id, "entity_id": output.key, **times, **output.payload}


def _bars(said: Iterable[Output]) -> Iterable[dict[str, Any]]:
    """Return the daily bars as normalized, each known when its session had ended."""
    lines = _lines(said)
    for delivery in samples.bars():
        event = delivery.item
        if isinstance(event, Event):
            yield _bar(event, lines[event.entity_id])


def _bar(event: Event, line: Timeline[Point]) -> dict[str, Any]:
    opens = event.event_time_ms
    point = line.at(datetime.fromtimestamp(opens / 1000, UTC))
    if point is None:
        raise AssertionError(f"{event.entity_id} has a bar before it was listed")
    venue = point.row["venue"]
    day = calendars.local_date(venue, opens)
    (schedule,) = calendars.day_schedules(venue, day, day)
    factors = {f"{n}_factor": point.row[f"{n}_factor"] for n in ("price", "split", "share")}
    return {
        "event_id": event.event_id,
        "event_time": opens,
        "ingest_time": schedule.regular[1],
        "entity_id": point.row["listing_id"],
        "raw_key": event.entity_id,
        "raw_symbol": point.row["symbol"],
        "isin": point.row["isin"],
        "venue": venue,
        "interval_seconds": samples.SESSION_SECONDS,
        **{name: event.payload[name] for name in _PRICES},
        "trade_date": day,
        "session_phase": "regular",
        **factors,
        "factor_version": point.row["factor_version"],
    }


def _lines(said: Iterable[Output]) -> dict[str, Timeline[Point]]:
    """Return what each key meant through time, by the knowledge of the end."""
    by_key: dict[str, list[Point]] = {}
    closed = {
        (one.key, one.payload["valid_from"], one.payload["known_from"])
        for one in said
        if one.topic == _KEPT[0] and one.payload["known_to"] < FOR_EVER
    }
    for one in said:
        row = one.payload
        if one.topic != _KEPT[0] or (one.key, row["valid_from"], row["known_from"]) in closed:
            continue
        factors = Factors(row["price_factor"], row["split_factor"], row["share_factor"])
        start = datetime.fromtimestamp(row["valid_from"] / 1000, UTC)
        by_key.setdefault(one.key, []).append(Point(start, factors, row))
    return {
        key: Timeline(sorted(points, key=lambda point: point.valid_from))
        for key, points in by_key.items()
    }


def _append(config: Settings, topic: str, rows: Iterable[Mapping[str, Any]]) -> None:
    found = contract(topic)
    columns = [_whole(found, number, row) for number, row in enumerate(rows)]
    table = pa.Table.from_pylist(columns, schema=arrow_schema(found))
    iceberg.lake(config).load_table(found.topic.table).append(table)


def _whole(c: Contract, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with every column of its table; times from milliseconds."""
    given = {"source": samples.SOURCE, "schema_version": 1, "kafka_offset": number, **row}
    whole: dict[str, Any] = {}
    for f in store_fields(c):
        value = given.get(f.name)
        if value is None and not f.nullable:
            value = _EMPTY[f.type.kind]
        if f.type.kind == "timestamp" and value is not None:
            value = datetime.fromtimestamp(value / 1000, UTC).replace(tzinfo=None)
        whole[f.name] = value
    return whole
