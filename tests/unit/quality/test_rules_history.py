"""What is remembered of a key does not depend on the order within a millisecond."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.quality.rules import RuleSet
from asknown.quality.rules.history import PRIOR_OFFSET, PRIOR_PRICE, with_history
from tests.unit.quality.rules_in_duckdb import START, good

RULES = RuleSet.load("trade")
TICKS = st.integers(0, 8)


def trade(at: int, offset: int, price: str = "100", **more) -> dict:
    record = good("trade") | {"event_id": f"id-{offset}", "kafka_offset": offset}
    time = START + timedelta(milliseconds=at)
    record |= {"event_time": time, "ingest_time": time}
    return record | {"payload": record["payload"] | {"price": Decimal(price)}} | more


def change(at: int, factor: float = 1.0, listing: str = "e_one") -> dict:
    time = START + timedelta(milliseconds=at)
    return {"event_time": time, "price_factor": factor, "listing_id": listing}


@st.composite
def keys(draw: st.DrawFn) -> list[dict]:
    """Draw the rows of a key: trades, copies of some, change points of distinct times."""
    trades = [
        trade(draw(TICKS), offset, draw(st.sampled_from(["100", "110", "150", "50"])))
        for offset in draw(st.permutations(range(10)))
    ]
    copied = draw(st.lists(st.sampled_from(trades), max_size=3))
    copies = [one | {"kafka_offset": 20 + n} for n, one in enumerate(copied)]
    changes = [
        change(at, draw(st.sampled_from([1.0, 0.5])), draw(st.sampled_from(["e_one", "e_two"])))
        for at in draw(st.sets(TICKS, max_size=4))
    ]
    return [*trades, *copies, *changes]


@given(rows=keys(), seed=st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_flags_do_not_depend_on_the_order_of_arrival_of_the_rows(rows: list[dict], seed: int):
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert RULES.flags_of_key(shuffled) == RULES.flags_of_key(rows)


@given(rows=keys())
@settings(max_examples=100, deadline=None)
def test_the_memory_of_a_record_is_that_of_the_last_earlier_millisecond(rows: list[dict]):
    records = [row for row in rows if "event_id" in row]
    for known in with_history(rows, RULES.gap):
        before = [r for r in records if r["event_time"] < known["event_time"]]
        last = max((r["event_time"] for r in before), default=None)
        peers = [r for r in before if r["event_time"] == last]
        first = {
            r["event_id"]: min(p["kafka_offset"] for p in peers if p["event_id"] == r["event_id"])
            for r in peers
        }
        assert known[PRIOR_OFFSET] == max(first.values(), default=None)


def test_a_straggler_flags_the_record_behind_it_and_not_all_that_overtook_it():
    rows = [trade(0, 0), trade(1, 5), trade(2, 1), trade(3, 2), trade(4, 3), change(0)]
    flagged = {offset for offset, flags in RULES.flags_of_key(rows).items() if flags}
    assert flagged == {1}


def test_a_copy_that_comes_later_is_no_disorder():
    first, copy = trade(0, 0), trade(0, 9) | {"event_id": "id-0"}
    assert set(RULES.flags_of_key([first, copy, trade(1, 1)]).values()) == {None}


def test_a_split_explains_the_gap_it_makes():
    halved = [change(0), trade(1, 0, "100"), trade(3, 1, "50")]
    assert RULES.flags_of_key(halved)[1] == "UNEXPLAINED_GAP"
    assert RULES.flags_of_key([*halved, change(2, 0.5)])[1] is None


def test_a_split_that_is_learnt_after_its_price_has_moved_makes_no_gap():
    late = [change(0), trade(1, 0, "100"), trade(2, 1, "50"), change(3, 0.5), trade(4, 2, "50")]
    flags = RULES.flags_of_key(late)
    assert (flags[1], flags[2]) == ("UNEXPLAINED_GAP", None)


def test_a_key_handed_to_another_company_forgets_its_price():
    rows = [change(0), trade(1, 0, "100"), change(2, listing="e_two"), trade(3, 1, "900")]
    assert [row[PRIOR_PRICE] for row in with_history(rows, RULES.gap)] == [None, None]
    assert RULES.flags_of_key(rows)[1] is None
