"""When markets are open: sessions as data, in UTC, never weekday logic.

A session day has up to three phases, half open in UTC milliseconds: pre_open, regular, post; any
other time is closed. Days and hours come from pandas_market_calendars; what it does not know
(sessions on a Saturday or a Sunday) is in calendar_overrides.yaml, each with its source.

    XNSE, XSIM  pre_open 09:00-09:15 (from 2010-10-18 on, when the venue began to hold one),
                regular as the calendar has it (09:15-15:30), post 15:40-16:00, Asia/Kolkata
    XNYS, XNAS  pre_open 04:00-09:30, regular 09:30-16:00, post 16:00-20:00, New York; on days
                of an early close all as the calendar has it
    XFXS        spot foreign exchange: regular from Sunday 17:00 to Friday 17:00 New York

A daily bar (interval 86,400 s) carries the start of the regular phase as its event time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from asknown.errors import UsageError

OVERRIDES = Path(__file__).parent / "calendar_overrides.yaml"

Interval = tuple[int, int]  # half open, UTC milliseconds


class Phase(StrEnum):
    """Part of a session day."""

    PRE_OPEN = "pre_open"
    REGULAR = "regular"
    POST = "post"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class DaySchedule:
    """One session day of a venue; `date` is local to it, intervals are UTC milliseconds."""

    date: date
    regular: Interval
    pre_open: Interval | None = None
    post: Interval | None = None

    def phase(self, at_ms: int) -> Phase:
        """Return the phase at an instant."""
        phases = (
            (Phase.PRE_OPEN, self.pre_open),
            (Phase.REGULAR, self.regular),
            (Phase.POST, self.post),
        )
        for phase, interval in phases:
            if interval is not None and interval[0] <= at_ms < interval[1]:
                return phase
        return Phase.CLOSED


@dataclass(frozen=True, slots=True)
class _Hours:
    """What the calendar library does not say about a family of venues; times are local."""

    calendar: str
    zone: ZoneInfo
    usual_open: time
    usual_close: time
    pre_open_from: time
    pre_open_since: date
    post: tuple[time, time] | None  # None: the calendar says when it ends
    first: date


_INDIA = _Hours(
    calendar="NSE",
    zone=ZoneInfo("Asia/Kolkata"),
    usual_open=time(9, 15),
    usual_close=time(15, 30),
    pre_open_from=time(9, 0),
    pre_open_since=date(2010, 10, 18),
    post=(time(15, 40), time(16, 0)),
    first=date(2000, 1, 1),
)
_AMERICA = _Hours(
    calendar="NYSE",
    zone=ZoneInfo("America/New_York"),
    usual_open=time(9, 30),
    usual_close=time(16, 0),
    pre_open_from=time(4, 0),
    pre_open_since=date(1990, 1, 1),
    post=None,
    first=date(1990, 1, 1),
)
_CURRENCY_ZONE = ZoneInfo("America/New_York")
_CURRENCY_CUT = time(17, 0)
_FAMILY = {"XNSE": _INDIA, "XSIM": _INDIA, "XNYS": _AMERICA, "XNAS": _AMERICA}
_CURRENCY = "XFXS"
_CURRENCY_YEARS = (date(2000, 1, 1), date(2035, 12, 31))
_RULES_REACH = date(
    2030, 12, 31
)  # New York's holidays follow rules; nobody has announced later ones

VENUES = (*_FAMILY, _CURRENCY)


def zone(venue: str) -> ZoneInfo:
    """Return the time zone whose dates `venue` trades by."""
    _known(venue)
    return _CURRENCY_ZONE if venue == _CURRENCY else _FAMILY[venue].zone


def local_date(venue: str, at_ms: int) -> date:
    """Return the date at `venue` at an instant in UTC milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone(venue)).date()


def day_start(venue: str, day: date) -> int:
    """Return when `day` begins at `venue`, in UTC milliseconds: an ex-date's first instant."""
    return _instant(day, time(), zone(venue))


def coverage(venue: str) -> tuple[date, date]:
    """Return the first and the last date whose sessions are known, both included.

    Holidays of India are announced year by year, so its calendar ends with the last year announced.
    """
    _known(venue)
    return _CURRENCY_YEARS if venue == _CURRENCY else _coverage(_FAMILY[venue].calendar)


def day_schedules(venue: str, first: date, last: date) -> list[DaySchedule]:
    """Return every session day from `first` to `last`, both included, in order.

    Raises `UsageError` ASKNOWN-CALENDAR-001 for dates that are not covered and
    ASKNOWN-CALENDAR-002 for a venue nobody knows.
    """
    covered = coverage(venue)
    if first < covered[0] or last > covered[1]:
        raise UsageError(
            "ASKNOWN-CALENDAR-001",
            f"expected dates of {venue} within {covered[0]} and {covered[1]}, "
            f"found {first} to {last}.",
            hint="update pandas_market_calendars, or add the sessions to calendar_overrides.yaml.",
        )
    if venue == _CURRENCY:
        return list(_currency_days(first, last))
    days, dates = _all_days(_FAMILY[venue])
    return days[bisect_right(dates, first - timedelta(days=1)) : bisect_right(dates, last)]


