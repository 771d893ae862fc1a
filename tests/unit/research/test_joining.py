"""Features are joined as they were known: against a plain search, and with leaks planted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.errors import UsageError
from asknown.research import LookAheadError, asof_join, check_known

T0 = datetime(2024, 1, 1, tzinfo=UTC)
TIME = pa.timestamp("us", tz="UTC")
HOUR = timedelta(hours=1)


def hours(number: int) -> datetime:
    return T0 + number * HOUR


def facts_of(rows: list[tuple[str, int, int, int | None]]) -> pa.Table:
    """Rows of (entity, day, known from hour, known to hour); a day ends at its 24th hour."""
    columns: dict[str, Any] = {
        "entity_id": pa.array([r[0] for r in rows], pa.string()),
        "trade_date": pa.array([date(2024, 1, 1) + timedelta(days=r[1]) for r in rows]),
        "close_time": pa.array([hours(24 * (r[1] + 1)) for r in rows], TIME),
        "value": pa.array([float(n) for n in range(len(rows))]),
        "known_from": pa.array([hours(r[2]) for r in rows], TIME),
        "known_to": pa.array([None if r[3] is None else hours(r[3]) for r in rows], TIME),
    }
    return pa.table(columns)


def events_of(rows: list[tuple[str, int]]) -> pa.Table:
    times = pa.array([hours(r[1]) for r in rows], TIME)
    return pa.table({"entity_id": pa.array([r[0] for r in rows], pa.string()), "event_time": times})


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, int, int | None]]:
    """Versions of the values of days: each believed until the next, the last perhaps withdrawn."""
    rows: list[tuple[str, int, int, int | None]] = []
    for entity in ("a", "b"):
        for day in draw(st.sets(st.integers(0, 3))):
            known = sorted(draw(st.sets(st.integers(0, 200), min_size=1, max_size=4)))
            ends: list[int | None] = [*known[1:], draw(st.none() | st.integers(201, 230))]
            rows += [(entity, day, k, e) for k, e in zip(known, ends, strict=True)]
    return rows


EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 260)), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(histories(), EVENTS)
def test_join_uses_the_newest_session_known_and_never_a_later_one(
    rows: list[tuple[str, int, int, int | None]], events: list[tuple[str, int]]
):
    joined = asof_join(events_of(events), facts_of(rows)).to_pylist()
    for (entity, hour), found in zip(events, joined, strict=True):
        usable = [
            (day, known, float(place))
            for place, (who, day, known, until) in enumerate(rows)
            if who == entity
            and known <= hour
            and 24 * (day + 1) <= hour
            and (until is None or hour < until)
        ]
        assert found["value"] == (max(usable)[2] if usable else None)
        assert found["value_known_from"] is None or found["value_known_from"] <= hours(hour)


def test_join_gives_each_feature_its_columns():
    facts = facts_of([("a", 0, 1, None), ("a", 0, 1, None)])
    facts = facts.append_column("feature_name", pa.array(["slow", "quick"]))
    joined = asof_join(events_of([("a", 30)]), facts)
    assert joined.column_names[2:] == [
        *("quick", "quick_trade_date", "quick_known_from"),
        *("slow", "slow_trade_date", "slow_known_from"),
    ]
    assert joined.to_pylist()[0]["slow"] == 0.0


def test_a_join_by_date_that_looks_ahead_is_caught():
    # the value of the 1st was corrected on the 3rd; a join by date takes the correction
    facts = facts_of([("a", 0, 24, 60), ("a", 0, 60, None)])
    event = events_of([("a", 30)])
    newest = facts.slice(1, 1)
    leaking = event.append_column("known_from", newest.column("known_from"))
    with pytest.raises(LookAheadError) as caught:
        check_known(leaking)
    assert caught.value.code == "ASKNOWN-RESEARCH-008"
    assert int(caught.value.exit_code) == 3
    sound = asof_join(event, facts)
    check_known(sound, known="value_known_from")
    assert sound.column("value").to_pylist() == [0.0]


def test_a_session_that_has_not_ended_is_not_used():
    facts = facts_of([("a", 0, 1, None)])
    assert asof_join(events_of([("a", 23)]), facts).column("value").to_pylist() == [None]
    assert asof_join(events_of([("a", 24)]), facts).column("value").to_pylist() == [0.0]


def test_sessions_end_as_the_calendar_of_a_venue_says():
    facts = facts_of([("a", 1, 1, None)]).drop_columns(["close_time"])  # 2024-01-02, New York
    before, after = (
        pa.table({"entity_id": ["a"], "event_time": pa.array([t], TIME)})
        for t in (datetime(2024, 1, 2, 20, 59, tzinfo=UTC), datetime(2024, 1, 2, 21, tzinfo=UTC))
    )
    assert asof_join(before, facts, venue="XNYS").column("value").to_pylist() == [None]
    assert asof_join(after, facts, venue="XNYS").column("value").to_pylist() == [0.0]
    with pytest.raises(UsageError) as refused:
        asof_join(before, facts)
    assert refused.value.code == "ASKNOWN-RESEARCH-001"


def test_frames_of_pandas_are_taken_as_well():
    facts = facts_of([("a", 0, 1, None)])
    joined = asof_join(events_of([("a", 30)]).to_pandas(), facts.to_pandas())
    assert joined.column("value").to_pylist() == [0.0]
