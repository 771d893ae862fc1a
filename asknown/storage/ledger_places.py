"""The ledger of Kafka's records by partition and hour, and to the offset.

Reads the coordinates of every record, so it costs more than the counts of `ledger.Collector`: it
is read when asked for, or to name what those counts miss.
"""

from __future__ import annotations

import time
from array import array
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from types import TracebackType
from typing import Any, Self

import fastavro
from confluent_kafka import Message

from asknown.contracts.catalog import PAYLOAD, contract
from asknown.contracts.registry import HEADER, RegistryClient
from asknown.quality.ledger import DUPLICATE, NORMALIZED, Gap, Ledger
from asknown.quality.places import RAW, Places
from asknown.settings import Settings
from asknown.storage.kafka import HOUR_MS, Place, TopicReader, is_heartbeat
from asknown.storage.ledger_lake import DATASETS, RAW_TOPICS, Starts

ASIDE = {
    "duplicate.event": "duplicate",
    "late.event": "late",
    "quarantine.event": "quarantined",
}
REPLAYED, HEALED = "replayed.event", "healed.event"
_NORMALIZED = {f"normalized.{dataset}": f"raw.{dataset}" for dataset in DATASETS}
_READ = ("raw_partition", "raw_offset", "topic", "partition", "offset", "outcome")
_FULL = 100_000  # offsets that are held before they are counted
_END = 1 << 62

Key = tuple[str, int]  # raw topic, partition


@dataclass(frozen=True)
class Hour:
    """The ledger of the records that the broker took into one partition in one hour, UTC."""

    topic: str
    partition: int
    hour: datetime | None
    ledger: Ledger


@dataclass(frozen=True)
class PlaceReading:
    """The ledger by partition and by hour, with the offsets that are not in exactly one lane."""

    partitions: Mapping[Key, Ledger]
    hours: tuple[Hour, ...]
    gaps: tuple[Gap, ...]

    @property
    def closed(self) -> bool:
        """Tell whether every record is in exactly one lane."""
        return not self.gaps

    @property
    def topics(self) -> dict[str, Ledger]:
        """Return the sum of each raw topic."""
        found = dict.fromkeys(RAW_TOPICS, Ledger())
        for (topic, _), ledger in self.partitions.items():
            found[topic] += ledger
        return found


