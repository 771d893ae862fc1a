"""Late records that were not healed yet: which, of which hours, and what has to wait.

`plan` finds them in the lake; a bounded job recomputes their hours (`jobs/backfill`); what became
of them is judged by `asknown.storage.heal_fates` and sent by `asknown.storage.heal_send`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from string import Template
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, And, EqualTo, GreaterThanOrEqual, In, LessThanOrEqual

from asknown.contracts.catalog import contract
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.settings import CHECKOUT, Settings
from asknown.storage.iceberg import lake

SQL = CHECKOUT / "sql"
LATE, HEALED, REPLAYED, BARS = "late.event", "healed.event", "replayed.event", "analytics.bar"
RAW = ("raw.trade", "raw.quote", "raw.bar")
# Of which dataset bars are made, of which price types; the first one tells how far they are.
PRICE_TYPES: Mapping[str, tuple[str, ...]] = {"trade": ("trade",), "quote": ("mid", "bid", "ask")}
PRICED = tuple(f"normalized.{dataset}" for dataset in PRICE_TYPES)
HEALABLE = (*RAW, *PRICED)
# What a plan and the job behind it read.
READ = (
    *(LATE, HEALED, REPLAYED, BARS, *RAW, *(f"normalized.{t.partition('.')[2]}" for t in RAW)),
    *("reference.entity_change", "reference.entity_history"),
)
HOUR_MS = 3_600_000
MINUTE = timedelta(minutes=1)
PLACE = ("topic", "partition", "offset")
_COORDINATES = ("kafka_partition", "kafka_offset")
_PLACES = pa.schema([("topic", pa.string()), ("part", pa.int32()), ("place", pa.int64())])
BY_BACKFILL = "in the lake by a backfill"
# Called by position; mypy sees the fields of these models, not their own constructors.
_EQUAL: Any = EqualTo
_FROM: Any = GreaterThanOrEqual
_UP_TO: Any = LessThanOrEqual
_IN: Any = In

Table = Any  # a pa.Table
Database = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Plan:
    """What a heal would do: `groups` are (dataset, hour, late records), `left` what waits and why.

    `task` has a row for each record to be healed.
    """

    groups: tuple[tuple[str, datetime, int], ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)
    task: Table = None

    @property
    def records(self) -> int:
        """Return how many records it would heal."""
        return sum(count for _, _, count in self.groups)

    @property
    def hours(self) -> dict[str, list[tuple[int, int]]]:
        """Return the spans to recompute of each raw topic, UTC milliseconds, neighbours joined."""
        found: dict[str, list[tuple[int, int]]] = {}
        for dataset, hour, _ in sorted(self.groups):
            start = round(hour.replace(tzinfo=UTC).timestamp()) * 1000
            spans = found.setdefault(f"raw.{dataset}", [])
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], start + HOUR_MS)
            else:
                spans.append((start, start + HOUR_MS))
        return found


def plan(config: Settings) -> Plan:
    """Find the late records that can be healed now, as the lake has them."""
    with closing(connect()) as database:
        return _plan(config, database)


def _plan(config: Settings, database: Database) -> Plan:
    late = _rows(config, LATE, (*PLACE, "stage", "raw_event_id", "raw_key"))
    database.register("late", short(late))
    database.register("healed", short(_rows(config, HEALED, (*PLACE, "raw_event_id", "outcome"))))
    left: Counter[str] = Counter()
    every = database.sql(query("heal/waiting.sql")).to_arrow_table()
    waiting = every.filter(pa.compute.is_in(every["topic"], pa.array(HEALABLE)))
    left["not market data"] = every.num_rows - waiting.num_rows
    if not waiting.num_rows:
        return Plan(left=+left)
    database.register("waiting", waiting)
    database.register("known", _times(config, waiting))
    task = database.sql(query("heal/task.sql")).to_arrow_table()
    left["not in bronze"] = waiting.num_rows - task.num_rows
    database.register("task", task)
    rows = [_recomputed(config, name) for name in pa.compute.unique(task["topic"]).to_pylist()]
    database.register("recomputed", pa.concat_tables([_PLACES.empty_table(), *rows]))
    missing = "SELECT * FROM task ANTI JOIN recomputed USING (topic, part, place)"
    count, task = task.num_rows, database.sql(missing).to_arrow_table()
    left[BY_BACKFILL] = count - task.num_rows
    database.register("task", task)
    ready = database.sql(f"SELECT * FROM task WHERE {_ready(config, task)}").to_arrow_table()  # noqa: S608  # times and names of ours
    left["their bars are not out yet"] = task.num_rows - ready.num_rows
    database.register("ready", ready)
    counted = "SELECT dataset, hour, COUNT(*) FROM ready GROUP BY ALL ORDER BY hour, dataset"
    groups = tuple((name, hour, count) for name, hour, count in database.sql(counted).fetchall())
    return Plan(groups, +left, ready)


def _recomputed(config: Settings, topic: str) -> Table:
    """Return the raw records of a topic whose rows a backfill has put into the lake.

    Sending one of them would double it there. Its file is found by its bounds, so in a lake
    without backfills this reads nothing.
    """
    if topic not in RAW:
        return _PLACES.empty_table()
    names = ("raw_partition", "raw_offset")
    rows = _rows(config, f"normalized.{topic.partition('.')[2]}", names, "kafka_partition < 0")
    named = pa.array([topic] * rows.num_rows, pa.string())
    return pa.Table.from_arrays([named, *(rows[n].combine_chunks() for n in names)], schema=_PLACES)


def connect() -> Database:
    """Return a database in memory, on UTC."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    return database


