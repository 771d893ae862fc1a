"""The exact ledger: by SQL over the lake, to the offset (`sql/audits/ledger*.sql`).

Counts can hide a lost record behind a doubled one. Here each record of bronze is looked up, by its
coordinates, in the lanes. DuckDB does it in a file of its own, so memory stays bounded.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from string import Template
from typing import Any

import duckdb
from pyiceberg.expressions import AlwaysTrue, BooleanExpression, EqualTo

from asknown.contracts.catalog import contract
from asknown.quality.ledger import Gap, Ledger
from asknown.settings import CHECKOUT, Settings
from asknown.storage.iceberg import lake
from asknown.storage.lake_rows import reader

AUDITS = CHECKOUT / "sql"
RECORD, PLACED = "audits/ledger_record.sql", "audits/ledger_placed.sql"
GAPS, COUNTS = "audits/ledger.sql", "audits/ledger_count.sql"
DATASETS = ("trade", "quote", "bar", "security", "corporate_action")
RAW_TOPICS = tuple(f"raw.{dataset}" for dataset in DATASETS)
SHOWN = 100  # ranges of a topic that are kept to be shown
MEMORY = "1GB"
_ASIDE = {
    "duplicate": "duplicate.event",
    "late": "late.event",
    "quarantined": "quarantine.event",
    "replayed": "replayed.event",
    "healed": "healed.event",
}
_BRONZE = ("kafka_partition", "kafka_offset", "kafka_time", "event_time")
_SILVER = ("raw_partition", "raw_offset", "kafka_partition")
_RESTATED = "kafka_partition < 0 AND kafka_offset >= 0"  # rows of another knowledge say its time
_EQUAL: Any = EqualTo  # called by position; mypy sees the model's fields only

Starts = Mapping[int, int]  # partition -> first offset


@dataclass(frozen=True)
class Hour:
    """The ledger of one partition and hour; `known` records are those that Kafka still has.

    `restated` records are in no lane here because a backfill by another knowledge left them out.
    """

    partition: int
    hour: datetime | None
    known: bool
    ledger: Ledger
    restated: int = 0


@dataclass(frozen=True)
class LakeLedger:
    """What the lake says of one raw topic."""

    topic: str
    hours: tuple[Hour, ...] = ()
    gaps: tuple[Gap, ...] = ()  # the first of them
    faults: Mapping[str, int] = field(default_factory=dict)  # records by fault, all

    @property
    def exact(self) -> bool:
        """Tell whether every record is in exactly one lane."""
        return not self.faults

    @property
    def restated(self) -> int:
        """Return how many records a backfill by another knowledge has left out."""
        return sum(hour.restated for hour in self.hours)

    def total(self, *, known: bool = False) -> Ledger:
        """Return the sum; of the records that Kafka still has only, when asked so."""
        return sum((h.ledger for h in self.hours if h.known or not known), Ledger())

    def by_partition(self, *, known: bool = False) -> dict[int, Ledger]:
        """Return the sum of each partition."""
        found: dict[int, Ledger] = defaultdict(Ledger)
        for hour in self.hours:
            if hour.known or not known:
                found[hour.partition] += hour.ledger
        return dict(found)


def read(
    config: Settings,
    topics: Sequence[str] = RAW_TOPICS,
    kept: Mapping[str, Starts] | None = None,
    since: Mapping[str, Starts] | None = None,
) -> Iterator[LakeLedger]:
    """Look every record up, topic by topic.

    `kept` are the first offsets that Kafka still has; `since` those before which nothing counts.
    """
    for topic in topics:
        first = {"first_place": (since or {}).get(topic, {}), "kept": (kept or {}).get(topic, {})}
        with database(config, topic, first) as found:
            yield _ledger(topic, found)


@contextmanager
def database(
    config: Settings, topic: str, starts: Mapping[str, Starts] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in which `placed` has each record of a raw topic with its lanes."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=config.data_dir) as folder:
        options: Any = {"memory_limit": MEMORY, "temp_directory": folder, "threads": "2"}
        found = duckdb.connect(f"{folder}/ledger.duckdb", config=options)
        try:
            found.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
            for name in ("first_place", "kept"):
                found.execute(f"CREATE TABLE {name} (part BIGINT, place BIGINT)")
                for pair in (starts or {}).get(name, {}).items():
                    found.execute(f"INSERT INTO {name} VALUES (?, ?)", list(pair))  # noqa: S608  # one of the two above
            _load(found, config, topic)
            for name, file in (("record", RECORD), ("placed", PLACED)):
                found.execute(f"CREATE TABLE {name} AS {sql(file, topic)}")
            yield found
        finally:
            found.close()


def sql(file: str, topic: str) -> str:
    """Return a question, asked of a raw topic's tables."""
    text = (AUDITS / file).read_text(encoding="utf-8")
    tables = {"bronze": _table(topic), "silver": _table(_normalized(topic))}
    return Template(text).substitute(topic=topic, **tables)


