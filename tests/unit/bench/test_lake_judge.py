"""The judge of `bench.backfill` finds single rows that are lost, doubled or altered."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema
from asknown.settings import Settings
from asknown.storage import iceberg
from bench import lake_fill, lake_judge
from bench.generate import place
from bench.workload import UNIQUE, W1, Arrivals, Population, arrivals, population
from tests.unit.storage.lake_rows import new_lake

SMALL = W1(events=2_000, entities=10)


@pytest.fixture(scope="module")
def drawn() -> tuple[Population, Arrivals]:
    """Return a small workload."""
    people = population(SMALL)
    return people, arrivals(SMALL, people)


@pytest.fixture
def config(tmp_path: Path, drawn: tuple[Population, Arrivals]) -> Settings:
    """Return settings of a lake that holds the workload in bronze."""
    found = new_lake(tmp_path)
    lake_fill.fill(SMALL, *drawn, found)
    return found


def silver_rows(people: Population, a: Arrivals) -> list[dict[str, Any]]:
    """Return the rows that an exact backfill gives."""
    partition, offset = place(SMALL, people, a)
    rows = []
    for n in np.flatnonzero(a.kind == UNIQUE).tolist():
        who, change = int(a.entity[n]), int(a.change[n])
        rows.append(
            {
                "event_id": a.event_id[n].decode(),
                "event_time": int(a.event_ms[n]) * 1000,
                "ingest_time": int(a.ingest_ms[n]) * 1000,
                "source": "synthetic",
                "schema_version": 1,
                "entity_id": people.listing[who, change].decode(),
                "raw_key": people.keys[who].decode(),
                "isin": people.isin[who, change].decode(),
                "price": Decimal(int(a.price[n])).scaleb(-8),
                "size": Decimal(int(a.size[n])).scaleb(-8),
                "sequence": int(a.sequence[n]),
                "session_phase": "regular",
                **{
                    name: float(getattr(people, name)[who, change])
                    for name in ("price_factor", "split_factor", "share_factor")
                },
                "factor_version": int(people.factor_version[who, change]),
                "raw_partition": int(partition[n]),
                "raw_offset": int(offset[n]),
                "kafka_partition": -1,
                "kafka_offset": -1,
            }
        )
    return rows


def bar_rows(silver: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the bars of these rows, in integers and without SQL."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for seconds in (1, 60):
        for row in silver:
            start = row["event_time"] // (seconds * 1_000_000) * seconds * 1_000_000
            key = (row["entity_id"], row["factor_version"], seconds, start)
            groups.setdefault(key, []).append(row)
    bars = []
    for (entity, version, seconds, start), rows in groups.items():
        rows.sort(key=lambda row: (row["event_time"], row["sequence"]))
        prices = [row["price"] for row in rows]
        bars.append(
            {
                "event_id": f"{entity}:{seconds}:{start}:{version}",
                **dict.fromkeys(("event_time", "ingest_time", "bar_start"), start),
                "source": "derive",
                "schema_version": 1,
                "entity_id": entity,
                "interval_seconds": seconds,
                "price_type": "trade",
                "open": prices[0],
                "close": prices[-1],
                "high": max(prices),
                "low": min(prices),
                "volume": sum((row["size"] for row in rows), Decimal(0)),
                "event_count": len(rows),
                **dict.fromkeys(("price_factor", "split_factor", "share_factor"), 1.0),
                "factor_version": version,
                "revision": 0,
                "kafka_partition": -1,
                "kafka_offset": -1,
            }
        )
    return bars


def write(config: Settings, topic: str, rows: list[dict[str, Any]]) -> None:
    schema = arrow_schema(contract(topic))
    loose = pa.schema([f.with_nullable(True) for f in schema])
    whole = [{**dict.fromkeys(schema.names), **row} for row in rows]
    texts = {f.name: "" for f in schema if f.type == pa.string() and not f.nullable}
    filled = [{k: texts.get(k) if v is None else v for k, v in row.items()} for row in whole]
    table = pa.Table.from_pylist(filled, schema=loose).cast(schema)
    iceberg.lake(config).load_table(contract(topic).topic.table).append(table)


def verdict(
    config: Settings,
    drawn: tuple[Population, Arrivals],
    change: Callable[[list[dict[str, Any]]], None] = lambda rows: None,
    change_bars: Callable[[list[dict[str, Any]]], None] = lambda rows: None,
) -> list[str]:
    rows = silver_rows(*drawn)
    bars = bar_rows(rows)
    change(rows)
    change_bars(bars)
    write(config, "normalized.trade", rows)
    write(config, "analytics.bar", bars)
    return lake_judge.findings(SMALL, *drawn, config)


def test_exact_backfill_is_accepted(config: Settings, drawn: tuple[Population, Arrivals]) -> None:
    assert verdict(config, drawn) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda rows: rows.pop(7), id="lost"),
        pytest.param(lambda rows: rows.append(rows[7]), id="doubled"),
        pytest.param(lambda rows: rows[7].update(price=rows[7]["price"] + 1), id="price"),
        pytest.param(lambda rows: rows[7].update(entity_id=rows[8]["raw_key"]), id="company"),
        pytest.param(lambda rows: rows[7].update(price_factor=0.123), id="factor"),
        pytest.param(lambda rows: rows[7].update(session_phase="post"), id="phase"),
        pytest.param(lambda rows: rows[7].update(raw_offset=10**6), id="another record"),
    ],
)
def test_single_wrong_row_is_found(
    config: Settings,
    drawn: tuple[Population, Arrivals],
    change: Callable[[list[dict[str, Any]]], None],
) -> None:
    found = verdict(config, drawn, change)
    assert found[0].startswith("silver.trade: expected")


@pytest.mark.parametrize("name", ["open", "close", "volume", "event_count"])
def test_single_wrong_bar_is_found(
    config: Settings, drawn: tuple[Population, Arrivals], name: str
) -> None:
    found = verdict(
        config, drawn, change_bars=lambda bars: bars[7].update({name: bars[7][name] + 1})
    )
    assert [one.partition(":")[0] for one in found] == ["gold.bar of 1 s"]


def test_grouping_alone_is_timed_over_all_of_bronze(config: Settings) -> None:
    assert lake_judge.grouping_seconds(config) > 0