def short(rows: Table) -> Table:
    """Return rows with the names that coordinates have in the queries: SQL has taken the others."""
    names = {"partition": "part", "offset": "place"}
    return rows.rename_columns([names.get(name, name) for name in rows.column_names])


def query(file: str, **parts: str) -> str:
    """Return the text of a query in `sql/`."""
    return Template((SQL / file).read_text(encoding="utf-8")).substitute(parts)


def rows_between(
    config: Settings, topic: str, names: Sequence[str], spans: Sequence[tuple[int, int]]
) -> Table:
    """Return columns of a topic's table in spans of event time."""
    chosen = " OR ".join(
        f"(event_time >= '{_iso(start)}' AND event_time < '{_iso(end)}')" for start, end in spans
    )
    return _rows(config, topic, names, chosen)


def _rows(config: Settings, topic: str, names: Sequence[str], chosen: Any = None) -> Table:
    table = lake(config).load_table(contract(topic).topic.table)
    scan = table.scan(row_filter=chosen or AlwaysTrue(), selected_fields=tuple(names))
    return scan.to_arrow()


def _times(config: Settings, waiting: Table) -> Table:
    """Return when the waiting records happened and were taken in."""
    found = []
    for topic in pa.compute.unique(waiting["topic"]).to_pylist():
        mine = waiting.filter(pa.compute.equal(waiting["topic"], topic))
        read = _from_bytes if topic in PRICED else _from_bronze
        found.append(read(config, topic, mine))
    return pa.concat_tables(found, promote_options="permissive")


def _from_bronze(config: Settings, topic: str, waiting: Table) -> Table:
    ends = pa.compute.min_max(waiting["place"]).as_py()
    chosen = And(
        _IN("kafka_partition", pa.compute.unique(waiting["part"]).to_pylist()),
        And(_FROM("kafka_offset", ends["min"]), _UP_TO("kafka_offset", ends["max"])),
    )
    names = (*_COORDINATES, "event_time", "ingest_time")
    rows = _rows(config, topic, names, chosen).select(names)
    rows = rows.rename_columns(["part", "place", "event_time", "ingest_time"])
    return rows.append_column("topic", pa.array([topic] * rows.num_rows, pa.string()))


def _from_bytes(config: Settings, topic: str, waiting: Table) -> Table:
    """Read times from the bytes that the lane keeps: a backfill may have replaced silver's rows."""
    ends = pa.compute.min_max(waiting["place"]).as_py()
    offsets = And(_FROM("offset", ends["min"]), _UP_TO("offset", ends["max"]))
    rows = _rows(config, LATE, (*PLACE, "raw_bytes"), And(_EQUAL("topic", topic), offsets))
    places = set(zip(*(waiting[n].to_pylist() for n in ("part", "place")), strict=True))
    found = []
    with RegistryClient(config.registry_url) as registry:
        codec = AvroCodec(registry)
        for row in rows.to_pylist():
            if (row["partition"], row["offset"]) in places:
                record = codec.decode(row.pop("raw_bytes"))
                times = {n: record[n].replace(tzinfo=None) for n in ("event_time", "ingest_time")}
                found.append(
                    {"topic": topic, "part": row["partition"], "place": row["offset"], **times}
                )
    at = pa.timestamp("us")
    schema = pa.schema([*_PLACES, ("event_time", at), ("ingest_time", at)])
    return pa.Table.from_pylist(found, schema=schema)


def _ready(config: Settings, task: Table) -> str:
    """Return SQL for records whose bars are out: derive takes such a row into no bar any more."""
    datasets = set(pa.compute.unique(task["dataset"]).to_pylist())
    conditions = [f"dataset NOT IN ({', '.join(map(repr, PRICE_TYPES))})"]
    for dataset in datasets & PRICE_TYPES.keys():
        end = _bars_end(config, PRICE_TYPES[dataset][0])
        if end is not None:
            conditions.append(f"(dataset = '{dataset}' AND minute < TIMESTAMP '{end}')")
    return " OR ".join(conditions)


def _bars_end(config: Settings, price_type: str) -> datetime | None:
    """Return the end of the newest minute bar of a price type."""
    table = lake(config).load_table(contract(BARS).topic.table)
    days = {_day(row.file.partition[0]) for row in table.scan().plan_files()}
    kind = And(_EQUAL("interval_seconds", 60), _EQUAL("price_type", price_type))
    for day in sorted(days, reverse=True):
        within = f"event_time >= '{day}T00:00:00' AND event_time < '{day + timedelta(1)}T00:00:00'"
        bars = table.scan(row_filter=kind, selected_fields=("bar_start",)).filter(within)
        starts = bars.to_arrow()["bar_start"]
        if len(starts):
            newest: datetime = pa.compute.max(starts).as_py()
            return newest + MINUTE
    return None


def _day(value: object) -> date:
    """Return a partition's day: days since 1970, or a date, by PyIceberg's version."""
    return value if isinstance(value, date) else date(1970, 1, 1) + timedelta(int(str(value)))


def _iso(at_ms: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds")
