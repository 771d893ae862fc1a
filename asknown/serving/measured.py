"""Read how data are from ClickHouse: measurements, newest records, what became of raw records.

What it means is decided by the pure functions of `asknown.quality`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asknown.contracts.catalog import Sla, Topic, contract, contracts
from asknown.errors import UsageError
from asknown.quality.freshness import Interval, judge
from asknown.quality.monitors import Moments
from asknown.reference import calendars
from asknown.reference.moments import FOR_EVER_MS, milliseconds, moment
from asknown.serving.datasets import Row
from asknown.serving.facts import Facts
from asknown.serving.store import Store

WINDOWS = 60  # windows before the newest one that say what is usual
SESSIONS = 20  # sessions before the newest one, for its minute
LANE_OFFSETS = 100_000  # newest offsets of each raw partition whose fate is counted
DAY_MS = 86_400_000
_REACH_MS = 120 * DAY_MS  # how far back windows are looked for
_K = "fromUnixTimestamp64Milli({known_at:Int64}, 'UTC')"
_AT = "fromUnixTimestamp64Milli({at:Int64}, 'UTC')"
_TIME = "DateTime64(3, 'UTC')"

QUALITY = Facts(
    name="quality",
    table="gold.quality",
    columns=(
        ("dataset", "dataset"),
        ("source", "measured_source"),
        ("metric", "metric"),
        ("column", "measured_column"),
        ("window_start", "event_time"),
        ("interval_seconds", "interval_seconds"),
        ("value", "value"),
        ("records", "records"),
        ("ingest_time", "ingest_time"),
        ("event_id", "event_id"),
    ),
    order=(("window_start", _TIME), ("event_id", "String")),
    of_listings="",
    known=(f"ingest_time <= {_K}",),
    ever=(f"ingest_time <= {_K}",),
)


@dataclass(frozen=True)
class Newest:
    """The newest record of a source at a venue; the venue is '' where none is named."""

    topic: Topic
    sla: Sla
    source: str
    venue: str
    last_ms: int
    records: int

    def state(self, at_ms: int) -> Row:
        """Return how fresh it is at a moment, as the API shows it."""
        by_venue = self.sla.calendar == "venue"
        intervals = open_intervals(self.venue, self.last_ms, at_ms) if by_venue else None
        found = judge(self.last_ms, at_ms, self.sla.freshness_seconds * 1000, intervals)
        session = "open" if found.open_now else "closed"
        if intervals is None:
            session = "no calendar" if by_venue else "always"
        return {
            "dataset": self.topic.name,
            "source": self.source,
            "venue": self.venue or None,
            "last_event_time": moment(self.last_ms),
            "age_seconds": found.age_ms / 1000,
            "open_age_seconds": found.open_age_ms / 1000,
            "session": session,
            "freshness_seconds": self.sla.freshness_seconds,
            "verdict": found.verdict.value,
        }


@dataclass
class Measurements:
    """The newest window of a source in a dataset, and those before it, newest first."""

    dataset: str
    source: str
    window_ms: int
    first_ms: int
    records: float = 0.0
    now: dict[tuple[str, str], float] = field(default_factory=dict)  # by metric and column
    before: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    moments: dict[str, list[Moments]] = field(default_factory=dict)  # by column, the newest first


@dataclass(frozen=True)
class Fates:
    """What became of the newest raw records of a source; it is '' of what could not be read."""

    source: str
    records: int
    normalized: int
    duplicate: int
    late: int
    quarantined: int


def newest(store: Store, at_ms: int = FOR_EVER_MS) -> list[Newest]:
    """Return the newest record, up to a moment, of each dataset that something is promised of."""
    found = []
    for topic in (c.topic for c in contracts().values()):
        if topic.sla is None:
            continue
        sql = (
            "SELECT source, ifNull(venue, '') AS place, max(event_time), count()"  # noqa: S608  # a table of topics.yaml
            f" FROM {topic.table} WHERE event_time <= {_AT}"
            " GROUP BY source, place ORDER BY source, place"
        )
        for source, venue, last, records in store.query(sql, {"at": at_ms}):
            one = Newest(topic, topic.sla, source, venue, milliseconds(last), int(records))
            found.append(one)
    return found


def data_time(found: Iterable[Newest]) -> int:
    """Return the newest event time of all datasets; 0 where there is none."""
    return max((one.last_ms for one in found), default=0)


def open_intervals(venue: str, start_ms: int, end_ms: int) -> list[Interval] | None:
    """Return when a venue is open on the days between; None where no calendar says so."""
    if venue not in calendars.VENUES:
        return None
    first, last = sorted(calendars.local_date(venue, at) for at in (start_ms, end_ms))
    try:
        return [day.regular for day in calendars.day_schedules(venue, first, last)]
    except UsageError:  # outside the years whose sessions are known
        return None


def measurements(store: Store, at_ms: int) -> list[Measurements]:
    """Return the newest complete window of every source, up to a moment, and those before it."""
    sql = (
        "SELECT dataset, measured_source, max(event_time), min(event_time) FROM gold.quality"  # noqa: S608  # of fixed parts
        f" WHERE event_time + toIntervalSecond(interval_seconds) <= {_AT}"
        " GROUP BY dataset, measured_source ORDER BY dataset, measured_source"
    )
    found = []
    for dataset, source, last, first in store.query(sql, {"at": at_ms}):
        one = Measurements(dataset, source, milliseconds(last), milliseconds(first))
        _read_windows(store, one)
        found.append(one)
    return found


def _read_windows(store: Store, one: Measurements) -> None:
    sql = (
        "SELECT metric, ifNull(measured_column, '') AS name, event_time, value, records"  # noqa: S608
        " FROM gold.quality FINAL WHERE entity_id = {entity:String}"
        f" AND event_time <= {_AT} AND event_time > fromUnixTimestamp64Milli({{from:Int64}}, 'UTC')"
        " ORDER BY event_time DESC LIMIT {windows:UInt32} BY metric, name"
    )
    bounds = {"at": one.window_ms, "from": one.window_ms - _REACH_MS, "windows": WINDOWS + 1}
    rows = store.query(sql, {"entity": f"{one.dataset}|{one.source}", **bounds})
    spread: dict[tuple[str, datetime], float] = {
        (name, at): value for metric, name, at, value, _ in rows if metric == "stddev"
    }
    moments: dict[str, list[Moments]] = defaultdict(list)
    before: dict[tuple[str, str], list[float]] = defaultdict(list)
    for metric, name, at, value, records in rows:
        if milliseconds(at) == one.window_ms:
            one.now[metric, name] = value
        else:
            before[metric, name].append(value)
        if metric == "mean":
            moments[name].append(Moments(records, value, spread.get((name, at), 0.0)))
    one.before, one.moments = dict(before), dict(moments)
    one.records = one.now.get(("records", ""), 0.0)


def records_in(store: Store, one: Measurements, windows: Iterable[int]) -> list[float]:
    """Return how many records each window held; one that was not measured held none."""
    wanted = [at for at in windows if at >= one.first_ms]
    sql = (
        "SELECT event_time, value FROM gold.quality FINAL WHERE entity_id = {entity:String}"
        " AND metric = 'records' AND toUnixTimestamp64Milli(event_time) IN {windows:Array(Int64)}"
    )
    parameters = {"entity": f"{one.dataset}|{one.source}", "windows": wanted}
    held = {milliseconds(at): value for at, value in store.query(sql, parameters)}
    return [held.get(at, 0.0) for at in wanted]


def fates(store: Store, dataset: str) -> list[Fates]:
    """Return what became of the newest raw records of a dataset, by source.

    Records are told apart and put in order by their raw coordinates, which every lane keeps: event
    times are lost with what cannot be read, and arrival times of a replay lie on two clocks. A
    record that was late and was healed counts as both, once in the total.
    """
    lanes = " UNION ALL ".join(
        f"SELECT source, `partition`, `offset`, '{lane}' FROM ops.{lane}_event"  # noqa: S608
        " WHERE topic = {topic:String}"
        for lane in ("duplicate", "late", "quarantine")
    )
    table = contract(f"normalized.{dataset}").topic.table
    counts = ", ".join(
        f"uniqExactIf((place, number), lane = '{lane}')"
        for lane in ("normalized", "duplicate", "late", "quarantine")
    )
    sql = (
        "WITH passed AS (SELECT source, raw_partition AS place, raw_offset AS number,"  # noqa: S608
        f" 'normalized' AS lane FROM {table} UNION ALL {lanes})"
        f" SELECT source, uniqExact((place, number)), {counts} FROM passed"
        " INNER JOIN (SELECT place, max(number) AS head FROM passed GROUP BY place) AS heads"
        " USING (place) WHERE number > head - {offsets:Int64} GROUP BY source ORDER BY source"
    )
    parameters = {"topic": f"raw.{dataset}", "offsets": LANE_OFFSETS}
    return [Fates(*_counted(row)) for row in store.query(sql, parameters)]


def _counted(row: Any) -> tuple[Any, ...]:
    source, *counts = row
    return (source, *(int(n) for n in counts))
