"""The replay's clock: heartbeats say what has been reached, and the last one closes everything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.errors import UsageError
from asknown.ingestion.clock import Beat, check_ahead, iso
from asknown.ingestion.event import Delivery, Event, Poison, Settle, event_id
from asknown.ingestion.reference_load import REFERENCE_TOPICS, check_not_behind, load
from asknown.ingestion.replay import CLOCK_TOPICS, CLOSING_MS, Pace, replay

START = 1_398_902_400_000
FAST = Pace(settle_seconds=0)
LAST_BUT_ONE_MS = CLOSING_MS * 3 // 4
CLOSING = (LAST_BUT_ONE_MS, CLOSING_MS)


class Recorder:
    """Keeps what a replay sends."""

    def __init__(self) -> None:
        self.sent = 0
        self.heartbeats = 0
        self.log: list[tuple[str, Any]] = []

    def publish(self, event: Event) -> str:
        self.sent += 1
        self.log.append(("event", event.event_time_ms))
        return event.event_id

    def publish_bytes(self, poison: Poison) -> None:
        self.sent += 1
        self.log.append(("poison", poison.key))

    def heartbeat(self, topics: Iterable[str], at_ms: int) -> None:
        assert tuple(topics) in (CLOCK_TOPICS, REFERENCE_TOPICS)
        self.heartbeats += 1
        whole = tuple(topics) == CLOCK_TOPICS
        self.log.append(("heartbeat" if whole else "reference heartbeat", at_ms))

    def flush(self) -> None:
        self.log.append(("flush", None))


def tick(at_ms: int) -> Delivery:
    return Delivery(at_ms, Event("raw.quote", "test", (str(at_ms),), at_ms, "X:FX:A", {}))


def test_event_id_is_that_of_the_natural_key() -> None:
    assert event_id("lean", ("a", "b")) == event_id("lean", ("a", "b"))
    assert event_id("lean", ("a", "b")) != event_id("lean", ("ab",))
    assert len(event_id("lean", ("a",))) == 16


@given(st.lists(st.integers(0, 50_000), min_size=1, max_size=40))
def test_heartbeats_never_run_ahead_of_the_events(offsets: list[int]) -> None:
    recorder = Recorder()
    summary = replay(recorder, [tick(START + at) for at in sorted(offsets)], FAST)
    seen = START
    for kind, at_ms in recorder.log[:-3]:  # all but the closing heartbeats and the last flush
        if kind == "event":
            seen = at_ms
            assert all(at_ms >= beat for _, beat in _beats(recorder, before=(kind, at_ms)))
    assert recorder.log[-3:] == [
        ("heartbeat", seen + LAST_BUT_ONE_MS),
        ("heartbeat", seen + CLOSING_MS),
        ("flush", None),
    ]
    assert summary.sent == len(offsets)
    assert summary.closed_ms == START + max(offsets) + CLOSING_MS


def _beats(recorder: Recorder, before: tuple[str, Any]) -> list[tuple[str, Any]]:
    return [one for one in recorder.log[: recorder.log.index(before)] if one[0] == "heartbeat"]


def test_full_speed_tells_the_time_once_per_gap() -> None:
    recorder = Recorder()
    replay(recorder, [tick(START), tick(START + 30_500), tick(START + 30_600)], FAST)
    beats = [at for kind, at in recorder.log if kind == "heartbeat"]
    assert beats == [START + 30_000, *(START + 30_600 + at for at in CLOSING)]


def test_paced_silence_gets_every_heartbeat() -> None:
    recorder = Recorder()
    replay(recorder, [tick(START), tick(START + 5_000)], Pace(speed=1_000.0))
    beats = [at for kind, at in recorder.log if kind == "heartbeat"]
    assert beats == [
        START + 5_000 + at for at in CLOSING
    ]  # at 1,000 times, a round is due each 100 s


def test_settle_tells_the_time_and_flushes_before_what_follows() -> None:
    recorder = Recorder()
    replay(recorder, [tick(START), Settle(START + 300), tick(START + 300)], FAST)
    assert recorder.log[1:4] == [
        ("heartbeat", START + 300),
        ("flush", None),
        ("event", START + 300),
    ]


def test_empty_replay_sends_nothing() -> None:
    recorder = Recorder()
    assert replay(recorder, [], FAST).closed_ms is None
    assert recorder.log == [("flush", None)]


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(UsageError) as refused:
        Pace(speed=speed)
    assert refused.value.code == "ASKNOWN-INGEST-010"


def test_events_behind_the_clock_are_refused_by_name() -> None:
    beats = [Beat("raw.trade", 0, START), Beat("raw.trade", 3, START + 60_000)]
    check_ahead(beats, START + 50_001, 10_000)
    check_ahead([], 0, 10_000)
    with pytest.raises(UsageError, match="2014-05-01") as refused:
        check_ahead(beats, START + 50_000, 10_000)
    assert refused.value.where == "raw.trade[3]"


def fact(at_ms: int, symbol: str = "A") -> Event:
    key = f"X:FX:{symbol}"
    return Event("raw.security", "test", ("security", key), at_ms, key, {"symbol": symbol})


def test_fact_behind_its_topics_clock_is_refused_by_name() -> None:
    check_not_behind([fact(START)], [Beat("raw.security", 0, START - 1)])
    check_not_behind([fact(START)], [])
    with pytest.raises(UsageError, match="X:FX:A") as refused:
        check_not_behind([fact(START)], [Beat("raw.security", 0, START)])
    assert refused.value.code == "ASKNOWN-REFERENCE-020"
    assert iso(START) in refused.value.message


def test_facts_the_topic_already_has_are_not_sent_again() -> None:
    recorder, held = Recorder(), {fact(START).event_id: {"symbol": "A", "isin": None}}
    loaded = load(recorder, [fact(START), fact(START + 1, "B")], held)
    assert (loaded.securities, loaded.unchanged) == (1, 1)
    assert recorder.log == [("event", START + 1), ("flush", None)]


def test_fact_that_says_something_else_by_now_is_sent_again() -> None:
    recorder, held = Recorder(), {fact(START).event_id: {"symbol": "A", "isin": "XS0000000000"}}
    assert load(recorder, [fact(START)], held).securities == 1


def test_replay_waits_for_the_reference_job_before_its_first_event() -> None:
    recorder, asked = Recorder(), []

    def follow(at_ms: int) -> bool:
        asked.append((at_ms, list(recorder.log)))
        return True

    summary = replay(recorder, [tick(START)], FAST, follow)
    assert asked == [(START - 1, [("reference heartbeat", START - 1), ("flush", None)])]
    assert summary.followed is True
    assert replay(Recorder(), [tick(START)], FAST, lambda _: False).followed is False
