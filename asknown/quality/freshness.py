"""How old data are, in the time in which a venue is open: a holiday makes nothing stale.

Pure: the newest event's time, now, and the open intervals are arguments. All times are UTC
milliseconds, intervals half open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Interval = tuple[int, int]


class Verdict(StrEnum):
    """Whether the newest record is as new as promised."""

    FRESH = "FRESH"
    STALE = "STALE"
    CLOSED = "CLOSED"  # fresh, and nothing is expected now


@dataclass(frozen=True)
class Freshness:
    """The age of a dataset's newest record, and what it means."""

    age_ms: int  # by the calendar on the wall
    open_age_ms: int  # of it, while the venue was open
    open_now: bool
    verdict: Verdict


def judge(
    last_ms: int, now_ms: int, allowed_ms: int, open_intervals: Sequence[Interval] | None
) -> Freshness:
    """Compare the age of the newest record with what is allowed.

    `open_intervals` cover the time between last and now and do not overlap; None means a market
    that never closes. A record that lies ahead of now has no age. Data that went stale stay so
    while the venue is closed: what is missing does not arrive by itself at night.
    """
    age = max(0, now_ms - last_ms)
    if open_intervals is None:
        open_age, open_now = age, True
    else:
        open_age = open_time(open_intervals, last_ms, now_ms)
        open_now = any(start <= now_ms < end for start, end in open_intervals)
    if open_age > allowed_ms:
        verdict = Verdict.STALE
    else:
        verdict = Verdict.FRESH if open_now else Verdict.CLOSED
    return Freshness(age, open_age, open_now, verdict)


def open_time(intervals: Sequence[Interval], start_ms: int, end_ms: int) -> int:
    """Return how much of [start, end) lies in the intervals."""
    return sum(max(0, min(end, end_ms) - max(start, start_ms)) for start, end in intervals)


def same_minute(open_intervals: Sequence[Interval], window_ms: int, sessions: int) -> list[int]:
    """Return the windows as long after the open as this one, in the sessions before its own.

    `open_intervals` are ordered. A window outside every session has none; sessions too short to
    have that minute are left out, and so is the time before the first interval.
    """
    own = next((i for i, (s, e) in enumerate(open_intervals) if s <= window_ms < e), None)
    if own is None:
        return []
    since_open = window_ms - open_intervals[own][0]
    earlier = open_intervals[max(0, own - sessions) : own]
    return [start + since_open for start, end in earlier if start + since_open < end]