def _ledger(topic: str, found: duckdb.DuckDBPyConnection) -> LakeLedger:
    hours = tuple(
        Hour(row["part"], row["hour"], row["known"], _counts(row), row["restated"])
        for row in _rows(found, sql(COUNTS, topic))
    )
    question = sql(GAPS, topic)
    gaps = tuple(
        Gap(topic, *(row[n] for n in ("partition", "first_offset", "last_offset")), **_fault(row))
        for row in _rows(found, f"{question} LIMIT {SHOWN}")
    )
    counted = f"SELECT fault, CAST(SUM(records) AS BIGINT) AS n FROM ({question}) GROUP BY fault"  # noqa: S608  # a file of ours
    faults = {row["fault"]: row["n"] for row in _rows(found, counted)}
    return LakeLedger(topic, hours, gaps, faults)


def _counts(row: Mapping[str, Any]) -> Ledger:
    return Ledger(*(row[n] for n in ("raw", "normalized", "duplicate", "late", "quarantined")))


def _fault(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"fault": row["fault"], "records": row["records"]}


def _load(found: duckdb.DuckDBPyConnection, config: Settings, topic: str) -> None:
    """Copy the coordinates. Bronze is last: what is on its way is missing, never too many."""
    found.execute("CREATE TABLE aside (part BIGINT, place BIGINT, lane VARCHAR, outcome VARCHAR)")
    for lane, name in _ASIDE.items():
        outcome = "outcome" if lane == "healed" else "NULL"
        columns = ("partition", "offset", *(("outcome",) if lane == "healed" else ()))
        found.register("arrived", _scan(config, name, columns, _EQUAL("topic", topic)))
        found.execute(
            f"""INSERT INTO aside SELECT "partition", "offset", ?, {outcome} FROM arrived""",  # noqa: S608  # one of two words
            [lane],
        )
    normalized = _normalized(topic)
    restated = _scan(config, normalized, ("event_time",), _RESTATED)
    _keep(found, "restated", restated, "DISTINCT CAST(event_time AS DATE) AS day")
    _keep(found, _table(normalized), _scan(config, normalized, _SILVER))
    _keep(found, _table(topic), _scan(config, topic, _BRONZE))


def _keep(found: duckdb.DuckDBPyConnection, name: str, rows: Any, columns: str = "*") -> None:
    namespace, _, bare = name.rpartition(".")
    if namespace:
        found.execute(f"CREATE SCHEMA IF NOT EXISTS {namespace}")
    found.register("arrived", rows)
    target = f"{namespace}.{bare}" if namespace else bare
    found.execute(f"CREATE TABLE {target} AS SELECT {columns} FROM arrived")  # noqa: S608  # a name of topics.yaml
    found.unregister("arrived")


def _scan(
    config: Settings,
    topic: str,
    columns: tuple[str, ...],
    chosen: str | BooleanExpression = AlwaysTrue(),  # noqa: B008  # has no state
) -> Any:
    table = lake(config).load_table(_table(topic))
    return reader(table.scan(row_filter=chosen, selected_fields=columns))


def _rows(found: duckdb.DuckDBPyConnection, question: str) -> list[dict[str, Any]]:
    answer: Any = found.sql(question).to_arrow_table()
    rows: list[dict[str, Any]] = answer.to_pylist()
    return rows


def _table(topic: str) -> str:
    return contract(topic).topic.table


def _normalized(topic: str) -> str:
    return f"normalized.{topic.partition('.')[2]}"
