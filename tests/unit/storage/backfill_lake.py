"""A lake in a folder with a few days of trades, and a job that replaces days of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema, iceberg_schema
from asknown.contracts.tables import lake_table
from asknown.settings import Settings
from asknown.storage import iceberg
from asknown.storage.backfill_book import PLANNED, TABLE, TOPICS, Book, Run
from asknown.storage.backfill_plan import Cause, of_days, plan
from asknown.storage.day_changes import JOB
from asknown.storage.partition_sums import REBUILT, contract_of, of_day
from tests.unit.storage.lake_rows import append, row_of, utc

DAY = timedelta(days=1)
DAYS = tuple(date(2024, 11, 18) + timedelta(days=n) for n in range(4))
TRADES, RAW, BARS = "normalized.trade", "raw.trade", "analytics.bar"
SILVER = "silver.trade"
PER_DAY = 3


def fill(config: Settings) -> None:
    """Make the tables that are used and put trades and a bar into each day, raw and computed."""
    catalog = iceberg.lake(config)
    for namespace in ("bronze", "silver", "gold", "ops"):
        catalog.create_namespace(namespace)
    for c in map(contract, (*TOPICS, "normalized.restatement")):
        schema = iceberg_schema(c)
        spec = iceberg.partition_spec(c, schema)
        catalog.create_table(c.topic.table, schema, partition_spec=spec)
    catalog.create_table(TABLE, lake_table(TABLE).iceberg_schema())
    append(config, RAW, *(raw(day, n) for day in DAYS for n in range(PER_DAY)))
    append(config, TRADES, *(trade(day, n) for day in DAYS for n in range(PER_DAY)))
    append(config, BARS, *(bar(day) for day in DAYS))


def raw(day: date, number: int) -> dict[str, Any]:
    """Return a trade as it was received."""
    at = utc(day.year, day.month, day.day, 10, number)
    return row_of(RAW, event_id=f"{day}-{number}", event_time=at, kafka_time=utc(2024, 11, 30))


def trade(day: date, number: int, **more: Any) -> dict[str, Any]:
    """Return a trade as it was normalized."""
    at = utc(day.year, day.month, day.day, 10, number)
    price = {"price": Decimal(100 + number)}
    return row_of(TRADES, event_id=f"{day}-{number}", event_time=at, **{**price, **more})


def bar(day: date, **more: Any) -> dict[str, Any]:
    """Return the bar of a day."""
    at = utc(day.year, day.month, day.day, 10)
    named = {"event_id": f"bar-{day}/0", "event_time": at, "bar_start": at, "revision": 0}
    return row_of(BARS, **{**named, **more})


def replace(  # noqa: PLR0913  # what is replaced, by what, by whom
    config: Settings,
    table: str,
    day: date,
    rows: list[dict[str, Any]],
    job: str,
    known_at: int = -1,
) -> None:
    """Replace a day of a table as a job does: its rows were carried by no topic."""
    made = [row | {"kafka_partition": -1, "kafka_offset": known_at} for row in rows]
    found = pa.Table.from_pylist(made, schema=arrow_schema(contract_of(table)))
    properties = {JOB: job} if job else {}
    iceberg.lake(config).load_table(table).overwrite(
        found, overwrite_filter=of_day(day), snapshot_properties=properties
    )


def planned(config: Settings, cause: Cause | None = None, knowledge: str = "as-known") -> Run:
    """Plan a run, by default of the first two days, and record it."""
    found = plan(config, cause or of_days(DAYS[0], DAYS[2]), "a test", knowledge)
    return Book(config).add(found.asked, PLANNED, PLANNED, found.detail)


@dataclass
class Job:
    """Recomputes days; `meanwhile` happens after it has read bronze and before it commits."""

    config: Settings
    meanwhile: Callable[[int], None] = lambda _: None
    windows: list[tuple[date, date]] = field(default_factory=list)

    def __call__(self, first: date, end: date) -> str:
        """Replace each day of the window and return the job's id."""
        self.windows.append((first, end))
        job = f"job-{len(self.windows)}"
        made = {day: self._rows(day) for day in DAYS if first <= day < end}
        self.meanwhile(len(self.windows))
        for day, rows in made.items():
            replace(self.config, SILVER, day, rows, job)
            replace(self.config, "gold.bar", day, [bar(day)], job)
        return job

    def _rows(self, day: date) -> list[dict[str, Any]]:
        table = iceberg.lake(self.config).load_table("bronze.trade")
        ids = table.scan(of_day(day), selected_fields=("event_id",)).to_arrow()["event_id"]
        return [trade(day, int(str(one).rpartition("-")[2])) for one in sorted(ids.to_pylist())]


def write_folder(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Write tables as a bounded job leaves them in a folder of its own, by topic."""
    from pyiceberg.catalog.sql import SqlCatalog

    folder.mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog("folder", uri=f"sqlite:///{folder / 'c.db'}", warehouse=f"file://{folder}")
    catalog.create_namespace("run")
    for topic, _ in REBUILT.values():
        c = contract(topic)
        names = [f.name for f in c.envelope + c.payload]
        schema = pa.schema([f for f in arrow_schema(c) if f.name in names])
        found = [{name: row[name] for name in names} for row in rows.get(topic, ())]
        table = catalog.create_table(
            ("run", topic.replace(".", "_")),
            schema,
            location=f"file://{folder / 'run' / topic.replace('.', '_')}",
        )
        table.append(pa.Table.from_pylist(found, schema=schema))
