"""Evil records of every kind amid good ones: the clock does not move, the good ones flow on.

All the poison goes to one partition. What is good goes to the others meanwhile, and to all
behind it: every one of them is normalized. A clock that had followed a poisoned time would have
made them late.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import Producer

from asknown.contracts.catalog import HEARTBEAT, contract
from asknown.contracts.partitions import keys_by_partition, partition_of
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import UsageError
from asknown.ingestion.clock import Beat, ClockReader, follower
from asknown.ingestion.connectors import synthetic_market as market
from asknown.ingestion.connectors.synthetic import SessionSpec
from asknown.ingestion.event import Event, envelope
from asknown.ingestion.gateway import Gateway
from asknown.ingestion.reference_load import REFERENCE_TOPICS
from asknown.ingestion.replay import CLOCK_TOPICS, CLOSING_MS
from asknown.settings import Settings
from tests.e2e import poisons
from tests.e2e.judge import LANES
from tests.e2e.poisons import NORMALIZED, TOPIC, YEAR_2199, YEAR_2262, Evil
from tests.e2e.sessions import load_reference
from tests.e2e.surfaces import Since, Surfaces
from tests.e2e.test_reference import of, security, send, trade
from tests.e2e.verdict import compare_stores, restarts

DAY = date(2024, 11, 8)
NOON = market.instant(DAY, 12)
PARTITIONS = contract(TOPIC).topic.partitions
SICK = 1  # the partition that gets all of the poison
STEP_MS = 20
BEHIND_MS = 11_000
MINUTE_MS = 60_000
MEGABYTE = 1_000_000
POISONED_BEATS = (YEAR_2199, YEAR_2262)
SYMBOLS = {
    partition: next(
        s for s in market.SYMBOLS[10:] if partition_of(market.raw_key(s), 4) == partition
    )
    for partition in range(PARTITIONS)
}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.clock(str(DAY))]

Place = tuple[int, int]


def sound(number: int, partition: int, **payload: Any) -> Event:
    """Return the sound trade of that number, of a symbol of that partition."""
    symbol, at_ms = SYMBOLS[partition], NOON + number * STEP_MS
    whole = {
        "source_system": "test",
        "symbol": symbol,
        "price": Decimal(100),
        "size": Decimal(1),
        "sequence": number,
        "event_time_ns": at_ms * 1_000_000,
        "extra": {},
        **payload,
    }
    key, name = market.raw_key(symbol), ("poison", str(number))
    return Event(TOPIC, "test", name, at_ms, key, whole, at_ms)


@dataclass
class Sent:
    """What was sent, by its place in the topic, and what was true before."""

    since: Since
    restarts: dict[str, int]
    good: dict[Place, Event]
    evil: dict[Place, Evil]
    clock_ms: int


class Writer:
    """Writes records to partitions of the trades and keeps where they are."""

    def __init__(self, config: Settings, encode: Any) -> None:
        self._encode = encode
        self.good: dict[Place, Event] = {}
        self.evil: dict[Place, Evil] = {}
        self.number = 0
        self._producer = Producer(
            {
                "bootstrap.servers": config.bootstrap_servers,
                "enable.idempotence": True,
                "message.max.bytes": 64 * MEGABYTE,
                "compression.type": "lz4",
                "batch.num.messages": 1,
            }
        )

    def next_round(self, rounds: int, besides: int | None = None) -> None:
        """Write so many good records into every partition but one, and wait for the broker."""
        for _ in range(rounds):
            for partition in range(PARTITIONS):
                if partition != besides:
                    self.next_good(partition)
        self.flush()

    def next_good(self, partition: int) -> None:
        self.number += 1
        event = sound(self.number, partition)
        value = self._encode(envelope(event, event.event_time_ms))
        self._produce(value, event.entity_id, partition, self.good, event)

    def put(self, one: Evil) -> None:
        key = None if one.keyless else f"poison-{len(self.evil)}"
        self._produce(one.value, key, SICK, self.evil, one)

    def beats(self, gateway: Gateway) -> None:
        """Write heartbeats of impossible times into one partition of every topic with a clock."""
        for topic in CLOCK_TOPICS:
            keys = keys_by_partition(HEARTBEAT, contract(topic).topic.partitions)
            sick = min(SICK, len(keys) - 1)
            for at_ms in POISONED_BEATS:
                value = gateway.encoder(topic)(beat_of(topic, at_ms))
                self._producer.produce(topic, value, keys[sick], sick)
        self.flush()

    def flush(self) -> None:
        assert self._producer.flush(60) == 0

    def _produce(
        self, value: bytes | None, key: str | None, partition: int, placed: Any, what: Any
    ) -> None:
        def delivered(error: Any, message: Any) -> None:
            assert error is None, error
            placed[message.partition(), message.offset()] = what

        self._producer.produce(TOPIC, value, key, partition, delivered)
        self._producer.poll(0)


def beat_of(topic: str, at_ms: int) -> dict[str, Any]:
    return {
        "event_id": f"poisoned-{topic}-{at_ms}",
        "event_time": at_ms,
        "ingest_time": at_ms,
        "source": HEARTBEAT,
        "schema_version": 1,
        "entity_id": f"{HEARTBEAT}-0",
        "payload": None,
    }


class Base:
    """Makes the sound records that are then spoilt, each with an id of its own."""

    def __init__(self, first: int) -> None:
        self._number = first

    def __call__(self, **payload: Any) -> dict[str, Any]:
        self._number += 1
        event = replace(
            sound(self._number, SICK, **payload), natural_key=("evil", str(self._number))
        )
        return envelope(event, event.event_time_ms)


@pytest.fixture(scope="module")
def sent(pipeline: Any, surfaces: Surfaces, eventually: Any) -> Sent:
    """Send good records, poison amid good ones, poisoned heartbeats, and good ones again."""
    config = pipeline.settings
    load_reference(config, SessionSpec(1_000, 1))
    since, before = surfaces.now(), restarts(config)
    with (
        RegistryClient(config.registry_url) as registry,
        Gateway(config, codec=AvroCodec(registry)) as gateway,
    ):
        writer = Writer(config, gateway.encoder(TOPIC))
        gateway.heartbeat(REFERENCE_TOPICS, NOON)
        gateway.flush()
        assert follower(config, AvroCodec(registry).decode, 120)(NOON)
        writer.next_round(100)
        for one in poisons.evils(registry, Base(writer.number)):
            writer.put(one)
            writer.next_round(1, besides=SICK)
        writer.beats(gateway)
        refused = sum(NORMALIZED not in one.reasons for one in writer.evil.values())
        wanted = len(writer.good) + refused
        gateway.heartbeat(CLOCK_TOPICS, NOON + writer.number * STEP_MS + BEHIND_MS)
        gateway.flush()
        eventually(lambda: placed(surfaces, since) >= wanted, 120, f"{wanted} records")
        writer.number += 2 * BEHIND_MS // STEP_MS  # good ones begin behind that heartbeat
        writer.next_round(100)
        end = NOON + writer.number * STEP_MS
        for ahead in (90_000, CLOSING_MS):
            gateway.heartbeat(CLOCK_TOPICS, end + ahead)
    return Sent(since, before, writer.good, writer.evil, end + CLOSING_MS)


def placed(surfaces: Surfaces, since: Since) -> int:
    return sum(surfaces.count(topic, since) for topic in ("normalized.trade", *LANES))


@pytest.fixture(scope="module")
def reading(sent: Sent, pipeline: Any) -> Any:
    return pipeline.json("ledger", "--wait", "180", check=False)


@pytest.fixture(scope="module")
def fates(sent: Sent, reading: Any, surfaces: Surfaces) -> dict[Place, list[str]]:
    """Return where each record of the trades was found."""
    found: dict[Place, list[str]] = {}
    for row in surfaces.kafka("normalized.trade", sent.since):
        found.setdefault((row["raw_partition"], row["raw_offset"]), []).append(NORMALIZED)
    for lane in LANES:
        for row in surfaces.kafka(lane, sent.since):
            if row["topic"] == TOPIC:
                found.setdefault((row["partition"], row["offset"]), []).append(row["reason"])
    return found


def test_evil_record_ends_in_one_lane_for_the_right_reason(
    sent: Sent, fates: dict[Place, list[str]]
) -> None:
    wrong = {
        one.name: (fates.get(at, []), sorted(one.reasons))
        for at, one in sent.evil.items()
        if len(fates.get(at, [])) != 1 or fates[at][0] not in one.reasons
    }
    assert wrong == {}
    assert len({one.name for one in sent.evil.values()}) == len(sent.evil) > 40


def test_good_records_amid_and_behind_the_poison_are_all_normalized(
    sent: Sent, fates: dict[Place, list[str]]
) -> None:
    """Counted by partition: none is late, neither beside the poison nor behind it."""
    found = Counter((at[0], *fates.get(at, [])) for at in sent.good)
    wanted = Counter((at[0], NORMALIZED) for at in sent.good)
    assert found == wanted
    assert len(wanted) == PARTITIONS


def test_ledger_closes_over_the_poison_and_the_stores_are_equal(
    sent: Sent, reading: Any, surfaces: Surfaces
) -> None:
    assert reading["closed"], json.dumps(reading)
    assert reading["stores_equal"], json.dumps(reading)
    assert compare_stores(surfaces, sent.since, ("normalized.trade", *LANES)) == []


def test_poison_restarts_no_job(sent: Sent, reading: Any, pipeline: Any) -> None:
    assert restarts(pipeline.settings) == sent.restarts


def test_poisoned_heartbeat_is_not_taken_for_the_stacks_clock(sent: Sent, pipeline: Any) -> None:
    config = pipeline.settings
    with (
        RegistryClient(config.registry_url) as registry,
        ClockReader(config, AvroCodec(registry).decode) as reader,
    ):
        beats = [beat for topic in CLOCK_TOPICS for beat in reader.beats(topic)]
    partitions = {t: range(contract(t).topic.partitions) for t in CLOCK_TOPICS}
    assert beats == [Beat(t, p, sent.clock_ms) for t, known in partitions.items() for p in known]


def test_what_is_learnt_behind_the_poison_takes_effect(
    sent: Sent, reading: Any, pipeline: Any, surfaces: Surfaces, eventually: Any
) -> None:
    """The reference job's clock has not moved either, nor that of its change points."""
    later = sent.clock_ms + MINUTE_MS
    fact = security("NEWS", "LIST", date(2024, 11, 1), later)
    trades = [trade("NEWS", later + second * 1000) for second in range(5)]
    assert send(pipeline.settings, [fact, *trades]).followed
    eventually(
        lambda: len(of(surfaces.kafka("normalized.trade", sent.since), "NEWS")) == len(trades),
        60,
        "trades of a listing that was learnt just before",
    )
    assert restarts(pipeline.settings) == sent.restarts


def test_incompatible_schema_is_refused_by_the_registry(pipeline: Any) -> None:
    subject = contract(TOPIC).topic.subject
    with RegistryClient(pipeline.settings.registry_url) as registry:
        for name, avro in poisons.incompatible().items():
            with pytest.raises(UsageError) as refused:
                registry.register(subject, avro)
            assert refused.value.code == "ASKNOWN-REGISTRY-002", name


def test_record_that_the_broker_would_refuse_is_refused_by_the_gateway_by_name(
    pipeline: Any, surfaces: Surfaces
) -> None:
    since = surfaces.now()
    with Gateway(pipeline.settings) as gateway:
        with pytest.raises(UsageError) as refused:
            gateway.publish(sound(1, SICK, extra={"note": "A" * poisons.TEN_MEGABYTES}))
        assert refused.value.code == "ASKNOWN-INGEST-005"
        assert gateway.sent == 0
    assert surfaces.count(TOPIC, since) == 0
