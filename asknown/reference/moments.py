"""Times as they are asked for and shown: UTC, to the millisecond, dates read as the question means.

A date of knowledge is its midnight in UTC. A date at which something held is that day at the
exchange.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

FOR_EVER = datetime(2200, 1, 1, tzinfo=UTC)  # the end of an interval that is open
FOR_EVER_MS = 7_258_118_400_000
_TIME = "an RFC 3339 time like 2024-10-28T03:45:00Z, or a date (midnight UTC)"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})"
)
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), FOR_EVER


def parse_time(value: Any) -> datetime:
    """Return a UTC time, cut to milliseconds.

    Raises ValueError for anything but RFC 3339 with an offset or a plain date, and outside
    1970-2199. A `+` that arrived as a space (it was not encoded as %2B) is understood.
    """
    if isinstance(value, datetime):
        return value
    text = str(value).strip()
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    text = re.sub(r" (\d{2}:\d{2})$", r"+\1", text)
    if not _DATE_TIME.fullmatch(text):
        raise ValueError(f"expected {_TIME}")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"expected {_TIME}") from None
    if not _FIRST <= moment < _LAST:
        raise ValueError("expected a time from 1970 to 2199")
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def parse_day(value: Any) -> datetime:
    """Return a UTC time; a plain date is that day at the exchange.

    12:00 UTC lies in the calendar day of that name from UTC-12 to UTC+11, where midnight UTC is
    still the evening before in America.
    """
    moment = parse_time(value)
    plain = not isinstance(value, datetime) and _DATE.fullmatch(str(value).strip())
    return moment + timedelta(hours=12) if plain else moment


def iso(moment: datetime) -> str:
    """Return a UTC time as RFC 3339 with milliseconds."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    )


def milliseconds(moment: datetime) -> int:
    """Return a time as milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def moment(ms: int) -> datetime:
    """Return milliseconds since the epoch as a time."""
    return datetime.fromtimestamp(ms / 1000, UTC)
