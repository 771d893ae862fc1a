"""Pack exchange calendars into a literal of the query: sessions are data, never weekday logic.

The functions SESSION_PHASE and SESSION_DATE (infra/flink-cluster) unpack it once and then find a
moment's session by binary search: no join, no state, the same in a stream and in a batch. Why not
plain SQL: docs/adr/0003-jvm-functions.md.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from asknown.reference import calendars

_EPOCH = date(1970, 1, 1)
_FIRST_CODE = ord("A")  # above '.' and ' '


@dataclass(frozen=True)
class Phase:
    """One phase of a session, half open: UTC milliseconds since the epoch."""

    name: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Session:
    """One open day of a venue; phases in ascending order."""

    trade_date: date
    phases: tuple[Phase, ...]


@dataclass(frozen=True)
class SessionSql:
    """Expressions over the columns `venue` and `event_time`."""

    trade_date: str
    session_phase: str


def render(sessions: Mapping[str, Iterable[Session]]) -> SessionSql:
    """Return the SQL of a record's session date and phase, from each venue's open days."""
    packed = pack(sessions)
    return SessionSql(
        trade_date=f"SESSION_DATE(venue, event_time, '{packed}')",
        session_phase=f"SESSION_PHASE(venue, event_time, '{packed}')",
    )


def pack(sessions: Mapping[str, Iterable[Session]]) -> str:
    """Return the calendars as base64 of gzipped lines; equal input gives equal text.

    A line `S code phase start end ...` is a kind of day, in milliseconds since midnight UTC; a line
    `V venue first_day codes` is a venue, one code a day from that epoch day on, '.' when closed.
    There are few kinds of day, so decades of sessions fit into a string constant of the JVM.
    """
    kinds: dict[str, str] = {}
    venues = []
    for venue in sorted(sessions):
        days = {
            (session.trade_date - _EPOCH).days: kinds.setdefault(
                _kind(session), chr(_FIRST_CODE + len(kinds))
            )
            for session in sessions[venue]
        }
        if days:
            codes = "".join(days.get(day, ".") for day in range(min(days), max(days) + 1))
            venues.append(f"V {venue} {min(days)} {codes}")
    lines = [*(f"S {code} {kind}" for kind, code in kinds.items()), *venues]
    return base64.b64encode(gzip.compress("\n".join(lines).encode(), mtime=0)).decode()


def _kind(session: Session) -> str:
    start = datetime.combine(session.trade_date, datetime.min.time(), UTC)
    midnight = int(start.timestamp() * 1000)
    return " ".join(
        f"{p.name} {p.start_ms - midnight} {p.end_ms - midnight}" for p in session.phases
    )


def open_days(venue: str, first: date) -> list[Session]:
    """Return the venue's sessions from `first` (a date) to the end of its calendar."""
    covered_from, covered_to = calendars.coverage(venue)
    schedules = calendars.day_schedules(venue, max(first, covered_from), covered_to)
    return [
        Session(
            day.date,
            tuple(
                Phase(name, *span)
                for name, span in (
                    ("pre_open", day.pre_open),
                    ("regular", day.regular),
                    ("post", day.post),
                )
                if span is not None
            ),
        )
        for day in schedules
    ]
