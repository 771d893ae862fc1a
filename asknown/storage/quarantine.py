"""The quarantine as the lake keeps it: what is in it, and what today's knowledge would bring back.

A record that was refused because of what its key meant can be resolved when a mapping arrives.
`plan` finds such records; `asknown.storage.replay` brings them back. `quarantine_view` shows them,
`quarantine_discard` notes that a person wants some left where they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, EqualTo, In

from asknown.contracts.catalog import contract
from asknown.errors import UsageError
from asknown.reference.records import FOR_EVER
from asknown.settings import Settings
from asknown.storage.iceberg import lake

QUARANTINE, REPLAYED, DISCARDED = "quarantine.event", "replayed.event", "discarded.event"
MARKET = ("raw.trade", "raw.quote", "raw.bar")
# What a look-up said no to; nothing else changes its answer with what is known of a key.
CURABLE = ("UNKNOWN_SYMBOL", "NOT_LISTED", "AFTER_DELISTING", "MARKET_CLOSED")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
_MANY_KEYS = 1_000  # above it a filter by key costs more than reading all
# Called by position; mypy sees the fields of these models, not their own constructors.
_EQUAL: Any = EqualTo
_IN: Any = In

Place = tuple[str, int, int]  # topic, partition, offset
Table = Any


@dataclass(frozen=True, slots=True)
class Candidate:
    """A quarantined record whose key has a meaning by now; times are UTC milliseconds."""

    place: Place
    stage: str
    reason: str
    raw_event_id: str
    raw_key: str
    event_time: int
    ingest_time: int
    known_at: int

    @property
    def name(self) -> str:
        """Return the record's coordinates as the lanes write them."""
        return ":".join(map(str, self.place))

    @property
    def day(self) -> str:
        """Return the day of the event, UTC."""
        return (EPOCH + timedelta(milliseconds=self.event_time)).date().isoformat()


@dataclass(frozen=True)
class Plan:
    """What a replay would bring back, and why it leaves the rest.

    `taken` are ids, among those of the candidates, of events that another copy has brought in.
    """

    reason: str
    candidates: tuple[Candidate, ...] = ()
    taken: frozenset[str] = frozenset()
    left: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Belief:
    """What is believed of a key today: from when on it has which status."""

    starts: tuple[int, ...]
    statuses: tuple[str, ...]
    whole: bool  # intervals follow each other without gap, so no half of a change was read
    known_at: int

    def listed(self, at_ms: int) -> bool:
        """Tell whether the key names a listing that trades at a time."""
        place = bisect_right(self.starts, at_ms)
        return place > 0 and self.statuses[place - 1] == "LISTED"


def plan(
    config: Settings,
    reason: str,
    raw_key: str | None,
    marks: Mapping[Place, str | None],
    discarded: Collection[Place] = frozenset(),
) -> Plan:
    """Find what today's knowledge brings back of the records refused for `reason`.

    `marks` are the places that were brought back before, each with the id of the event if that
    became a normalized row; `discarded` those that a person wants left where they are. Raises
    `UsageError` ASKNOWN-QUARANTINE-002 for a reason that no knowledge of a key can change.
    """
    if reason not in CURABLE:
        raise UsageError(
            "ASKNOWN-QUARANTINE-002",
            f"expected a reason that a mapping can change ({', '.join(CURABLE)}), was {reason!r}.",
            hint="for other reasons mend the source and send the records again.",
        )
    every = _waiting(config, reason, raw_key, marks)
    waiting = {place: row for place, row in every.items() if place not in discarded}
    left = Counter({"discarded": len(every) - len(waiting)})
    keys = frozenset(str(row["raw_key"]) for row in waiting.values())
    if not keys:
        return Plan(reason, left=+left)
    beliefs = _beliefs(config, keys)
    candidates = []
    for one in _with_times(config, waiting, keys, left):
        belief = beliefs.get(one.raw_key)
        if belief is None or not belief.listed(one.event_time):
            left["no mapping yet"] += 1
        elif not belief.whole:
            left["its history is being written; run again"] += 1
        else:
            candidates.append(replace(one, known_at=belief.known_at))
    taken, restated = _in_silver(config, candidates)
    left["in the lake by a restating backfill"] += len(restated)
    kept = sorted((c for c in candidates if c.place not in restated), key=_by_time)
    before = {event_id for event_id in marks.values() if event_id is not None}
    ids = (taken | before) & {c.raw_event_id for c in kept}
    return Plan(reason, tuple(kept), frozenset(ids), +left)


