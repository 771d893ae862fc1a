"""Raw records that no stage has an answer for: found in the lake, as rows of the late lane.

Kafka may forget a record before normalize has read it, when the job was away longer than the topic
keeps; a defect may drop one. Bronze has it. Once `late.event` names it too, the ledger closes and
`asknown heal` treats it like any other late record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Consumer, KafkaException, TopicPartition
from pyiceberg.expressions import (
    And,
    BooleanExpression,
    GreaterThanOrEqual,
    In,
    LessThanOrEqual,
)

from asknown.contracts.catalog import contract
from asknown.errors import UnreachableError
from asknown.quality.reasons import Reason
from asknown.settings import Settings
from asknown.storage import ledger_lake
from asknown.storage.heal import RAW, query
from asknown.storage.iceberg import lake
from asknown.storage.kafka import REQUEST_TIMEOUT_S
from asknown.storage.lake_rows import reader

NOT_PASSED, NOT_READABLE = "time has not passed them yet", "their bytes cannot be read"
_GROUP = "asknown.normalize"
_COORDINATES = ("kafka_partition", "kafka_offset", "kafka_time")
_NAMES = (*_COORDINATES, "event_id", "event_time", "ingest_time", "source", "entity_id")
# Called by position; mypy sees the fields of these models, not their own constructors.
_FROM: Any = GreaterThanOrEqual
_UP_TO: Any = LessThanOrEqual
_IN: Any = In

Rows = Any  # a pa.Table
Positions = Mapping[str, Mapping[int, int]]  # topic -> partition -> offset


@dataclass(frozen=True)
class Reached:
    """How far normalize has come: offsets it has read up to, and the time it has passed, in ms.

    Both are of one moment, and all it had to say up to then is committed.
    """

    positions: Positions
    clocks: Mapping[str, int]


@dataclass(frozen=True)
class Lost:
    """Rows for the late lane; `left` are records that are no task yet, by why."""

    rows: Rows
    left: Mapping[str, int]


def positions(config: Settings) -> dict[str, dict[int, int]]:
    """Return up to which offset of each partition normalize has read, by its last checkpoint.

    Raises `UnreachableError` ASKNOWN-KAFKA-001 when the broker does not answer.
    """
    consumer = Consumer({"bootstrap.servers": config.bootstrap_servers, "group.id": _GROUP})
    try:
        known = consumer.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        asked = [TopicPartition(t, p) for t in RAW if t in known for p in known[t].partitions]
        found: dict[str, dict[int, int]] = {topic: {} for topic in RAW}
        for one in consumer.committed(asked, timeout=REQUEST_TIMEOUT_S):
            found[one.topic][one.partition] = max(0, one.offset)  # negative: none is committed
        return found
    except KafkaException as error:
        raise UnreachableError(
            "ASKNOWN-KAFKA-001",
            f"expected the offsets of {_GROUP}, found: {error}.",
            where=config.bootstrap_servers,
            hint="asknown status",
        ) from error
    finally:
        consumer.close()


def find(config: Settings, reached: Reached, since_ms: int | None = None) -> Lost:
    """Find what bronze has and no lane; what the broker took before `since_ms` does not count."""
    left: Counter[str] = Counter()
    tables = []
    for topic in RAW:
        rows = _of_topic(config, topic, reached.positions.get(topic, {}), since_ms)
        if rows is None:
            continue
        readable = rows.filter(pc.is_valid(rows["raw_event_id"]))
        left[NOT_READABLE] += rows.num_rows - readable.num_rows
        passed = pa.scalar(_time(reached.clocks.get(topic, 0)), readable["occurred"].type)
        ready = readable.filter(pc.less(readable["occurred"], passed))
        left[NOT_PASSED] += readable.num_rows - ready.num_rows
        tables.append(ready.drop_columns("occurred"))
    return Lost(pa.concat_tables(tables) if tables else pa.table({}), +left)


def _of_topic(
    config: Settings, topic: str, reached: Mapping[int, int], since_ms: int | None
) -> Rows | None:
    """Return the late lane's rows for what a topic has lost; None when that is nothing."""
    with ledger_lake.database(config, topic) as database:
        database.execute("CREATE TABLE reached (part BIGINT, place BIGINT)")
        for pair in reached.items():
            database.execute("INSERT INTO reached VALUES (?, ?)", list(pair))
        lost: Any = database.sql(query("heal/lost.sql")).to_arrow_table()
        if not lost.num_rows:
            return None
        database.register("lost", lost)
        database.register("bronze_row", _bronze(config, topic, lost, since_ms))
        text = query("heal/lost_row.sql", topic=topic, reason=Reason.LOST.value)
        return database.sql(text).to_arrow_table()


def _bronze(config: Settings, topic: str, lost: Rows, since_ms: int | None) -> Rows:
    """Return the rows of bronze among which the lost ones are, to be read once, file by file."""
    ends = pc.min_max(lost["place"]).as_py()
    chosen: BooleanExpression = And(
        _IN("kafka_partition", pc.unique(lost["part"]).to_pylist()),
        And(_FROM("kafka_offset", ends["min"]), _UP_TO("kafka_offset", ends["max"])),
    )
    if since_ms is not None:
        chosen = And(chosen, _FROM("kafka_time", _time(since_ms).isoformat()))
    table = lake(config).load_table(contract(topic).topic.table)
    return reader(table.scan(row_filter=chosen, selected_fields=_NAMES))


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).replace(tzinfo=None)
