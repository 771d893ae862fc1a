"""Topics: create them from the contracts, and count what is in them exactly."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
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

from asknown.contracts.catalog import DERIVED_MAX_BYTES, HEARTBEAT, Topic, contracts
from asknown.errors import AsknownError, UnreachableError
from asknown.settings import Settings, settings

HEARTBEAT_KEY = f"{HEARTBEAT}-".encode()
REQUEST_TIMEOUT_S = 30.0
BATCH = 10_000
POLL_S = 0.05
DRAIN_TIMEOUT_S = 600.0
HOUR_MS = 3_600_000

Place = tuple[str, int]  # topic, partition


def is_heartbeat(key: bytes | None) -> bool:
    """Tell whether a record only moves time, by its key; a record without key is data."""
    return key is not None and key.startswith(HEARTBEAT_KEY)


def topic_config(topic: Topic) -> dict[str, str]:
    """Return the broker's configuration of a topic.

    The broker stamps records when it appends them: with the producer's time, which is the replay's
    in a replay, retention would drop events of 2014 as soon as they are written.
    """
    limit = {} if topic.layer == "raw" else {"max.message.bytes": str(DERIVED_MAX_BYTES)}
    keep = topic.retention_hours * HOUR_MS if topic.retention_hours >= 0 else -1
    return {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(keep),
        "message.timestamp.type": "LogAppendTime",
        **limit,
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
    """Read all committed records of topics, from their start on; call `drain` to catch up.

    Transaction markers and aborted records are never seen. Not for use by several threads.
    """

    def __init__(self, topics: Iterable[str], config: Settings | None = None) -> None:
        self._topics = tuple(topics)
        self._config = config or settings()
        self._open: set[Place] = set()
        self._positions: dict[Place, int] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": self._config.bootstrap_servers,
                "group.id": "asknown.reader",  # required by the client; nothing is committed
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 64 * 1024,
            }
        )

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

    def last(self, count: int) -> set[Place]:
        """Read next the last `count` records of each partition; return those that have more."""
        more = set()
        for place in self._places():
            at = TopicPartition(*place)
            low, high = self._consumer.get_watermark_offsets(at, REQUEST_TIMEOUT_S)
            self._positions[place] = max(low, high - count)
            if high - count > low:
                more.add(place)
        return more

    def begin(self, since_ms: int | None = None, at_most: int | None = None) -> dict[Place, int]:
        """Read next what the broker has, or took in from a time on; return where that begins.

        `at_most` is how many offsets before its present end are read of a partition. Raises
        `UnreachableError` ASKNOWN-KAFKA-001 when the broker does not answer.
        """
        try:
            places = self._places()
            low_high = {
                place: self._consumer.get_watermark_offsets(
                    TopicPartition(*place), REQUEST_TIMEOUT_S
                )
                for place in places
            }
            found = {
                place: low if at_most is None else max(low, high - at_most)
                for place, (low, high) in low_high.items()
            }
            if since_ms is not None:
                asked = [TopicPartition(*place, since_ms) for place in places]
                for at in self._consumer.offsets_for_times(asked, REQUEST_TIMEOUT_S):
                    place = (at.topic, at.partition)
                    # Nothing is that young: what comes next counts.
                    found[place] = at.offset if at.offset >= 0 else low_high[place][1]
        except KafkaException as error:
            raise _unreachable(self._config, error) from error
        self._positions.update(found)
        return found

    def begin_at(self, offsets: Mapping[Place, int]) -> None:
        """Read next from these offsets on; partitions that are not among them from their start."""
        self._positions.update(offsets)

    @property
    def positions(self) -> dict[Place, int]:
        """Return the next offset of each partition of which something was read."""
        return dict(self._positions)

    def drain(self, take: Callable[[Message], None], *, timeout_s: float = DRAIN_TIMEOUT_S) -> None:
        """Pass every new record to `take`, up to the ends as they are when they are reached.

        Raises `UnreachableError` ASKNOWN-KAFKA-001 when the broker does not answer or the ends are
        not reached in time; what was read until then is not read again.
        """
        try:
            self._assign()
            deadline = time.monotonic() + timeout_s
            while self._open and time.monotonic() < deadline:
                for message in self._consumer.consume(BATCH, timeout=POLL_S):
                    self._see(message, take)
        except KafkaException as error:
            raise _unreachable(self._config, error) from error
        if self._open:
            found = f"{sorted(self._open)} not read to the end in {timeout_s:.0f} s"
            raise _unreachable(self._config, found)

    def _assign(self) -> None:
        """Start all partitions again behind what was read; this also asks for their ends anew."""
        self._open = self._places()
        self._consumer.assign(
            [TopicPartition(*place, self._positions.get(place, 0)) for place in self._open]
        )

    def _places(self) -> set[Place]:
        known = self._consumer.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        missing = [topic for topic in self._topics if topic not in known]
        if missing:
            raise AsknownError(
                "ASKNOWN-KAFKA-002",
                f"expected topics {', '.join(missing)}, found none of these names.",
                where=self._config.bootstrap_servers,
                hint="`asknown up` creates the topics.",
            )
        return {(topic, p) for topic in self._topics for p in known[topic].partitions}

    def _see(self, message: Message, take: Callable[[Message], None]) -> None:
        error = message.error()
        place: Any = (message.topic(), message.partition())
        offset: Any = message.offset()
        if error is None:
            self._positions[place] = offset + 1
            take(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._positions[place] = offset
            self._open.discard(place)
        elif error.fatal() or not error.retriable():
            raise KafkaException(error)


def count_by_partition(topic: str, config: Settings | None = None) -> dict[int, int]:
    """Return how many data records each partition holds; partitions without any are absent.

    Data are committed records that are no heartbeats; undecodable ones count.
    """
    counts: Counter[int] = Counter()

    def take(message: Message) -> None:
        if not is_heartbeat(message.key()):
            partition: Any = message.partition()
            counts[partition] += 1

    with TopicReader([topic], config) as reader:
        reader.drain(take)
    return dict(counts)


def count_records(topic: str, config: Settings | None = None) -> int:
    """Return how many data records a topic holds: committed, no heartbeats, no markers."""
    return sum(count_by_partition(topic, config).values())


def _unreachable(config: Settings, found: object) -> UnreachableError:
    return UnreachableError(
        "ASKNOWN-KAFKA-001",
        f"expected an answer from Kafka, found: {found}.",
        where=config.bootstrap_servers,
        hint="`asknown status` shows whether it runs; `asknown up` starts it.",
    )
