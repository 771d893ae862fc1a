"""Records of the raw topics and of the lanes, as the jobs would write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from confluent_kafka import Producer

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.settings import Settings

Record = dict[str, Any]
AT = 1_400_000_000_000
ENVELOPE = {
    "event_time": AT,
    "ingest_time": AT,
    "source": "test",
    "schema_version": 1,
    "entity_id": "x",
}
_PRICES = ("bid_price", "bid_size", "ask_price", "ask_size")


def quote(number: int) -> Record:
    """Return a raw quote."""
    prices = dict.fromkeys(_PRICES, Decimal(1))
    payload = {"source_system": "test", "symbol": "AAA", **prices, "extra": {}}
    return {**ENVELOPE, "event_id": f"q{number}", "payload": payload}


def normalized(offset: int, partition: int = 0) -> Record:
    """Return the normalized quote that a raw one has become."""
    factors = dict.fromkeys(("price_factor", "split_factor", "share_factor"), 1.0)
    place = {"raw_partition": partition, "raw_offset": offset, "factor_version": 0}
    payload = {"raw_key": "x", **dict.fromkeys(_PRICES, Decimal(1)), **factors, **place}
    return {**ENVELOPE, "event_id": f"n{partition}:{offset}", "payload": payload}


def aside(offset: int, reason: str, partition: int = 0, **more: Any) -> Record:
    """Return what a lane says of a raw quote."""
    place = {"topic": "raw.quote", "partition": partition, "offset": offset}
    payload = {**place, "stage": "normalize", "reason": reason, **more}
    return {**ENVELOPE, "event_id": f"raw.quote:{partition}:{offset}", "payload": payload}


def replayed(offset: int, partition: int = 0, outcome: str = "DUPLICATE") -> Record:
    """Return the marker of a raw quote that was brought back."""
    named = {"raw_event_id": "q", "raw_key": "x", "outcome": outcome}
    return aside(offset, "UNKNOWN_SYMBOL", partition, **named, known_at=AT, replay_id="r")


def healed(offset: int, outcome: str, partition: int = 0) -> Record:
    """Return the marker of a late raw quote that was put in its place."""
    record = aside(offset, "", partition, outcome=outcome, heal_id="h")
    del record["payload"]["reason"]
    return record


def send(
    config: Settings, topic: str, *records: Record | bytes, partition: int | None = None
) -> list[tuple[int, int]]:
    """Send records; return (partition, offset) of each."""
    with RegistryClient(config.registry_url) as registry:
        encode = AvroCodec(registry).encoder(topic)
    producer = Producer({"bootstrap.servers": config.bootstrap_servers})
    places: list[tuple[int, int]] = []
    chosen = {} if partition is None else {"partition": partition}
    for record in records:
        value = record if isinstance(record, bytes) else encode(record)
        producer.produce(
            topic,
            key="x",
            value=value,
            on_delivery=lambda _, sent: places.append((sent.partition(), sent.offset())),
            **chosen,
        )
    producer.flush()
    return places
