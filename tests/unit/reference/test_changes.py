"""Change points in their three readings."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from asknown.reference.actions import Action, ActionKind, ActionStatus
from asknown.reference.changes import ChangePoint, History, Status, by_key, resolve
from asknown.reference.symbology import FactKind, SecurityFact, listing_id

DAY = 86_400_000
OLD, NEW = "NSE:EQ:BIRLA3M", "NSE:EQ:3MINDIA"


def listed(raw_key: str, at_ms: int, *, known: int | None = None, who: str = "e_1") -> SecurityFact:
    return SecurityFact(
        kind=FactKind.LIST,
        listing_id=who,
        raw_key=raw_key,
        symbol=raw_key.rpartition(":")[2],
        venue="XNSE",
        valid_from=at_ms,
        known_from=at_ms if known is None else known,
        first_date=date(2000, 1, 1),
    )


def then(fact: SecurityFact, kind: FactKind, raw_key: str, at_ms: int) -> SecurityFact:
    symbol = raw_key.rpartition(":")[2]
    return replace(
        fact, kind=kind, raw_key=raw_key, symbol=symbol, valid_from=at_ms, known_from=at_ms
    )


def split(at_ms: int, *, known: int, number: int = 0, ratio: int = 2) -> Action:
    return Action(
        action_id=f"split-{number}",
        listing_id="e_1",
        kind=ActionKind.SPLIT,
        ex_date=date(2000, 1, 1),
        valid_from=at_ms,
        known_from=known,
        ratio_numerator=ratio,
        ratio_denominator=1,
    )


def said(rows: list[ChangePoint], raw_key: str) -> list[tuple[int, Status, str]]:
    return [(row.effective_time, row.status, row.listing_id) for row in by_key(rows)[raw_key]]


def test_listing_id_of_the_same_first_facts_is_the_same() -> None:
    one = listing_id("XNSE", "BIRLA3M", date(1999, 1, 1), "EQ")
    assert one == listing_id("XNSE", "BIRLA3M", date(1999, 1, 1), "EQ")
    assert one != listing_id("XNSE", "3MINDIA", date(1999, 1, 1), "EQ")
    assert len(one) == 18
    assert one.startswith("e_")


def test_rename_keeps_the_listing_and_empties_the_old_key() -> None:
    first = listed(OLD, DAY)
    rows = History([first, then(first, FactKind.RENAME, NEW, 5 * DAY)]).as_known()
    assert said(rows, OLD) == [(DAY, Status.LISTED, "e_1"), (5 * DAY, Status.NOT_LISTED, "")]
    assert said(rows, NEW) == [(5 * DAY, Status.LISTED, "e_1")]


def test_rename_back_uses_one_key_twice_for_one_listing() -> None:
    first = listed("US:EQ:SPWR", DAY)
    away = then(first, FactKind.RENAME, "US:EQ:SPWRA", 3 * DAY)
    back = then(first, FactKind.RENAME, "US:EQ:SPWR", 7 * DAY)
    rows = History([first, away, back]).as_known()
    assert said(rows, "US:EQ:SPWR") == [
        (DAY, Status.LISTED, "e_1"),
        (3 * DAY, Status.NOT_LISTED, ""),
        (7 * DAY, Status.LISTED, "e_1"),
    ]


def test_recycled_key_means_the_listing_of_the_day() -> None:
    first = listed("US:EQ:FB", DAY)
    gone = then(first, FactKind.DELIST, "US:EQ:FB", 4 * DAY)
    second = listed("US:EQ:FB", 9 * DAY, who="e_2")
    rows = History([first, gone, second]).as_known()
    assert said(rows, "US:EQ:FB") == [
        (DAY, Status.LISTED, "e_1"),
        (4 * DAY, Status.DELISTED, "e_1"),
        (9 * DAY, Status.LISTED, "e_2"),
    ]


def test_swap_of_keys_on_one_day_never_has_two_owners() -> None:
    # 2014-04-03: GOOG -> GOOGL (class A) and GOOCV -> GOOG (class C).
    a, c = listed("US:EQ:GOOG", DAY), listed("US:EQ:GOOCV", DAY, who="e_2")
    rows = History(
        [
            a,
            c,
            then(a, FactKind.RENAME, "US:EQ:GOOGL", 5 * DAY),
            then(c, FactKind.RENAME, "US:EQ:GOOG", 5 * DAY),
        ]
    ).as_known()
    assert said(rows, "US:EQ:GOOG") == [
        (DAY, Status.LISTED, "e_1"),
        (5 * DAY, Status.LISTED, "e_2"),
    ]
    assert said(rows, "US:EQ:GOOGL") == [(5 * DAY, Status.LISTED, "e_1")]


def test_key_announced_before_its_listing_is_not_listed_until_then() -> None:
    rows = History([listed(OLD, 8 * DAY, known=2 * DAY)]).as_known()
    assert said(rows, OLD) == [(2 * DAY, Status.NOT_LISTED, ""), (8 * DAY, Status.LISTED, "e_1")]


def test_split_learnt_late_takes_effect_when_known_and_is_restated_now() -> None:
    history = History([listed(OLD, DAY)], [split(5 * DAY, known=6 * DAY)])
    factors = [(row.effective_time, row.price_factor) for row in history.as_known()]
    assert factors == [(DAY, 1.0), (6 * DAY, 0.5)]
    restated = [(row.effective_time, row.price_factor) for row in history.as_of_now()]
    assert restated == [(DAY, 1.0), (5 * DAY, 0.5)]
    assert [row.price_factor for row in history.known_at(5 * DAY)] == [1.0]


def test_split_cancelled_after_it_took_effect_is_undone_with_a_higher_version() -> None:
    announced = split(5 * DAY, known=2 * DAY)
    cancelled = replace(announced, version=2, status=ActionStatus.CANCELLED, known_from=6 * DAY)
    rows = History([listed(OLD, DAY)], [announced, cancelled]).as_known()
    said_factors = [(row.price_factor, row.share_factor, row.factor_version) for row in rows]
    assert said_factors == [(1.0, 1.0, 0), (0.5, 2.0, 1), (1.0, 1.0, 2)]


def test_resolve_finds_the_row_in_force() -> None:
    rows = History([listed(OLD, DAY)], [split(5 * DAY, known=DAY)]).as_known()
    assert resolve(rows, OLD, DAY - 1) is None
    before, after = resolve(rows, OLD, 5 * DAY - 1), resolve(rows, OLD, 5 * DAY)
    assert before is not None
    assert after is not None
    assert (before.price_factor, after.price_factor) == (1.0, 0.5)


def test_payload_has_no_empty_column() -> None:
    rows = History([listed(OLD, 8 * DAY, known=2 * DAY)]).as_known()
    assert all(value is not None for row in rows for value in row.payload().values())


times = st.integers(1, 40)


@st.composite
def histories(draw: st.DrawFn, *, timely: bool) -> History:
    """Draw two listings over three keys with renames, delistings and splits."""
    facts: list[SecurityFact] = []
    keys = ["X:1", "X:2", "X:3"]
    for number in range(draw(st.integers(1, 2))):
        moments = sorted(draw(st.sets(times, min_size=1, max_size=4)))
        first = listed(draw(st.sampled_from(keys)), moments[0], who=f"e_{number + 1}")
        facts.append(first)
        for at in moments[1:]:
            facts.append(then(first, FactKind.RENAME, draw(st.sampled_from(keys)), at))
    lead = st.integers(-10, 0) if timely else st.integers(-10, 10)
    facts = [replace(one, known_from=one.valid_from + draw(lead)) for one in facts]
    actions = [
        split(at, known=at + draw(lead), number=number, ratio=draw(st.integers(2, 5)))
        for number, at in enumerate(draw(st.lists(times, max_size=4)))
    ]
    return History(facts, actions)


@given(histories(timely=True))
def test_readings_agree_when_everything_was_known_in_time(history: History) -> None:
    assert [row.payload() for row in history.as_known()] == [
        row.payload() for row in history.as_of_now()
    ]


@given(histories(timely=False))
def test_change_points_of_a_key_have_times_of_their_own(history: History) -> None:
    for reading in (history.as_known(), history.as_of_now(), history.known_at(20)):
        for rows in by_key(reading).values():
            moments = [row.effective_time for row in rows]
            assert moments == sorted(set(moments))


@given(histories(timely=False), times)
def test_as_known_never_says_what_was_not_known_yet(history: History, at: int) -> None:
    for raw_key, rows in by_key(history.as_known()).items():
        found = resolve(rows, raw_key, at)
        direct = history.state(raw_key, at, at)
        assert (found and found.meaning()) == (direct and direct.meaning())
        assert all(row.known_from <= row.effective_time for row in rows)


@given(histories(timely=False))
def test_factor_version_of_a_listing_never_falls(history: History) -> None:
    for rows in by_key(history.as_known()).values():
        listings = {row.listing_id for row in rows if row.status is Status.LISTED}
        for listing in listings:
            versions = [row.factor_version for row in rows if row.listing_id == listing]
            assert versions == sorted(versions)
