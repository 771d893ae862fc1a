"""Wait until the lake has what Kafka has: the last record of each partition, and so all before it.

The lake job copies a partition in its order and commits a table whole, so the last record is the
proof. A day that a backfill has replaced has lost its coordinates; there the record's own id is.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Message
from pyiceberg.expressions import And, BooleanExpression, EqualTo, GreaterThanOrEqual

from asknown.contracts.catalog import contract
from asknown.contracts.registry import AvroCodec, DecodeError, RegistryClient
from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.storage.iceberg import lake
from asknown.storage.kafka import Place, TopicReader, is_heartbeat

_FIRST_LOOK = 500  # records; heartbeats and the marks of transactions lie behind the last one
_WIDER = 20
_POLL_S = 0.5
# Called by position; mypy sees the fields of these models, not their own constructors.
_EQUAL: Any = EqualTo
_FROM: Any = GreaterThanOrEqual


@dataclass(frozen=True)
class Last:
    """The last data record of a partition; `event_id` is empty for one that is no record."""

    offset: int
    event_id: str = ""
    event_time: str = ""


def last_records(config: Settings, topics: Collection[str]) -> dict[Place, Last]:
    """Return the last committed data record of each partition that has one."""
    found: dict[Place, Message] = {}

    def take(message: Message) -> None:
        if message.value() is not None and not is_heartbeat(message.key()):
            found[str(message.topic()), int(message.partition() or 0)] = message

    count, wanted = _FIRST_LOOK, set(topics)
    with RegistryClient(config.registry_url) as registry:
        codec = AvroCodec(registry)
        while wanted:
            with TopicReader(wanted, config) as reader:
                more = reader.last(count)
                reader.drain(take)
            wanted = {topic for topic, partition in more if (topic, partition) not in found}
            count *= _WIDER
        return {place: _last(codec, message) for place, message in found.items()}


def wait(config: Settings, topics: Collection[str], timeout_s: float) -> Mapping[Place, Last]:
    """Wait until the lake has what Kafka has of the topics now, and return how far that is.

    Raises `AsknownError` ASKNOWN-HEAL-001 when it is not there in time.
    """
    ends = last_records(config, topics)
    missing = dict(ends)
    deadline = time.monotonic() + timeout_s
    while True:
        missing = dict(_missing(config, missing))
        if not missing:
            return ends
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    names = ", ".join(f"{t}[{p}]@{last.offset}" for (t, p), last in sorted(missing.items())[:3])
    raise AsknownError(
        "ASKNOWN-HEAL-001",
        f"expected the lake to have what Kafka has within {timeout_s:.0f} s, it lacks {names}.",
        where=config.warehouse_uri,
        hint="`asknown job ls`: does the lake job run, and do its checkpoints complete?",
    )


def _missing(config: Settings, ends: Mapping[Place, Last]) -> Iterator[tuple[Place, Last]]:
    tables = {topic: _table(config, topic) for topic in {topic for topic, _ in ends}}
    for place, last in ends.items():
        topic, partition = place
        passed = And(_EQUAL("kafka_partition", partition), _FROM("kafka_offset", last.offset))
        itself = And(_EQUAL("event_time", last.event_time), _EQUAL("event_id", last.event_id))
        if _holds(tables[topic], passed):
            continue
        if not (last.event_id and _holds(tables[topic], itself)):
            yield place, last


def _holds(table: Any, chosen: BooleanExpression) -> bool:
    scan = table.scan(row_filter=chosen, selected_fields=("kafka_offset",), limit=1)
    return bool(scan.to_arrow().num_rows)


def _table(config: Settings, topic: str) -> Any:
    return lake(config).load_table(contract(topic).topic.table)


def _last(codec: AvroCodec, message: Message) -> Last:
    offset = int(message.offset() or 0)
    try:
        record = codec.decode(message.value())
    except DecodeError:
        return Last(offset)
    at = record["event_time"].replace(tzinfo=None).isoformat(timespec="milliseconds")
    return Last(offset, record["event_id"], at)
