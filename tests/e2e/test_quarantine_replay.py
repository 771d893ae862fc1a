"""A mapping arrives; what waited for it comes back exactly once, whoever dies on the way.

One minute of one day: TARDY trades from the first second on, and nobody knows it until half past.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from datetime import date
from typing import Any

import pytest

from asknown.ingestion.connectors import synthetic_market as market
from asknown.settings import CHECKOUT
from asknown.storage.ledger_live import published
from tests.e2e.judge import judge_equal
from tests.e2e.surfaces import Since, Surfaces
from tests.e2e.test_reference import identity, of, security, send, trade

DAY, NEXT_DAY = date(2024, 11, 6), date(2024, 11, 7)
LISTED_ON = date(2024, 11, 1)
OPEN = market.instant(DAY, 10)
KNOWN = OPEN + 30_000
TARDY, NEVER = "TARDY", "NEVER"
TRADES, LANE, MARKERS = "normalized.trade", "quarantine.event", "replayed.event"
DISCARDS = "discarded.event"
CLOSED = {"difference": 0, "overdue_records": 0}
COORDINATES = ("kafka_partition", "kafka_offset")
REPLAY = ("quarantine", "replay", "--reason", "UNKNOWN_SYMBOL", "--key", market.raw_key(TARDY))

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.clock("2024-11-06")]

# The command, which dies when everything is written and nothing is committed.
_KILLED = """
import os, signal, sys
from asknown.cli.main import run
from asknown.storage import replay

def die(self):
    self._producer.flush()
    os.kill(os.getpid(), signal.SIGKILL)

replay._Transaction.commit = die
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def waiting(pipeline: Any, surfaces: Surfaces) -> Since:
    """Send the story; return where the topics began before."""
    before = surfaces.now()
    trades = [trade(s, OPEN + second * 1000) for second in range(60) for s in (TARDY, NEVER)]
    copies = [trade(TARDY, OPEN + second * 1000) for second in (3, 5, 40)]
    fact = security(TARDY, "LIST", LISTED_ON, KNOWN)
    story = sorted([fact, *trades, *copies], key=lambda one: one.clock_ms)
    assert send(pipeline.settings, story).followed
    reading = pipeline.json("ledger", "--wait", "180", check=False)
    assert reading["closed"], reading
    assert reading["stores_equal"], reading["stores"]
    return before


def waited(surfaces: Surfaces, since: Since) -> list[dict[str, Any]]:
    return of(surfaces.kafka(LANE, since), TARDY)


def test_records_of_an_unknown_symbol_wait_in_quarantine(
    waiting: Since, pipeline: Any, surfaces: Surfaces
) -> None:
    assert [row["reason"] for row in waited(surfaces, waiting)] == ["UNKNOWN_SYMBOL"] * 30
    assert len(of(surfaces.kafka(TRADES, waiting), TARDY)) == 30
    groups = pipeline.json("quarantine", "ls")
    assert sum(g["records"] for g in groups if g["reason"] == "UNKNOWN_SYMBOL") >= 90
    place = waited(surfaces, waiting)[0]["event_id"]
    shown = pipeline.json("quarantine", "show", place)
    assert (shown["raw_key"], shown["replayed"]) == (market.raw_key(TARDY), None)
    assert shown["raw"]["symbol"] == TARDY
    assert shown["original"]["from"] == "Kafka"
    assert shown["original"]["record"]["payload"]["symbol"] == TARDY
    assert {row["entity_id"] for row in shown["neighbours"]["key"]} == {market.raw_key(TARDY)}


def test_ledger_closes_by_partition_and_hour_and_to_the_offset_in_the_lake(
    waiting: Since, pipeline: Any
) -> None:
    by_hour = pipeline.json("ledger", "--by", "hour")
    assert by_hour["closed"]
    assert sum(hour["raw"] for hour in by_hour["hours"]) == by_hour["raw"]
    found = pipeline.json("ledger", "--by", "partition", "--lake", check=False)
    assert (found["lake"]["exact"], found["lake"]["differences"]) == (True, []), found
    assert found["gaps"] == []
    assert sum(one["raw"] for one in found["partitions"]) == found["raw"] == found["lake"]["raw"]


def test_dry_run_says_what_would_come_back_and_writes_nothing(
    waiting: Since, pipeline: Any, surfaces: Surfaces
) -> None:
    said = pipeline.json(*REPLAY, "--dry-run")
    assert (said["found"], said["replayed"], said["dry_run"]) == (30, 0, True)
    nobody = pipeline.json(*REPLAY[:-1], market.raw_key(NEVER), "--dry-run")
    assert (nobody["found"], nobody["left"]) == (0, {"no mapping yet": 60})
    assert surfaces.count(MARKERS, waiting) == 0


