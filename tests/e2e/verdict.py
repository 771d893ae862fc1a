"""Wait until a session has gone through every stage, and judge it on every surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from asknown.ingestion import oracle
from asknown.ingestion.session_ledger import Expected
from asknown.settings import Settings
from tests.e2e.judge import (
    LANES,
    Coordinate,
    Found,
    Row,
    judge_bars,
    judge_equal,
    judge_order,
    judge_records,
    kept_late,
    place,
)
from tests.e2e.surfaces import BARS, NORMALIZED, Since, Surfaces

RAW = "raw.trade"
INTERVALS = (1, 60)


@dataclass(frozen=True)
class Sent:
    """A session that was sent: its ledger, and the ends of all topics before and behind it."""

    expected: Sequence[Expected]
    since: Since
    until: Since

    def placed(self, surfaces: Surfaces) -> dict[Coordinate, Expected]:
        """Return the ledger row of each record in Kafka."""
        raw = [
            record
            for record in surfaces.raw(RAW, self.since)
            if record.offset < self.until[RAW, record.partition]
        ]
        partitions = sum(topic == RAW for topic, _ in self.since)
        return place(self.expected, raw, partitions)

    def bars(self, found: Found, placed: dict[Coordinate, Expected]) -> list[oracle.ExpectedBar]:
        """Return the bars that must be there, given which late records were judged on time."""
        kept = kept_late(placed, found) - _late_for_bars(found)
        return [bar for seconds in INTERVALS for bar in oracle.bars(self.expected, seconds, kept)]


def wait_until_through(stack: Any, eventually: Any, surfaces: Surfaces, sent: Sent) -> Any:
    """Wait until every record has its place, every bar is out and the stores agree; the ledger."""
    reading = stack.json("ledger", "--wait", "180", check=False)
    if not reading["closed"]:
        return reading
    found = surfaces.found_in_kafka(sent.since)
    bars = len(sent.bars(found, sent.placed(surfaces)))
    eventually(lambda: surfaces.count(BARS, sent.since) >= bars, 60, f"{bars} bars")
    return stack.json("ledger", "--wait", "60", check=False)


def judge(surfaces: Surfaces, sent: Sent, *, late_may_pass: bool = False) -> list[str]:
    """Return what is wrong with a session in any store; nothing when all is right."""
    found = surfaces.found_in_kafka(sent.since)
    placed = sent.placed(surfaces)
    findings = judge_records(placed, found, RAW, late_may_pass)
    findings += judge_order(found.normalized)
    if not late_may_pass:
        findings += [f"late for its bar: {name}" for name in sorted(_late_for_bars(found))]
    bars = surfaces.kafka(BARS, sent.since)
    for seconds in INTERVALS:
        wanted = [bar for bar in sent.bars(found, placed) if bar.interval_seconds == seconds]
        rows = [row for row in bars if row["interval_seconds"] == seconds]
        findings += judge_bars(wanted, rows)
    for topic, rows in ((NORMALIZED, found.normalized), (BARS, bars), *found.lanes.items()):
        findings += _compare_stores(surfaces, sent.since, topic, rows)
    return findings


def restarts(config: Settings) -> dict[str, int]:
    """Return how often each running job was restarted."""
    url = config.flink_url
    found = {}
    for job in httpx2.get(f"{url}/jobs/overview").json()["jobs"]:
        if job["state"] == "RUNNING":
            path = f"{url}/jobs/{job['jid']}/metrics"
            (metric,) = httpx2.get(path, params={"get": "numRestarts"}).json()
            found[job["name"]] = int(metric["value"])
    return found


def _compare_stores(surfaces: Surfaces, since: Since, topic: str, rows: Sequence[Row]) -> list[str]:
    return [
        *judge_equal(f"Iceberg, {topic},", rows, surfaces.iceberg(topic, since)),
        *judge_equal(f"ClickHouse, {topic},", rows, surfaces.clickhouse(topic, since, final=True)),
        *judge_equal(
            f"ClickHouse without FINAL, {topic},",
            rows,
            surfaces.clickhouse(topic, since, final=False),
        ),
    ]


def _late_for_bars(found: Found) -> frozenset[str]:
    """Return the ids that were normalized and then came too late for their bar."""
    assert set(found.lanes) == set(LANES)
    rows = found.lanes["late.event"]
    return frozenset(str(row["raw_event_id"]) for row in rows if row["topic"] == NORMALIZED)
