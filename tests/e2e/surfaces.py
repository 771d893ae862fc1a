"""Read what a stack holds: Kafka (read_committed), Iceberg and ClickHouse, as rows of one shape.

A row maps the store's columns to plain values: times are UTC milliseconds, numbers of exact types
stay `Decimal`. Heartbeats are left out. `Since` cuts off what was there before a test began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition
from pyiceberg.expressions import AlwaysFalse, And, EqualTo, GreaterThanOrEqual, Or

from asknown.contracts.catalog import contract, contracts
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.contracts.render import store_fields
from asknown.settings import Settings
from asknown.storage import clickhouse
from asknown.storage.iceberg import lake
from asknown.storage.kafka import TopicReader, is_heartbeat
from tests.e2e.judge import LANES, Found, RawRecord

Since = Mapping[tuple[str, int], int]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NORMALIZED, BARS = "normalized.trade", "analytics.bar"
COORDINATES = ("kafka_partition", "kafka_offset")
TIMEOUT = 30.0


def ends(config: Settings, isolation: str = "read_committed") -> dict[tuple[str, int], int]:
    """Return the end of every partition of every topic, as a reader of that isolation sees it."""
    consumer = Consumer(
        {
            "bootstrap.servers": config.bootstrap_servers,
            "group.id": "asknown.e2e",
            "isolation.level": isolation,
        }
    )
    try:
        known = consumer.list_topics(timeout=TIMEOUT).topics
        places = [(name, p) for name in contracts() for p in known[name].partitions]
        return {
            place: consumer.get_watermark_offsets(TopicPartition(*place), TIMEOUT)[1]
            for place in places
        }
    finally:
        consumer.close()


class Surfaces:
    """The stores of one stack."""

    def __init__(self, config: Settings) -> None:
        self.config = config

    def now(self) -> dict[tuple[str, int], int]:
        """Return the end of every partition of every topic."""
        return ends(self.config)

    def count(self, topic: str, since: Since) -> int:
        """Return how many records a topic holds."""
        return len(self._messages(topic, since))

    def lasts(self, topics: Sequence[str], since: Since) -> dict[tuple[str, int], int]:
        """Return the offset of the last record of each partition that has one."""
        found = [message for topic in topics for message in self._messages(topic, since)]
        # Of one partition in ascending order: the last one stays.
        return {(str(m.topic()), m.partition() or 0): m.offset() or 0 for m in found}

    def raw(self, topic: str, since: Since) -> list[RawRecord]:
        """Return a topic's records as bytes."""
        return [
            RawRecord(m.partition(), m.offset(), (m.key() or b"").decode(), m.value())  # type: ignore[arg-type]
            for m in self._messages(topic, since)
        ]

    def kafka(self, topic: str, since: Since) -> list[dict[str, Any]]:
        """Return a topic's records as the stores flatten them."""
        messages = self._messages(topic, since)
        with RegistryClient(self.config.registry_url) as registry:
            codec = AvroCodec(registry)
            rows = [_flat(topic, message, codec.decode(message.value())) for message in messages]
        return _plain(topic, rows)

    def iceberg(self, topic: str, since: Since) -> list[dict[str, Any]]:
        """Return the rows of a topic's table in the lake."""
        wanted: Any = AlwaysFalse()
        for partition, offset in _starts(topic, since):
            here = EqualTo("kafka_partition", partition)
            wanted = Or(wanted, And(here, GreaterThanOrEqual("kafka_offset", offset)))
        return self.scan(topic, wanted)

    def scan(self, topic: str, wanted: Any) -> list[dict[str, Any]]:
        """Return the rows of a topic's table in the lake that fit an expression of PyIceberg."""
        table = lake(self.config).load_table(contract(topic).topic.table)
        return _plain(topic, table.scan(row_filter=wanted).to_arrow().to_pylist())

    def clickhouse(self, topic: str, since: Since, *, final: bool) -> list[dict[str, Any]]:
        """Return the rows of a topic's table in ClickHouse, with FINAL or as they were loaded."""
        wanted = " OR ".join(
            f"(kafka_partition = {partition} AND kafka_offset >= {offset})"
            for partition, offset in _starts(topic, since)
        )
        return self.query(topic, f"{'FINAL' if final else ''} WHERE {wanted}")

    def query(self, topic: str, rest: str) -> list[dict[str, Any]]:
        """Return `SELECT columns FROM the topic's table REST` of ClickHouse."""
        c = contract(topic)
        columns = ", ".join(f"`{f.name}`" for f in store_fields(c))
        with clickhouse.client("reader", settings=self.config) as connection:
            # As bytes: what was no record need not be text either.
            table = connection.query_arrow(
                f"SELECT {columns} FROM {c.topic.table} {rest}", use_strings=False
            )
        return _plain(topic, table.to_pylist())

    def found_in_kafka(self, since: Since) -> Found:
        """Return normalized trades and lanes as Kafka has them."""
        return Found(
            self.kafka(NORMALIZED, since), {lane: self.kafka(lane, since) for lane in LANES}
        )

    def _messages(self, topic: str, since: Since) -> list[Message]:
        found: list[Message] = []

        def take(message: Message) -> None:
            if not is_heartbeat(message.key()):
                found.append(message)

        with TopicReader([topic], self.config) as reader:
            reader.begin_at({place: at for place, at in since.items() if place[0] == topic})
            reader.drain(take, timeout_s=60)
        return found


def milliseconds(value: datetime) -> int:
    """Return a time as UTC milliseconds; one without a zone is UTC."""
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(milliseconds=1)


def _starts(topic: str, since: Since) -> list[tuple[int, int]]:
    partitions = range(contract(topic).topic.partitions)
    return [(partition, since.get((topic, partition), 0)) for partition in partitions]


def _flat(topic: str, message: Message, record: dict[str, Any]) -> dict[str, Any]:
    # Without a payload only a heartbeat is right; one that is not known by its key is found so.
    nothing = {field.name: None for field in contract(topic).payload}
    row = {**record, **(record["payload"] or nothing)}
    return row | {"kafka_partition": message.partition(), "kafka_offset": message.offset()}


def _plain(topic: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds = {f.name: f.type.kind for f in store_fields(contract(topic))}
    return [{name: _value(row[name], kind) for name, kind in kinds.items()} for row in rows]


def _value(value: Any, kind: str) -> Any:
    if isinstance(value, datetime):
        return milliseconds(value)
    if isinstance(value, bytes) and kind != "bytes":
        return value.decode()
    return value
