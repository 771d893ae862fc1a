"""Collecting the ledger's counts from real stores."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from asknown.errors import UnreachableError
from asknown.settings import Settings
from asknown.storage.kafka import TopicReader
from asknown.storage.ledger import Collector, StoreCount
from tests.unit.storage.lanes import ENVELOPE, aside, healed, quote, replayed, send


def test_a_second_reading_adds_what_came_and_closes_when_every_record_has_a_lane(stores: Settings):
    with Collector(stores) as collector:
        was = collector.read().ledgers["raw.quote"]
        send(stores, "raw.quote", quote(0), quote(1), quote(2), b"poison")
        first = collector.read().ledgers["raw.quote"]
        assert (first.raw - was.raw, first.difference - was.difference) == (4, 4)
        send(stores, "quarantine.event", aside(3, "DECODE_BAD_MAGIC"), aside(0, "CROSSED_QUOTE"))
        send(stores, "late.event", aside(1, "LATE_BEYOND_WATERMARK"))
        send(stores, "duplicate.event", aside(2, "DUPLICATE"))
        second = collector.read()
    found = second.ledgers["raw.quote"]
    assert (found.raw, found.quarantined - was.quarantined) == (first.raw, 2)
    assert (found.late - was.late, found.duplicate - was.duplicate) == (1, 1)
    assert found.difference == was.difference
    assert second.reasons == {"DECODE_BAD_MAGIC": 1, "CROSSED_QUOTE": 1}
    assert not second.stores_equal  # nothing has been copied into the lake


def test_counting_needs_no_store_and_reading_adds_them_to_the_same_ledgers(stores: Settings):
    send(stores, "raw.quote", quote(10), b"poison")
    nowhere = stores.model_copy(update={"clickhouse_address": "http://127.0.0.1:1"})
    with Collector(nowhere) as collector, Collector(stores) as whole:
        counted = collector.count()
        with pytest.raises(UnreachableError):
            collector.with_stores(counted)
        read = whole.read()
    assert counted.ledgers == read.ledgers
    assert (counted.stores, len(read.stores) > 0) == ((), True)


def test_reader_begins_at_the_offsets_it_is_given(stores: Settings):
    (partition, first), (_, second) = send(stores, "raw.quote", quote(20), quote(21), partition=0)
    found: list[tuple[int | None, int | None]] = []
    with TopicReader(["raw.quote"], stores) as reader:
        reader.begin_at({("raw.quote", partition): second})
        reader.drain(lambda message: found.append((message.partition(), message.offset())))
    assert first < second
    assert [place for place in found if place[0] == partition] == [(partition, second)]


def test_a_record_that_is_brought_back_counts_as_what_it_became(stores: Settings):
    send(stores, "quarantine.event", aside(1001, "UNKNOWN_SYMBOL"), aside(1002, "UNKNOWN_SYMBOL"))
    with Collector(stores) as collector:
        before = collector.read()
        send(stores, "duplicate.event", aside(1001, "DUPLICATE"))
        # The second names a record that Kafka has forgotten: it is not taken off what is there.
        send(stores, "replayed.event", replayed(1001), replayed(999_999))
        after = collector.read()
    was, found = before.ledgers["raw.quote"], after.ledgers["raw.quote"]
    assert found.quarantined == was.quarantined - 1
    assert found.duplicate == was.duplicate + 1
    assert found.difference == was.difference
    assert (before.reasons["UNKNOWN_SYMBOL"], after.reasons["UNKNOWN_SYMBOL"]) == (2, 1)
    assert (before.replayed, after.replayed, after.document()["replayed"]) == (0, 1, 1)


def test_a_healed_record_counts_as_what_it_became(stores: Settings):
    late = [aside(n, "LATE_BEYOND_WATERMARK") for n in range(2001, 2005)]
    with Collector(stores) as collector:
        send(stores, "late.event", *late)
        before = collector.read()
        outcomes = ("NORMALIZED", "DUPLICATE", "MARKET_CLOSED")
        markers = [healed(2001 + n, outcome) for n, outcome in enumerate(outcomes)]
        derived = healed(2004, "NORMALIZED")
        derived["payload"]["topic"] = "normalized.quote"  # a late row of another stage
        send(stores, "healed.event", *markers, derived)
        after = collector.read()
    was, found = before.ledgers["raw.quote"], after.ledgers["raw.quote"]
    assert (found.late, found.duplicate) == (was.late - 3, was.duplicate + 1)
    assert found.quarantined == was.quarantined + 1
    assert found.difference == was.difference + 1  # the row of the first is not there yet
    assert after.reasons["MARKET_CLOSED"] == before.reasons.get("MARKET_CLOSED", 0) + 1
    assert (before.healed, after.healed) == (0, 3)


def test_reference_records_have_a_ledger_too(stores: Settings):
    fact = {"kind": "LIST", "symbol": "AAA", "venue": "XSIM", "valid_from": 16_000, "extra": {}}
    raw = {**ENVELOPE, "event_id": "s", "payload": {**fact, "source_system": "test"}}
    place = {"topic": "raw.security", "partition": 0, "offset": 1}
    refused = {**place, "stage": "reference", "reason": "ISIN_CHECKSUM"}
    lane = {**ENVELOPE, "event_id": "raw.security:0:1", "payload": refused}
    with Collector(stores) as collector:
        send(stores, "raw.security", raw, raw)
        before = collector.read().ledgers["raw.security"]
        send(stores, "quarantine.event", lane)
        send(stores, "duplicate.event", lane)
        after = collector.read().ledgers["raw.security"]
    assert (before.raw, before.difference) == (2, 2)
    assert (after.quarantined, after.duplicate, after.closed) == (1, 1, True)


def test_the_command_prints_one_document_and_exits_with_3_when_stores_differ(stores: Settings):
    send(stores, "normalized.quote", {**ENVELOPE, "event_id": "beat", "payload": None})
    environment = {
        **os.environ,
        "ASKNOWN_PORT_OFFSET": str(stores.port_offset),
        "ASKNOWN_CLICKHOUSE_ADDRESS": stores.clickhouse_url,
        "ASKNOWN_CLICKHOUSE_READER_PASSWORD": stores.clickhouse_reader_password.get_secret_value(),
        "ASKNOWN_CATALOG_ADDRESS": stores.catalog_address,
        "ASKNOWN_WAREHOUSE": stores.warehouse,
        "ASKNOWN_DATA_DIR": str(stores.data_dir),
    }
    command = [sys.executable, "-m", "asknown.cli.main", "ledger", "-o", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    document = json.loads(done.stdout)
    keys = {"closed", "raw", "normalized", "duplicate", "late", "quarantined", "stores_equal"}
    assert keys <= set(document)
    assert document["stores_equal"] is False
    assert done.returncode == 3, done.stderr


@pytest.mark.parametrize(
    ("kafka", "lake", "final", "stored", "equal"),
    [
        (3, 3, 3, 3, True),
        (3, 3, None, None, True),
        (3, 2, 3, 3, False),
        (3, 3, 3, 4, False),
        (3, 3, 2, 3, False),
    ],
)
def test_stores_agree_when_each_that_keeps_the_topic_holds_the_same_number(
    kafka: int, lake: int, final: int | None, stored: int | None, equal: bool
):
    found = StoreCount("t", "a.t", kafka, lake, final, stored, compared=True)
    assert found.equal is equal


def test_a_compacted_topic_is_not_compared():
    assert StoreCount("t", "a.t", 1, 2, 2, 2, compared=False).equal
