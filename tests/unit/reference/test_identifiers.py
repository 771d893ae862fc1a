"""Which listing an identifier names, in five answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.reference.identifiers import (
    Identifier,
    Resolution,
    ResolutionStatus,
    agree,
    resolve,
)

FOR_EVER = 10_000
NOW = 9_000
UNKNOWN = ResolutionStatus.UNKNOWN
RESOLVED = ResolutionStatus.RESOLVED
AMBIGUOUS = ResolutionStatus.AMBIGUOUS
CLOSED = ResolutionStatus.CLOSED
CONFLICT = ResolutionStatus.CONFLICT


def row(listing: str, value: str, valid: tuple[int, int] = (0, FOR_EVER)) -> Identifier:
    return Identifier(listing, "SYMBOL", value, "XNSE", "EQ", *valid, 0, FOR_EVER)


def named(rows: list[Identifier], value: str, at: int, known_at: int = NOW) -> Resolution:
    return resolve(rows, "SYMBOL", value, at=at, known_at=known_at)


# Borosil Glass renamed itself to BORORENEW at 50; at 70 another company took the name BOROSIL.
RECYCLED = [
    row("e_glass", "BOROSIL", (10, 50)),
    row("e_glass", "BORORENEW", (50, FOR_EVER)),
    row("e_new", "BOROSIL", (70, FOR_EVER)),
]


@pytest.mark.parametrize(
    ("value", "at", "status", "listings"),
    [
        ("BOROSIL", 9, UNKNOWN, ()),
        ("BOROSIL", 10, RESOLVED, ("e_glass",)),
        ("BOROSIL", 49, RESOLVED, ("e_glass",)),
        ("BOROSIL", 50, CLOSED, ("e_glass",)),
        ("BOROSIL", 70, RESOLVED, ("e_new",)),
        ("BORORENEW", 49, UNKNOWN, ()),
        ("BORORENEW", 50, RESOLVED, ("e_glass",)),
        ("OTHER", 50, UNKNOWN, ()),
    ],
)
def test_recycled_symbol_names_its_owner_of_the_day(
    value: str, at: int, status: ResolutionStatus, listings: tuple[str, ...]
) -> None:
    found = named(RECYCLED, value, at)
    assert (found.status, found.listing_ids) == (status, listings)


def test_symbol_that_came_back_is_one_listing() -> None:
    # SPWR, SPWRA from 2008-09-29, SPWR again from 2011-11-16.
    rows = [
        row("e_1", "SPWR", (0, 20)),
        row("e_1", "SPWRA", (20, 40)),
        row("e_1", "SPWR", (40, FOR_EVER)),
    ]
    found = [named(rows, "SPWR", at).status for at in (10, 30, 50)]
    assert found == [RESOLVED, CLOSED, RESOLVED]


def test_same_day_swap_has_no_moment_with_two_owners() -> None:
    # 2014-04-03: GOOG became GOOGL and GOOCV became GOOG.
    rows = [
        row("e_a", "GOOG", (0, 30)),
        row("e_a", "GOOGL", (30, FOR_EVER)),
        row("e_c", "GOOCV", (20, 30)),
        row("e_c", "GOOG", (30, FOR_EVER)),
    ]
    found = [named(rows, "GOOG", at).listing_ids for at in (29, 30)]
    assert found == [("e_a",), ("e_c",)]


def test_isin_on_two_venues_is_ambiguous_until_one_is_said() -> None:
    rows = [row("e_nse", "INE1"), replace(row("e_bse", "INE1"), venue="XBOM", series="A")]
    found = named(rows, "INE1", 5)
    assert (found.status, found.listing_ids) == (AMBIGUOUS, ("e_bse", "e_nse"))
    said = resolve(rows, "SYMBOL", "INE1", "XBOM", at=5, known_at=NOW)
    assert (said.status, said.listing_ids) == (RESOLVED, ("e_bse",))
    assert resolve(rows, "SYMBOL", "INE1", "XNYS", at=5, known_at=NOW).status is UNKNOWN


def test_symbol_in_two_series_is_ambiguous_until_one_is_said() -> None:
    rows = [row("e_share", "ABC"), replace(row("e_part", "ABC"), series="E1")]
    assert named(rows, "ABC", 5).status is AMBIGUOUS
    said = resolve(rows, "SYMBOL", "ABC", "XNSE", "E1", at=5, known_at=NOW)
    assert said.listing_ids == ("e_part",)


def test_listing_in_two_series_is_not_ambiguous() -> None:
    rows = [row("e_1", "ABC"), replace(row("e_1", "ABC"), series="BL")]
    assert named(rows, "ABC", 5).status is RESOLVED


def test_two_owners_of_one_symbol_conflict_and_both_are_shown() -> None:
    rows = [row("e_1", "ABC", (0, 20)), row("e_2", "ABC", (10, FOR_EVER))]
    assert [named(rows, "ABC", at).status for at in (9, 10, 20)] == [RESOLVED, CONFLICT, RESOLVED]
    found = named(rows, "ABC", 10)
    assert found.listing_ids == ("e_1", "e_2")
    assert set(found.candidates) == set(rows)


def test_answer_by_earlier_knowledge_is_the_one_of_then() -> None:
    # The rename at 50 was learnt at 60: until then the old symbol went on.
    believed = replace(row("e_1", "OLD"), known_to=60)
    corrected = replace(row("e_1", "OLD", (0, 50)), known_from=60)
    renamed = replace(row("e_1", "NEW", (50, FOR_EVER)), known_from=60)
    rows = [believed, corrected, renamed]
    assert named(rows, "OLD", 55, known_at=59).status is RESOLVED
    assert named(rows, "NEW", 55, known_at=59).status is UNKNOWN
    assert named(rows, "OLD", 55, known_at=60).status is CLOSED
    assert named(rows, "NEW", 55, known_at=60).status is RESOLVED


times = st.integers(0, 100)
rectangles = st.lists(
    st.builds(
        lambda listing, value, venue, valid, known: Identifier(
            listing, "SYMBOL", value, venue, "EQ", min(valid), max(valid), min(known), max(known)
        ),
        st.sampled_from(["e_1", "e_2"]),
        st.sampled_from(["A", "B"]),
        st.sampled_from(["XNSE", "XBOM"]),
        st.tuples(times, times),
        st.tuples(times, times),
    ),
    max_size=8,
)


@given(rectangles, rectangles, times, times)
def test_nothing_learnt_later_changes_an_answer(
    rows: list[Identifier], later: list[Identifier], at: int, known_at: int
) -> None:
    leaked = [replace(one, known_from=known_at + 1, known_to=FOR_EVER) for one in later]
    assert named(rows, "A", at, known_at) == named(rows + leaked, "A", at, known_at)


@given(rectangles, times, times)
def test_every_answer_fits_its_status(rows: list[Identifier], at: int, known_at: int) -> None:
    found = named(rows, "A", at, known_at)
    count = len(found.listing_ids)
    fits = {
        UNKNOWN: count == 0,
        RESOLVED: count == 1,
        CLOSED: count >= 1,
        AMBIGUOUS: count > 1,
        CONFLICT: count > 1,
    }
    assert fits[found.status]
    assert {one.listing_id for one in found.candidates} == set(found.listing_ids)
    turned = named(rows[::-1], "A", at, known_at)
    assert (turned.status, turned.listing_ids) == (found.status, found.listing_ids)


ONE = Resolution(RESOLVED, ("e_1",))
TWO = Resolution(RESOLVED, ("e_2",))
BOTH = Resolution(AMBIGUOUS, ("e_1", "e_2"))
NONE = Resolution(UNKNOWN)
GONE = Resolution(CLOSED, ("e_1",))


@pytest.mark.parametrize(
    ("resolutions", "status", "listings"),
    [
        ((ONE, ONE), RESOLVED, ("e_1",)),
        ((ONE, TWO), CONFLICT, ("e_1", "e_2")),
        ((ONE, BOTH), RESOLVED, ("e_1",)),
        ((BOTH, BOTH), AMBIGUOUS, ("e_1", "e_2")),
        ((ONE, NONE), CONFLICT, ("e_1",)),
        ((ONE, GONE), CONFLICT, ("e_1",)),
        ((GONE, GONE), CLOSED, ("e_1",)),
        ((GONE, NONE), CONFLICT, ("e_1",)),
        ((NONE, NONE), UNKNOWN, ()),
        ((ONE, Resolution(CONFLICT, ("e_1", "e_2"))), CONFLICT, ("e_1", "e_2")),
        ((), UNKNOWN, ()),
    ],
)
def test_symbol_and_isin_must_agree(
    resolutions: tuple[Resolution, ...], status: ResolutionStatus, listings: tuple[str, ...]
) -> None:
    for order in (resolutions, tuple(reversed(resolutions))):
        found = agree(*order)
        assert (found.status, found.listing_ids) == (status, listings)


@pytest.mark.parametrize("resolution", [ONE, BOTH, NONE, GONE])
def test_one_identifier_agrees_with_itself(resolution: Resolution) -> None:
    assert agree(resolution) == resolution


def test_conflict_names_the_rows_of_both() -> None:
    symbol = named([row("e_1", "ABC")], "ABC", 5)
    isin = named([row("e_2", "INE1")], "INE1", 5)
    assert {one.id_value for one in agree(symbol, isin).candidates} == {"ABC", "INE1"}
