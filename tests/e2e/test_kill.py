"""kill -9 in the middle of a session: all recovers by itself, nothing is lost, nothing doubled.

Each seed has a day and a session of its own on the shared stack. It chooses the moments, and
who dies in which order. The first loses one TaskManager after the other, for one that
dies can leave a checkpoint behind that hangs. The third also loses the broker. The second and the
third lose their TaskManager while late records are on their way: after a restore nobody may have
forgotten how late it is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from asknown.ingestion.connectors import synthetic_market as market
from asknown.ingestion.connectors.synthetic import SessionSpec
from asknown.ingestion.event import Settle
from asknown.ingestion.replay import Pace
from asknown.ingestion.session_ledger import Outcome
from tests.e2e.sessions import Day, Sender, load_reference
from tests.e2e.stream_log import StreamLog, judge_in_time, wait_until_told
from tests.e2e.surfaces import BARS, NORMALIZED, Surfaces
from tests.e2e.verdict import Sent, judge, restarts, wait_until_through

EVENTS = 30_000
PACE = Pace(speed=20, settle_seconds=5)  # ten minutes of the venue in half a minute
SLOW = Pace(speed=3, settle_seconds=5)  # 40 s for a job to come up before the next one dies
TASKMANAGER, LOADER, CLICKHOUSE, KAFKA = "taskmanager", "loader", "clickhouse", "kafka"
REDIS, LIVE, API = "redis", "live", "api"
VICTIMS = (TASKMANAGER, LOADER, CLICKHOUSE, REDIS, LIVE, API)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Plan:
    """One run: its day, its seed, and what is peculiar about it."""

    day: Day
    seed: int
    broker_too: bool = False
    among_late: bool = False
    again: int = 0  # further TaskManagers, at even distances
    pace: Pace = PACE

    def deaths(self, sender: Sender) -> list[tuple[int, str]]:
        """Return (records sent until then, who dies), ascending."""
        dice = random.Random(self.seed)
        victims = [*VICTIMS, *([KAFKA] if self.broker_too else [])]
        dice.shuffle(victims)
        moments = sorted(dice.sample(range(EVENTS // 10, EVENTS * 9 // 10), len(victims)))
        found = dict(zip(victims, moments, strict=True))
        if self.among_late:
            late = sum(row.outcome is Outcome.LATE for row in sender.expected)
            found[TASKMANAGER] = settle_index(sender) + late + 1
        deaths = [(moment, victim) for victim, moment in found.items()]
        deaths += [(EVENTS * n // (self.again + 1), TASKMANAGER) for n in range(1, self.again + 1)]
        return sorted(deaths)


def settle_index(sender: Sender) -> int:
    deliveries = sender.session.deliveries
    return next(n for n, one in enumerate(deliveries) if isinstance(one, Settle))


PLANS = (
    # `make test`, which has an hour, leaves the first two to test-storm.
    pytest.param(
        Plan(Day(1), 101, again=4, pace=SLOW),
        id="seed 101, five TaskManagers",
        marks=[pytest.mark.clock("2024-10-29"), pytest.mark.storm],
    ),
    pytest.param(
        Plan(Day(2), 102, among_late=True),
        id="seed 102, among late records",
        marks=[pytest.mark.clock("2024-10-30"), pytest.mark.storm],
    ),
    pytest.param(
        Plan(Day(3), 103, broker_too=True, among_late=True),
        id="seed 103, among late records, the broker too",
        marks=pytest.mark.clock("2024-10-31"),
    ),
)


def kill(stack: Any, eventually: Any, victim: str) -> None:
    name = victim
    if victim == TASKMANAGER:  # on a machine that is too busy, none may be known for a moment
        name = eventually(stack.working_taskmanager, 60, "a working TaskManager")
    print(f"\n  killed {name} {stack.kill(name)}", end="")


def listings() -> list[str]:
    return sorted({market.listing_of(symbol) for symbol in market.SYMBOLS})


@pytest.mark.parametrize("plan", PLANS)
def test_nothing_is_lost_or_doubled_when_processes_are_killed(
    pipeline: Any, surfaces: Surfaces, eventually: Any, plan: Plan
) -> None:
    spec = SessionSpec(EVENTS, plan.seed)
    load_reference(pipeline.settings, spec)
    since, before = surfaces.now(), restarts(pipeline.settings)
    trades = {"channel": "trades", "entity_ids": listings()}
    with (
        StreamLog(pipeline.settings, **trades) as watched,
        Sender(pipeline.settings, spec, plan.day, plan.pace) as sender,
    ):
        for moment, victim in plan.deaths(sender):
            eventually(
                lambda moment=moment: sender.sent >= moment or sender.done(), 180, f"{moment} sent"
            )
            kill(pipeline, eventually, victim)
        eventually(sender.done, 180, "the end of the session")
        sent = Sent(sender.expected, since, surfaces.now())
        reading = wait_until_through(pipeline, eventually, surfaces, sent)
        lasts = surfaces.lasts((NORMALIZED, BARS), since)
        wait_until_told(pipeline.settings, eventually, lasts)
        of_listings = set(listings())
        trades_told = [
            row for row in surfaces.kafka(NORMALIZED, since) if row["entity_id"] in of_listings
        ]
        assert judge_in_time(trades_told, watched) == []
    assert judge(surfaces, sent, late_may_pass=True) == []
    assert reading["closed"], reading
    assert reading["stores_equal"], reading["stores"]
    after = eventually(lambda: restarts(pipeline.settings), 60, "the jobs")
    assert after.keys() == before.keys()
    assert max(after[job] - before[job] for job in after) > 0
    assert pipeline.state("flink") == "ready"
