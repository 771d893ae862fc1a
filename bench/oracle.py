"""Judge a drained run of W1: every record where it belongs, once, with the right values.

1. Read the output topics read_committed, decoded with the schema each record was written with.
2. Find each output's input by its coordinates (raw_partition, raw_offset).
3. Compare: one row per event, none twice, none wrong, each input in exactly one lane, per-entity
   order kept.

Imports nothing from the jobs under test; the expectation comes from the oracle file alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from numpy.typing import NDArray

from bench.columns import FRAME, Column, decode
from bench.generate import TRADE, Written
from bench.partitioning import partition_of
from bench.workload import DUPLICATE, POISON, TRADE_DATE, UNIQUE

Rows = dict[str, Column]
SchemaOf = Callable[[int], Mapping[str, Any]]

NORMALIZED = "normalized.trade"
LANES = ("quarantine.event", "duplicate.event", "late.event")
LANE_FIELDS = ("source", "payload.topic", "payload.partition", "payload.offset", "payload.reason")
TRADE_FIELDS = (
    "source",
    "event_id",
    "event_time",
    "entity_id",
    "payload.raw_key",
    "payload.isin",
    "payload.price",
    "payload.size",
    "payload.sequence",
    "payload.trade_date",
    "payload.session_phase",
    "payload.price_factor",
    "payload.split_factor",
    "payload.share_factor",
    "payload.factor_version",
    "payload.raw_partition",
    "payload.raw_offset",
)
TEXTS = {"source", "event_id", "entity_id", "payload.topic", "payload.reason"} | {
    f"payload.{name}" for name in ("raw_key", "isin", "session_phase")
}
SHOWN = 20  # offenders named in a verdict
EPOCH_DAYS = TRADE_DATE.toordinal() - 719_163  # days since 1970-01-01


@dataclass
class Verdict:
    """What the oracle found; `ok` only when every count of a fault is zero."""

    counts: dict[str, int]
    lost: int = 0  # events in no row of normalized, and poison in no row of quarantine
    doubled: int = 0  # rows too many, in any lane
    wrong: int = 0  # rows with a wrong value, or in the wrong lane
    wrong_by_field: dict[str, int] = field(default_factory=dict)
    unaccounted: int = 0  # inputs in no lane at all
    out_of_order: int = 0  # rows behind a later event of their entity in the same partition
    misplaced: int = 0  # rows in a partition their key does not hash to
    examples: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether nothing at all was found."""
        return not (
            self.lost
            or self.doubled
            or self.wrong
            or self.unaccounted
            or self.out_of_order
            or self.misplaced
        )


