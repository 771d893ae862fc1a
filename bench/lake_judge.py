"""Judge what a backfill of workload W1 has put into the lake, by sums of hashes over whole rows.

The expectation comes from the workload's own columns, in DuckDB; nothing of jobs/ is imported. Two
sets of rows with equal counts and equal sums of 64-bit hashes are the same set.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from asknown.contracts.catalog import contract
from asknown.settings import Settings
from asknown.storage.iceberg import lake
from bench.generate import place
from bench.lake_fill import blocks, decimals
from bench.workload import UNIQUE, W1, Arrivals, Population

TRADE, BAR = "normalized.trade", "analytics.bar"
COLUMNS = (
    *("event_id", "event_ms", "entity_id", "raw_key", "isin", "price", "size", "sequence"),
    *("price_factor", "split_factor", "share_factor", "factor_version"),
    *("raw_partition", "raw_offset"),
)
_SUM = f"SELECT COUNT(*), COALESCE(SUM(HASH({', '.join(COLUMNS)})::HUGEINT), 0) FROM "
_SILVER = (
    "SELECT * REPLACE (factor_version::INT AS factor_version), EPOCH_MS(event_time) AS event_ms "
    "FROM read_parquet({files}) WHERE session_phase = 'regular'"
)
_BAR_COLUMNS = (
    "entity_id, interval_seconds, EPOCH_MS(bar_start), factor_version, "
    "open, high, low, close, volume, event_count"
)
_BAR_SUM = f"SELECT COUNT(*), COALESCE(SUM(HASH({_BAR_COLUMNS})::HUGEINT), 0) FROM "
# Open and close go by (event time, sequence): within a minute one number holds both.
_GROUPED = """
SELECT
    entity_id,
    factor_version,
    {seconds}::INT AS interval_seconds,
    TO_TIMESTAMP(event_ms // ({seconds} * 1000) * {seconds})::TIMESTAMP AS bar_start,
    ARG_MIN(price, event_ms % 60000 * 1000000000 + sequence) AS open,
    MAX(price) AS high,
    MIN(price) AS low,
    ARG_MAX(price, event_ms % 60000 * 1000000000 + sequence) AS close,
    SUM(size)::DECIMAL(38, 8) AS volume,
    COUNT(*) AS event_count
FROM {rows}
GROUP BY ALL
"""


def findings(w: W1, people: Population, a: Arrivals, config: Settings) -> list[str]:
    """Return what is wrong with silver.trade and gold.bar; nothing when all is right."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        silver = _SILVER.format(files=files(config, TRADE))
        found = _one(database, f"{_SUM}({silver})")
        wanted = _expected(database, w, people, a)
        said = [f"silver.trade: expected {wanted}, found {found}"] if found != wanted else []
        database.execute(f"CREATE VIEW silver AS {silver}")
        for seconds in (1, 60):
            grouped = _GROUPED.format(seconds=seconds, rows="silver")
            bars = f"read_parquet({files(config, BAR)}) WHERE interval_seconds = {seconds}"
            want = _one(database, f"{_BAR_SUM}({grouped})")
            have = _one(database, f"{_BAR_SUM}{bars}")
            if want != have:
                said.append(f"gold.bar of {seconds} s: expected {want}, found {have}")
    return said


def grouping_seconds(config: Settings) -> float:
    """Return how long DuckDB takes for the grouping alone: bars of bronze's records, by its key."""
    rows = (
        "(SELECT entity_id, 0 AS factor_version, price, size, sequence, "
        f"EPOCH_MS(event_time) AS event_ms FROM read_parquet({files(config, 'raw.trade')}) "
        "WHERE decode_error IS NULL)"
    )
    began = time.monotonic()
    with duckdb.connect() as database:
        for seconds in (1, 60):
            database.sql(
                f"SELECT COUNT(*), SUM(volume) FROM ({_GROUPED.format(seconds=seconds, rows=rows)})"
            ).fetchall()
    return time.monotonic() - began


def files(config: Settings, topic: str) -> list[str]:
    """Return the files of a topic's table."""
    table = lake(config).load_table(contract(topic).topic.table)
    return [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]


def bytes_of(config: Settings, topics: Iterable[str]) -> Mapping[str, int]:
    """Return the bytes of the files of each topic's table."""
    catalog = lake(config)
    return {
        topic: sum(
            task.file.file_size_in_bytes
            for task in catalog.load_table(contract(topic).topic.table).scan().plan_files()
        )
        for topic in topics
    }


def _one(database: Any, question: str) -> tuple[int, int]:
    ((count, total),) = database.sql(question).fetchall()
    return count, total


def _expected(database: Any, w: W1, people: Population, a: Arrivals) -> tuple[int, int]:
    partition, offset = place(w, people, a)
    count = total = 0
    for numbers in blocks(w.events):
        rows = numbers[a.kind[numbers] == UNIQUE]
        entity, change = a.entity[rows], a.change[rows]
        texts = {
            "event_id": a.event_id[rows],
            "entity_id": people.listing[entity, change],
            "raw_key": people.keys[entity],
            "isin": people.isin[entity, change],
        }
        block = {name: pa.array(v, pa.binary()).cast(pa.string()) for name, v in texts.items()}
        block |= {
            "event_ms": pa.array(a.event_ms[rows]),
            "price": decimals(a.price[rows]),
            "size": decimals(a.size[rows]),
            "sequence": pa.array(a.sequence[rows]),
            "raw_partition": pa.array(partition[rows].astype("i4")),
            "raw_offset": pa.array(offset[rows]),
            "factor_version": pa.array(people.factor_version[entity, change].astype("i4")),
        }
        for name in ("price_factor", "split_factor", "share_factor"):
            block[name] = pa.array(getattr(people, name)[entity, change])
        database.register("expected", pa.table(block))
        more, hashes = _one(database, f"{_SUM}expected")
        count, total = count + more, total + hashes
    return count, total
