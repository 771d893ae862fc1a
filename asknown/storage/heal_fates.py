"""What became of late records by what a bounded job recomputed, and which bars that changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from asknown.contracts.catalog import Contract, contract
from asknown.contracts.render import arrow_schema
from asknown.settings import Settings
from asknown.storage.heal import (
    BARS,
    BY_BACKFILL,
    HEALED,
    PRICE_TYPES,
    PRICED,
    RAW,
    Database,
    Plan,
    connect,
    query,
    rows_between,
)
from asknown.storage.job_tables import job_table

NORMALIZED, DUPLICATE = "NORMALIZED", "DUPLICATE"
LANES = ("duplicate.event", "quarantine.event")
_IN_LAKE = "IN_LAKE"
_WHY_LEFT = {_IN_LAKE: BY_BACKFILL, None: "not recomputed"}
_GRAIN = ("entity_id", "interval_seconds", "price_type", "bar_start", "factor_version")
MINUTE = "minute"
Rows = Any  # a pa.Table


@dataclass(frozen=True)
class Fates:
    """What a heal writes: by topic a table of rows, each with the minute it belongs to."""

    database: Database
    tables: Mapping[str, str]
    outcomes: Mapping[str, int]
    left: Mapping[str, int]
    bars: Mapping[str, int]  # bars by what they are: revised, new

    def pieces(self, size: int) -> Iterator[dict[str, Rows]]:
        """Yield the rows of each topic in pieces of about `size`; no minute is cut apart.

        A bar and all records it was healed with are in one piece.
        """
        for first, last in self._spans(size):
            yield {
                topic: self.database.sql(
                    f"SELECT * EXCLUDE ({MINUTE}) FROM {table} WHERE {MINUTE}"  # noqa: S608  # names and times of ours
                    f" BETWEEN TIMESTAMP '{first}' AND TIMESTAMP '{last}'"
                ).to_arrow_table()
                for topic, table in self.tables.items()
            }

    def close(self) -> None:
        """Forget the rows."""
        self.database.close()

    def _spans(self, size: int) -> Iterator[tuple[datetime, datetime]]:
        every = " UNION ALL ".join(f"SELECT {MINUTE} FROM {t}" for t in self.tables.values())  # noqa: S608  # names of ours
        counted = f"SELECT {MINUTE}, COUNT(*) FROM ({every}) GROUP BY ALL ORDER BY ALL"  # noqa: S608
        held, first, last = 0, None, None
        for minute, count in self.database.sql(counted).fetchall():
            if first is not None and last is not None and held + count > size:
                yield first, last
                held, first = 0, None
            held, first, last = held + count, first or minute, minute
        if first is not None and last is not None:
            yield first, last


def judge(config: Settings, plan: Plan, folder: Path) -> Fates:
    """Return what became of the plan's records, by the job's tables in the folder."""
    database = connect()
    database.register("task", plan.task)
    topics = tuple(plan.hours)
    for topic in [*map(_normalized, topics), *LANES, BARS]:
        _load(database, contract(topic), folder)
    for topic in topics:
        names = ("event_id", "raw_partition", "raw_offset")
        rows = rows_between(config, _normalized(topic), names, plan.hours[topic])
        database.register(_silver(topic), rows)
    outcomes, left = _decide(database, topics)
    tables = {}
    for topic in topics:
        tables[_normalized(topic)] = _keep(
            database, f"sent_{_dataset(topic)}", "heal/sent.sql", **_parts(topic), topic=topic
        )
    bars = _revise(config, database, plan)
    tables[BARS] = "revised"
    tables[HEALED] = _keep(database, "marker", "heal/marker.sql", heal_id=_heal_id(database))
    return Fates(database, tables, outcomes, left, bars)


def _decide(database: Database, topics: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Make the table `fate`; return how many records it has by outcome, and what is left why."""
    asked = [query("heal/fate.sql", **_parts(topic), topic=topic) for topic in topics]
    asked += [
        query("heal/fate_of_row.sql", **_parts(topic), topic=_normalized(topic))
        for topic in topics
        if _normalized(topic) in PRICED
    ]
    every = " UNION ALL ".join(f"({one})" for one in asked)
    database.execute(f"CREATE TABLE judged AS {every}")
    counted = "SELECT outcome, COUNT(*) FROM judged GROUP BY ALL"
    found = dict(database.sql(counted).fetchall())
    left = {why: found.pop(name) for name, why in _WHY_LEFT.items() if name in found}
    database.execute(
        f"CREATE TABLE fate AS SELECT * FROM judged WHERE outcome <> '{_IN_LAKE}'"  # noqa: S608
    )
    return dict(Counter(found)), left


