"""The judge: what a session's records must have become, against what was found. Pure functions.

Each returns its findings, at most a handful of lines each naming an id; none means it is content.
It shares nothing with the jobs: the right answer comes from the session's ledger and its oracle.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from asknown.contracts.partitions import partition_of
from asknown.ingestion.oracle import ExpectedBar, is_healable, scaled
from asknown.ingestion.session_ledger import Expected, Outcome

Row = Mapping[str, Any]
Coordinate = tuple[int, int]
SHOWN = 20
_UNIT = 10**8
LANES = {
    "quarantine.event": Outcome.QUARANTINED,
    "late.event": Outcome.LATE,
    "duplicate.event": Outcome.DUPLICATE,
}
_FACTORS = ("price_factor", "split_factor", "share_factor", "factor_version")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of a raw topic as it lies in Kafka."""

    partition: int
    offset: int
    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Found:
    """What one store holds of a session: normalized rows, and the rows of each lane by topic."""

    normalized: Sequence[Row]
    lanes: Mapping[str, Sequence[Row]]


def place(
    expected: Iterable[Expected], raw: Iterable[RawRecord], partitions: int
) -> dict[Coordinate, Expected]:
    """Return the ledger row of each raw record.

    The idempotent producer keeps the order of a partition, so the n-th row of the ledger that
    belongs to a partition is its n-th record; the keys must agree.
    """
    by_partition: dict[int, list[RawRecord]] = defaultdict(list)
    for record in sorted(raw, key=lambda one: one.offset):
        by_partition[record.partition].append(record)
    placed: dict[Coordinate, Expected] = {}
    taken: Counter[int] = Counter()
    for row in expected:
        partition = partition_of(row.key, partitions)
        record = by_partition[partition][taken[partition]]
        assert record.key == row.key, f"record {row.index} of the ledger is not at {record}"
        taken[partition] += 1
        placed[partition, record.offset] = row
    sent = {partition: len(rows) for partition, rows in by_partition.items() if rows}
    assert dict(taken) == sent, f"the ledger has {dict(taken)} records, Kafka {sent}"
    return placed


def kept_late(placed: Mapping[Coordinate, Expected], found: Found) -> frozenset[str]:
    """Return the ids of late records that are normalized all the same (see oracle.normalized)."""
    late = {row.event_id for row in placed.values() if is_healable(row)}
    return frozenset(row["event_id"] for row in found.normalized) & late


def found_late(placed: Mapping[Coordinate, Expected], found: Found, topic: str) -> frozenset[str]:
    """Return the ids of records that a run found late and that a healing must normalize."""
    late = {(r["partition"], r["offset"]) for r in found.lanes["late.event"] if r["topic"] == topic}
    return frozenset(row.event_id for at, row in placed.items() if at in late and is_healable(row))


def in_time(placed: Mapping[Coordinate, Expected]) -> dict[Coordinate, Expected]:
    """Return what each record must be when lateness is forgotten: after everything is healed."""
    return {
        at: replace(row, outcome=row.in_time[0], reason=row.in_time[1])
        for at, row in placed.items()
    }


def after_heal(found: Found, markers: Iterable[Row], topic: str) -> Found:
    """Return where each record is by the markers: a late one is what it was healed as.

    A marker takes its row out of the late lane. One that names no late record, or one that another
    marker named, adds what it says all the same, so that the record is found twice.
    """
    lanes = {lane: [r for r in rows if r["topic"] == topic] for lane, rows in found.lanes.items()}
    late = {(row["partition"], row["offset"]): row for row in lanes["late.event"]}
    twice = len(lanes["late.event"]) - len(late)
    assert not twice, f"{twice} records are in the late lane twice"
    for marker in (one for one in markers if one["topic"] == topic):
        known = late.pop((marker["partition"], marker["offset"]), None)
        outcome = marker["outcome"]
        lane = "duplicate.event" if outcome in ("DUPLICATE", "NORMALIZED") else "quarantine.event"
        if outcome != "NORMALIZED" or known is None:
            lanes[lane].append({**marker, "reason": outcome})
    return Found(found.normalized, {**lanes, "late.event": list(late.values())})


def judge_markers(
    placed: Mapping[Coordinate, Expected], markers: Iterable[Row], topic: str
) -> list[str]:
    """Check that markers of healing name the records that lie at their coordinates."""
    findings: list[str] = []
    for marker in (one for one in markers if one["topic"] == topic):
        at = (marker["partition"], marker["offset"])
        wanted = placed[at].event_id if at in placed else None
        if marker["raw_event_id"] != wanted:
            findings.append(f"the marker of {at} names {marker['raw_event_id']}, not {wanted}")
    return _first(findings)


def judge_records(
    placed: Mapping[Coordinate, Expected],
    found: Found,
    topic: str = "raw.trade",
    late_may_pass: bool = False,
) -> list[str]:
    """Compare class, reason and content of every raw record; each must be in exactly one class."""
    fates: dict[Coordinate, list[tuple[Outcome, str]]] = defaultdict(list)
    findings: list[str] = []
    for row in found.normalized:
        at = (row["raw_partition"], row["raw_offset"])
        fates[at].append((Outcome.NORMALIZED, ""))
        if at in placed:
            findings += _altered(placed[at], row)
    for lane, rows in found.lanes.items():
        for row in rows:
            if row["topic"] == topic:
                at = (row["partition"], row["offset"])
                fates[at].append((LANES[lane], row["reason"]))
    for at, expected in placed.items():
        findings += _misjudged(at, expected, fates.pop(at, []), late_may_pass)
    findings += [f"nothing was sent at {at}, found {fate}" for at, fate in fates.items()]
    return _first(findings)


