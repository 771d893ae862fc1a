"""A storm goes through the real jobs and is healed: nothing lost, doubled, or silently changed.

30 % copies, 30 % disorder up to the bound and more of it up to five minutes beyond, 5 % late, 2 %
poison, and half way the producer writes a newer schema. The right answer is the session's ledger
and its oracle. One small storm belongs to every run of the tests; `make test-storm` sends three
large ones, each of a seed and a day of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from asknown.contracts.catalog import contract
from asknown.contracts.registry import HEADER, RegistryClient
from asknown.ingestion.connectors.synthetic import SessionSpec
from asknown.ingestion.connectors.synthetic_mix import STORM
from asknown.ingestion.replay import Pace
from asknown.ingestion.session_ledger import Outcome
from tests.e2e.judge import LANES, kept_late
from tests.e2e.sessions import Day, Sender, load_reference
from tests.e2e.storms import TwoVersions, evolved, upgraded
from tests.e2e.surfaces import BARS, NORMALIZED, Surfaces
from tests.e2e.verdict import HEALED, RAW, Sent, judge, judge_healed, restarts, wait_until_through

SMALL, LARGE = 6_000, 60_000
PACE = Pace(speed=30, settle_seconds=8)  # ten minutes of the venue in twenty seconds

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Plan:
    """One storm: how large, of which seed, on which day."""

    events: int
    seed: int
    day: Day


@dataclass(frozen=True)
class Storm:
    """A storm that was sent and has gone through, and what was true before it."""

    plan: Plan
    sent: Sent
    restarts: dict[str, int]
    reading: Any


def _plan(events: int, seed: int, number: int, *marks: Any) -> Any:
    day = Day(number)
    name = f"seed {seed}, {events} records"
    when = pytest.mark.clock(str(day.date))
    return pytest.param(Plan(events, seed, day), id=name, marks=[when, *marks])


PLANS = (
    _plan(SMALL, 201, 4),
    _plan(LARGE, 202, 5, pytest.mark.storm),
    _plan(LARGE, 203, 6, pytest.mark.storm),
    _plan(LARGE, 204, 7, pytest.mark.storm),
)


@pytest.fixture(scope="module", params=PLANS)
def storm(
    request: pytest.FixtureRequest, pipeline: Any, surfaces: Surfaces, eventually: Any
) -> Storm:
    """Send a storm and wait until it has gone through."""
    plan: Plan = request.param
    spec, config = SessionSpec(plan.events, plan.seed, STORM), pipeline.settings
    load_reference(config, spec)
    since, before = surfaces.now(), restarts(config)
    with Sender(config, spec, plan.day, PACE, TwoVersions, upgraded) as sender:
        eventually(sender.done, 300, "the end of the storm")
    sent = Sent(sender.expected, since, surfaces.now())
    reading = wait_until_through(pipeline, eventually, surfaces, sent)
    return Storm(plan, sent, before, reading)


@pytest.fixture(scope="module")
def healed(storm: Storm, pipeline: Any, surfaces: Surfaces) -> Any:
    """Heal what the storm left late; return the ledger."""
    found = storm.sent.found(surfaces)
    late = [row for row in found.lanes["late.event"] if row["topic"] == RAW]
    assert len(late) >= 0.05 * storm.plan.events
    said = pipeline.json("heal", timeout=300)
    assert said["found"] >= len(late)
    return pipeline.json("ledger", "--wait", "120", check=False)


def test_ledger_of_the_storm_closes_and_the_stores_agree(storm: Storm) -> None:
    assert storm.reading["closed"], storm.reading
    assert storm.reading["stores_equal"], storm.reading["stores"]


def test_storm_is_what_the_oracle_says_in_every_store(storm: Storm, surfaces: Surfaces) -> None:
    assert judge(surfaces, storm.sent) == []


def test_records_of_both_schemas_are_accepted_by_running_jobs(
    storm: Storm, pipeline: Any, surfaces: Surfaces
) -> None:
    """The newer one is registered, and each of the two is accepted in every second of its time."""
    newer = evolved(contract(RAW).avro)
    with RegistryClient(pipeline.settings.registry_url) as registry:
        ids = {registry.register(contract(RAW).topic.subject, newer)}
        ids |= {registry.register(contract(RAW).topic.subject, contract(RAW).avro)}
    assert len(ids) == 2
    placed, found = storm.sent.placed(surfaces), storm.sent.found(surfaces)
    accepted = {(row["raw_partition"], row["raw_offset"]) for row in found.normalized}
    used = Counter(
        HEADER.unpack_from(record.value)[1]
        for record in surfaces.raw(RAW, storm.sent.since)
        if record.value and (record.partition, record.offset) in accepted
    )
    kept = kept_late(placed, found)
    wanted = sum(row.outcome is Outcome.NORMALIZED for row in placed.values()) + len(kept)
    assert used.keys() == ids
    assert used.total() == wanted
    # Of the second half copies and what was late come in the older bytes: far less than half.
    assert min(used.values()) > wanted // 8


def test_storm_restarts_no_job(storm: Storm, pipeline: Any) -> None:
    assert restarts(pipeline.settings) == storm.restarts


def test_healed_storm_is_what_the_oracle_says_of_all_its_records(
    storm: Storm, healed: Any, surfaces: Surfaces
) -> None:
    assert judge_healed(surfaces, storm.sent) == []
    assert healed["closed"], healed
    assert healed["stores_equal"], healed["stores"]


def test_healing_again_changes_nothing(
    storm: Storm, healed: Any, pipeline: Any, surfaces: Surfaces
) -> None:
    topics = (NORMALIZED, BARS, HEALED, *LANES)
    before = {topic: surfaces.count(topic, {}) for topic in topics}
    assert pipeline.json("heal", timeout=300)["found"] == 0
    assert {topic: surfaces.count(topic, {}) for topic in topics} == before


def test_healed_storm_used_nothing_that_was_learnt_later(
    storm: Storm, healed: Any, pipeline: Any
) -> None:
    found = pipeline.json("audit", check=False)
    assert found["passed"], found
    assert restarts(pipeline.settings) == storm.restarts