def test_discarded_records_stay_refused_and_are_not_brought_back(
    waiting: Since, pipeline: Any, surfaces: Surfaces
) -> None:
    never = ("--reason", "UNKNOWN_SYMBOL", "--key", market.raw_key(NEVER))
    command = ("quarantine", "discard", *never, "--why", "never listed")
    assert pipeline.json(*command, "--dry-run")["found"] == 60
    assert surfaces.count(DISCARDS, waiting) == 0
    said = pipeline.json(*command)
    assert (said["found"], said["discarded"]) == (60, 60)
    assert pipeline.json(*command)["found"] == 0

    reading = pipeline.json("ledger", "--wait", "60", check=False)
    assert reading["closed"], reading
    assert reading["discarded"] >= 60
    replay = pipeline.json("quarantine", "replay", *never, "--dry-run")
    assert (replay["found"], replay["left"]) == (0, {"discarded": 60})
    groups = [g for g in pipeline.json("quarantine", "ls") if g["discarded"]]
    assert sum(g["discarded"] for g in groups) == 60
    place = of(surfaces.kafka(LANE, waiting), NEVER)[0]["event_id"]
    assert pipeline.json("quarantine", "show", place)["discarded"]["why"] == "never listed"


def test_replay_that_is_killed_before_its_commit_brings_nothing_and_the_next_one_all(
    waiting: Since, pipeline: Any, surfaces: Surfaces
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, *REPLAY],
        env=pipeline.environment,
        cwd=CHECKOUT,
        timeout=300,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert surfaces.count(MARKERS, waiting) == 0
    assert len(of(surfaces.kafka(TRADES, waiting), TARDY)) == 30

    said = pipeline.json(*REPLAY)
    assert (said["replayed"], said["duplicate"], said["refused"]) == (30, 0, {})
    assert said["heal"] == [f"asknown backfill apply --from {DAY} --to {NEXT_DAY}"]
    again = pipeline.json(*REPLAY)
    assert (again["found"], again["replayed"]) == (0, 0)


def test_what_came_back_is_there_once_in_every_store_and_the_ledger_closes(
    waiting: Since, pipeline: Any, surfaces: Surfaces, eventually: Any
) -> None:
    reading = pipeline.json("ledger", "--wait", "180", check=False)
    assert reading["closed"], reading
    assert reading["stores_equal"], reading["stores"]
    assert reading["replayed"] >= 30
    exact = pipeline.json("ledger", "--lake", "--wait", "60", check=False)
    assert (exact["lake"]["exact"], exact["lake"]["equal"]) == (True, True), exact
    eventually(lambda: published(pipeline.settings) == CLOSED)

    kafka = of(surfaces.kafka(TRADES, waiting), TARDY)
    assert len(kafka) == 60
    assert set(Counter(row["event_id"] for row in kafka).values()) == {1}
    assert {row["entity_id"] for row in kafka} == {identity(TARDY)}
    assert judge_equal("Iceberg", kafka, of(surfaces.iceberg(TRADES, waiting), TARDY)) == []
    for final in (True, False):
        rows = of(surfaces.clickhouse(TRADES, waiting, final=final), TARDY)
        assert judge_equal("ClickHouse", kafka, rows) == []
    markers = surfaces.kafka(MARKERS, waiting)
    places = {(m["topic"], m["partition"], m["offset"]) for m in markers}
    assert places == {(w["topic"], w["partition"], w["offset"]) for w in waited(surfaces, waiting)}
    assert len(markers) == 30
    assert {m["known_at"] for m in markers} == {KNOWN}


def test_backfill_as_known_keeps_what_came_back_and_puts_it_into_its_bars(
    waiting: Since, pipeline: Any, surfaces: Surfaces
) -> None:
    before = bare(of(surfaces.iceberg(TRADES, waiting), TARDY))
    report = pipeline.json("backfill", "apply", "--from", str(DAY), "--to", str(NEXT_DAY))
    assert report["knowledge"] == "as-known"
    after = bare(of(surfaces.scan(TRADES, "kafka_partition = -1"), TARDY))
    assert judge_equal("silver.trade", before, after) == []
    assert len(after) == 60
    chosen = f"entity_id = '{identity(TARDY)}' AND interval_seconds = 1"
    bars = surfaces.scan("analytics.bar", chosen)
    assert sorted(bar["bar_start"] for bar in bars) == [OPEN + s * 1000 for s in range(60)]
    passed = pipeline.json("audit", "look_ahead", check=False)
    assert passed["passed"], json.dumps(passed, indent=1)


def bare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in COORDINATES} for row in rows]
