"""The bytes of a raw record, from wherever they still are, and what can be read of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from pyiceberg.expressions import And, EqualTo

from asknown.contracts.registry import AvroCodec, DecodeError, RegistryClient
from asknown.errors import AsknownError, UnreachableError, UsageError
from asknown.settings import Settings
from asknown.storage.quarantine import Place, scan

SHOWN = 256  # bytes of a dump
_LINE = 16
_TIMEOUT_S = 10.0
_EQUAL: Any = EqualTo  # called by position; mypy sees the model's fields only


@dataclass(frozen=True)
class Original:
    """A raw record as it was sent. `source` says where its bytes are from; '' when nowhere.

    The value is None where there are no bytes any more, or where the record had none.
    """

    place: Place
    value: bytes | None
    key: bytes | None = None
    source: str = ""

    def document(self, config: Settings) -> dict[str, Any]:
        """Return the record as JSON: its size, the beginning of its bytes, what they say."""
        found: dict[str, Any] = {"from": self.source or None}
        if self.value is None:
            return found
        found |= {"bytes": len(self.value), "hex": dump(self.value)}
        if self.key is not None:
            found["key"] = self.key.decode(errors="backslashreplace")
        return {**found, **_decoded(config, self.value)}

    def exact(self) -> bytes:
        """Return the bytes.

        Raises `UsageError` ASKNOWN-QUARANTINE-004 when there are none.
        """
        if self.value is None:
            topic, partition, offset = self.place
            why = "it has no value" if self.source else "neither Kafka nor the lake has them now"
            raise UsageError(
                "ASKNOWN-QUARANTINE-004",
                f"expected the bytes of the record, found none: {why}.",
                where=f"{topic}[{partition}]@{offset}",
                hint="what could be read of it is in bronze: asknown quarantine show.",
            )
        return self.value


def fetch(config: Settings, place: Place, kept: bytes | None) -> Original:
    """Return a record's bytes: those that quarantine keeps, else Kafka's, else those of bronze."""
    if kept is not None:
        return Original(place, kept, source="quarantine.event")
    try:
        message = _read(config, place)
    except (KafkaException, AsknownError):
        message = None
    if message is not None:
        return Original(place, message.value(), message.key(), "Kafka")
    topic, partition, offset = place
    chosen = And(_EQUAL("kafka_partition", partition), _EQUAL("kafka_offset", offset))
    rows = scan(config, topic, ("raw_bytes",), chosen).to_pylist()
    if rows and rows[0]["raw_bytes"] is not None:
        return Original(place, rows[0]["raw_bytes"], source="bronze")
    return Original(place, None)


def dump(data: bytes, limit: int = SHOWN) -> list[str]:
    """Return the beginning of some bytes as lines of offset, hexadecimal and text."""
    lines = []
    for start in range(0, min(len(data), limit), _LINE):
        piece = data[start : min(start + _LINE, limit)]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        lines.append(f"{start:08x}  {piece.hex(' '):<{3 * _LINE}} {text}")
    if len(data) > limit:
        lines.append(f"... {len(data) - limit:,} more bytes")
    return lines


def _read(config: Settings, place: Place) -> Message | None:
    """Return the record at a place of Kafka; None when it is gone."""
    topic, partition, offset = place
    consumer = Consumer(
        {
            "bootstrap.servers": config.bootstrap_servers,
            "group.id": "asknown.original",  # required by the client; nothing is committed
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "log_level": 2,
        }
    )
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), _TIMEOUT_S)
        if not low <= offset < high:
            return None
        consumer.assign([TopicPartition(topic, partition, offset)])
        found = consumer.consume(1, timeout=_TIMEOUT_S)
        same = found and found[0].error() is None and found[0].offset() == offset
        return found[0] if same else None
    finally:
        consumer.close()


def _decoded(config: Settings, value: bytes) -> dict[str, Any]:
    try:
        with RegistryClient(config.registry_url, attempts=1) as registry:
            return {"record": AvroCodec(registry).decode(value)}
    except DecodeError as error:
        return {"record": None, "unreadable": f"{error.reason}: {error.message}"}
    except UnreachableError:
        return {"record": None}
