"""Tell what time it is on the clock that a stack runs on: that of its newest heartbeat.

Event times stand still when a source falls silent, and in a replay the wall's clock means nothing.
Heartbeats go on, with the time of whoever sends them: the gateway's, or the replay's.
"""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from asknown.contracts.catalog import contract
from asknown.contracts.registry import AvroCodec, DecodeError, RegistryClient
from asknown.errors import UnreachableError
from asknown.settings import Settings, settings
from asknown.storage.kafka import POLL_S, Place, is_heartbeat

MARKET = tuple(f"raw.{dataset}" for dataset in ("trade", "quote", "bar"))
NEWEST = 2_000  # records at the end of each partition among which a heartbeat is looked for
AHEAD_MS = 300_000  # as the jobs: a heartbeat further ahead of its broker moves no time
_TIMEOUT_S = 5.0


def data_time(config: Settings | None = None) -> int | None:
    """Return the newest heartbeat of the market topics in UTC milliseconds, None without any.

    Raises `UnreachableError` ASKNOWN-KAFKA-001 when the broker does not answer.
    """
    config = config or settings()
    consumer = Consumer(
        {
            "bootstrap.servers": config.bootstrap_servers,
            "group.id": "asknown.reader",  # required by the client; nothing is committed
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        values = _newest_heartbeats(consumer)
    except KafkaException as error:
        raise UnreachableError(
            "ASKNOWN-KAFKA-001",
            f"expected an answer from Kafka, found: {error}.",
            where=config.bootstrap_servers,
            hint="`asknown status` shows whether it runs; `asknown up` starts it.",
        ) from error
    finally:
        consumer.close()
    registry = RegistryClient(config.registry_url)
    try:
        codec = AvroCodec(registry)
        times = [_believed(codec, *beat) for beat in values]
    finally:
        registry.close()
    return max((at_ms for at_ms in times if at_ms is not None), default=None)


def _believed(codec: AvroCodec, value: bytes, taken_ms: int) -> int | None:
    """Return a heartbeat's time, None for one that cannot be read or lies ahead of its broker."""
    try:
        at_ms = round(codec.decode(value)["event_time"].timestamp() * 1000)
    except DecodeError:
        return None
    return at_ms if at_ms <= taken_ms + AHEAD_MS else None


def _newest_heartbeats(consumer: Consumer) -> list[tuple[bytes, int]]:
    """Return the heartbeats near the end of each partition, and when the broker took each."""
    unread: dict[Place, int] = {}
    for topic in MARKET:
        for partition in range(contract(topic).topic.partitions):
            place = TopicPartition(topic, partition)
            low, high = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
            if high > low:
                unread[topic, partition] = max(low, high - NEWEST)
    consumer.assign([TopicPartition(*place, start) for place, start in unread.items()])
    beats: list[tuple[bytes, int]] = []
    deadline = time.monotonic() + _TIMEOUT_S
    while unread and time.monotonic() < deadline:
        for message in consumer.consume(NEWEST, timeout=POLL_S):
            found: Any = (message.topic(), message.partition())
            value = message.value()
            if message.error() is not None:  # the end of the partition
                unread.pop(found, None)
            elif is_heartbeat(message.key()) and value is not None:
                beats.append((value, message.timestamp()[1]))
    return beats
