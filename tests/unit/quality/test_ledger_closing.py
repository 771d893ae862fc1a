"""The closing rule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asknown.quality.ledger import Ledger, all_closed

COUNTS = st.integers(min_value=0, max_value=10**9)
LEDGERS = st.builds(Ledger, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_ledger_whose_lanes_add_up_is_closed(normalized, duplicate, late, quarantined):
    raw = normalized + duplicate + late + quarantined
    assert Ledger(raw, normalized, duplicate, late, quarantined).closed
    assert not Ledger(raw + 1, normalized, duplicate, late, quarantined).closed


@given(LEDGERS, LEDGERS)
def test_adding_ledgers_adds_their_differences(one, other):
    assert (one + other).difference == one.difference + other.difference


def test_two_opposite_errors_do_not_close():
    lost, doubled = Ledger(raw=2, normalized=1), Ledger(raw=1, normalized=2)
    assert (lost + doubled).closed
    assert not all_closed([lost, doubled])
