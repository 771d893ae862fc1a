"""Offsets and lanes: any record that is not in exactly one is named, and nothing else."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from asknown.quality.ledger import LANES, Gap, runs
from asknown.quality.places import RAW, STRETCH, Places

OFFSETS = st.integers(0, 2 * STRETCH + 50)
NEAR = st.integers(STRETCH - 6, STRETCH + 6)  # on both sides of a border
MANY = st.lists(st.one_of(OFFSETS, NEAR), max_size=30)
FILLED = st.fixed_dictionaries(dict.fromkeys(LANES, MANY))


def filled(held: set[int], lanes: dict[str, list[int]]) -> Places:
    found = Places("raw.trade", 2)
    found.add(RAW, sorted(held))
    for lane, offsets in lanes.items():
        found.add(lane, offsets)
    return found


def named(gaps: list[Gap]) -> dict[int, str]:
    return {n: gap.fault for gap in gaps for n in range(gap.first, gap.last + 1)}


def expected(held: set[int], lanes: dict[str, list[int]]) -> dict[int, str]:
    times = Counter(n for offsets in lanes.values() for n in offsets)
    found = {n: "lost" for n in held if not times[n]}
    found |= {n: "doubled" for n in held if times[n] > 1}
    return found | {n: "unknown" for n in times if n not in held}


@given(st.sets(NEAR), FILLED)
def test_gaps_are_exactly_the_records_that_are_not_in_one_lane(held, lanes):
    gaps = filled(held, lanes).gaps()
    assert named(gaps) == expected(held, lanes)
    assert sum(gap.records for gap in gaps) == len(named(gaps))


@given(st.sets(NEAR), FILLED, NEAR)
def test_gaps_up_to_an_offset_are_those_before_it(held, lanes, end):
    before = {n: fault for n, fault in expected(held, lanes).items() if n < end}
    assert named(filled(held, lanes).gaps(end)) == before


@given(st.sets(OFFSETS, max_size=40), FILLED, OFFSETS)
def test_settling_forgets_no_gap(held, lanes, end):
    places = filled(held, lanes)
    gaps = places.gaps()
    places.settle(end)
    assert places.gaps() == gaps
    assert places.ledger == filled(held, lanes).ledger


@given(st.sets(OFFSETS, min_size=1, max_size=40))
def test_records_in_one_lane_each_are_forgotten_and_a_second_copy_is_still_seen(held):
    places = filled(held, {"normalized": sorted(held)})
    places.settle(3 * STRETCH)
    assert (places.held, places.gaps()) == (0, [])
    some = min(held)
    places.add("quarantined", [some], -1)
    places.add("normalized", [some])
    assert places.gaps() == []
    places.add("normalized", [some])
    assert [(gap.first, gap.records) for gap in places.gaps()] == [(some, 1)]


@given(st.sets(OFFSETS, max_size=30), FILLED, OFFSETS)
def test_counts_of_two_halves_add_up(held, lanes, at):
    places = filled(held, lanes)
    assert places.counts(0, at) + places.counts(at, 1 << 40) == places.ledger


@given(st.sets(st.integers(0, 40)))
def test_runs_cover_exactly_the_numbers_and_never_touch(numbers):
    found = list(runs(sorted(numbers)))
    assert {n for first, last in found for n in range(first, last + 1)} == numbers
    assert all(one[1] + 1 < other[0] for one, other in zip(found, found[1:], strict=False))
