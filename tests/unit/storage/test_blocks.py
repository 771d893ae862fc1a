"""Blocks: rows of one offset range, without Kafka or a registry."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from asknown.contracts.catalog import contract
from asknown.contracts.registry import DecodeError
from asknown.errors import AsknownError
from asknown.storage.blocks import BlockBuilder
from asknown.storage.loader import BLOCK_ROWS, Lane

AT = datetime(2014, 5, 7, 9, 30, 0, 123000, tzinfo=UTC)


class Events:
    """Decode the number of an event instead of Avro."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = events

    def decode(self, data: bytes | None) -> dict[str, Any]:
        """Return the event whose number the bytes are; anything else is no record."""
        try:
            return self._events[json.loads(data or b"")]
        except ValueError as error:
            raise DecodeError("DECODE_TRUNCATED", "no number") from error


def quarantined(**payload: Any) -> dict[str, Any]:
    return {
        "event_id": "raw.trade:0:7",
        "event_time": AT,
        "ingest_time": AT,
        "source": "normalize",
        "schema_version": 1,
        "entity_id": "raw.trade:0:7",
        "payload": {
            "topic": "raw.trade",
            "partition": 0,
            "offset": 7,
            "stage": "normalize",
            "reason": "FIELD_MISSING",
            "raw_bytes": b"\x00\xff",
            **payload,
        },
    }


def builder(*events: dict[str, Any], topic: str = "quarantine.event") -> BlockBuilder:
    return BlockBuilder(contract(topic), Events(list(events)))


def test_a_block_is_named_by_its_outermost_rows():
    heartbeat = {**quarantined(), "payload": None}
    block = builder(heartbeat, quarantined()).build(
        1, [(4, b"0"), (5, b"1"), (9, b"1"), (10, b"0")]
    )
    assert block is not None
    assert block.token == "quarantine.event:1:5-9"
    assert block.rows.column("kafka_offset").to_pylist() == [5, 9]
    assert block.rows.column("kafka_partition").to_pylist() == [1, 1]


def test_heartbeats_alone_make_no_block():
    assert builder({**quarantined(), "payload": None}).build(0, [(0, b"0")]) is None


def test_values_arrive_in_the_row_unchanged():
    block = builder(quarantined(detail=None)).build(0, [(0, b"0")])
    assert block is not None
    row = block.rows.to_pylist()[0]
    assert row["event_time"] == AT.replace(tzinfo=None)
    assert (row["raw_bytes"], row["detail"], row["offset"]) == (b"\x00\xff", None, 7)


def test_decimals_and_dates_keep_every_digit():
    names = {f.name: f for f in contract("normalized.trade").payload}
    payload = {
        name: 1 if f.type.kind in ("int", "long", "double") else "x" for name, f in names.items()
    }
    payload |= {"price": Decimal("0.00000001"), "size": Decimal("9999999999.99999999")}
    payload |= {"trade_date": date(2014, 5, 7)}
    event = {**quarantined(), "payload": payload}
    block = builder(event, topic="normalized.trade").build(0, [(0, b"0")])
    assert block is not None
    row = block.rows.to_pylist()[0]
    assert (row["price"], row["size"]) == (payload["price"], payload["size"])
    assert row["trade_date"] == date(2014, 5, 7)


@pytest.mark.parametrize(
    ("event", "value"),
    [(quarantined(), b"poison"), (quarantined(reason=None), b"0"), (quarantined(offset="x"), b"0")],
    ids=["undecodable", "null where none may be", "wrong type"],
)
def test_what_does_not_fit_is_refused_with_its_coordinates(event: dict[str, Any], value: bytes):
    with pytest.raises(AsknownError) as caught:
        builder(event).build(1, [(12, value)])
    assert caught.value.code == "ASKNOWN-LOADER-001"
    assert "quarantine.event[1]" in caught.value.where
    assert "12" in caught.value.where


def lane() -> Lane:
    return Lane("quarantine.event", 0, builder(), "ops.quarantine_event")


def test_a_lane_sends_when_it_is_full_or_its_first_record_is_a_second_old():
    full, old = lane(), lane()
    assert not full.due(0.0)
    old.add(0, b"0", now=10.0)
    assert (old.due(10.5), old.due(11.0)) == (False, True)
    for offset in range(BLOCK_ROWS):
        full.add(offset, b"0", now=10.0)
    assert full.due(10.0)


def test_a_failed_lane_waits_longer_each_time_but_never_gives_up():
    found = lane()
    found.add(0, b"0", now=0.0)
    pauses = []
    for _ in range(10):
        found.failed(0.0)
        pauses.append(found.pause)
    assert pauses == sorted(pauses)
    assert found.due(pauses[-1])
    assert found.records == [(0, b"0")]


def test_records_that_came_after_the_block_was_built_stay():
    found = lane()
    found.add(0, b"0", now=0.0)
    found.taken = 1
    found.add(1, b"11", now=0.0)
    found.done()
    assert (found.records, found.size) == ([(1, b"11")], 2)
