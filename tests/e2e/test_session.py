"""A synthetic session goes through the real jobs; every record, bar and store is judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.expressions import And, GreaterThanOrEqual, LessThan

from asknown.ingestion import oracle
from asknown.ingestion.session_ledger import Outcome, counts, read_ledger
from tests.e2e.judge import Found, judge_bars, judge_equal, judge_records
from tests.e2e.surfaces import BARS, COORDINATES, NORMALIZED, Since, Surfaces
from tests.e2e.verdict import INTERVALS, Sent, judge, restarts, wait_until_through

EVENTS = "20000"
DAY, NEXT_DAY = "2024-10-28", "2024-10-29"
LOOKING_BACK = ("OUT_OF_ORDER", "UNEXPLAINED_GAP")
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def restarts_before(pipeline: Any) -> dict[str, int]:
    return restarts(pipeline.settings)


@pytest.fixture(scope="session")
def day(
    pipeline: Any,
    surfaces: Surfaces,
    restarts_before: dict[str, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Sent:
    path: Path = tmp_path_factory.mktemp("session") / "ledger.parquet"
    since: Since = surfaces.now()
    pipeline.json("reference", "load", "synthetic", "--events", EVENTS)
    options = ("--events", EVENTS, "--seed", "7", "--ledger", str(path), "--settle", "10")
    printed = pipeline.json("ingest", "synthetic", *options)
    assert printed["sent"] == int(EVENTS)
    return Sent(read_ledger(path), since, surfaces.now())


@pytest.mark.clock(DAY)
def test_session_has_a_closed_ledger_and_equal_stores(
    pipeline: Any, surfaces: Surfaces, eventually: Any, day: Sent
) -> None:
    before = {"raw": 0, "normalized": 0, "duplicate": 0, "late": 0, "quarantined": 0}
    reading = wait_until_through(pipeline, eventually, surfaces, day)
    assert reading["closed"], reading
    assert reading["stores_equal"], reading["stores"]
    trades = next(row for row in reading["topics"] if row["topic"] == "raw.trade")
    assert {name: trades[name] for name in before} == counts(day.expected)


@pytest.mark.clock(DAY)
def test_session_is_what_the_oracle_says_in_every_store(surfaces: Surfaces, day: Sent) -> None:
    assert judge(surfaces, day) == []


@pytest.mark.clock(DAY)
def test_session_with_poison_restarts_no_job(
    pipeline: Any, day: Sent, restarts_before: dict[str, int]
) -> None:
    assert day.expected
    assert restarts(pipeline.settings) == restarts_before


@pytest.mark.clock("2024-11-02")
def test_backfill_of_the_day_adds_the_late_records_and_changes_nothing_else(
    pipeline: Any, surfaces: Surfaces, day: Sent
) -> None:
    streamed = surfaces.kafka(NORMALIZED, day.since)
    placed = day.placed(surfaces)
    wanted = {
        at: replace(row, outcome=Outcome.NORMALIZED, reason="")
        for at, row in placed.items()
        if row.outcome in (Outcome.NORMALIZED, Outcome.LATE)
    }
    late = frozenset(row.event_id for row in placed.values() if row.outcome is Outcome.LATE)
    streamed = [row for row in streamed if (row["raw_partition"], row["raw_offset"]) in wanted]
    report = pipeline.json("backfill", "apply", "--from", DAY, "--to", NEXT_DAY)
    of_day = And(
        GreaterThanOrEqual("event_time", f"{DAY}T00:00:00"),
        LessThan("event_time", f"{NEXT_DAY}T00:00:00"),
    )
    rows = surfaces.scan(NORMALIZED, of_day)
    bars = surfaces.scan(BARS, of_day)
    found = {row["table"]: (row["before"], row["after"]) for row in report["tables"]}
    assert found["silver.trade"] == (len(streamed), len(streamed) + len(late))
    assert judge_records(wanted, Found(rows, {})) == []
    on_time = [row for row in rows if row["event_id"] not in late]
    assert judge_equal("the lake", _contents(streamed), _contents(on_time)) == []
    for seconds in INTERVALS:
        cut = [row for row in bars if row["interval_seconds"] == seconds]
        assert judge_bars(oracle.bars(day.expected, seconds, late), cut) == []


def _flags(row: dict[str, Any]) -> list[str]:
    return [flag for flag in (row["quality_flags"] or "").split(",") if flag]


def _contents(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out coordinates, and flags that look back: late records stand before a row now."""
    return [
        {k: v for k, v in row.items() if k not in COORDINATES}
        | {"quality_flags": ",".join(f for f in _flags(row) if f not in LOOKING_BACK)}
        for row in rows
    ]