def session(venue: str, at_ms: int) -> tuple[date, Phase]:
    """Return the local date and the phase of `venue` at an instant in UTC milliseconds.

    The phase is `closed` outside the hours of a session day and on any other day.
    """
    day = local_date(venue, at_ms)
    found = day_schedules(venue, day, day)
    return day, found[0].phase(at_ms) if found else Phase.CLOSED


def session_open(venue: str, day: date) -> int:
    """Return the start of the regular phase of `day`, the event time of its daily bar.

    A day without a session gets the venue's usual opening time: a bar that a source has for such
    a day is still sent, and quarantined as MARKET_CLOSED.
    """
    found = day_schedules(venue, day, day)
    if found:
        return found[0].regular[0]
    usual = time() if venue == _CURRENCY else _FAMILY[venue].usual_open
    return _instant(day, usual, zone(venue))


def _known(venue: str) -> None:
    if venue not in VENUES:
        raise UsageError(
            "ASKNOWN-CALENDAR-002",
            f"expected a venue with a calendar, found {venue!r}.",
            hint=f"use one of: {', '.join(VENUES)}.",
        )


def _instant(day: date, at: time, where: ZoneInfo) -> int:
    return int(datetime.combine(day, at, where).timestamp() * 1000)


@lru_cache(maxsize=4)
def _calendar(name: str) -> Any:
    # The library takes a second to import; only what asks for sessions pays for it.
    import pandas_market_calendars

    return pandas_market_calendars.get_calendar(name)


@lru_cache(maxsize=4)
def _coverage(name: str) -> tuple[date, date]:
    if name == _AMERICA.calendar:
        return _AMERICA.first, _RULES_REACH
    announced = _calendar(name).holidays().holidays[-1]
    return _INDIA.first, date(int(str(announced)[:4]), 12, 31)


@lru_cache(maxsize=4)
def _all_days(hours: _Hours) -> tuple[list[DaySchedule], list[date]]:
    """Return all days of a family of venues, which costs a second, and their dates."""
    first, last = _coverage(hours.calendar)
    end = "post" if hours.post is None else "market_close"
    rows = _calendar(hours.calendar).schedule(first.isoformat(), last.isoformat(), end=end)
    days = {}
    for row in rows.itertuples():
        schedule = _day(hours, row.Index.date(), (_ms(row.market_open), _ms(row.market_close)))
        if hours.post is None:
            schedule = replace(schedule, post=(schedule.regular[1], _ms(row.post)))
        days[schedule.date] = schedule
    if hours is _INDIA:
        for day, regular in _overrides():
            days[day] = _day(hours, day, regular)
    ordered = [days[day] for day in sorted(days)]
    return ordered, [one.date for one in ordered]


def _day(hours: _Hours, day: date, regular: Interval) -> DaySchedule:
    """Return a day around its regular phase: the other phases belong to the usual hours only."""
    pre_open = post = None
    if day >= hours.pre_open_since and regular[0] == _instant(day, hours.usual_open, hours.zone):
        pre_open = (_instant(day, hours.pre_open_from, hours.zone), regular[0])
    if hours.post is not None and regular[1] == _instant(day, hours.usual_close, hours.zone):
        start, end = hours.post
        post = (_instant(day, start, hours.zone), _instant(day, end, hours.zone))
    return DaySchedule(day, regular, pre_open, post)


def _overrides() -> Iterator[tuple[date, Interval]]:
    document = yaml.safe_load(OVERRIDES.read_text(encoding="utf-8"))
    for entry in document["XNSE"]:
        day = entry["date"]
        at = [time.fromisoformat(entry[name]) for name in ("open", "close")]
        yield day, (_instant(day, at[0], _INDIA.zone), _instant(day, at[1], _INDIA.zone))


def _currency_days(first: date, last: date) -> Iterator[DaySchedule]:
    """Yield the days of spot foreign exchange, which follows the week by its nature."""
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        start, cut = time(), time()
        end_day = day + timedelta(days=1)
        if day.isoweekday() == 6:
            continue
        if day.isoweekday() == 7:
            start = _CURRENCY_CUT
        if day.isoweekday() == 5:
            cut, end_day = _CURRENCY_CUT, day
        yield DaySchedule(
            day, (_instant(day, start, _CURRENCY_ZONE), _instant(end_day, cut, _CURRENCY_ZONE))
        )


def _ms(stamp: Any) -> int:
    return int(stamp.timestamp() * 1000)
