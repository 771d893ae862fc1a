"""Bring quarantined records back exactly once.

A bounded job recomputes them into a folder (`jobs/backfill`). What became of a record and the
marker that it was brought back are then written in one transaction. Replays share one
transactional id, so a second one ends the first; each reads the markers after that, when no
transaction of another can still be open. So a replay that dies anywhere loses and doubles nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, Message

from asknown.contracts.catalog import PAYLOAD, contract
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.storage.kafka import TopicReader, is_heartbeat
from asknown.storage.quarantine import EPOCH, QUARANTINE, REPLAYED, Candidate, Place, Plan
from asknown.storage.transaction import Transactions

DUPLICATES = "duplicate.event"
NORMALIZED, DUPLICATE = "NORMALIZED", "DUPLICATE"
TRANSACTION = "asknown.quarantine.replay"
CHUNK = 10_000  # records of one transaction

Record = dict[str, Any]
Marks = dict[Place, str | None]  # what was brought back; the event's id where it became a row


@dataclass(frozen=True)
class Return:
    """A record on its way back: what it became (a row of `topic`), and with which outcome."""

    candidate: Candidate
    outcome: str
    topic: str
    record: Record


@dataclass(frozen=True)
class Recomputed:
    """What the job made of a plan: what goes back, and how many of the rest why not."""

    returns: tuple[Return, ...]
    refused: Mapping[str, int]


def read_marks(config: Settings) -> Marks:
    """Return every record that was brought back, as Kafka has it: committed, up to now."""
    marks: Marks = {}
    with RegistryClient(config.registry_url) as registry, TopicReader([REPLAYED], config) as reader:
        codec = AvroCodec(registry)

        def take(message: Message) -> None:
            if is_heartbeat(message.key()):
                return
            payload = codec.decode(message.value())[PAYLOAD]
            place = (payload["topic"], payload["partition"], payload["offset"])
            marks[place] = payload["raw_event_id"] if payload["outcome"] == NORMALIZED else None

        reader.drain(take)
    return marks


def replay_id(candidates: Sequence[Candidate]) -> str:
    """Return the id of a replay: a hash over its records and their knowledge."""
    text = "\n".join(sorted(f"{one.name}@{one.known_at}" for one in candidates))
    digest = hashlib.blake2b(text.encode(), digest_size=12).digest()
    return base64.urlsafe_b64encode(digest).decode()


def stage(folder: Path, candidates: Sequence[Candidate]) -> None:
    """Write the markers into the folder; the job recomputes what they name."""
    marked = folder / REPLAYED
    marked.mkdir(parents=True)
    with (marked / "markers.json").open("w", encoding="utf-8") as file:
        for one in candidates:
            row = marker(one, NORMALIZED, "")
            flat = row.pop(PAYLOAD) | row
            times = ("event_time", "ingest_time", "known_at")
            file.write(json.dumps({**flat, **{name: _iso(flat[name]) for name in times}}) + "\n")


def collect(folder: Path, plan: Plan) -> Recomputed:
    """Read what the job wrote; an event that another copy has brought in becomes a duplicate."""
    by_place = {one.place: one for one in plan.candidates}
    returns: list[Return] = []
    refused: Counter[str] = Counter()
    for raw in sorted({one.place[0] for one in plan.candidates}):
        topic = f"normalized.{raw.partition('.')[2]}"
        for record in _rows(folder, topic):
            payload = record[PAYLOAD]
            one = by_place.pop((raw, payload["raw_partition"], payload["raw_offset"]))
            back = Return(one, NORMALIZED, topic, record)
            returns.append(_as_copy(back) if one.raw_event_id in plan.taken else back)
    for record in _rows(folder, DUPLICATES):
        returns.append(Return(by_place.pop(_place(record)), DUPLICATE, DUPLICATES, record))
    for record in _rows(folder, QUARANTINE):
        by_place.pop(_place(record))
        refused[record[PAYLOAD]["reason"]] += 1
    refused["not in bronze"] += len(by_place)
    ordered = sorted(returns, key=lambda back: (back.candidate.event_time, _event(back)))
    return Recomputed(tuple(ordered), +refused)


def publish(
    config: Settings,
    producer: Mapping[str, Any],
    returns: Sequence[Return],
    note: Callable[[str], None] = lambda _: None,
) -> Counter[str]:
    """Write rows and markers; return how many records went back by outcome.

    `producer` are the client properties that every producer of ours shares. Raises `AsknownError`
    ASKNOWN-QUARANTINE-003 when Kafka refuses or another replay has begun: what was committed
    until then is back, the rest is where it was.
    """
    done: Counter[str] = Counter()
    if not returns:
        return done
    name = replay_id([back.candidate for back in returns])
    with RegistryClient(config.registry_url) as registry:
        transaction = _Transaction(config, producer, AvroCodec(registry))
        try:
            transaction.begin_alone()
            for chunk in chunks(settle(returns, read_marks(config))):
                transaction.write(chunk, name)
                done.update(back.outcome for back in chunk)
                note(f"{sum(done.values()):,} of {len(returns):,} records are back")
        except KafkaException as error:
            raise AsknownError(
                "ASKNOWN-QUARANTINE-003",
                f"expected Kafka to commit the replay, found: {error}.",
                where=config.bootstrap_servers,
                hint="was another replay begun? Run the command again: nothing comes back twice.",
            ) from error
    return done


def settle(returns: Sequence[Return], marks: Marks) -> list[Return]:
    """Leave out what is back by now; an event that is back through another copy is a copy."""
    taken = {event_id for event_id in marks.values() if event_id is not None}
    open_ = [back for back in returns if back.candidate.place not in marks]
    return [_as_copy(back) if _event(back) in taken else back for back in open_]


def chunks(returns: Sequence[Return], size: int = CHUNK) -> Iterator[list[Return]]:
    """Cut into transactions of about `size` records; copies of one event are never separated."""
    chunk: list[Return] = []
    for back in returns:
        if len(chunk) >= size and _event(back) != _event(chunk[-1]):
            yield chunk
            chunk = []
        chunk.append(back)
    if chunk:
        yield chunk


def marker(one: Candidate, outcome: str, name: str) -> Record:
    """Return the marker of a record as a record of replayed.event."""
    return {
        "event_id": one.name,
        "event_time": one.event_time,
        "ingest_time": one.ingest_time,
        "source": "replay",
        "schema_version": 1,
        "entity_id": one.name,
        PAYLOAD: {
            "topic": one.place[0],
            "partition": one.place[1],
            "offset": one.place[2],
            "stage": one.stage,
            "reason": one.reason,
            "raw_event_id": one.raw_event_id,
            "raw_key": one.raw_key,
            "outcome": outcome,
            "known_at": one.known_at,
            "replay_id": name,
        },
    }


class _Transaction(Transactions):
    """The transactions of replays."""

    def __init__(self, config: Settings, properties: Mapping[str, Any], codec: AvroCodec) -> None:
        super().__init__(config, properties, TRANSACTION)
        self._codec = codec
        self._encoders: dict[str, Callable[[Record], bytes]] = {}

    def write(self, chunk: Sequence[Return], name: str) -> None:
        """Write the rows of a chunk and their markers, all or none."""
        with self.whole():
            for back in chunk:
                self._send(back.topic, back.record)
                self._send(REPLAYED, marker(back.candidate, back.outcome, name))

    def _send(self, topic: str, record: Record) -> None:
        if topic not in self._encoders:
            self._encoders[topic] = self._codec.encoder(topic)
        self.send(topic, self._encoders[topic](record), record["entity_id"].encode())


def _as_copy(back: Return) -> Return:
    """Return a row on its way back as the duplicate it has turned out to be."""
    if back.outcome == DUPLICATE:
        return back
    one, record = back.candidate, back.record
    payload: Record = {
        "topic": one.place[0],
        "partition": one.place[1],
        "offset": one.place[2],
        "stage": one.stage,
        "reason": "DUPLICATE",
        "detail": None,
        "raw_event_id": one.raw_event_id,
        "raw_key": one.raw_key,
        "raw_bytes": None,
    }
    envelope = {"event_id": one.name, "entity_id": one.name, "event_time": one.ingest_time}
    lane = {**record, **envelope, "schema_version": 1, PAYLOAD: payload}
    return replace(back, outcome=DUPLICATE, topic=DUPLICATES, record=lane)


def _event(back: Return) -> str:
    return back.candidate.raw_event_id


def _place(record: Record) -> Place:
    payload = record[PAYLOAD]
    return payload["topic"], payload["partition"], payload["offset"]


def _rows(folder: Path, topic: str) -> Iterator[Record]:
    """Yield what the job wrote for a topic, as nested records."""
    c = contract(topic)
    out = folder / f"out-{topic}"
    for path in sorted(p for p in out.rglob("*") if p.is_file() and p.name[0] not in "._"):
        for line in path.read_text(encoding="utf-8").splitlines():
            flat = json.loads(line, parse_float=Decimal)
            record = {f.name: _typed(flat.get(f.name), f.type.kind) for f in c.envelope}
            record[PAYLOAD] = {f.name: _typed(flat.get(f.name), f.type.kind) for f in c.payload}
            yield record


def _typed(value: Any, kind: str) -> Any:
    """Return a value of the job's JSON as the encoder takes it."""
    if value is None or kind in ("string", "int", "long"):
        return value
    match kind:
        case "timestamp":
            at = datetime.fromisoformat(value).replace(tzinfo=UTC)
            return round((at - EPOCH).total_seconds() * 1000)
        case "date":
            return date.fromisoformat(value)
        case "double":
            return float(value)
        case "decimal":
            return Decimal(value)
        case "bytes":
            return base64.b64decode(value)
        case _:
            return value


def _iso(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).replace(tzinfo=None)
    return at.isoformat(timespec="milliseconds")
