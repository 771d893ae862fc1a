"""What Redis holds of a listing, on a real one: each update once, the newest record, numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import NoPermissionError

from asknown.errors import UnreachableError
from asknown.storage import latest
from asknown.storage.latest import Applied, MovedError, Update
from tests.unit.redis_running import RunningRedis, settings_in

RELIANCE, INFY = "L-RELIANCE", "L-INFY"
PLACE = "normalized.trade[0]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    with RunningRedis(settings_in(tmp_path_factory.mktemp("redis"))) as running:
        yield running


@pytest.fixture
def store(server: RunningRedis) -> Iterator[Redis]:
    with latest.client("writer", server.config) as connection:
        connection.flushdb()
        yield connection


def trade(entity_id: str, offset: int, time_ms: int) -> Update:
    return Update(entity_id, "trade", offset, time_ms, orjson.dumps({"n": offset}))


def send(store: Redis, *updates: Update, before: int | None = None, keep: int = 64) -> int:
    after = max(one.offset for one in updates) + 1
    return latest.apply(store, Applied(PLACE, before, after), updates, keep)


def newest(store: Redis, entity_id: str) -> tuple[int, int]:
    """Return the record's number and the last update's number."""
    body, seq = store.hmget(latest.latest_key(entity_id), ["trade", "trade@seq"])
    return orjson.loads(body)["n"], int(seq)


def recent(store: Redis, entity_id: str) -> list[tuple[int, int]]:
    """Return (number, number of the one before) of the last updates, oldest first."""
    found = store.lrange(latest.recent_key(entity_id, "trade"), 0, -1)
    return [tuple(int(n) for n in one.split(b" ")[:2]) for one in reversed(found)]


def test_updates_of_two_listings_name_the_one_before_of_their_own(store: Redis) -> None:
    told = send(store, trade(RELIANCE, 3, 10), trade(INFY, 4, 10), trade(RELIANCE, 7, 11))
    assert told == 3
    assert recent(store, RELIANCE) == [(3, -1), (7, 3)]
    assert recent(store, INFY) == [(4, -1)]
    assert newest(store, RELIANCE) == (7, 7)
    assert latest.applied(store) == {PLACE: 8}


def test_older_event_is_told_and_does_not_become_the_newest(store: Redis) -> None:
    send(store, trade(RELIANCE, 1, 100))
    send(store, trade(RELIANCE, 2, 50), before=2)
    assert newest(store, RELIANCE) == (1, 2)
    assert recent(store, RELIANCE) == [(1, -1), (2, 1)]


def test_same_time_twice_the_later_offset_is_the_newest(store: Redis) -> None:
    send(store, trade(RELIANCE, 1, 100), trade(RELIANCE, 2, 100))
    assert newest(store, RELIANCE) == (2, 2)


def test_writer_that_is_elsewhere_is_refused_and_nothing_changes(store: Redis) -> None:
    send(store, trade(RELIANCE, 1, 100))
    for before in (None, 1, 3):
        with pytest.raises(MovedError, match=r"expected normalized.trade\[0\] at .*, found 2"):
            send(store, trade(RELIANCE, 5, 100), before=before)
    assert newest(store, RELIANCE) == (1, 1)


def test_emptied_store_is_noticed(store: Redis) -> None:
    send(store, trade(RELIANCE, 1, 100))
    store.flushdb()
    with pytest.raises(MovedError, match="found its beginning"):
        send(store, trade(RELIANCE, 2, 100), before=2)


def test_only_the_last_updates_are_kept(store: Redis) -> None:
    send(store, *(trade(RELIANCE, n, n) for n in range(10)), keep=3)
    assert recent(store, RELIANCE) == [(7, 6), (8, 7), (9, 8)]


def test_killed_store_has_all_that_was_acknowledged(server: RunningRedis, store: Redis) -> None:
    send(store, *(trade(RELIANCE, n, n) for n in range(100)))
    server.kill()
    with pytest.raises(UnreachableError, match="Redis"):
        send(store, trade(RELIANCE, 100, 100), before=100)
    server.start()
    assert newest(store, RELIANCE) == (99, 99)
    assert latest.applied(store) == {PLACE: 100}


def test_listener_hears_each_update_with_its_series(server: RunningRedis, store: Redis) -> None:
    with latest.client("reader", server.config) as reader, reader.pubsub() as heard:
        heard.subscribe(latest.channel(RELIANCE))
        assert heard.get_message(timeout=5)["type"] == "subscribe"
        send(store, trade(RELIANCE, 5, 1), trade(INFY, 6, 1))
        message = heard.get_message(timeout=5)
        assert message["data"] == b'trade 5 -1 {"n":5}'
        assert heard.get_message(timeout=0.1) is None


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "latest:x", "1"),
        ("GET", "live:applied"),
        ("FLUSHDB",),
        ("CONFIG", "GET", "*"),
        ("PUBLISH", "live:x", "1"),
        ("EVAL", "return 1", "0"),
        ("KEYS", "*"),
    ],
)
def test_reader_may_do_nothing_but_read(server: RunningRedis, command: tuple[str, ...]) -> None:
    with latest.client("reader", server.config) as reader, pytest.raises(NoPermissionError):
        reader.execute_command(*command)


@given(
    records=st.lists(
        st.tuples(st.sampled_from([RELIANCE, INFY]), st.integers(0, 20)), min_size=1, max_size=30
    ),
    cut=st.integers(1, 7),
    again=st.booleans(),
)
def test_store_is_the_same_however_the_records_are_cut_and_sent_again(
    server: RunningRedis, records: list[tuple[str, int]], cut: int, again: bool
) -> None:
    updates = [trade(entity, n, time) for n, (entity, time) in enumerate(records)]
    with latest.client("writer", server.config) as store:
        store.flushdb()
        before = None
        for first in range(0, len(updates), cut):
            part = updates[first : first + cut]
            send(store, *part, before=before)
            before = part[-1].offset + 1
        if again:  # a writer that begins again earlier, as behind a rebuild: nothing is told twice
            at = Applied("normalized.trade[1]", None, before or 0)
            assert latest.apply(store, at, updates) == 0
        for entity in {one.entity_id for one in updates}:
            mine = [one for one in updates if one.entity_id == entity]
            last = max(mine, key=lambda one: (one.time_ms, one.offset))
            assert newest(store, entity) == (last.offset, mine[-1].offset)
            numbers = [-1, *(one.offset for one in mine)]
            assert recent(store, entity) == list(zip(numbers[1:], numbers, strict=False))


def record(**more: Any) -> dict[str, Any]:
    time = datetime(2024, 10, 28, 4, 0, 1, 500_000, tzinfo=UTC)
    return {"entity_id": RELIANCE, "event_time": time, "price": Decimal("1334.50000000"), **more}


def test_trade_is_a_series_of_its_own_with_exact_decimals() -> None:
    found = latest.update("normalized.trade", 7, record())
    assert found is not None
    assert (found.entity_id, found.series, found.offset) == (RELIANCE, "trade", 7)
    assert found.time_ms == 1730088001500
    assert orjson.loads(found.body)["price"] == "1334.5"
    assert orjson.loads(found.body)["event_time"] == "2024-10-28T04:00:01.500Z"


def test_bar_is_a_series_by_length_and_price_and_its_time_is_its_start() -> None:
    start = datetime(2024, 10, 28, 4, tzinfo=UTC)
    bar = record(interval_seconds=60, price_type="bid", bar_start=start)
    found = latest.update("analytics.bar", 7, bar)
    assert found is not None
    assert (found.series, found.time_ms) == ("bar:60:bid", 1730088000000)


def test_bar_of_a_source_is_served_by_the_day_only() -> None:
    day = latest.update("normalized.bar", 1, record(interval_seconds=86_400))
    minute = latest.update("normalized.bar", 2, record(interval_seconds=60))
    assert day is not None
    assert day.series == "bar:86400:trade"
    assert minute is None
