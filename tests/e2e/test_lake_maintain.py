"""The lake looked after while jobs write to it; ClickHouse made anew; all compared with bronze.

The tests are steps of one story, in the order of the file.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from asknown.ingestion.connectors.synthetic import SessionSpec
from asknown.ingestion.replay import Pace
from asknown.storage.clickhouse import client
from tests.e2e.sessions import Day, Sender, load_reference
from tests.e2e.surfaces import BARS, NORMALIZED, Surfaces
from tests.e2e.verdict import Sent, compare_stores, judge, restarts, wait_until_through

DAY = Day(9)
DATE, NEXT = str(DAY.date), str(DAY.date + timedelta(days=1))
SPEC = SessionSpec(5_000, 411)
EAGER = ("--min-files", "2", "--older-than", "0", "--keep-snapshots", "1")
TABLES = ("bronze.trade", "silver.trade", "gold.bar")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.clock(DATE)]


def maintain(stack: Any) -> list[dict[str, Any]]:
    """Join files and forget snapshots as eagerly as can be; return what was done."""
    return [
        one
        for table in TABLES
        for one in stack.json("lake", "maintain", "--table", table, *EAGER)["tables"]
    ]


@pytest.fixture(scope="module")
def maintained(pipeline: Any, surfaces: Surfaces, eventually: Any) -> dict[str, Any]:
    """Send a session and look after the lake all the while; return what was sent and done."""
    load_reference(pipeline.settings, SPEC)
    since, before, done = surfaces.now(), restarts(pipeline.settings), []
    with Sender(pipeline.settings, SPEC, DAY, Pace(speed=60, settle_seconds=8)) as sender:
        while not sender.done():
            done += maintain(pipeline)
    sent = Sent(sender.expected, since, surfaces.now())
    wait_until_through(pipeline, eventually, surfaces, sent)
    done += maintain(pipeline)
    return {
        "sent": sent,
        "done": done,
        "restarts": (before, restarts(pipeline.settings)),
    }


def test_maintenance_beside_running_jobs_loses_and_doubles_nothing(
    maintained: dict[str, Any], surfaces: Surfaces
) -> None:
    assert judge(surfaces, maintained["sent"], late_may_pass=True) == []
    before, after = maintained["restarts"]
    assert after == before


def test_maintenance_joins_files_and_forgets_snapshots(maintained: dict[str, Any]) -> None:
    assert sum(one["snapshots"] for one in maintained["done"]) > 0
    # Told by what was done: how many files there are depends on what the lake job adds meanwhile.
    before, after = (
        sum(one[name] for one in maintained["done"]) for name in ("files_before", "files_after")
    )
    assert 0 < after < before


def test_recover_clickhouse_gives_back_what_was_lost(
    maintained: dict[str, Any], pipeline: Any, surfaces: Surfaces, eventually: Any
) -> None:
    with client("writer", settings=pipeline.settings) as connection:
        connection.command("TRUNCATE TABLE silver.trade")
    assert surfaces.clickhouse(NORMALIZED, maintained["sent"].since, final=True) == []

    pipeline.json("recover", "clickhouse", "--table", "silver.trade")

    def agrees() -> bool:
        return compare_stores(surfaces, maintained["sent"].since, (NORMALIZED, BARS)) == []

    assert eventually(agrees, 60, "ClickHouse to agree with Kafka and the lake")


def test_recover_lake_finds_that_only_the_late_records_are_missing(
    maintained: dict[str, Any], pipeline: Any, surfaces: Surfaces
) -> None:
    late = len(maintained["sent"].found(surfaces).lanes["late.event"])
    found = pipeline.json("recover", "lake", "--from", DATE, "--to", NEXT, "--compare", check=False)
    compared = {one["table"]: one for one in found["compared"]}
    trade = compared["silver.trade"]
    assert 0 <= trade["expected_rows"] - trade["found_rows"] <= late  # not healed yet
    assert compared["silver.quote"]["same"]
