"""Collect what the ledger needs: counts in Kafka, Iceberg and ClickHouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import Message
from pyiceberg.exceptions import NoSuchTableError

from asknown.contracts.catalog import contracts
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.contracts.render import BRONZE
from asknown.errors import AsknownError
from asknown.quality.ledger import Ledger, all_closed
from asknown.settings import Settings, settings
from asknown.storage import clickhouse, iceberg
from asknown.storage.kafka import Place, TopicReader, is_heartbeat
from asknown.storage.ledger_lake import DATASETS
from asknown.storage.ledger_places import healed_lane

LANE_TOPICS = {
    "duplicate": "duplicate.event",
    "late": "late.event",
    "quarantined": "quarantine.event",
}
# Markers: what they name is in quarantine no more; is late no more; stays in quarantine for good.
REPLAYED, HEALED, DISCARDED = "replayed.event", "healed.event", "discarded.event"
_NAMING = frozenset({*LANE_TOPICS.values(), REPLAYED, HEALED, DISCARDED})
RAW = "raw."
COMPACTED = "compact"


@dataclass(frozen=True)
class StoreCount:
    """How many records of one topic each store holds; None where a store does not keep it.

    `clickhouse_rows` counts without FINAL: above `clickhouse`, a record was loaded twice.
    A compacted topic forgets in Kafka what the stores keep, so it is shown and not compared. Of a
    topic with a key ClickHouse keeps the last row of each, so only Kafka and the lake are compared.
    """

    topic: str
    table: str
    kafka: int
    iceberg: int
    clickhouse: int | None
    clickhouse_rows: int | None
    compared: bool
    keyed: bool = False

    @property
    def equal(self) -> bool:
        """Tell whether every store that keeps the topic holds the same number."""
        served = () if self.keyed else (self.clickhouse, self.clickhouse_rows)
        counts = {self.kafka, self.iceberg, *served} - {None}
        return not self.compared or len(counts) == 1


@dataclass(frozen=True)
class Reading:
    """The ledger of each raw topic, and every topic's count in every store."""

    ledgers: dict[str, Ledger]
    stores: tuple[StoreCount, ...]
    reasons: dict[str, int]  # records still in quarantine, by reason code
    replayed: int = 0  # records brought back from it
    healed: int = 0  # late records that were put in their places
    discarded: int = 0  # of those in quarantine: left there for good by a person

    @property
    def total(self) -> Ledger:
        """Return the sum over the raw topics."""
        return sum(self.ledgers.values(), Ledger())

    @property
    def closed(self) -> bool:
        """Tell whether each raw topic's ledger closes."""
        return all_closed(self.ledgers.values())

    @property
    def stores_equal(self) -> bool:
        """Tell whether all stores agree on every topic."""
        return all(row.equal for row in self.stores)

    def document(self) -> dict[str, Any]:
        """Return the reading as one JSON document."""
        total = self.total
        return {
            "closed": self.closed,
            "raw": total.raw,
            "normalized": total.normalized,
            "duplicate": total.duplicate,
            "late": total.late,
            "quarantined": total.quarantined,
            "difference": total.difference,
            "stores_equal": self.stores_equal,
            "topics": [
                {"topic": topic, **ledger.document()} for topic, ledger in self.ledgers.items()
            ],
            "stores": [{**vars(row), "equal": row.equal} for row in self.stores],
            "reasons": self.reasons,
            "replayed": self.replayed,
            "healed": self.healed,
            "discarded": self.discarded,
        }


