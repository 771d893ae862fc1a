"""How old data are while a venue is open."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.quality.freshness import Verdict, judge, open_time, same_minute
from asknown.reference.calendars import day_schedules

MINUTE = 60_000
ALLOWED = 180_000
NSE_MINUTES = 375


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def nse(first: date, last: date) -> list[tuple[int, int]]:
    return [day.regular for day in day_schedules("XNSE", first, last)]


@st.composite
def sessions(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Draw intervals that are ordered and apart."""
    cuts = sorted(draw(st.sets(st.integers(0, 10_000), max_size=16)))
    return list(zip(cuts[::2], cuts[1::2], strict=False))


moments = st.integers(0, 10_000)
in_order = st.tuples(moments, moments, moments).map(sorted)


@pytest.mark.parametrize(
    ("last", "now", "verdict"),
    [
        ("2024-10-01T05:00:00", "2024-10-01T05:02:59", Verdict.FRESH),
        ("2024-10-01T05:00:00", "2024-10-01T05:03:01", Verdict.STALE),
        ("2024-10-01T09:59:30", "2024-10-01T10:30:00", Verdict.CLOSED),  # after the close
        ("2024-10-01T09:59:30", "2024-10-02T06:00:00", Verdict.CLOSED),  # Gandhi's birthday
        ("2024-10-01T09:59:30", "2024-10-03T03:46:00", Verdict.FRESH),  # a minute into the next
        ("2024-10-01T09:59:30", "2024-10-03T03:49:00", Verdict.STALE),
        ("2024-10-01T09:00:00", "2024-10-02T06:00:00", Verdict.STALE),  # broke before the close
        ("2024-10-01T05:00:00", "2024-10-01T04:00:00", Verdict.FRESH),  # ahead of now
    ],
)
def test_age_counts_while_the_venue_is_open(last: str, now: str, verdict: Verdict) -> None:
    intervals = nse(date(2024, 10, 1), date(2024, 10, 3))
    assert judge(ms(last), ms(now), ALLOWED, intervals).verdict is verdict


def test_age_over_a_weekend_and_a_holiday_is_that_of_the_sessions() -> None:
    last, now = ms("2024-09-30T09:00:00"), ms("2024-10-03T03:45:00")
    found = judge(last, now, ALLOWED, nse(date(2024, 9, 30), date(2024, 10, 3)))
    assert found.open_age_ms == (60 + NSE_MINUTES) * MINUTE
    assert found.age_ms == now - last


@given(moments, moments, st.integers(0, 10_000))
def test_market_that_never_closes_ages_all_the_time(last: int, now: int, allowed: int) -> None:
    found = judge(last, now, allowed, None)
    assert found.open_age_ms == found.age_ms == max(0, now - last)
    assert found.verdict is (Verdict.STALE if now - last > allowed else Verdict.FRESH)


@given(sessions(), moments, moments, st.integers(0, 10_000))
def test_verdict_follows_from_open_age_and_session(
    intervals: list[tuple[int, int]], last: int, now: int, allowed: int
) -> None:
    found = judge(last, now, allowed, intervals)
    assert 0 <= found.open_age_ms <= found.age_ms
    assert (found.verdict is Verdict.STALE) == (found.open_age_ms > allowed)
    assert found.verdict is not Verdict.CLOSED or not found.open_now


@given(sessions(), in_order)
def test_open_time_adds_up_and_never_shrinks(
    intervals: list[tuple[int, int]], three: list[int]
) -> None:
    first, middle, last = three
    parts = open_time(intervals, first, middle) + open_time(intervals, middle, last)
    assert parts == open_time(intervals, first, last) <= last - first


@given(sessions(), in_order)
def test_new_record_never_makes_data_older(
    intervals: list[tuple[int, int]], three: list[int]
) -> None:
    last, newer, now = three
    assert judge(newer, now, 5, intervals).open_age_ms <= judge(last, now, 5, intervals).open_age_ms


@given(sessions(), moments, st.integers(1, 5))
def test_same_minute_lies_as_long_after_the_open_of_an_earlier_session(
    intervals: list[tuple[int, int]], window: int, wanted: int
) -> None:
    found = same_minute(intervals, window, wanted)
    assert len(found) <= wanted
    own = [start for start, end in intervals if start <= window < end]
    opens = dict(intervals)
    for at in found:
        start = at - (window - own[0])
        assert start < own[0]
        assert at < opens[start]
    assert own or not found