def _revise(config: Settings, database: Database, plan: Plan) -> dict[str, int]:
    """Make the table `revised`; return how many bars of it there were before, and how many not."""
    priced = [topic for topic in plan.hours if _normalized(topic) in PRICED]
    touched = [
        query(
            "heal/touched.sql",
            **_parts(topic),
            dataset=_dataset(topic),
            price_types=", ".join(f"'{one}'" for one in PRICE_TYPES[_dataset(topic)]),
        )
        for topic in priced
    ]
    none = f"SELECT {', '.join(_GRAIN)} FROM analytics_bar WHERE FALSE"  # noqa: S608
    every = " UNION ALL BY NAME ".join(f"({one})" for one in [*touched, none])
    database.execute(f"CREATE TABLE touched AS {every}")
    spans = [span for topic in priced for span in plan.hours[topic]]
    c = contract(BARS)
    names = tuple(f.name for f in c.envelope + c.payload)
    stored = rows_between(config, BARS, names, spans) if spans else arrow_schema(c).empty_table()
    database.register("stored_bar", stored)
    database.execute(f"CREATE TABLE newest_bar AS {query('heal/newest_bar.sql')}")
    compared = [f.name for f in c.payload if f.name != "revision"]
    same = " AND ".join(f"made.{name} IS NOT DISTINCT FROM stored.{name}" for name in compared)
    _keep(database, "revised", "heal/revised.sql", same=same)
    counted = "SELECT revision > 0, COUNT(*) FROM revised GROUP BY ALL"
    found = dict(database.sql(counted).fetchall())
    return {"revised": found.get(True, 0), "new": found.get(False, 0)}


def _keep(database: Database, name: str, file: str, **parts: str) -> str:
    """Make the table of a query's rows, in the order in which they are sent."""
    database.execute(
        f"CREATE TABLE {name} AS SELECT * FROM ({query(file, **parts)})"  # noqa: S608  # files of ours
        f" ORDER BY {MINUTE}, event_time"
    )
    return name


def _heal_id(database: Database) -> str:
    """Return the id of a heal: a hash over the records it heals."""
    found = database.sql(query("heal/heal_id.sql")).fetchall()
    return str(found[0][0])


def rows_of_run(database: Database, c: Contract, folder: Path, columns: str = "*") -> None:
    """Make a bounded job's rows of a topic, in a table of its folder, a view of that name."""
    name = c.topic.name.replace(".", "_")
    table = job_table(folder, c)
    files = []
    if table is not None:
        files = [task.file.file_path.removeprefix("file:") for task in table.scan().plan_files()]
    rows = f"read_parquet({files})" if files else _empty(database, c)
    database.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM {rows}")  # noqa: S608  # files of ours


def _load(database: Database, c: Contract, folder: Path) -> None:
    """Make the job's rows of a topic a view; lanes with their coordinates only."""
    lane = c.topic.name in LANES
    columns = 'topic, "partition" AS part, "offset" AS place, reason' if lane else "*"
    rows_of_run(database, c, folder, columns)


def _empty(database: Database, c: Contract) -> str:
    name = f"empty_{c.topic.name.replace('.', '_')}"
    fields = {f.name for f in c.envelope + c.payload}
    schema = pa.schema([field for field in arrow_schema(c) if field.name in fields])
    database.register(name, schema.empty_table())
    return name


def _parts(topic: str) -> dict[str, str]:
    return {"normalized": _normalized(topic).replace(".", "_"), "silver": _silver(topic)}


def _dataset(topic: str) -> str:
    return topic.partition(".")[2]


def _normalized(topic: str) -> str:
    assert topic in RAW  # noqa: S101
    return f"normalized.{_dataset(topic)}"


def _silver(topic: str) -> str:
    return f"silver_{_dataset(topic)}"
