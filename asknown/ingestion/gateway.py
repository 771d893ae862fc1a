"""The one way into Kafka: envelope, Avro, idempotent producer, heartbeats.

Every connector sends through a `Gateway`. It writes nothing that it was not given: prices that do
not fit their type arrive here as None with their text in `extra` (see `decimals.take`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from asknown.contracts.catalog import HEARTBEAT, contract
from asknown.contracts.partitions import keys_by_partition
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import AsknownError, UnreachableError, UsageError
from asknown.ingestion.event import SCHEMA_VERSION, Event, Poison, envelope, event_id
from asknown.settings import Settings

_CONNECT_SECONDS = 5.0
_FLUSH_SECONDS = 60.0
_QUEUE_FULL_SECONDS = 60.0
_POLL_EVERY = 512
LARGEST_BYTES = 1_000_000  # of a record with its key, before it is compressed
_ANY = -1  # let the partitioner choose by the key

Encoder = Callable[[dict[str, Any]], bytes]


class EventFields(TypedDict, total=False):
    """What `Gateway.send` takes besides the topic."""

    source: str
    natural_key: tuple[str, ...]
    event_time_ms: int
    entity_id: str
    payload: Mapping[str, Any]
    ingest_time_ms: int | None


def producer_config(settings: Settings) -> dict[str, str | int | float | bool]:
    """Return the client properties every producer of ours shares.

    Idempotence keeps a retried batch from being written twice; `murmur2_random` is the Java
    clients' partitioner, so both languages put one key into one partition.
    """
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "asknown-gateway",
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "linger.ms": 10,
        "batch.size": 262_144,
        "partitioner": "murmur2_random",
        "queue.buffering.max.messages": 200_000,
        "delivery.timeout.ms": 120_000,
        "reconnect.backoff.ms": 200,
        "message.max.bytes": LARGEST_BYTES,
        "log_level": 2,  # a broker that is away is retried in silence, then reported once
    }


class Gateway:
    """Send events to raw topics; a context manager that flushes on the way out.

    Raises `UnreachableError` ASKNOWN-INGEST-001 when Kafka does not answer, `AsknownError`
    ASKNOWN-INGEST-003 from any later call once a delivery has failed, `UsageError`
    ASKNOWN-INGEST-005 for a record that is too long to be sent.
    """

    def __init__(self, settings: Settings, *, codec: AvroCodec | None = None) -> None:
        self._settings = settings
        self._registry: RegistryClient | None = None  # the one to close, if it is our own
        if codec is None:
            self._registry = RegistryClient(settings.registry_url)
            codec = AvroCodec(self._registry)
        self._codec = codec
        self._producer = Producer(producer_config(settings))
        self._encoders: dict[str, Encoder] = {}
        self._heartbeat_keys: dict[str, tuple[str, ...]] = {}
        self._failures: list[str] = []
        self._unpolled = 0
        self.sent = 0
        self.heartbeats = 0

    def __enter__(self) -> Self:
        """Check that Kafka answers before anything is sent."""
        self._metadata()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Flush; a failure already on its way out is not replaced by another."""
        try:
            if kind is None:
                self.flush()
            else:
                self._producer.flush(_CONNECT_SECONDS)
        finally:
            if self._registry is not None:
                self._registry.close()

    def partitions(self, topic: str) -> int:
        """Return how many partitions `topic` has on the broker.

        Raises `UsageError` ASKNOWN-INGEST-002 when the broker does not have the topic.
        """
        return len(self._keys(topic))

    def encoder(self, topic: str) -> Encoder:
        """Return the framed Avro encoder of `topic`, registering its schema the first time."""
        if topic not in self._encoders:
            self._encoders[topic] = self._codec.encoder(topic)
        return self._encoders[topic]

    def send(self, topic: str, **fields: Unpack[EventFields]) -> str:
        """Send one record and return its event_id.

        Takes `source, natural_key, event_time_ms, entity_id, payload` and, optionally,
        `ingest_time_ms` (default: now). Times are UTC milliseconds.
        """
        return self.publish(Event(topic=topic, **fields))

    def publish(self, event: Event) -> str:
        """Send `event` and return its event_id; blocks while the send queue is full."""
        record = envelope(event, time.time_ns() // 1_000_000)
        try:
            value = self.encoder(event.topic)(record)
        except (TypeError, ValueError) as error:
            raise UsageError(
                "ASKNOWN-INGEST-004",
                f"expected a record that fits the contract, found {event.payload!r}: {error}.",
                where=event.topic,
                hint="mend the connector; prices that do not fit belong into `extra`.",
            ) from error
        self._produce(event.topic, value, event.entity_id.encode(), None)
        self.sent += 1
        return str(record["event_id"])

    def publish_bytes(self, poison: Poison) -> None:
        """Send bytes as they are, for tests of what happens to undecodable records."""
        self._produce(poison.topic, poison.value, poison.key.encode(), None)
        self.sent += 1

    def heartbeat(self, topics: Iterable[str], at_ms: int) -> None:
        """Write one heartbeat of time `at_ms` into every partition of `topics`."""
        for topic in topics:
            encode = self.encoder(topic)
            for partition, key in enumerate(self._keys(topic)):
                record = {
                    "event_id": event_id(HEARTBEAT, (topic, str(partition), str(at_ms))),
                    "event_time": at_ms,
                    "ingest_time": at_ms,
                    "source": HEARTBEAT,
                    "schema_version": SCHEMA_VERSION,
                    "entity_id": key,
                    "payload": None,
                }
                self._produce(topic, encode(record), key.encode(), partition)
                self.heartbeats += 1

    def flush(self) -> None:
        """Wait until the broker has everything; raise when it refused or never answered."""
        left = self._producer.flush(_FLUSH_SECONDS)
        self._raise_failures()
        if left:
            raise UnreachableError(
                "ASKNOWN-INGEST-003",
                f"{left} records were not acknowledged within {_FLUSH_SECONDS:.0f} s.",
                where=self._settings.bootstrap_servers,
                hint="asknown doctor",
            )

    def _produce(self, topic: str, value: bytes | None, key: bytes, partition: int | None) -> None:
        deadline = time.monotonic() + _QUEUE_FULL_SECONDS
        at = _ANY if partition is None else partition
        while True:
            try:
                self._producer.produce(topic, value, key, at, self._delivered)
                break
            except KafkaException as error:
                raise _unsendable(error, topic, len(value or b"")) from error
            except BufferError as error:
                if time.monotonic() > deadline:
                    raise UnreachableError(
                        "ASKNOWN-INGEST-003",
                        f"the send queue stayed full for {_QUEUE_FULL_SECONDS:.0f} s.",
                        where=self._settings.bootstrap_servers,
                        hint="asknown doctor",
                    ) from error
                self._producer.poll(0.1)
        self._unpolled += 1
        if self._unpolled >= _POLL_EVERY:
            self._unpolled = 0
            self._producer.poll(0)
            self._raise_failures()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failures.append(f"{message.topic()}[{message.partition()}]: {error.str()}")

    def _raise_failures(self) -> None:
        if not self._failures:
            return
        first, count = self._failures[0], len(self._failures)
        self._failures = []
        raise AsknownError(
            "ASKNOWN-INGEST-003",
            f"the broker refused {count} records, the first: {first}.",
            where=self._settings.bootstrap_servers,
            hint="asknown doctor",
        )

    def _keys(self, topic: str) -> tuple[str, ...]:
        if topic not in self._heartbeat_keys:
            contract(topic)
            found = self._metadata().get(topic, 0)
            if not found:
                raise UsageError(
                    "ASKNOWN-INGEST-002",
                    f"expected topic {topic} on the broker, found none.",
                    where=self._settings.bootstrap_servers,
                    hint="asknown up",
                )
            self._heartbeat_keys[topic] = keys_by_partition(HEARTBEAT, found)
        return self._heartbeat_keys[topic]

    def _metadata(self) -> dict[str, int]:
        try:
            topics = self._producer.list_topics(timeout=_CONNECT_SECONDS).topics
        except KafkaException as error:
            raise UnreachableError(
                "ASKNOWN-INGEST-001",
                "Kafka does not answer.",
                where=self._settings.bootstrap_servers,
                hint="asknown up",
            ) from error
        return {name: len(topic.partitions) for name, topic in topics.items()}


def _unsendable(error: KafkaException, topic: str, size: int) -> AsknownError:
    """Return what to say of a record that the client does not even try to send."""
    if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
        return AsknownError(
            "ASKNOWN-INGEST-003",
            f"the client refused a record: {error.args[0].str()}.",
            where=topic,
            hint="asknown doctor",
        )
    return UsageError(
        "ASKNOWN-INGEST-005",
        f"expected a record of at most {LARGEST_BYTES:,} bytes, found {size:,}.",
        where=topic,
        hint="send a reference to a long text, not the text.",
    )