def read(bootstrap: str, topic: str, schema_of: SchemaOf, wanted: tuple[str, ...]) -> Rows:
    """Return the committed records of a topic as columns, heartbeats left out.

    Adds `partition` and `offset`. Raises KafkaException when the broker does.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-oracle",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.max.bytes": 64 << 20,
            "max.partition.fetch.bytes": 16 << 20,
            "queued.max.messages.kbytes": 1 << 18,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        open_ = set(partitions)
        blocks = []
        while open_:
            messages = consumer.consume(20_000, timeout=1.0)
            good = [m for m in messages if not _is_end(m, open_)]
            if good:
                blocks.append(_block(good, schema_of, wanted))
    finally:
        consumer.close()
    names = (*wanted, "partition", "offset")
    return {n: np.concatenate([b[n] for b in blocks] or [_no_rows(n)]) for n in names}


def judge(expected: Written, trades: Rows, lanes: Mapping[str, Rows]) -> Verdict:
    """Compare columns of normalized.trade and of the three lanes with what was written."""
    a = expected.arrivals
    table = _index(expected)
    arrival = _arrival(table, trades["payload.raw_partition"], trades["payload.raw_offset"])
    verdict = Verdict(counts={NORMALIZED: len(arrival)})
    hits = np.bincount(arrival[arrival >= 0], minlength=len(a.kind))
    _values(expected, trades, arrival, verdict)

    for lane in LANES:
        rows = lanes[lane]
        mine = rows["payload.topic"] == TRADE.encode()
        at = _arrival(table, rows["payload.partition"][mine], rows["payload.offset"][mine])
        verdict.counts[lane] = len(at)
        _blame(verdict, f"{lane} of no input", at < 0, at)
        hits += np.bincount(at[at >= 0], minlength=len(a.kind))
        kind = a.kind[at[at >= 0]]
        misfit = {
            "quarantine.event": kind < POISON,
            "duplicate.event": kind >= POISON,
            "late.event": np.ones(len(kind), bool),
        }[lane]
        _blame(verdict, f"in {lane}", misfit, at[at >= 0])
        if lane == "quarantine.event":
            verdict.lost += int((a.kind >= POISON).sum() - len(np.unique(at[at >= 0][~misfit])))

    nowhere = np.flatnonzero(hits == 0)
    verdict.unaccounted = len(nowhere)
    _show(verdict, "in no lane", nowhere, a.event_id)
    events = np.bincount(a.original[arrival[arrival >= 0]], minlength=len(a.kind))
    lost = (a.kind == UNIQUE) & (events == 0)
    verdict.lost += int(lost.sum())
    twice = np.maximum(events - 1, 0).sum()
    again = np.maximum(hits - 1, 0).sum()
    verdict.doubled = int(max(twice, again))
    _show(verdict, "lost", np.flatnonzero(lost), a.event_id)
    _show(verdict, "doubled", np.flatnonzero((events > 1) | (hits > 1)), a.event_id)
    _order(expected, trades, arrival, verdict)
    return verdict


def expected_counts(expected: Written) -> dict[str, int]:
    """Return how many records each output topic must hold, heartbeats left out."""
    kind = expected.arrivals.kind
    return {
        NORMALIZED: int((kind == UNIQUE).sum()),
        "quarantine.event": int((kind >= POISON).sum()),
        "duplicate.event": int((kind == DUPLICATE).sum()),
        "late.event": 0,
    }


def check(expected: Written, bootstrap: str, schema_of: SchemaOf) -> Verdict:
    """Read all output topics and judge them."""
    trades = read(bootstrap, NORMALIZED, schema_of, TRADE_FIELDS)
    lanes = {lane: read(bootstrap, lane, schema_of, LANE_FIELDS) for lane in LANES}
    return judge(expected, trades, lanes)


def _values(expected: Written, trades: Rows, arrival: Column, verdict: Verdict) -> None:
    """Compare every field of every row with what its input must become."""
    a, people = expected.arrivals, expected.people
    known = arrival >= 0
    _blame(verdict, "no such input", ~known, trades["event_id"])
    at = arrival[known]
    entity, change = a.entity[at], a.change[at]
    bad = a.kind[at] >= POISON
    verdict.wrong_by_field.update({"poison accepted": int(bad.sum())} if bad.any() else {})
    for name, want in (
        ("event_id", a.event_id[at]),
        ("event_time", a.event_ms[at]),
        ("entity_id", people.listing[entity, change]),
        ("payload.raw_key", people.keys[entity]),
        ("payload.isin", people.isin[entity, change]),
        ("payload.price", a.price[at]),
        ("payload.size", a.size[at]),
        ("payload.sequence", a.sequence[at]),
        ("payload.price_factor", people.price_factor[entity, change]),
        ("payload.split_factor", people.split_factor[entity, change]),
        ("payload.share_factor", people.share_factor[entity, change]),
        ("payload.factor_version", people.factor_version[entity, change]),
        ("payload.trade_date", np.full(len(at), EPOCH_DAYS)),
        ("payload.session_phase", np.full(len(at), b"regular")),
    ):
        differs = trades[name][known] != want
        if differs.any():
            verdict.wrong_by_field[name] = int(differs.sum())
            bad = bad | differs
    verdict.wrong += int(bad.sum())
    _show(verdict, "wrong", at[bad], a.event_id)


def _order(expected: Written, trades: Rows, arrival: Column, verdict: Verdict) -> None:
    """Count rows behind a later event of their entity, and rows in a wrong partition."""
    people = expected.people
    known = arrival >= 0
    at = arrival[known]
    company = np.zeros(people.listing.shape, np.int64)
    company[:, 1:] = np.cumsum(people.listing[:, 1:] != people.listing[:, :-1], axis=1)
    company += np.arange(len(people.keys))[:, None] * people.listing.shape[1]
    code = company[expected.arrivals.entity[at], expected.arrivals.change[at]]
    partition, time = trades["partition"][known], trades["event_time"][known]
    order = np.lexsort((trades["offset"][known], partition, code))
    same = (np.diff(code[order]) == 0) & (np.diff(partition[order]) == 0)
    verdict.out_of_order = int((same & (np.diff(time[order]) < 0)).sum())
    right = np.full(int(company.max()) + 1, -1, np.int64)
    listings = zip(company.ravel().tolist(), people.listing.ravel().tolist(), strict=True)
    for number, listing in listings:
        right[number] = partition_of(listing, expected.workload.partitions)
    verdict.misplaced = int((right[code] != partition).sum())


def _index(expected: Written) -> list[NDArray[np.int64]]:
    """Return per partition the arrival at each offset, -1 where a heartbeat is."""
    beats = np.full(expected.before, -1, np.int64)
    return [
        # Offsets count up in order of arrival.
        np.concatenate([beats, np.flatnonzero(expected.partition == p)])
        for p in range(expected.workload.partitions)
    ]


def _arrival(table: list[NDArray[np.int64]], partition: Column, offset: Column) -> Column:
    """Return the arrival at each coordinate, -1 where there is none."""
    found = np.full(len(partition), -1, np.int64)
    for p, arrivals in enumerate(table):
        rows = np.flatnonzero(partition == p)
        rows = rows[(offset[rows] >= 0) & (offset[rows] < len(arrivals))]
        found[rows] = arrivals[offset[rows].astype(np.int64)]
    return found


def _blame(verdict: Verdict, what: str, bad: NDArray[np.bool_], names: Column) -> None:
    """Count rows as wrong under a heading."""
    count = int(bad.sum())
    if count:
        verdict.wrong += count
        verdict.wrong_by_field[what] = count
        verdict.examples += [f"{what}: {name}" for name in names[bad][:3].tolist()]


def _show(verdict: Verdict, what: str, rows: Column, event_id: Column) -> None:
    """Name the first offenders."""
    room = max(0, SHOWN - len(verdict.examples))
    verdict.examples += [f"{what}: {event_id[row].decode()}" for row in rows[:room].tolist()]


def _no_rows(name: str) -> Column:
    """Return an empty column; of a topic without records no schema tells the type."""
    return np.empty(0, "S1" if name in TEXTS else np.int64)


def _is_end(message: Message, open_: set[int]) -> bool:
    """Note the end of a partition; raise any other error."""
    error = message.error()
    if error is None:
        return False
    if error.code() != KafkaError._PARTITION_EOF:  # the client's public name for it
        raise KafkaException(error)
    open_.discard(message.partition())
    return True


def _block(messages: list[Message], schema_of: SchemaOf, wanted: tuple[str, ...]) -> Rows:
    """Decode one batch; records of several schemas are decoded apart and put together again."""
    values = [m.value() or b"" for m in messages]
    heads = np.frombuffer(b"".join(v[:FRAME].ljust(FRAME, b"\xff") for v in values), np.uint8)
    heads = heads.reshape(-1, FRAME)
    ids = np.ascontiguousarray(heads[:, 1:]).view(">u4").ravel()
    if heads[:, 0].any():
        raise ValueError(f"{messages[0].topic()}: a record is not framed Avro")
    parts = []
    for schema_id in np.unique(ids).tolist():
        rows = np.flatnonzero(ids == schema_id)
        part = decode([values[r] for r in rows.tolist()], schema_of(schema_id), wanted)
        part["partition"] = np.array([messages[r].partition() for r in rows.tolist()])
        part["offset"] = np.array([messages[r].offset() for r in rows.tolist()])
        keep = part["source"] != b"heartbeat"
        parts.append({name: column[keep] for name, column in part.items()})
    return {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}


def schema_cache(fetch: Callable[[int], Mapping[str, Any]]) -> SchemaOf:
    """Return a lookup that asks the registry once per id."""
    known: dict[int, Mapping[str, Any]] = {}

    def lookup(schema_id: int) -> Mapping[str, Any]:
        if schema_id not in known:
            known[schema_id] = fetch(schema_id)
        return known[schema_id]

    return lookup
