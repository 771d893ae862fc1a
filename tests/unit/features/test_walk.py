"""Features as they were known: the walk against computing each moment by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asknown.features.measures import Definition, Sessions, measured
from asknown.features.walk import OWN, Day, Version, Walk

RETURN = Definition("return_2d", 1, "simple_return", 2, "fraction")
VOLATILITY = Definition("volatility", 1, "yang_zhang", 3, "fraction a year")
VOLUME = Definition("adv", 1, "mean_volume", 2, "shares")
BETA = Definition("beta", 1, "beta", 4, "ratio", least=2)
FEATURES = (RETURN, VOLATILITY, VOLUME, BETA)
END = 1_000


def day(
    number: int, close: float, known: int, until: int | None = None, factor: float = 1.0
) -> Day:
    """Return a day whose other prices follow from its close."""
    shares = 1 / factor
    values = (close - 1, close + 2, close - 3, close, 10.0 * number + 10, factor, shares)
    return Day(number, known, until, values)


def market(number: int, close: float, known: int, until: int | None = None) -> Day:
    """Return a day of the benchmark."""
    return Day(number, known, until, (close,))


def versions(
    own: Iterable[Day], of_market: Iterable[Day] = (), features: Sequence[Definition] = FEATURES
) -> list[Version]:
    """Return what the walk says."""
    return list(Walk(features, own, of_market).versions())


def believed(found: Iterable[Version], moment: int) -> dict[tuple[str, int], float]:
    """Return the values by the knowledge of a moment; no value is believed twice."""
    held = [
        one
        for one in found
        if one.known_from <= moment and (one.known_to is None or moment < one.known_to)
    ]
    values = {(one.feature.name, one.day): one.value for one in held}
    assert len(values) == len(held)
    return values


def computed(
    own: Iterable[Day], of_market: Iterable[Day], moment: int
) -> dict[tuple[str, int], float]:
    """Return the values of one moment, computed from its days alone."""
    days = {one.day: one.values for one in own if _known(one, moment)}
    benchmark = {one.day: one.values[0] for one in of_market if _known(one, moment)}
    if not days:
        return {}
    order = sorted(days)
    columns = {name: np.array([days[d][i] for d in order]) for i, name in enumerate(OWN)}
    closes = np.array([benchmark.get(d, math.nan) for d in order])
    sessions = Sessions(**columns, market=closes)
    return {
        (feature.name, d): float(value)
        for feature in FEATURES
        for d, value in zip(order, measured(feature.measure, sessions, feature)[0], strict=True)
        if math.isfinite(value)
    }


def _known(one: Day, moment: int) -> bool:
    return one.known_from <= moment and (one.known_to is None or moment < one.known_to)


@st.composite
def stories(draw: st.DrawFn, *, closes_only: bool = False) -> list[Day]:
    """Draw days that become known in any order, are corrected, and may be taken back."""
    days = []
    for number in range(draw(st.integers(1, 9))):
        moment = draw(st.integers(number, number + 3))
        for _ in range(draw(st.integers(0, 2)) + 1):
            until = draw(st.none() | st.integers(moment + 1, moment + 8))
            close = float(draw(st.integers(50, 60)))
            if closes_only:
                days.append(market(number, close, moment, until))
            else:
                factor = draw(st.sampled_from([1.0, 0.5]))
                days.append(day(number, close, moment, until, factor))
            if until is None:
                break
            moment = until
    return days


@given(own=stories(), of_market=stories(closes_only=True))
def test_walk_at_every_moment_believes_what_its_days_alone_give(
    own: list[Day], of_market: list[Day]
):
    found = versions(own, of_market)
    for moment in range(-1, 38):
        expected = computed(own, of_market, moment)
        held = believed(found, moment)
        assert held.keys() == expected.keys(), moment
        for key, value in expected.items():
            assert math.isclose(held[key], value, rel_tol=1e-9, abs_tol=1e-9), (moment, key)


@given(own=stories(), of_market=stories(closes_only=True))
def test_versions_of_a_value_are_never_empty_and_never_repeat_it(
    own: list[Day], of_market: list[Day]
):
    by_value: dict[tuple[str, int], list[Version]] = {}
    for one in sorted(versions(own, of_market), key=lambda v: v.known_from):
        by_value.setdefault((one.feature.name, one.day), []).append(one)
    for held in by_value.values():
        for one in held:
            assert one.known_to is None or one.known_from < one.known_to
        for before, after in zip(held, held[1:], strict=False):
            assert before.known_to is not None
            if before.known_to == after.known_from:
                changed = before.observations != after.observations
                assert changed or not math.isclose(before.value, after.value, rel_tol=1e-13)


def test_days_that_follow_each_other_are_known_when_each_was():
    found = versions([day(n, 50.0 + n, known=100 + n) for n in range(4)], features=[RETURN])
    assert [(one.day, one.known_from, one.known_to) for one in found] == [
        (2, 102, None),
        (3, 103, None),
    ]


def test_corrected_bar_restates_every_window_it_is_in_and_no_other():
    days = [day(n, 50.0 + n, known=100 + n) for n in range(6)]
    days[1] = day(1, 51.0, 101, until=200)
    days.append(day(1, 58.0, 200))
    found = versions(days, features=[RETURN])
    restated = {one.day for one in found if one.known_from == 200}
    assert restated == {3}  # the return over two sessions that begins on day 1
    assert [one.known_to for one in found if one.day == 3 and one.known_from == 103] == [200]


def test_split_learnt_late_restates_what_spans_its_day_only():
    before = [day(n, 50.0, known=100 + n, until=None if n < 3 else 300) for n in range(6)]
    after = [day(n, 50.0, known=300, factor=0.5) for n in range(3, 6)]
    found = versions([*before, *after], features=[RETURN])
    assert {one.day for one in found if one.known_from == 300} == {3, 4}
    assert {one.value for one in found if one.known_from == 300} == {1.0}


def test_beta_is_known_when_the_market_is():
    own = [day(n, 50.0 + n % 3, known=100 + n) for n in range(5)]
    of_market = [market(n, 70.0 + n % 2, known=150 + n) for n in range(5)]
    found = versions(own, of_market, features=[BETA])
    assert [(one.day, one.known_from) for one in found] == [(2, 152), (3, 153), (4, 154)]


def test_day_that_is_taken_back_takes_its_values_with_it():
    days = [day(n, 50.0 + n, known=100 + n) for n in range(3)]
    days[2] = day(2, 52.0, 102, until=500)
    (only,) = versions(days, features=[RETURN])
    assert (only.day, only.known_from, only.known_to) == (2, 102, 500)
