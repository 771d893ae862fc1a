"""What connectors hand to the gateway: events, poison, and the ids of both."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA_VERSION = 1
CHANGES = "reference.entity_change"
_SEPARATOR = "\x1f"


def event_id(source: str, natural_key: tuple[str, ...]) -> str:
    """Return the 16-character id of a record: a hash of its source and its natural key there.

    URL-safe base64 of a 12-byte BLAKE2b, so a source read again yields the same ids.
    """
    text = _SEPARATOR.join((source, *natural_key))
    digest = hashlib.blake2b(text.encode(), digest_size=12).digest()
    return base64.urlsafe_b64encode(digest).decode()


@dataclass(frozen=True, slots=True)
class Event:
    """One record of a source on its way to a topic; times are UTC milliseconds."""

    topic: str
    source: str
    natural_key: tuple[str, ...]
    event_time_ms: int
    entity_id: str
    payload: Mapping[str, Any]
    ingest_time_ms: int | None = None  # None: the gateway's wall clock

    @property
    def event_id(self) -> str:
        """Deterministic id of the record."""
        return event_id(self.source, self.natural_key)


def envelope(event: Event, now_ms: int) -> dict[str, Any]:
    """Return `event` as a record of its topic; `now_ms` is its ingest time when it has none."""
    seen = event.ingest_time_ms
    return {
        "event_id": event.event_id,
        "event_time": event.event_time_ms,
        "ingest_time": now_ms if seen is None else seen,
        "source": event.source,
        "schema_version": SCHEMA_VERSION,
        "entity_id": event.entity_id,
        "payload": event.payload,
    }


@dataclass(frozen=True, slots=True)
class Poison:
    """Bytes that are no record of the topic they go to; `value` None is Kafka's null."""

    topic: str
    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to send when the replay's clock reads `clock_ms`."""

    clock_ms: int
    item: Event | Poison


@dataclass(frozen=True, slots=True)
class Settle:
    """A pause: let readers catch up with `clock_ms` before what follows is sent.

    Records behind it can then be certain to find the watermark where the heartbeats put it.
    """

    clock_ms: int