def judge_order(rows: Iterable[Row]) -> list[str]:
    """Check rows of a topic: within an entity event time never goes back, in one partition."""
    findings: list[str] = []
    newest: dict[str, tuple[int, int]] = {}
    for row in sorted(rows, key=lambda one: (one["kafka_partition"], one["kafka_offset"])):
        partition, at = newest.get(row["entity_id"], (row["kafka_partition"], 0))
        if partition != row["kafka_partition"] or row["event_time"] < at:
            findings.append(f"{row['event_id']} of {row['entity_id']} is out of order")
        newest[row["entity_id"]] = (row["kafka_partition"], row["event_time"])
    return _first(findings)


def judge_bars(expected: Iterable[ExpectedBar], rows: Iterable[Row]) -> list[str]:
    """Compare trade bars of one interval in every value, as integers; each bar exactly once."""
    wanted = {_bar_key(bar): bar for bar in expected}
    times = Counter(row["event_id"] for row in rows)
    findings = [f"bar {key} is there {n} times" for key, n in times.items() if n > 1]
    findings += [f"bar {key} is missing" for key in wanted.keys() - times.keys()]
    findings += [f"bar {key} should not be" for key in times.keys() - wanted.keys()]
    for row in rows:
        bar = wanted.get(row["event_id"])
        if bar is not None:
            findings += _differences(f"bar {row['event_id']}", _bar_values(bar), row)
    return _first(findings)


def judge_equal(name: str, one: Iterable[Row], other: Iterable[Row]) -> list[str]:
    """Compare two stores' rows as multisets of whole rows."""
    left, right = Counter(map(_frozen, one)), Counter(map(_frozen, other))
    missing, extra = left - right, right - left
    return _first(
        [f"{name} lacks {n} x {dict(row)}" for row, n in missing.items()]
        + [f"{name} has {n} x {dict(row)} too many" for row, n in extra.items()]
    )


def _misjudged(
    at: Coordinate, expected: Expected, fates: list[tuple[Outcome, str]], late_may_pass: bool
) -> list[str]:
    name = f"{at} {expected.event_id or expected.poison}"
    if len(fates) != 1:
        what = "lost" if not fates else f"{len(fates)} times there: {fates}"
        return [f"{name}: {what}, expected {expected.outcome} {expected.reason}"]
    outcome, reason = fates[0]
    passes = late_may_pass or not expected.certain
    if passes and expected.outcome is Outcome.LATE and outcome is expected.in_time[0]:
        return [] if reason in expected.in_time[1].split("|") else [f"{name}: {outcome} {reason}"]
    if outcome is not expected.outcome or reason not in expected.reason.split("|"):
        return [f"{name}: {outcome} {reason}, expected {expected.outcome} {expected.reason}"]
    return []


def _altered(expected: Expected, row: Row) -> list[str]:
    if expected.price is None:
        return []  # it should not be normalized at all, which is found elsewhere
    price, size = scaled(expected)
    wanted: dict[str, Any] = {
        "event_id": expected.event_id,
        "entity_id": expected.listing_id,
        "raw_key": expected.key,
        "raw_symbol": expected.symbol,
        "event_time": expected.event_time_ms,
        "sequence": expected.sequence,
        "price": price,
        "size": size,
        "venue": "XSIM",
        "session_phase": "regular",
        **{name: getattr(expected, name) for name in _FACTORS},
    }
    return _differences(expected.event_id, wanted, row)


def _bar_key(bar: ExpectedBar) -> str:
    parts = (bar.listing_id, bar.interval_seconds, "trade", bar.start_ms, bar.factor_version)
    return ":".join(map(str, (*parts, bar.revision)))


def _bar_values(bar: ExpectedBar) -> dict[str, Any]:
    return {
        "entity_id": bar.listing_id,
        "event_time": bar.start_ms,
        "bar_start": bar.start_ms,
        "interval_seconds": bar.interval_seconds,
        "price_type": "trade",
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "vwap": bar.vwap,
        "event_count": bar.event_count,
        "revision": bar.revision,
        "ingest_time": bar.ingest_ms,
        **{name: getattr(bar, name) for name in _FACTORS},
    }


def _differences(name: str, wanted: Mapping[str, Any], row: Row) -> list[str]:
    return [
        f"{name}: {column} is {_integer(row[column])!r}, expected {value!r}"
        for column, value in wanted.items()
        if _integer(row[column]) != value
    ]


def _integer(value: Any) -> Any:
    """Return a decimal in units of 1e-8, exactly; anything else as it is."""
    return value * _UNIT if isinstance(value, Decimal) else value


def _frozen(row: Row) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(row.items()))


def _first(findings: list[str]) -> list[str]:
    more = len(findings) - SHOWN
    return findings[:SHOWN] + ([f"and {more} more"] if more > 0 else [])
