"""Note that a person wants refused records left where they are.

Nothing is removed: a marker in `discarded.event` names the record, says why, and who decided. Such
a record stays quarantined in the ledger, and a replay leaves it out.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from confluent_kafka import KafkaException, Message
from pyiceberg.expressions import And, BooleanExpression, EqualTo

from asknown.contracts.catalog import PAYLOAD
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import AsknownError, UsageError
from asknown.settings import Settings
from asknown.storage.kafka import TopicReader, is_heartbeat
from asknown.storage.quarantine import DISCARDED, QUARANTINE, REPLAYED, Place, scan
from asknown.storage.transaction import Transactions

TRANSACTION = "asknown.quarantine.discard"
CHUNK = 10_000  # markers of one transaction
_NAMED = ("topic", "partition", "offset", "stage", "reason", "raw_event_id", "raw_key")
_EQUAL: Any = EqualTo  # called by position; mypy sees the model's fields only

Record = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """Which refused records: of a reason, and of a key, a source, a day of the event (UTC)."""

    reason: str
    key: str | None = None
    source: str | None = None
    day: date | None = None


@dataclass(frozen=True)
class Decision:
    """What a person says of them, and when."""

    why: str
    by: str
    at: datetime


def decide(config: Settings, why: str) -> Decision:
    """Return a decision of whoever runs the command, taken now.

    Raises `UsageError` ASKNOWN-QUARANTINE-005 without a reason in words.
    """
    if not why.strip():
        raise UsageError(
            "ASKNOWN-QUARANTINE-005",
            "expected words that say why the records are left out, found none.",
            where="--why",
            hint="--why 'test messages of the gateway, agreed with the desk'",
        )
    return Decision(why.strip(), config.user or getpass.getuser(), datetime.now(UTC))


def open_records(config: Settings, choice: Choice) -> list[Record]:
    """Return the refused records that are chosen and neither brought back nor discarded."""
    chosen: BooleanExpression = _EQUAL("reason", choice.reason)
    if choice.key is not None:
        chosen = And(chosen, _EQUAL("raw_key", choice.key))
    if choice.source is not None:
        chosen = And(chosen, _EQUAL("source", choice.source))
    rows = scan(config, QUARANTINE, ("event_time", "source", *_NAMED), chosen).to_pylist()
    done = read_places(config, REPLAYED, DISCARDED)
    found = {
        place_of(row): row
        for row in rows
        if choice.day is None or row["event_time"].date() == choice.day
    }
    return [row for place, row in sorted(found.items()) if place not in done]


def discard(
    config: Settings,
    producer: Mapping[str, Any],
    records: Sequence[Record],
    decision: Decision,
    note: Callable[[str], None] = lambda _: None,
) -> int:
    """Write a marker for each record; return how many. What is marked by now gets no second one.

    Raises `AsknownError` ASKNOWN-QUARANTINE-006 when Kafka refuses: what was committed until then
    is discarded, the rest is not.
    """
    done = 0
    with RegistryClient(config.registry_url) as registry:
        encode = AvroCodec(registry).encoder(DISCARDED)
        try:
            transactions = Transactions(config, producer, TRANSACTION)
            # Only then are the markers read: no other discard can still have one on its way.
            transactions.begin_alone()
            before = read_places(config, DISCARDED)
            left = [record for record in records if place_of(record) not in before]
            for start in range(0, len(left), CHUNK):
                chunk = [marker(record, decision) for record in left[start : start + CHUNK]]
                with transactions.whole():
                    for one in chunk:
                        transactions.send(DISCARDED, encode(one), one["entity_id"].encode())
                done += len(chunk)
                note(f"{done:,} of {len(left):,} records are discarded")
        except KafkaException as error:
            raise AsknownError(
                "ASKNOWN-QUARANTINE-006",
                f"expected Kafka to commit the markers, found: {error}.",
                where=config.bootstrap_servers,
                hint="was another discard begun? Run the command again: no record is marked twice.",
            ) from error
    return done


def marker(record: Record, decision: Decision) -> Record:
    """Return a record of discarded.event; its id is the coordinates, so it is always the same."""
    name = ":".join(map(str, place_of(record)))
    at = round(decision.at.timestamp() * 1000)
    named = {column: record[column] for column in _NAMED}
    return {
        "event_id": name,
        "event_time": at,
        "ingest_time": at,
        "source": "discard",
        "schema_version": 1,
        "entity_id": name,
        PAYLOAD: {**named, "why": decision.why, "decided_by": decision.by},
    }


def read_places(config: Settings, *topics: str) -> set[Place]:
    """Return every record that markers name, as Kafka has them: committed, up to now."""
    found: set[Place] = set()
    with RegistryClient(config.registry_url) as registry, TopicReader(topics, config) as reader:
        codec = AvroCodec(registry)

        def take(message: Message) -> None:
            if not is_heartbeat(message.key()):
                found.add(place_of(codec.decode(message.value())[PAYLOAD]))

        reader.drain(take)
    return found


def place_of(record: Record) -> Place:
    """Return the coordinates in a lane's or a marker's payload."""
    return record["topic"], record["partition"], record["offset"]
