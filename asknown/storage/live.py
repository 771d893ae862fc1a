"""Keep Redis up to date with what is normalized and computed, and tell who listens.

One loop over four topics, read committed only. A batch of a partition is applied by a script, all
or nothing, together with the offset behind it; so a kill between any two steps neither loses nor
repeats an update. The script also says when Redis is not where this process believes it, and then
everything begins again from what Redis says.

Redis is no second truth: it holds what follows from Kafka, and is filled anew from the lake
(`asknown recover redis`).
"""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Iterable, Sequence
from threading import Event
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from prometheus_client import Counter, Gauge, start_http_server
from redis import Redis

from asknown.contracts.registry import AvroCodec, DecodeError, RegistryClient
from asknown.errors import AsknownError, UnreachableError
from asknown.settings import Settings, settings
from asknown.storage import latest
from asknown.storage.kafka import is_heartbeat
from asknown.storage.latest import Applied, Update, place

POLL_RECORDS = 5_000
POLL_S = 0.1
CHUNK = 1_000  # updates of one call of the script, which nobody else is served beside
PAUSE_S = 1.0
KAFKA_TIMEOUT_S = 10.0

UPDATES = Counter("asknown_live_updates_total", "Updates kept and told.", ["topic"])
BROKEN = Counter("asknown_live_undecodable_total", "Records that are none.", ["topic"])
RETRIES = Counter("asknown_live_retries_total", "Attempts that failed.", ["code"])
LAG = Gauge("asknown_live_lag_records", "Records not applied yet.", ["topic", "partition"])

log = structlog.get_logger("asknown.live")


class Live:
    """The live process: `run` until `stop` is set."""

    def __init__(self, config: Settings, stop: Event) -> None:
        self._config = config
        self._stop = stop
        self._redis: Redis = latest.client("writer", config)
        self._registry = RegistryClient(config.registry_url, attempts=1)
        self._codec = AvroCodec(self._registry)
        self._next: dict[str, int] = {}

    def run(self) -> None:
        """Apply until asked to stop; whatever is away is waited for."""
        try:
            while not self._stop.is_set():
                try:
                    self._follow()
                except (AsknownError, KafkaException) as error:
                    code = error.code if isinstance(error, AsknownError) else "KAFKA"
                    RETRIES.labels(code).inc()
                    log.warning("begin again", code=code, error=str(error), again_in_s=PAUSE_S)
                    self._stop.wait(PAUSE_S)
        finally:
            self._registry.close()
            self._redis.close()
        log.info("stopped")

    def _follow(self) -> None:
        """Go on where Redis is, until asked to stop or something fails."""
        self._next = latest.applied(self._redis)
        consumer = _consumer(self._config)
        try:
            consumer.assign(list(self._starts(consumer)))
            log.info("following", partitions=len(consumer.assignment()))
            while not self._stop.is_set():
                for (topic, partition), found in _by_place(
                    consumer.consume(POLL_RECORDS, timeout=POLL_S)
                ).items():
                    for first in range(0, len(found), CHUNK):
                        self._apply(topic, partition, found[first : first + CHUNK])
                    _measure(consumer, topic, partition)
        finally:
            consumer.close()

    def _starts(self, consumer: Consumer) -> Iterable[TopicPartition]:
        for topic in latest.TOPICS:
            found = consumer.list_topics(topic, timeout=KAFKA_TIMEOUT_S).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            for partition in found.partitions:
                at = TopicPartition(topic, partition)
                low, high = consumer.get_watermark_offsets(at, timeout=KAFKA_TIMEOUT_S)
                begin = self._next.get(place(topic, partition), 0)
                if begin > high:
                    raise _made_anew(topic, partition, begin, high)
                if 0 < begin < low:
                    log.error(
                        "records expired before they were applied", at=place(topic, partition)
                    )
                yield TopicPartition(topic, partition, max(begin, low))

    def _apply(self, topic: str, partition: int, found: Sequence[Message]) -> None:
        """Apply consecutive records; records without data only move the place."""
        updates = [one for message in found if (one := self._update(topic, message)) is not None]
        name = place(topic, partition)
        last: Any = found[-1].offset()
        at = Applied(name, self._next.get(name), last + 1)
        UPDATES.labels(topic).inc(latest.apply(self._redis, at, updates))
        self._next[name] = at.after

    def _update(self, topic: str, message: Message) -> Update | None:
        value: Any = message.value()
        offset: Any = message.offset()
        if value is None or is_heartbeat(message.key()):
            return None
        try:
            record = self._codec.decode(value)
        except DecodeError as error:
            # Only our own jobs write here, and the loader stops at it: the live view goes on.
            BROKEN.labels(topic).inc()
            log.error(
                "no record",
                at=f"{place(topic, message.partition() or 0)}@{offset}",
                error=str(error),
            )
            return None
        payload = record.pop("payload", None)
        return None if payload is None else latest.update(topic, offset, {**record, **payload})


def _consumer(config: Settings) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": config.bootstrap_servers,
            "group.id": "asknown.live",  # required by the client; nothing is committed
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "max.poll.interval.ms": 86_400_000,
            "queued.max.messages.kbytes": 16 * 1024,
        }
    )


def _by_place(messages: Iterable[Message]) -> dict[tuple[str, int], list[Message]]:
    """Return records by partition, each in the order of its offsets."""
    found: dict[tuple[str, int], list[Message]] = defaultdict(list)
    for message in messages:
        error = message.error()
        if error is not None:
            log.warning("kafka", error=error.str(), topic=message.topic())
            continue
        found[message.topic() or "", message.partition() or 0].append(message)
    return found


def _measure(consumer: Consumer, topic: str, partition: int) -> None:
    at = TopicPartition(topic, partition)
    ends = consumer.get_watermark_offsets(at, cached=True)
    position = consumer.position([at])[0].offset
    if ends is not None and ends[1] >= 0 and position >= 0:
        LAG.labels(topic, partition).set(ends[1] - position)


def _made_anew(topic: str, partition: int, begin: int, high: int) -> AsknownError:
    return AsknownError(
        "ASKNOWN-LIVE-003",
        f"expected offset {begin} or the end of the topic behind it, found end {high}:"
        " the topic was made anew, Redis was not.",
        where=place(topic, partition),
        hint="`asknown recover redis` fills it from the lake.",
    )


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    config = settings()
    port = config.port(config.live_metrics_port)
    try:
        start_http_server(port, addr=config.host)
    except OSError as error:
        log.error("cannot run", error=f"expected port {port} to be free, found: {error}")
        return 1
    try:
        Live(config, stop).run()
    except UnreachableError as error:
        log.error("cannot run", error=str(error))
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
