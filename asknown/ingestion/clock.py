"""Where the stack's clock stands: what the last heartbeats of each partition say.

One stack runs on one clock at a time. What is older than the last heartbeat of its partition comes
too late: a market event is set aside as late, a change point is lost to the jobs for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from asknown.contracts.catalog import HEARTBEAT
from asknown.errors import AsknownError, UnreachableError, UsageError
from asknown.ingestion.event import CHANGES
from asknown.settings import Settings

_CHUNK = 2_000
# What claims to lie further ahead of the broker that took it is no time; the jobs say the same.
_AHEAD_MS = 300_000
_TIMEOUT_SECONDS = 15.0
_LIVE_JOB_PATIENCE_FACTOR = 15  # a loaded machine took 39 s for a first answer
_PAUSE_SECONDS = 0.25
_PASSING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)

Answer = TypeVar("Answer")
Decode = Callable[[bytes], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest heartbeat of a partition, in UTC milliseconds."""

    topic: str
    partition: int
    at_ms: int


class ClockReader:
    """Reads heartbeats and small topics; a context manager that closes its consumer.

    Raises `UnreachableError` ASKNOWN-INGEST-001 when Kafka does not answer.
    """

    def __init__(self, settings: Settings, decode: Decode) -> None:
        self._where = settings.bootstrap_servers
        self._decode = decode
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                "group.id": "asknown-clock-reader",
                "client.id": "asknown-clock-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "log_level": 2,
            }
        )

    def __enter__(self) -> ClockReader:
        """Return the reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the consumer."""
        self._consumer.close()

    def beats(self, topic: str) -> list[Beat]:
        """Return the newest heartbeat of each partition of `topic` that has one."""
        found = []
        for partition in self._partitions(topic):
            at_ms = self._last_beat(topic, partition)
            if at_ms is not None:
                found.append(Beat(topic, partition, at_ms))
        return found

    def held(self, topic: str) -> dict[str, Mapping[str, Any]]:
        """Return the payload of every readable record of a small topic by its event id."""
        return {
            str(record["event_id"]): record["payload"]
            for partition in self._partitions(topic)
            for record, _ in self._records(topic, partition, *self._bounds(topic, partition))
            if record.get("payload") is not None
        }

    def _last_beat(self, topic: str, partition: int) -> int | None:
        low, high = self._bounds(topic, partition)
        while high > low:
            start = max(low, high - _CHUNK)
            times = [
                (_milliseconds(record["event_time"]), taken_ms)
                for record, taken_ms in self._records(topic, partition, start, high)
                if record.get("source") == HEARTBEAT
            ]
            believed = [at_ms for at_ms, taken_ms in times if at_ms <= taken_ms + _AHEAD_MS]
            if believed:
                return max(believed)
            high = start
        return None

    def _records(
        self, topic: str, partition: int, start: int, end: int
    ) -> Iterator[tuple[Mapping[str, Any], int]]:
        """Yield what can be decoded in `[start, end)`, and when the broker took it.

        Compaction and poison leave gaps.
        """
        if start >= end:
            return
        self._consumer.assign([TopicPartition(topic, partition, start)])
        while (message := self._poll()) is not None:
            if (message.offset() or 0) >= end:
                return
            record = self._readable(message)
            if record is not None:
                yield record, message.timestamp()[1]
            if message.offset() == end - 1:
                return

    def _poll(self) -> Message | None:
        """Return the next record, None at the end of the partition."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        found = "no record within the time allowed"
        while (left := deadline - time.monotonic()) > 0:
            message = self._consumer.poll(left)
            error = message.error() if message is not None else None
            if message is None:
                break
            if error is None:
                return message
            if error.code() == KafkaError._PARTITION_EOF:
                return None
            found = error.str()
            if not error.retriable():
                break
        raise self._unreachable(found)

    def _readable(self, message: Message) -> Mapping[str, Any] | None:
        value = message.value()
        if not value:
            return None
        try:
            return self._decode(value)
        except (AsknownError, ValueError, EOFError, IndexError, OverflowError):
            return None  # poison carries no time

    def _partitions(self, topic: str) -> list[int]:
        found = self._patiently(lambda: self._consumer.list_topics(topic, _TIMEOUT_SECONDS))
        return sorted(found.topics[topic].partitions)

    def _bounds(self, topic: str, partition: int) -> tuple[int, int]:
        where = TopicPartition(topic, partition)
        bounds = self._patiently(
            lambda: self._consumer.get_watermark_offsets(where, _TIMEOUT_SECONDS)
        )
        return bounds or (0, 0)

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Ask again while the broker has no leader yet, as in its first seconds."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while True:
            try:
                return ask()
            except KafkaException as error:
                if not _passing(error) or time.monotonic() > deadline:
                    raise self._unreachable(str(error)) from error
            time.sleep(_PAUSE_SECONDS)

    def _unreachable(self, found: str) -> UnreachableError:
        return UnreachableError(
            "ASKNOWN-INGEST-001",
            f"Kafka does not answer: {found}.",
            where=self._where,
            hint="asknown up",
        )


def check_ahead(beats: list[Beat], first_ms: int, tolerance_ms: int) -> None:
    """Raise when events from `first_ms` on would lie behind the stack's clock.

    `tolerance_ms` is the disorder the topic allows. The error, ASKNOWN-INGEST-012, names the
    partition that is furthest ahead.
    """
    ahead = max(beats, key=lambda beat: beat.at_ms, default=None)
    if ahead is None or first_ms > ahead.at_ms - tolerance_ms:
        return
    raise UsageError(
        "ASKNOWN-INGEST-012",
        f"expected events after the stack's clock, which stands at {iso(ahead.at_ms)}, "
        f"found the first at {iso(first_ms)}: every one would be late. "
        "One stack runs on one clock.",
        where=f"{ahead.topic}[{ahead.partition}]",
        hint="ingest older sources first, or start a stack with another ASKNOWN_DATA_DIR.",
    )


def follower(
    settings: Settings,
    decode: Decode,
    patience_seconds: float,
    job_is_live: Callable[[], bool] = lambda: False,
) -> Callable[[int], bool]:
    """Return a wait for the reference job: whether its heartbeats have come to a time.

    Events that run ahead of it would be held up in the jobs, and after their grace be placed
    without what it has not said yet. While `job_is_live()` it is slow, not gone, and is
    waited for fifteen times as long.
    """

    def wait(at_ms: int) -> bool:
        began = time.monotonic()
        with ClockReader(settings, decode) as reader:
            while True:
                beats = reader.beats(CHANGES)
                if beats and min(beat.at_ms for beat in beats) >= at_ms:
                    return True
                if waited_enough(time.monotonic() - began, patience_seconds, job_is_live):
                    return False
                time.sleep(_PAUSE_SECONDS)

    return wait


def waited_enough(waited: float, patience: float, job_is_live: Callable[[], bool]) -> bool:
    """Return whether to go on without the job after `waited` seconds of `patience` seconds.

    Flink is asked only when the patience is over.
    """
    if waited <= patience:
        return False
    return waited > patience * _LIVE_JOB_PATIENCE_FACTOR or not job_is_live()


def iso(at_ms: int) -> str:
    """Return UTC milliseconds as ISO 8601."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _passing(error: KafkaException) -> bool:
    found = error.args[0]
    return isinstance(found, KafkaError) and found.code() in _PASSING


def _milliseconds(value: Any) -> int:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return int(value)
