"""Collecting the ledger's counts from real stores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from confluent_kafka import Producer

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.settings import Settings
from asknown.storage import iceberg
from asknown.storage.clickhouse import migrate
from asknown.storage.kafka import ensure_topics
from asknown.storage.ledger import Collector, StoreCount

ENVELOPE = {
    "event_time": 1_400_000_000_000,
    "ingest_time": 1_400_000_000_000,
    "source": "test",
    "schema_version": 1,
    "entity_id": "x",
}


def quote(number: int) -> dict:
    prices = dict.fromkeys(("bid_price", "bid_size", "ask_price", "ask_size"), Decimal(1))
    payload = {"source_system": "test", "symbol": "AAA", **prices, "extra": {}}
    return {**ENVELOPE, "event_id": f"q{number}", "payload": payload}


def aside(offset: int, reason: str) -> dict:
    place = {"topic": "raw.quote", "partition": 0, "offset": offset}
    payload = {**place, "stage": "normalize", "reason": reason}
    return {**ENVELOPE, "event_id": f"raw.quote:0:{offset}", "payload": payload}


@pytest.fixture
def config(broker: dict[str, str], clickhouse, tmp_path: Path) -> Settings:
    """Return the settings of Kafka, registry, an empty ClickHouse and an empty lake."""
    found = clickhouse.settings.model_copy(
        update={
            "port_offset": int(broker["ASKNOWN_PORT_OFFSET"]),
            "catalog_address": f"sqlite:///{tmp_path / 'catalog.db'}",
            "warehouse": f"file://{tmp_path / 'warehouse'}",
        }
    )
    ensure_topics(found)
    migrate(found)
    iceberg.ensure_tables(found)
    return found


def send(config: Settings, topic: str, *records: dict | bytes) -> None:
    with RegistryClient(config.registry_url) as registry:
        encode = AvroCodec(registry).encoder(topic)
    producer = Producer({"bootstrap.servers": config.bootstrap_servers})
    for record in records:
        value = record if isinstance(record, bytes) else encode(record)
        producer.produce(topic, key="x", value=value)
    producer.flush()


def test_a_second_reading_adds_what_came_and_closes_when_every_record_has_a_lane(config: Settings):
    with Collector(config) as collector:
        send(config, "raw.quote", quote(0), quote(1), quote(2), b"poison")
        first = collector.read().ledgers["raw.quote"]
        assert (first.raw, first.difference) == (4, 4)
        send(config, "quarantine.event", aside(3, "DECODE_BAD_MAGIC"), aside(0, "CROSSED_QUOTE"))
        send(config, "late.event", aside(1, "LATE_BEYOND_WATERMARK"))
        send(config, "duplicate.event", aside(2, "DUPLICATE"))
        second = collector.read()
    found = second.ledgers["raw.quote"]
    assert (found.raw, found.quarantined, found.late, found.duplicate) == (4, 2, 1, 1)
    assert found.closed
    assert second.reasons == {"DECODE_BAD_MAGIC": 1, "CROSSED_QUOTE": 1}
    assert not second.stores_equal  # nothing has been copied into the lake


def test_the_command_prints_one_document_and_exits_with_3_when_stores_differ(config: Settings):
    send(config, "normalized.quote", {**ENVELOPE, "event_id": "beat", "payload": None})
    environment = {
        **os.environ,
        "ASKNOWN_PORT_OFFSET": str(config.port_offset),
        "ASKNOWN_CLICKHOUSE_ADDRESS": config.clickhouse_url,
        "ASKNOWN_CLICKHOUSE_READER_PASSWORD": config.clickhouse_reader_password.get_secret_value(),
        "ASKNOWN_CATALOG_ADDRESS": config.catalog_address,
        "ASKNOWN_WAREHOUSE": config.warehouse,
        "ASKNOWN_DATA_DIR": str(config.data_dir),
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
