"""Who belonged to a universe, as it was known."""

from __future__ import annotations

from datetime import date

from asknown.features.universes import Believed, Listed, Ranked, listed, most, next_month

D1, D2, D3, EVER = date(2020, 1, 1), date(2021, 1, 1), date(2022, 1, 1), date(9999, 12, 31)


def ranked(listing: str, value: float, known: int, until: int | None = None) -> Ranked:
    """Return a value by which a listing is ranked."""
    return Ranked(listing, listing.upper(), value, known, until)


def test_listed_across_a_rename_is_one_membership_under_its_first_symbol():
    rows = [Listed("OLD", D1, D2, 10, None), Listed("NEW", D2, EVER, 10, None)]
    assert list(listed(rows)) == [Believed(("OLD", D1, EVER), 10, None)]


def test_listed_learns_of_a_delisting_when_it_was_known():
    rows = [Listed("A", D1, EVER, 10, 50), Listed("A", D1, D3, 50, None)]
    assert set(listed(rows)) == {
        Believed(("A", D1, EVER), 10, 50),
        Believed(("A", D1, D3), 50, None),
    }


def test_listed_again_after_a_gap_is_two_memberships():
    rows = [Listed("A", D1, D2, 10, None), Listed("B", D3, EVER, 10, None)]
    assert set(listed(rows)) == {
        Believed(("A", D1, D2), 10, None),
        Believed(("B", D3, EVER), 10, None),
    }


def test_most_decides_when_the_evening_is_over():
    rows = [ranked("a", 1, 10), ranked("b", 3, 20), ranked("c", 2, 30)]
    assert set(most(rows, 2, not_before=40)) == {
        Believed(("b", "B"), 40, None),
        Believed(("c", "C"), 40, None),
    }


def test_most_restated_by_a_later_correction_keeps_what_was_believed():
    rows = [ranked("a", 3, 10), ranked("b", 2, 10, until=90), ranked("b", 5, 90)]
    assert set(most(rows, 1, not_before=40)) == {
        Believed(("a", "A"), 40, 90),
        Believed(("b", "B"), 90, None),
    }


def test_most_of_equal_values_takes_the_lower_id():
    rows = [ranked("b", 1, 10), ranked("a", 1, 10)]
    assert list(most(rows, 1, not_before=0)) == [Believed(("a", "A"), 10, None)]


def test_next_month_of_december_is_january():
    assert next_month(date(2020, 12, 31)) == date(2021, 1, 1)
    assert next_month(date(2020, 1, 31)) == date(2020, 2, 1)