class PlaceBook:
    """Read all coordinates; a second reading only reads what was added. A context manager.

    `since_ms` leaves out what the broker took in before that time.
    """

    def __init__(self, config: Settings, since_ms: int | None = None) -> None:
        self._raw = TopicReader(RAW_TOPICS, config)
        self._rest = TopicReader([*_NORMALIZED, *ASIDE, REPLAYED, HEALED], config)
        self._registry = RegistryClient(config.registry_url)
        self._coordinates = _Coordinates(self._registry)
        self._since_ms = since_ms
        self._places: dict[Key, Places] = {}
        self._begins: dict[Key, int] = {}
        self._hours: dict[Key, list[tuple[int, int]]] = defaultdict(list)  # first offset, hour
        self._held: dict[tuple[Key, str, int], array[int]] = defaultdict(lambda: array("q"))
        self._holding = 0

    def __enter__(self) -> Self:
        """Return the book itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        self._raw.close()
        self._rest.close()
        self._registry.close()

    @property
    def begins(self) -> dict[str, Starts]:
        """Return, by topic and partition, the first offset that counts."""
        self._begin()
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for (topic, partition), offset in self._begins.items():
            found[topic][partition] = offset
        return dict(found)

    def read(self) -> PlaceReading:
        """Look at every record up to now.

        Raw topics are read last: what is on its way is missing in a lane, never one too many.
        Raises `UnreachableError` when Kafka or the registry does not answer.
        """
        self._begin()
        self._rest.drain(self._take)
        self._raw.drain(self._take_raw)
        self._count()
        keys = sorted(self._places)
        return PlaceReading(
            {key: self._places[key].ledger for key in keys},
            tuple(hour for key in keys for hour in self._by_hour(key)),
            tuple(gap for key in keys for gap in self._places[key].gaps()),
        )

    def _begin(self) -> None:
        if self._begins:
            return
        since_ms = self._since_ms
        if since_ms is None:
            since_ms = _all_kept_since(self._rest.begin(), time.time() * 1000)
        begins = self._raw.begin(since_ms)
        if since_ms is not None:
            self._rest.begin(since_ms)  # a lane names a record after the record came
        self._begins = begins
        self._places = {key: Places(*key) for key in begins}

    def _take_raw(self, message: Message) -> None:
        if is_heartbeat(message.key()):
            return
        topic, partition, offset = _place(message)
        key = (topic, partition)
        hour = message.timestamp()[1] // HOUR_MS
        hours = self._hours[key]
        if not hours or hour > hours[-1][1]:
            hours.append((offset, hour))
        self._hold(key, RAW, offset)

    def _take(self, message: Message) -> None:
        if is_heartbeat(message.key()):
            return
        topic: Any = message.topic()
        payload = self._coordinates.of(message.value())
        if payload is None:
            return
        if topic in _NORMALIZED:
            key = (_NORMALIZED[topic], payload["raw_partition"])
            self._hold(key, "normalized", payload["raw_offset"])
            return
        key, offset = (payload["topic"], payload["partition"]), payload["offset"]
        if topic in ASIDE:
            self._hold(key, ASIDE[topic], offset)
        elif topic == REPLAYED:
            self._hold(key, "quarantined", offset, -1)
        else:
            self._hold(key, "late", offset, -1)
            lane = healed_lane(payload["outcome"])
            if lane:
                self._hold(key, lane, offset)

    def _hold(self, key: Key, lane: str, offset: int, change: int = 1) -> None:
        if key not in self._begins or offset < self._begins[key]:
            return  # a row of another stage, or of a record that does not count
        self._held[key, lane, change].append(offset)
        self._holding += 1
        if self._holding >= _FULL:
            self._count()

    def _count(self) -> None:
        for (key, lane, change), offsets in self._held.items():
            self._places[key].add(lane, offsets, change)
        self._held.clear()
        self._holding = 0

    def _by_hour(self, key: Key) -> list[Hour]:
        hours = self._hours[key]
        ends = [*(first for first, _ in hours[1:]), _END]
        spans = [(0, *hours[0][1:]), *hours[1:]] if hours else []
        return [
            Hour(*key, _hour(number), self._places[key].counts(first, end))
            for (first, number), end in zip(spans, ends, strict=False)
        ]


def _all_kept_since(begins: Mapping[Place, int], now_ms: float) -> int | None:
    """Return from when on the broker has every record of stages; None when it has forgotten none.

    It forgets by the time at which it took a record in, each topic on its own: a row may be gone
    when the raw record that it was made of is still there, which is then no lost one.
    """
    hours = [contract(topic).topic.retention_hours for (topic, _), begin in begins.items() if begin]
    limited = [number for number in hours if number >= 0]
    return round(now_ms - min(limited) * HOUR_MS) if limited else None


class _Coordinates:
    """Read only what names a record out of framed Avro, whatever version wrote it."""

    def __init__(self, registry: RegistryClient) -> None:
        self._registry = registry
        self._schemas: dict[int, tuple[Any, Any]] = {}

    def of(self, data: bytes | None) -> dict[str, Any] | None:
        """Return the coordinates in a record; None for a record without payload."""
        if data is None:
            return None
        number = HEADER.unpack_from(data)[1]
        if number not in self._schemas:
            self._schemas[number] = _reading(self._registry.schema(number))
        body = BytesIO(data)
        body.seek(HEADER.size)
        found: Any = fastavro.schemaless_reader(body, *self._schemas[number])
        payload: dict[str, Any] | None = found[PAYLOAD]
        return payload


def healed_lane(outcome: str) -> str:
    """Return the lane that a healed record is put into by its marker; '' where a row says it."""
    if outcome == NORMALIZED:
        return ""
    return "duplicate" if outcome == DUPLICATE else "quarantined"


def _reading(schema: dict[str, Any]) -> tuple[Any, Any]:
    """Return (writer's, reader's) schema; without logical types, which cost most of the time."""
    writer = _plain(schema)
    payload = next(f for f in writer["fields"] if f["name"] == PAYLOAD)
    record = payload["type"][1]
    fields = [f for f in record["fields"] if f["name"] in _READ]
    less = {**payload, "type": ["null", {**record, "fields": fields}]}
    reader = {**writer, "fields": [less]}
    return fastavro.parse_schema(writer), fastavro.parse_schema(reader)


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        dropped = ("logicalType", "precision", "scale", "doc")
        return {name: _plain(value) for name, value in node.items() if name not in dropped}
    return [_plain(one) for one in node] if isinstance(node, list) else node


def _place(message: Message) -> tuple[str, int, int]:
    found: Any = (message.topic(), message.partition(), message.offset())
    topic, partition, offset = found
    return topic, partition, offset


def _hour(number: int) -> datetime:
    return datetime.fromtimestamp(number * HOUR_MS // 1000, UTC)
