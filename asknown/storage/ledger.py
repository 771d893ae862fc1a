"""Collect what the ledger needs: counts in Kafka, Iceberg and ClickHouse."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
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
from asknown.storage.kafka import TopicReader, is_heartbeat

DATASETS = ("trade", "quote", "bar")
LANE_TOPICS = {
    "duplicate": "duplicate.event",
    "late": "late.event",
    "quarantined": "quarantine.event",
}
_LANES = frozenset(LANE_TOPICS.values())
RAW = "raw."
COMPACTED = "compact"


@dataclass(frozen=True)
class StoreCount:
    """How many records of one topic each store holds; None where a store does not keep it.

    `clickhouse_rows` counts without FINAL: above `clickhouse`, a record was loaded twice.
    A compacted topic forgets in Kafka what the stores keep, so it is shown and not compared.
    """

    topic: str
    table: str
    kafka: int
    iceberg: int
    clickhouse: int | None
    clickhouse_rows: int | None
    compared: bool

    @property
    def equal(self) -> bool:
        """Tell whether every store that keeps the topic holds the same number."""
        counts = {self.kafka, self.iceberg, self.clickhouse, self.clickhouse_rows} - {None}
        return not self.compared or len(counts) == 1


@dataclass(frozen=True)
class Reading:
    """The ledger of each raw topic, and every topic's count in every store."""

    ledgers: dict[str, Ledger]
    stores: tuple[StoreCount, ...]
    reasons: dict[str, int]  # quarantined records by reason code

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
                {
                    "topic": topic,
                    **vars(ledger),
                    "difference": ledger.difference,
                    "closed": ledger.closed,
                }
                for topic, ledger in self.ledgers.items()
            ],
            "stores": [{**vars(row), "equal": row.equal} for row in self.stores],
            "reasons": self.reasons,
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
        if topic in _LANES:
            payload = self._codec.decode(message.value())["payload"]
            self._origins[topic, payload["topic"]] += 1
            if topic == LANE_TOPICS["quarantined"]:
                self._reasons[payload["reason"]] += 1

    def read(self) -> Reading:
        """Count everything now.

        Raw topics are read last: what is on its way then shows as a difference above zero, never
        as a record too many. Raises `UnreachableError` when a store does not answer.
        """
        self._rest.drain(self._take)
        self._raw.drain(self._take)
        ledgers = {f"{RAW}{dataset}": self._ledger(dataset) for dataset in DATASETS}
        return Reading(ledgers, self._stores(), dict(self._reasons.most_common()))

    def _ledger(self, dataset: str) -> Ledger:
        raw = f"{RAW}{dataset}"
        lanes = {lane: self._origins[topic, raw] for lane, topic in LANE_TOPICS.items()}
        normalized = self._records[f"normalized.{dataset}"]
        return Ledger(raw=self._records[raw], normalized=normalized, **lanes)

    def _stores(self) -> tuple[StoreCount, ...]:
        served = _clickhouse_counts(self._config)
        rows = []
        for name, c in contracts().items():
            final, stored = served.get(c.topic.table, (None, None))
            rows.append(
                StoreCount(
                    topic=name,
                    table=c.topic.table,
                    kafka=self._records[name],
                    iceberg=_iceberg_count(c.topic.table, self._config),
                    clickhouse=final,
                    clickhouse_rows=stored,
                    compared=c.topic.cleanup != COMPACTED
                    and not iceberg.recomputed(c.topic.table, self._config),
                )
            )
        return tuple(rows)


def _iceberg_count(table: str, config: Settings) -> int:
    try:
        return iceberg.count(table, config)
    except NoSuchTableError as error:
        raise AsknownError(
            "ASKNOWN-LEDGER-001",
            f"expected table {table} in the lake, found none.",
            hint="`asknown up` creates the tables.",
        ) from error


def _clickhouse_counts(config: Settings) -> dict[str, tuple[int, int]]:
    """Return (rows with FINAL, rows without) of each table; asked with and without by name."""
    held = [c.topic.table for c in contracts().values() if c.topic.namespace != BRONZE]
    counts = {}
    with clickhouse.client("reader", settings=config) as connection:
        for table in held:
            try:
                answer = connection.query(
                    f"SELECT (SELECT count() FROM {table} FINAL), (SELECT count() FROM {table})"  # noqa: S608  # a name of topics.yaml
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