def milliseconds(table: Table, name: str) -> list[int]:
    """Return a column of times as UTC milliseconds."""
    return [value // 1000 for value in table[name].cast(pa.int64()).to_pylist()]


def _waiting(
    config: Settings, reason: str, raw_key: str | None, marks: Collection[Place]
) -> dict[Place, dict[str, Any]]:
    chosen: BooleanExpression = _EQUAL("reason", reason)
    if raw_key is not None:
        chosen = And(chosen, _EQUAL("raw_key", raw_key))
    names = ("topic", "partition", "offset", "stage", "reason", "raw_event_id", "raw_key")
    found = {
        (row["topic"], row["partition"], row["offset"]): row
        for row in scan(config, QUARANTINE, names, chosen).to_pylist()
    }
    return {
        place: row
        for place, row in found.items()
        if place not in marks and place[0] in MARKET and row["raw_key"] and row["raw_event_id"]
    }


def _with_times(
    config: Settings,
    waiting: Mapping[Place, Mapping[str, Any]],
    keys: frozenset[str],
    left: Counter[str],
) -> list[Candidate]:
    """Return the waiting records that bronze has, with their times; no knowledge yet."""
    found: dict[Place, Candidate] = {}
    twice: set[Place] = set()
    for topic in {place[0] for place in waiting}:
        names = ("kafka_partition", "kafka_offset", "event_time", "ingest_time")
        table = scan(config, topic, names, _one_of("entity_id", keys))
        columns = zip(
            table["kafka_partition"].to_pylist(),
            table["kafka_offset"].to_pylist(),
            milliseconds(table, "event_time"),
            milliseconds(table, "ingest_time"),
            strict=True,
        )
        for partition, offset, event_time, ingest_time in columns:
            place = (topic, partition, offset)
            row = waiting.get(place)
            if row is not None:
                named = (row["stage"], row["reason"], row["raw_event_id"], row["raw_key"])
                twice |= {place} & found.keys()
                found[place] = Candidate(place, *named, event_time, ingest_time, 0)
    left["not in bronze yet"] += len(waiting) - len(found)
    left["in bronze more than once"] += len(twice)
    return [one for place, one in found.items() if place not in twice]


def _beliefs(config: Settings, keys: frozenset[str]) -> dict[str, Belief]:
    """Return today's belief about each key that has a history."""
    names = ("raw_key", "status", "valid_from", "valid_to", "known_from", "known_to")
    table = scan(
        config, "reference.entity_history", (*names, "kafka_offset"), _one_of("raw_key", keys)
    )
    columns = [
        table["kafka_offset"].to_pylist(),
        *(table[name].to_pylist() for name in names[:2]),
        *(milliseconds(table, name) for name in names[2:]),
    ]
    newest: dict[str, dict[tuple[int, int], tuple[int, int, int, int, str]]] = defaultdict(dict)
    for _, raw_key, status, start, end, known, until in sorted(zip(*columns, strict=True)):
        newest[raw_key][start, known] = (start, end, known, until, status)
    return {key: _belief(rows.values()) for key, rows in newest.items()}


def _belief(rows: Iterable[tuple[int, int, int, int, str]]) -> Belief:
    every = list(rows)
    learnt = [known for _, _, known, _, _ in every]
    learnt += [until for _, _, _, until, _ in every if until < FOR_EVER]
    now = sorted(row for row in every if row[3] == FOR_EVER)
    ends = [row[1] for row in now]
    return Belief(
        starts=tuple(row[0] for row in now),
        statuses=tuple(row[4] for row in now),
        whole=ends == [*(row[0] for row in now[1:]), FOR_EVER],
        known_at=max(learnt),
    )


def _in_silver(config: Settings, candidates: Collection[Candidate]) -> tuple[set[str], set[Place]]:
    """Return events that came in through another copy, and places a backfill has restated."""
    taken: set[str] = set()
    restated: set[Place] = set()
    by_topic: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        by_topic[one.place[0]].append(one)
    for topic, ones in by_topic.items():
        ids, places = {c.raw_event_id for c in ones}, {c.place for c in ones}
        keys = frozenset(c.raw_key for c in ones)
        first, last = min(c.event_time for c in ones), max(c.event_time for c in ones)
        span = f"event_time >= '{_iso(first)}' AND event_time <= '{_iso(last)}'"
        names = ("event_id", "raw_partition", "raw_offset")
        normalized = f"normalized.{topic.partition('.')[2]}"
        table = scan(config, normalized, names, _one_of("raw_key", keys), span)
        for row in table.to_pylist():
            place = (topic, row["raw_partition"], row["raw_offset"])
            if place in places:
                restated.add(place)
            elif row["event_id"] in ids:
                taken.add(row["event_id"])
    return taken, restated


def scan(
    config: Settings,
    topic: str,
    names: tuple[str, ...],
    chosen: BooleanExpression | None = None,
    span: str = "",
) -> Table:
    """Return columns of a topic's table (none named: all) where a condition holds."""
    table = lake(config).load_table(contract(topic).topic.table)
    found = table.scan(row_filter=chosen or AlwaysTrue(), selected_fields=names or ("*",))
    return (found.filter(span) if span else found).to_arrow()


def _one_of(name: str, keys: frozenset[str]) -> Any:
    return _IN(name, keys) if len(keys) <= _MANY_KEYS else AlwaysTrue()


def _by_time(one: Candidate) -> tuple[int, str, Place]:
    return one.event_time, one.raw_event_id, one.place


def _iso(at_ms: int) -> str:
    at = EPOCH + timedelta(milliseconds=at_ms)
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds")
