"""The sample companies through a stack of the default size, and the research tables of them.

Thirteen years pass in seconds: whatever opens something for each day runs out of memory here. The
stack is its own, since its clock stands in 2013 afterwards.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import numpy as np
import pandas as pd
import pytest

from asknown.features.definitions import definitions
from asknown.settings import Settings
from asknown.stack.flink import FlinkRest
from asknown.storage.iceberg import count, lake
from tests.e2e.conftest import Eventually, Stack, free_offset
from tests.e2e.verdict import restarts
from tests.unit.features import reference

JOBS = ("reference", "normalize", "lake")
NO_TIME = -(2**63)
MINUTE_MS = 60_000
BARS = 12_154
ACTIONS = 96
FOR_EVER = 9999  # the year
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Companies:
    """The stack, and how many rows `asknown research compute` said that each table has."""

    stack: Stack
    rows: dict[str, int]

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the lake."""
        return lake(self.stack.settings).load_table(name).scan().to_pandas()


@pytest.fixture(scope="module")
def companies(eventually: Eventually) -> Iterator[Companies]:
    """Yield a stack whose lake holds the sample companies and the tables computed of them."""
    pytest.importorskip("bokeh_sampledata", reason="the sample companies are not installed")
    with tempfile.TemporaryDirectory(prefix="asknown-samples-") as folder:
        stack = Stack(Settings(port_offset=free_offset(), data_dir=Path(folder) / "data"))
        try:
            stack.run("up", "--only", "kafka,registry,flink,postgres")
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda job: stack.run("job", "submit", job), JOBS))
            stack.run("reference", "load", "samples")
            stack.run("ingest", "samples")
            eventually(lambda: count("silver.bar", stack.settings) >= BARS, 120, "the bars")
            computed = stack.json("research", "compute")
            yield Companies(stack, computed["rows"])
        finally:
            stack.run("down", check=False)


def current(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that nothing has superseded."""
    return frame[[moment.year == FOR_EVER for moment in frame["known_to"]]]


def test_thirteen_years_reach_the_lake_once_and_restart_nothing(companies: Companies) -> None:
    bars = companies.table("silver.bar")
    assert len(bars) == BARS
    assert bars["event_id"].is_unique
    assert len(companies.table("silver.corporate_action")) == ACTIONS
    assert set(restarts(companies.stack.settings).values()) == {0}


def test_a_day_of_each_bar_and_of_each_feature_is_computed(companies: Companies) -> None:
    rows = companies.rows
    assert rows["gold.daily_bar"] == BARS == len(companies.table("gold.daily_bar"))
    features = companies.table("gold.feature")
    assert rows["gold.feature"] == len(features)
    without_market = {one.name for one in definitions().features if one.measure != "beta"}
    assert set(features["feature_name"]) == without_market


@pytest.mark.parametrize("name", ["return_1d", "momentum_12_1", "adv_20d"])
def test_feature_in_the_lake_is_what_pandas_gives(companies: Companies, name: str) -> None:
    days = current(companies.table("gold.daily_bar")).sort_values("trade_date")
    numbers = ["open", "high", "low", "close", "volume"]
    days[numbers] = days[numbers].astype(float)
    found = current(companies.table("gold.feature"))
    found = found[found["feature_name"] == name]
    for listing, frame in days.groupby("entity_id"):
        expected: Any = reference.FEATURES[name](frame.reset_index(drop=True))
        expected.index = frame["trade_date"]
        expected = expected[np.isfinite(expected)]
        mine = found[found["entity_id"] == listing].set_index("trade_date")["value"].sort_index()
        assert list(mine.index) == list(expected.index), listing
        assert mine.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-8), listing


@pytest.mark.storm  # a minute that `make test`, which has an hour, leaves to test-storm
def test_computed_again_the_tables_are_the_same(companies: Companies) -> None:
    before = {name: companies.table(name) for name in companies.rows}
    again = companies.stack.json("research", "compute")
    assert again["rows"] == companies.rows
    for name, frame in before.items():
        both = (frame, companies.table(name))
        left, right = (one.sort_values([*one.columns], ignore_index=True) for one in both)
        pd.testing.assert_frame_equal(left, right)


def test_what_ran_was_told_as_events(companies: Companies) -> None:
    file = companies.stack.settings.data_dir / "lineage" / "events.ndjson"
    told = [json.loads(line) for line in file.read_text().splitlines()]
    states: dict[str, list[str]] = {}
    for event in told:
        states.setdefault(event["job"]["name"], []).append(event["eventType"])
    assert {job: states[job][:2] for job in JOBS} == dict.fromkeys(JOBS, ["START", "RUNNING"])
    assert states["research"][:2] == ["START", "COMPLETE"]
    with FlinkRest(companies.stack.settings.flink_url) as rest:
        assert {UUID(event["run"]["runId"]).hex for event in told} == {
            job["jid"] for job in rest.jobs()
        }


@pytest.mark.storm  # another one
def test_jobs_restarted_after_a_replay_know_the_time_again_by_a_heartbeat(
    companies: Companies, eventually: Eventually
) -> None:
    stack = companies.stack
    before = restarts(stack.settings)
    stack.kill(stack.working_taskmanager())
    eventually(lambda: restarts(stack.settings) != before, 60, "the jobs to notice")
    eventually(lambda: _watermarks(stack) == {NO_TIME}, 90, "the jobs to run, and know no time")
    told = stack.json("ingest", "heartbeat")
    clock = int(datetime.fromisoformat(told["clock"]).timestamp() * 1000)
    assert eventually(
        lambda: min(_watermarks(stack)) >= clock - MINUTE_MS, 60, "every operator to know the time"
    )


def _watermarks(stack: Stack) -> set[int]:
    """Return the watermarks of all subtasks of normalize that read from another one."""
    address = stack.settings.flink_url
    with FlinkRest(address) as rest:
        job = next(j for j in rest.jobs() if (j["name"], j["state"]) == ("normalize", "RUNNING"))
        vertices = rest.job(job["jid"])["vertices"]
    found = [
        httpx2.get(f"{address}/jobs/{job['jid']}/vertices/{one['id']}/watermarks").json()
        for one in vertices
        if not one["name"].startswith("Source")
    ]
    return {int(subtask["value"]) for vertex in found for subtask in vertex}
