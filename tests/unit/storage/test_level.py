"""Waiting until the lake has what Kafka has."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.storage import iceberg, level
from asknown.storage.kafka import ensure_topics
from tests.unit.storage.lake_rows import append, row_of, utc

AT = utc(2024, 10, 28, 4)
TOPIC = "discarded.event"  # one partition, and no other test on this broker writes it


@pytest.fixture
def config(broker: dict[str, str], tmp_path: Path) -> Settings:
    """Return the settings of a Kafka, a registry and an empty lake."""
    found = Settings(
        port_offset=int(broker["ASKNOWN_PORT_OFFSET"]),
        catalog_address=f"sqlite:///{tmp_path / 'catalog.db'}",
        warehouse=f"file://{tmp_path / 'warehouse'}",
        data_dir=tmp_path / "data",
    )
    ensure_topics(found)
    iceberg.ensure_tables(found)
    return found


def send(config: Settings, *names: str, heartbeats: int = 0) -> int:
    """Send records, then heartbeats; return the offset of the last record."""
    offsets: list[int] = []
    envelope = ("event_id", "event_time", "ingest_time", "source", "schema_version", "entity_id")
    with RegistryClient(config.registry_url) as registry:
        encode = AvroCodec(registry).encoder(TOPIC)
        producer = Producer({"bootstrap.servers": config.bootstrap_servers})

        def noted(_: Any, message: Any) -> None:
            offsets.append(message.offset())

        for name in names:
            row = row_of(TOPIC, event_id=name, event_time=AT)
            record = {n: row.pop(n) for n in envelope} | {"payload": row}
            times = {n: _milliseconds(record[n]) for n in ("event_time", "ingest_time")}
            producer.produce(TOPIC, encode(record | times), b"k", on_delivery=noted)
        producer.flush()
        for _ in range(heartbeats):
            producer.produce(TOPIC, b"x", b"heartbeat-0")
        producer.flush()
    return max(offsets)


def _milliseconds(at: datetime) -> int:
    return round((at - utc(1970, 1, 1)).total_seconds() * 1000)


def kept(config: Settings, name: str, offset: int, partition: int = 0) -> None:
    row = row_of(TOPIC, event_id=name, event_time=AT)
    append(config, TOPIC, row | {"kafka_offset": offset, "kafka_partition": partition})


def test_lake_that_lacks_the_last_record_is_waited_for_in_vain(config: Settings) -> None:
    last = send(config, "a", "b", heartbeats=3)
    kept(config, "a", last - 1)
    with pytest.raises(AsknownError, match=rf"ASKNOWN-HEAL-001.*@{last}"):
        level.wait(config, [TOPIC], 0)


def test_lake_that_has_the_last_record_is_level_whatever_heartbeats_follow(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(level, "_FIRST_LOOK", 2)  # the record lies further back
    last = send(config, "c", heartbeats=30)
    kept(config, "c", last)
    assert level.wait(config, [TOPIC], 0)[TOPIC, 0].offset == last


def test_record_in_a_day_that_a_backfill_replaced_is_found_by_its_id(config: Settings) -> None:
    send(config, "d")
    kept(config, "d", -1, partition=-1)
    found = level.wait(config, [TOPIC], 0)
    assert found[TOPIC, 0].event_id == "d"
