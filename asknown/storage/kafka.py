"""Topics: create them from the contracts, and count what is in them exactly."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported by hand
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from asknown.contracts.catalog import HEARTBEAT, Topic, contracts
from asknown.errors import UnreachableError
from asknown.settings import Settings, settings

HEARTBEAT_KEY = f"{HEARTBEAT}-".encode()
REQUEST_TIMEOUT_S = 30.0
BATCH = 10_000
DRAIN_TIMEOUT_S = 600.0
HOUR_MS = 3_600_000


def is_heartbeat(key: bytes | None) -> bool:
    """Tell whether a record only moves time, by its key; a record without key is data."""
    return key is not None and key.startswith(HEARTBEAT_KEY)


def topic_config(topic: Topic) -> dict[str, str]:
    """Return the broker's configuration of a topic.

    The broker stamps records when it appends them: with the producer's time, which is the replay's
    in a replay, retention would drop events of 2014 as soon as they are written.
    """
    keep = topic.retention_hours * HOUR_MS if topic.retention_hours >= 0 else -1
    return {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(keep),
        "message.timestamp.type": "LogAppendTime",
    }


def ensure_topics(config: Settings | None = None) -> list[str]:
    """Create every topic of the contracts, widen and reconfigure those that differ.

    Returns one line per change, so nothing when all is as it should be. Raises
    `UnreachableError` ASKNOWN-KAFKA-001 when the broker does not answer.
    """
    config = config or settings()
    admin = AdminClient({"bootstrap.servers": config.bootstrap_servers})
    topics = [c.topic for c in contracts().values()]
    try:
        known = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        missing = [t for t in topics if t.name not in known]
        present = [t for t in topics if t.name in known]
        changes = _create(admin, missing)
        changes += _widen(admin, {t: len(known[t.name].partitions) for t in present})
        return changes + _configure(admin, present)
    except KafkaException as error:
        raise _unreachable(config, error) from error


def _create(admin: AdminClient, topics: list[Topic]) -> list[str]:
    if not topics:
        return []
    wanted = [NewTopic(t.name, t.partitions, -1, config=topic_config(t)) for t in topics]
    for future in admin.create_topics(wanted).values():
        try:
            future.result(REQUEST_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    return [f"created topic {t.name} with {t.partitions} partitions" for t in topics]


def _widen(admin: AdminClient, found: dict[Topic, int]) -> list[str]:
    narrow = {topic: count for topic, count in found.items() if count < topic.partitions}
    if not narrow:
        return []
    futures = admin.create_partitions([NewPartitions(t.name, t.partitions) for t in narrow])
    for future in futures.values():
        future.result(REQUEST_TIMEOUT_S)
    return [f"widened topic {t.name} from {n} to {t.partitions}" for t, n in narrow.items()]


def _configure(admin: AdminClient, topics: list[Topic]) -> list[str]:
    if not topics:
        return []
    by_name = {t.name: t for t in topics}
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in by_name])
    changes = []
    wanted = []
    for resource, future in asked.items():
        found = future.result(REQUEST_TIMEOUT_S)
        expected = topic_config(by_name[resource.name])
        differing = {k: v for k, v in expected.items() if k not in found or found[k].value != v}
        if differing:
            entries = [
                ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET)
                for k, v in differing.items()
            ]
            wanted.append(
                ConfigResource(ResourceType.TOPIC, resource.name, incremental_configs=entries)
            )
            changes.append(f"set {differing} on topic {resource.name}")
    if wanted:
        for future in admin.incremental_alter_configs(wanted).values():
            future.result(REQUEST_TIMEOUT_S)
    return changes


class TopicReader:
    """Read all committed records of one topic, from its start on; call `drain` to catch up.

    Transaction markers and aborted records are never seen. Not for use by several threads.
    """

    def __init__(self, topic: str, config: Settings | None = None) -> None:
        self.topic = topic
        self._config = config or settings()
        self._open: set[int] = set()
        self._consumer = Consumer(
            {
                "bootstrap.servers": self._config.bootstrap_servers,
                "group.id": "asknown.reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.max.bytes": 16 * 1024 * 1024,
                "queued.max.messages.kbytes": 64 * 1024,
            }
        )
        self._positions: dict[int, int] = {}

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def drain(self, take: Callable[[Message], None], *, timeout_s: float = DRAIN_TIMEOUT_S) -> None:
        """Pass every new record to `take`, up to the end as it is when the end is reached.

        Raises `UnreachableError` ASKNOWN-KAFKA-001 when the broker does not answer or the end is
        not reached in time; what was read until then is not read again.
        """
        try:
            self._assign()
            deadline = time.monotonic() + timeout_s
            while self._open and time.monotonic() < deadline:
                for message in self._consumer.consume(BATCH, timeout=0.2):
                    self._see(message, take)
        except KafkaException as error:
            raise _unreachable(self._config, error) from error
        if self._open:
            found = f"partitions {sorted(self._open)} of {self.topic} not read in {timeout_s:.0f} s"
            raise _unreachable(self._config, found)

    def _assign(self) -> None:
        """Start all partitions again behind what was read; this also asks for their ends anew."""
        found = self._consumer.list_topics(self.topic, timeout=REQUEST_TIMEOUT_S)
        topic = found.topics[self.topic]
        if topic.error is not None:
            raise KafkaException(topic.error)
        self._open = set(topic.partitions)
        begin = [TopicPartition(self.topic, p, self._positions.get(p, 0)) for p in self._open]
        self._consumer.assign(begin)

    def _see(self, message: Message, take: Callable[[Message], None]) -> None:
        error = message.error()
        partition: int = message.partition()  # type: ignore[assignment]  # set on every record
        if error is None:
            self._positions[partition] = message.offset() + 1  # type: ignore[operator]
            take(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._positions[partition] = message.offset()  # type: ignore[assignment]
            self._open.discard(partition)
        elif error.fatal() or not error.retriable():
            raise KafkaException(error)


class RecordCounter:
    """Count the data records of one topic per partition; heartbeats are left out."""

    def __init__(self, topic: str, config: Settings | None = None) -> None:
        self._reader = TopicReader(topic, config)
        self.partitions: dict[int, int] = {}

    @property
    def total(self) -> int:
        """Return the number of data records counted so far."""
        return sum(self.partitions.values())

    def advance(self) -> int:
        """Count what has been added since the last call and return the new total."""
        self._reader.drain(self._take)
        return self.total

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def _take(self, message: Message) -> None:
        if not is_heartbeat(message.key()):
            partition: Any = message.partition()
            self.partitions[partition] = self.partitions.get(partition, 0) + 1


def count_records(topic: str, config: Settings | None = None) -> int:
    """Return how many data records a topic holds: committed, no heartbeats, no markers."""
    counter = RecordCounter(topic, config)
    try:
        return counter.advance()
    finally:
        counter.close()


def count_by_partition(topic: str, config: Settings | None = None) -> dict[int, int]:
    """Return how many data records each partition holds; partitions without any are absent."""
    counter = RecordCounter(topic, config)
    try:
        counter.advance()
        return dict(counter.partitions)
    finally:
        counter.close()


def _unreachable(config: Settings, found: object) -> UnreachableError:
    return UnreachableError(
        "ASKNOWN-KAFKA-001",
        f"expected an answer from Kafka, found: {found}.",
        where=config.bootstrap_servers,
        hint="`asknown status` shows whether it runs; `asknown up` starts it.",
    )
