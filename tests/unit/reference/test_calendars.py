"""Sessions of the venues."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.errors import UsageError
from asknown.reference.calendars import (
    VENUES,
    Phase,
    coverage,
    day_schedules,
    day_start,
    local_date,
    session,
    session_open,
)

INDIA = ZoneInfo("Asia/Kolkata")
NEW_YORK = ZoneInfo("America/New_York")


def at(zone: ZoneInfo, *parts: int) -> int:
    return int(datetime(*parts, tzinfo=zone).timestamp() * 1000)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("clock", "phase"),
    [
        ((8, 59), Phase.CLOSED),
        ((9, 0), Phase.PRE_OPEN),
        ((9, 15), Phase.REGULAR),
        ((15, 29), Phase.REGULAR),
        ((15, 30), Phase.CLOSED),
        ((15, 40), Phase.POST),
        ((16, 0), Phase.CLOSED),
    ],
)
def test_session_of_an_indian_day_follows_its_phases(clock: tuple[int, int], phase: Phase) -> None:
    assert session("XNSE", at(INDIA, 2024, 10, 28, *clock)) == (date(2024, 10, 28), phase)


@pytest.mark.parametrize(
    ("day", "clock", "phase"),
    [
        ((2019, 10, 27), (18, 30), Phase.REGULAR),  # Muhurat on a Sunday
        ((2019, 10, 27), (9, 30), Phase.CLOSED),
        ((2020, 2, 1), (9, 30), Phase.REGULAR),  # Union Budget on a Saturday
        ((2024, 11, 1), (18, 30), Phase.REGULAR),  # Muhurat on a Friday, known to the library
        ((2024, 11, 1), (9, 30), Phase.CLOSED),
        ((2024, 11, 2), (9, 30), Phase.CLOSED),  # an ordinary Saturday
    ],
)
def test_session_of_a_special_day_is_data_not_weekday(
    day: tuple[int, int, int], clock: tuple[int, int], phase: Phase
) -> None:
    assert session("XNSE", at(INDIA, *day, *clock))[1] is phase


@pytest.mark.parametrize(
    ("clock", "phase"),
    [
        ((2012, 11, 23, 3, 59), Phase.CLOSED),
        ((2012, 11, 23, 4, 0), Phase.PRE_OPEN),
        ((2012, 11, 23, 12, 59), Phase.REGULAR),
        ((2012, 11, 23, 13, 0), Phase.POST),  # the day after Thanksgiving closes early
        ((2012, 11, 23, 17, 0), Phase.CLOSED),
        ((2012, 11, 26, 19, 59), Phase.POST),
        ((2001, 9, 12, 10, 0), Phase.CLOSED),
    ],
)
def test_session_of_new_york_knows_early_closes(
    clock: tuple[int, int, int, int, int], phase: Phase
) -> None:
    assert session("XNYS", at(NEW_YORK, *clock))[1] is phase


def test_trade_date_of_a_late_trade_in_new_york_is_the_local_day() -> None:
    evening = at(NEW_YORK, 2012, 11, 26, 19, 30)
    assert datetime.fromtimestamp(evening / 1000, UTC).date() == date(2012, 11, 27)
    assert local_date("XNYS", evening) == date(2012, 11, 26)


@pytest.mark.parametrize(
    ("clock", "phase"),
    [
        ((2014, 5, 2, 16, 59), Phase.REGULAR),
        ((2014, 5, 2, 17, 0), Phase.CLOSED),
        ((2014, 5, 3, 12, 0), Phase.CLOSED),
        ((2014, 5, 4, 17, 0), Phase.REGULAR),
        ((2014, 5, 5, 3, 0), Phase.REGULAR),
    ],
)
def test_session_of_foreign_exchange_runs_through_the_week(
    clock: tuple[int, int, int, int, int], phase: Phase
) -> None:
    assert session("XFXS", at(NEW_YORK, *clock))[1] is phase


def test_session_open_of_a_day_without_session_is_the_usual_hour() -> None:
    assert session_open("XNSE", date(2024, 11, 2)) == at(INDIA, 2024, 11, 2, 9, 15)
    assert session_open("XNYS", date(2012, 11, 26)) == at(NEW_YORK, 2012, 11, 26, 9, 30)


@pytest.mark.parametrize("venue", VENUES)
def test_dates_past_the_covered_years_are_refused(venue: str) -> None:
    last = coverage(venue)[1] + timedelta(days=1)
    with pytest.raises(UsageError) as refused:
        day_schedules(venue, last, last)
    assert refused.value.code == "ASKNOWN-CALENDAR-001"


def test_unknown_venue_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="XLON") as refused:
        coverage("XLON")
    assert "XNSE" in refused.value.hint


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(VENUES), st.dates(date(2000, 1, 1), date(2026, 12, 1)))
def test_schedules_of_any_month_are_ordered_and_apart(venue: str, first: date) -> None:
    found = day_schedules(venue, first, first + timedelta(days=30))
    edges: list[int] = []
    for day in found:
        for interval in (day.pre_open, day.regular, day.post):
            if interval is not None:
                edges += interval
        assert day_start(venue, day.date) <= day.regular[0]
        assert local_date(venue, day.regular[0]) == day.date
    assert edges == sorted(edges)
