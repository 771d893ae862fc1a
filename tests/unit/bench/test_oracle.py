"""The judge itself: a perfect output passes, every mutation of it is caught."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from bench import generate, oracle
from bench.partitioning import partition_of
from bench.workload import DUPLICATE, POISON, UNIQUE, W1, arrivals, population

SMALL = W1(events=20_000, entities=60)
Output = tuple[oracle.Rows, dict[str, oracle.Rows]]


@pytest.fixture(scope="module")
def written() -> generate.Written:
    people = population(SMALL)
    a = arrivals(SMALL, people)
    return generate.Written(SMALL, people, a, *generate.place(SMALL, people, a))


def perfect(w: generate.Written) -> Output:
    """Return what an exact pipeline would have written, in event-time order per entity."""
    a, people = w.arrivals, w.people
    at = np.flatnonzero(a.kind == UNIQUE)
    at = at[np.argsort(a.event_ms[at], kind="stable")]
    entity, change = a.entity[at], a.change[at]
    listing = people.listing[entity, change]
    trades: oracle.Rows = {
        "event_id": a.event_id[at],
        "event_time": a.event_ms[at],
        "entity_id": listing,
        "payload.raw_key": people.keys[entity],
        "payload.trade_date": np.full(len(at), oracle.EPOCH_DAYS),
        "payload.session_phase": np.full(len(at), b"regular"),
        "payload.raw_partition": w.partition[at].astype(np.int64),
        "payload.raw_offset": w.offset[at],
        "partition": np.array([partition_of(bytes(key), 4) for key in listing]),
        "offset": np.arange(len(at)),
    }
    for name in ("price", "size", "sequence"):
        trades[f"payload.{name}"] = getattr(a, name)[at]
    for name in ("isin", "price_factor", "split_factor", "share_factor", "factor_version"):
        trades[f"payload.{name}"] = getattr(people, name)[entity, change]
    return trades, {
        "quarantine.event": lane(w, np.flatnonzero(a.kind >= POISON)),
        "duplicate.event": lane(w, np.flatnonzero(a.kind == DUPLICATE)),
        "late.event": lane(w, np.empty(0, np.int64)),
    }


def lane(w: generate.Written, at: np.ndarray) -> oracle.Rows:
    return {
        "payload.topic": np.full(len(at), b"raw.trade"),
        "payload.partition": w.partition[at].astype(np.int64),
        "payload.offset": w.offset[at],
    }


def rows(part: oracle.Rows, chosen: object) -> oracle.Rows:
    return {name: column[chosen] for name, column in part.items()}


def drop_one(out: Output) -> Output:
    return rows(out[0], slice(1, None)), out[1]


def double_one(out: Output) -> Output:
    twice = np.append(np.arange(len(out[0]["offset"])), 77)
    return rows(out[0], twice), out[1]


def swap_two_ids(out: Output) -> Output:
    out[0]["event_id"][[5, 6]] = out[0]["event_id"][[6, 5]]
    return out


def alter(name: str, value: object) -> Callable[[Output], Output]:
    def mutate(out: Output) -> Output:
        out[0][name][11] = value
        return out

    mutate.__name__ = f"alter_{name.rpartition('.')[2]}"
    return mutate


def swap_two_times(out: Output) -> Output:
    of_one = np.flatnonzero(out[0]["entity_id"] == out[0]["entity_id"][0])
    out[0]["offset"][of_one[[0, -1]]] = out[0]["offset"][of_one[[-1, 0]]]
    return out


def lose_a_duplicate(out: Output) -> Output:
    out[1]["duplicate.event"] = rows(out[1]["duplicate.event"], slice(1, None))
    return out


def lose_poison(out: Output) -> Output:
    out[1]["quarantine.event"] = rows(out[1]["quarantine.event"], slice(1, None))
    return out


def refuse_a_good_one(out: Output) -> Output:
    good = out[0]["payload.raw_partition"][:1], out[0]["payload.raw_offset"][:1]
    bad = out[1]["quarantine.event"]
    bad["payload.topic"] = np.append(bad["payload.topic"], b"raw.trade")
    bad["payload.partition"] = np.append(bad["payload.partition"], good[0])
    bad["payload.offset"] = np.append(bad["payload.offset"], good[1])
    return drop_one(out)


def call_one_late(out: Output) -> Output:
    late = {"payload.topic": np.array([b"raw.trade"])}
    late["payload.partition"] = out[0]["payload.raw_partition"][:1]
    late["payload.offset"] = out[0]["payload.raw_offset"][:1]
    out[1]["late.event"] = late
    return drop_one(out)


def write_nothing(out: Output) -> Output:
    return rows(out[0], slice(0, 0)), {
        name: rows(part, slice(0, 0)) for name, part in out[1].items()
    }


def test_oracle_of_a_perfect_output_finds_nothing(written: generate.Written) -> None:
    verdict = oracle.judge(written, *perfect(written))
    assert verdict.ok
    assert verdict.examples == []
    assert verdict.counts == oracle.expected_counts(written)
    assert sum(verdict.counts.values()) == SMALL.events


MUTATIONS = [
    (drop_one, "lost", 1),
    (double_one, "doubled", 1),
    (swap_two_ids, "wrong", 2),
    (alter("payload.price", 1), "wrong", 1),
    (alter("payload.size", 1), "wrong", 1),
    (alter("entity_id", b"e_somebody_else"), "wrong", 1),
    (alter("payload.price_factor", 0.123), "wrong", 1),
    (alter("payload.share_factor", 7.0), "wrong", 1),
    (alter("payload.trade_date", 0), "wrong", 1),
    (alter("payload.raw_offset", 10**9), "wrong", 1),
    (swap_two_times, "out_of_order", None),
    (alter("partition", 9), "misplaced", 1),
    (lose_a_duplicate, "unaccounted", 1),
    (lose_poison, "lost", 1),
    (refuse_a_good_one, "wrong", 1),
    (call_one_late, "wrong", 1),
    (write_nothing, "unaccounted", SMALL.events),
]


@pytest.mark.parametrize(
    ("mutate", "fault", "count"), MUTATIONS, ids=[case[0].__name__ for case in MUTATIONS]
)
def test_oracle_of_a_mutated_output_finds_the_fault(
    written: generate.Written, mutate: Callable[[Output], Output], fault: str, count: int | None
) -> None:
    verdict = oracle.judge(written, *mutate(perfect(written)))
    assert not verdict.ok
    found = getattr(verdict, fault)
    assert found == count if count is not None else found > 0
    assert fault in ("out_of_order", "misplaced") or verdict.examples


def test_judge_knows_the_heartbeats_in_front_of_the_first_trade(written: generate.Written) -> None:
    later = dataclasses.replace(written, offset=written.offset + 7, before=7)
    assert oracle.judge(later, *perfect(later)).ok
    assert not oracle.judge(later, *perfect(written)).ok
    assert not oracle.judge(written, *perfect(later)).ok
