"""Wait until a session has gone through every stage, and judge it on every surface."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asknown.ingestion import oracle
from asknown.ingestion.oracle import ExpectedBar
from asknown.ingestion.session_ledger import Expected
from asknown.settings import Settings
from asknown.stack.flink import FlinkRest
from tests.e2e.judge import (
    LANES,
    Coordinate,
    Found,
    Row,
    after_heal,
    found_late,
    in_time,
    judge_bars,
    judge_equal,
    judge_markers,
    judge_order,
    judge_records,
    kept_late,
    place,
)
from tests.e2e.surfaces import BARS, NORMALIZED, Since, Surfaces, ends

RAW = "raw.trade"
HEALED = "healed.event"
INTERVALS = (1, 60)
MINUTE_MS = 60_000


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

    def is_mine(self, partition: int, offset: int) -> bool:
        """Tell whether a coordinate of the raw topic lies in this session."""
        return self.since[RAW, partition] <= offset < self.until[RAW, partition]

    def of(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows of lanes or markers that name a record of this session."""
        ids = {row.event_id for row in self.expected if row.event_id}
        return [
            row
            for row in rows
            if (row["topic"] == RAW and self.is_mine(row["partition"], row["offset"]))
            or (row["topic"] == NORMALIZED and row["raw_event_id"] in ids)
        ]

    def found(self, surfaces: Surfaces) -> Found:
        """Return what Kafka holds of this session; a healing brings rows of others as well."""
        whole = surfaces.found_in_kafka(self.since)
        rows = [r for r in whole.normalized if self.is_mine(r["raw_partition"], r["raw_offset"])]
        return Found(rows, {lane: self.of(found) for lane, found in whole.lanes.items()})

    def found_bars(self, surfaces: Surfaces) -> list[dict[str, Any]]:
        """Return the bars of this session's time in Kafka."""
        times = [row.event_time_ms for row in self.expected if row.listing_id]
        first, last = min(times) // MINUTE_MS * MINUTE_MS, max(times)
        rows = surfaces.kafka(BARS, self.since)
        return [row for row in rows if first <= row["bar_start"] <= last]

    def bars(self, found: Found, placed: dict[Coordinate, Expected]) -> list[ExpectedBar]:
        """Return the bars that must be there, given which late records were judged on time."""
        kept = kept_late(placed, found) - _late_for_bars(found)
        return [bar for seconds in INTERVALS for bar in oracle.bars(self.expected, seconds, kept)]


def wait_until_through(stack: Any, eventually: Any, surfaces: Surfaces, sent: Sent) -> Any:
    """Wait until every record has its place, every bar is out and the stores agree; the ledger."""
    reading = stack.json("ledger", "--wait", "180", check=False)
    assert reading["closed"], json.dumps([reading, why_open(surfaces.config)])
    bars = len(sent.bars(sent.found(surfaces), sent.placed(surfaces)))
    eventually(lambda: surfaces.count(BARS, sent.since) >= bars, 60, f"{bars} bars")
    return stack.json("ledger", "--wait", "60", check=False)


def judge(surfaces: Surfaces, sent: Sent, *, late_may_pass: bool = False) -> list[str]:
    """Return what is wrong with a session in any store; nothing when all is right."""
    found = sent.found(surfaces)
    placed = sent.placed(surfaces)
    findings = judge_records(placed, found, RAW, late_may_pass)
    findings += judge_order(found.normalized)
    if not late_may_pass:
        findings += [f"late for its bar: {name}" for name in sorted(_late_for_bars(found))]
    findings += judge_bars_of_all(sent.bars(found, placed), sent.found_bars(surfaces))
    return findings + compare_stores(surfaces, sent.since, (NORMALIZED, BARS, *LANES))


def judge_healed(surfaces: Surfaces, sent: Sent) -> list[str]:
    """Return what is wrong with a session after `asknown heal`; nothing when all is right."""
    markers = sent.of(surfaces.kafka(HEALED, sent.since))
    findings = judge_healing(
        sent.placed(surfaces), sent.found(surfaces), markers, sent.found_bars(surfaces)
    )
    return findings + compare_stores(surfaces, sent.since, (NORMALIZED, BARS, HEALED, *LANES))


def judge_healing(
    placed: Mapping[Coordinate, Expected],
    found: Found,
    markers: Sequence[Row],
    bars: Sequence[Row],
) -> list[str]:
    """Judge a session in one store: records, order of what was in time, bars and revisions."""
    late = found_late(placed, found, RAW)
    findings = judge_records(in_time(placed), after_heal(found, markers, RAW), RAW)
    findings += judge_markers(placed, markers, RAW)
    findings += judge_order(row for row in found.normalized if row["event_id"] not in late)
    # What was healed comes too late for its bar in the running job too; nothing else may.
    findings += [f"late for its bar: {name}" for name in sorted(_late_for_bars(found) - late)]
    rows = list(placed.values())
    wanted = [bar for seconds in INTERVALS for bar in oracle.revised(rows, seconds, late)]
    return findings + judge_bars_of_all(wanted, bars)


def judge_bars_of_all(wanted: Sequence[ExpectedBar], rows: Sequence[Row]) -> list[str]:
    """Judge the bars of each interval."""
    return [
        finding
        for seconds in INTERVALS
        for finding in judge_bars(
            [bar for bar in wanted if bar.interval_seconds == seconds],
            [row for row in rows if row["interval_seconds"] == seconds],
        )
    ]


def restarts(config: Settings) -> dict[str, int]:
    """Return how often each running job failed and was restarted."""
    with FlinkRest(config.flink_url, timeout=30) as rest:
        running = [job for job in rest.jobs() if job["state"] == "RUNNING"]
        return {job["name"]: len(rest.exceptions(job["jid"])) for job in running}


def why_open(config: Settings) -> dict[str, Any]:
    """Return what may keep a ledger open: how the jobs are, and open transactions.

    Of a partition with an open transaction, how many records lie behind its beginning: nobody who
    reads what is committed sees those.
    """
    with FlinkRest(config.flink_url, timeout=30) as rest:
        jobs = {
            job["name"]: {
                "state": job["state"],
                "failures": [one["exceptionName"] for one in rest.exceptions(job["jid"])],
                "checkpoints": rest.checkpoints(job["jid"])["counts"],
            }
            for job in rest.jobs()
        }
    committed, written = ends(config, "read_committed"), ends(config, "read_uncommitted")
    hidden = {
        f"{topic}[{partition}]@{end}": written[topic, partition] - end
        for (topic, partition), end in committed.items()
        if written[topic, partition] > end
    }
    return {"jobs": jobs, "open_transactions": hidden}


def compare_stores(surfaces: Surfaces, since: Since, topics: Sequence[str]) -> list[str]:
    """Compare whole rows of topics in Kafka with those of the lake and ClickHouse."""
    findings: list[str] = []
    for topic in topics:
        rows = surfaces.kafka(topic, since)
        final = surfaces.clickhouse(topic, since, final=True)
        loaded = surfaces.clickhouse(topic, since, final=False)
        findings += judge_equal(f"Iceberg, {topic},", rows, surfaces.iceberg(topic, since))
        findings += judge_equal(f"ClickHouse, {topic},", rows, final)
        findings += judge_equal(f"ClickHouse without FINAL, {topic},", rows, loaded)
    return findings


def _late_for_bars(found: Found) -> frozenset[str]:
    """Return the ids that were normalized and then came too late for their bar."""
    assert set(found.lanes) == set(LANES)
    rows = found.lanes["late.event"]
    return frozenset(str(row["raw_event_id"]) for row in rows if row["topic"] == NORMALIZED)