class Collector:
    """Read all counts; a second reading only reads what was added. Use as a context manager."""

    def __init__(self, config: Settings | None = None) -> None:
        self._config = config or settings()
        names = list(contracts())
        self._raw = TopicReader([n for n in names if n.startswith(RAW)], self._config)
        self._rest = TopicReader([n for n in names if not n.startswith(RAW)], self._config)
        self._registry = RegistryClient(self._config.registry_url)
        self._codec = AvroCodec(self._registry)
        self._records: Counter[str] = Counter()  # by topic
        self._origins: Counter[tuple[str, str]] = Counter()  # by lane topic and raw topic
        self._reasons: Counter[str] = Counter()
        # By the hash of their coordinates: records set aside, and what markers say of them.
        self._aside: set[int] = set()
        self._late: set[int] = set()
        self._back: dict[int, tuple[str, str]] = {}
        self._healed: dict[int, tuple[str, str]] = {}
        self._discarded: set[int] = set()
        self._begins: dict[Place, int] = {}

    def __enter__(self) -> Self:
        """Return the collector itself."""
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

    def _take(self, message: Message) -> None:
        if is_heartbeat(message.key()):
            return
        topic: Any = message.topic()
        self._records[topic] += 1
        if topic in _NAMING:
            self._note(topic, self._codec.decode(message.value())["payload"])

    def _note(self, topic: str, payload: dict[str, Any]) -> None:
        """Keep what a lane or a marker says of a record."""
        origin = payload["topic"]
        place = hash((origin, payload["partition"], payload["offset"]))
        self._origins[topic, origin] += 1
        if topic == LANE_TOPICS["quarantined"]:
            self._reasons[payload["reason"]] += 1
            self._aside.add(place)
        elif topic == LANE_TOPICS["late"]:
            self._late.add(place)
        elif topic == REPLAYED:
            self._back[place] = (origin, payload["reason"])
        elif topic == HEALED:
            self._healed[place] = (origin, payload["outcome"])
        elif topic == DISCARDED:
            self._discarded.add(place)

    def read(self) -> Reading:
        """Count everything now, the stores behind Kafka.

        Raises `UnreachableError` when a store does not answer.
        """
        return self.with_stores(self.count())

    def with_stores(self, counted: Reading) -> Reading:
        """Return a count of Kafka with what the other stores hold now."""
        return replace(counted, stores=self._stores())

    def count(self) -> Reading:
        """Count what Kafka holds now, and ask no store; it costs what came since the last time.

        Raw topics are read last: what is on its way then shows as a difference above zero, never
        as a record too many. Raises `UnreachableError` when Kafka does not answer.
        """
        if not self._begins:
            self._begins = {**self._rest.begin(), **self._raw.begin()}
        self._rest.drain(self._take)
        self._raw.drain(self._take)
        # A marker outlives the record that it names: Kafka forgets that one in time.
        back = {place: found for place, found in self._back.items() if place in self._aside}
        healed = [
            (origin, outcome)
            for place, (origin, outcome) in self._healed.items()
            if place in self._late and origin.startswith(RAW)
        ]
        moved: Counter[tuple[str, str]] = Counter()
        moved.subtract((origin, "quarantined") for origin, _ in back.values())
        moved.subtract((origin, "late") for origin, _ in healed)
        moved.update((origin, healed_lane(outcome)) for origin, outcome in healed)
        ledgers = {f"{RAW}{name}": self._ledger(f"{RAW}{name}", moved) for name in DATASETS}
        left = self._reasons - Counter(reason for _, reason in back.values())
        left += Counter(o for _, o in healed if healed_lane(o) == "quarantined")
        discarded = len((self._discarded & self._aside) - back.keys())
        return Reading(ledgers, (), dict(left.most_common()), len(back), len(healed), discarded)

    @property
    def forgetful(self) -> bool:
        """Tell whether Kafka has forgotten records of a stage, so that counts need not agree."""
        stages = (RAW, "normalized.", *LANE_TOPICS.values())
        return any(begin and topic.startswith(stages) for (topic, _), begin in self._begins.items())

    def _ledger(self, raw: str, moved: Counter[tuple[str, str]]) -> Ledger:
        lanes = {
            lane: self._origins[topic, raw] + moved[raw, lane]
            for lane, topic in LANE_TOPICS.items()
        }
        normalized = self._records[f"normalized.{raw.removeprefix(RAW)}"]
        return Ledger(raw=self._records[raw], normalized=normalized, **lanes)

    def _stores(self) -> tuple[StoreCount, ...]:
        served = _clickhouse_counts(self._config, _served_tables())
        rows = []
        for name, c in contracts().items():
            final, stored = served.get(c.topic.table, (None, None))
            row = StoreCount(
                topic=name,
                table=c.topic.table,
                kafka=self._records[name],
                iceberg=_iceberg_count(c.topic.table, self._config),
                clickhouse=final,
                clickhouse_rows=stored,
                compared=c.topic.cleanup != COMPACTED,
                keyed=bool(c.topic.key),
            )
            # Asked only where they differ: it reads the list of the table's files.
            if not row.equal and iceberg.recomputed(row.table, self._config):
                row = replace(row, compared=False)
            rows.append(row if row.equal else self._kept(row))
        return tuple(rows)

    def _kept(self, row: StoreCount) -> StoreCount:
        """Return the counts of the records that Kafka still has, where it has forgotten some."""
        begins = {place: at for place, at in self._begins.items() if place[0] == row.topic}
        if not any(begins.values()):
            return row
        kept = " OR ".join(
            f"(kafka_partition = {partition} AND kafka_offset >= {at})"
            for (_, partition), at in begins.items()
        )
        served = {}
        if row.clickhouse is not None:
            served = _clickhouse_counts(self._config, [row.table], f"WHERE {kept}")
        final, stored = served.get(row.table, (None, None))
        held = iceberg.count(row.table, self._config, kept)
        return replace(row, iceberg=held, clickhouse=final, clickhouse_rows=stored)


def _iceberg_count(table: str, config: Settings) -> int:
    try:
        return iceberg.count(table, config)
    except NoSuchTableError as error:
        raise AsknownError(
            "ASKNOWN-LEDGER-001",
            f"expected table {table} in the lake, found none.",
            hint="`asknown up` creates the tables.",
        ) from error


def _served_tables() -> list[str]:
    return [c.topic.table for c in contracts().values() if c.topic.namespace != BRONZE]


def _clickhouse_counts(
    config: Settings, tables: Sequence[str], chosen: str = ""
) -> dict[str, tuple[int, int]]:
    """Return (rows with FINAL, rows without) of each table; asked with and without by name."""
    counts = {}
    with clickhouse.client("reader", settings=config) as connection:
        for table in tables:
            try:
                answer = connection.query(
                    f"SELECT (SELECT count() FROM {table} FINAL {chosen}),"  # noqa: S608  # a name of topics.yaml
                    f" (SELECT count() FROM {table} {chosen})"  # noqa: S608  # a name of topics.yaml
                )
            except ClickHouseError as error:
                raise AsknownError(
                    "ASKNOWN-LEDGER-002",
                    f"expected table {table} in ClickHouse, found: {str(error).splitlines()[0]}",
                    where=config.clickhouse_url,
                    hint="`asknown up` creates the tables.",
                ) from error
            final, stored = answer.result_rows[0]
            counts[table] = (int(final), int(stored))
    return counts
