"""Any bytes in any raw topic are quarantined with coordinates, reason, bytes; nothing restarts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.ingestion.reference_load import REFERENCE_TOPICS
from asknown.settings import Settings
from tests.e2e.surfaces import Since, Surfaces
from tests.e2e.verdict import restarts

QUARANTINE = "quarantine.event"
MARKET = ("raw.trade", "raw.quote", "raw.bar")
TOPICS = (*MARKET, "raw.security", "raw.corporate_action")
COUNT = 200
MEGABYTE = 1_000_000
LARGEST = 1_048_500  # what the broker takes of bytes that cannot be compressed
LONGEST_KEPT = 8 * 1024 * 1024  # longer ones are named by their coordinates alone
DECODE = frozenset({"DECODE_BAD_MAGIC", "DECODE_UNKNOWN_SCHEMA", "DECODE_TRUNCATED"})
NO_RECORD = frozenset({"DECODE_TRUNCATED", "DECODE_UNKNOWN_SCHEMA"})
EMPTY_RECORD = bytes(7)  # seven empty values: a record as far as Avro goes
LONG_AGO = datetime(2024, 10, 28, tzinfo=UTC)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.clock("2024-10-28T18:00")]


@dataclass(frozen=True)
class Poison:
    """Bytes and the reasons that are right for them."""

    value: bytes | None
    reasons: frozenset[str]

    @property
    def kept(self) -> bytes | None:
        """Return the bytes that the quarantine keeps."""
        return None if self.value is None or len(self.value) > LONGEST_KEPT else self.value


def poisons(dice: random.Random, headers: dict[str, bytes], topic: str) -> Iterator[Poison]:
    """Yield bytes of every kind in turn, without end."""
    header = headers[topic]
    others = [other for name, other in headers.items() if name != topic]
    yield Poison(dice.randbytes(MEGABYTE), DECODE)
    yield Poison(header + b"\xff" * MEGABYTE, NO_RECORD)
    if topic == "raw.trade":  # the broker bounds the compressed size only
        yield Poison(b"\x01" + dice.randbytes(LARGEST - 1), DECODE)
        yield Poison(b"\x01" * 5 * MEGABYTE, DECODE)
        yield Poison(b"\x01" * 20 * MEGABYTE, DECODE)
    while True:
        yield Poison(None, frozenset({"DECODE_NULL_VALUE"}))
        yield Poison(b"", frozenset({"DECODE_TRUNCATED", "DECODE_BAD_MAGIC"}))
        yield Poison(dice.randbytes(dice.randrange(1, 5)), DECODE)
        yield Poison(dice.randbytes(dice.randrange(5, 400)), DECODE)
        yield Poison(bytes([dice.randrange(1, 256)]) + header[1:], frozenset({"DECODE_BAD_MAGIC"}))
        yield Poison(b"\x00" + dice.randbytes(4) + dice.randbytes(40), NO_RECORD)
        yield Poison(header, NO_RECORD)
        yield Poison(header + b"\xff" * dice.randrange(1, 60), NO_RECORD)
        yield Poison(header + dice.randbytes(dice.randrange(1, 12)), NO_RECORD)
        yield Poison(header + dice.randbytes(dice.randrange(12, 300)), NO_RECORD)
        if topic in MARKET:  # what can be read of reference data is not judged here
            yield Poison(header + EMPTY_RECORD, frozenset({"ENVELOPE_INCOMPLETE"}))
        yield Poison(header + EMPTY_RECORD + b"\x00", NO_RECORD)
        yield Poison(dice.choice(others) + EMPTY_RECORD, NO_RECORD)
        yield Poison(b'{"price": 1.5, "symbol": "AAPL"}', DECODE)


def headers(config: Settings) -> dict[str, bytes]:
    with RegistryClient(config.registry_url) as registry:
        codec = AvroCodec(registry)
        record = {
            "event_id": "x",
            "event_time": LONG_AGO,
            "ingest_time": LONG_AGO,
            "source": "heartbeat",
            "schema_version": 1,
            "entity_id": "x",
            "payload": None,
        }
        return {topic: codec.encoder(topic)(record)[:5] for topic in TOPICS}


def send(config: Settings, wanted: dict[str, list[Poison]]) -> dict[tuple[str, int, int], Poison]:
    """Send to partitions in turn, half with a key; return what lies at which coordinates."""
    producer = Producer(
        {
            "bootstrap.servers": config.bootstrap_servers,
            "enable.idempotence": True,
            "message.max.bytes": 64 * MEGABYTE,
            "compression.type": "lz4",
            "batch.num.messages": 1,  # a batch of several megabytes is refused
        }
    )
    placed: dict[tuple[str, int, int], Poison] = {}
    for topic, poison in wanted.items():
        for number, one in enumerate(poison):
            key = None if number % 2 else f"poison-{number}"

            def delivered(error: Any, message: Any, one: Poison = one) -> None:
                assert error is None, error
                placed[message.topic(), message.partition(), message.offset()] = one

            producer.produce(topic, one.value, key, on_delivery=delivered)
    assert producer.flush(60) == 0
    return placed


@pytest.mark.parametrize("seed", [20261121])
def test_any_bytes_are_quarantined_with_their_coordinates_reason_and_bytes(
    pipeline: Any, surfaces: Surfaces, eventually: Any, seed: int
) -> None:
    config = pipeline.settings
    dice = random.Random(seed)
    since, before = surfaces.now(), restarts(config)
    known = headers(config)
    source = {topic: poisons(dice, known, topic) for topic in TOPICS}
    placed = send(config, {t: [next(one) for _ in range(COUNT)] for t, one in source.items()})
    assert len(placed) == COUNT * len(TOPICS)

    eventually(lambda: surfaces.count(QUARANTINE, since) >= len(placed), 90, "the quarantine")
    rows = surfaces.kafka(QUARANTINE, since)
    found = {(row["topic"], row["partition"], row["offset"]): row for row in rows}
    assert found.keys() == placed.keys()
    assert len(rows) == len(placed)
    wrong = [
        f"{at}: {found[at]['reason']} for {one.value and one.value[:30]!r}, not {one.reasons}"
        for at, one in placed.items()
        if found[at]["reason"] not in one.reasons
    ]
    assert wrong == []
    assert [at for at, one in placed.items() if found[at]["raw_bytes"] != one.kept] == []
    stages = dict.fromkeys(REFERENCE_TOPICS, "reference")
    assert all(row["stage"] == stages.get(row["topic"], "normalize") for row in rows)

    reading = pipeline.json("ledger", "--wait", "120", check=False)
    assert reading["closed"], reading
    assert reading["stores_equal"], reading["stores"]
    same_in_the_stores(surfaces, rows, since)
    assert restarts(config) == before


def same_in_the_stores(surfaces: Surfaces, rows: list[dict[str, Any]], since: Since) -> None:
    def by_place(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(found, key=lambda row: (row["kafka_partition"], row["kafka_offset"]))

    wanted = by_place(rows)
    assert by_place(surfaces.iceberg(QUARANTINE, since)) == wanted
    assert by_place(surfaces.clickhouse(QUARANTINE, since, final=True)) == wanted
