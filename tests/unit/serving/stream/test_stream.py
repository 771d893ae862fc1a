"""The stream over a real Redis and a real ClickHouse, as clients meet it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from asknown.storage import latest
from tests.unit.serving.market import ACME, NOVA, PEAR
from tests.unit.serving.stream.conftest import Market, Message, heard


def say(client: ClientConnection, **message: Any) -> None:
    client.send(json.dumps(message))


def subscribe(client: ClientConnection, **more: Any) -> Message:
    say(client, action="subscribe", **{"channel": "trades", "symbols": "ACME", **more})
    return heard(client)


def prices(client: ClientConnection, count: int) -> list[tuple[int, int, str]]:
    """Return (number, number before, price) of the next updates."""
    found = [heard(client) for _ in range(count)]
    assert [m["type"] for m in found] == ["update"] * count, found
    return [(m["seq"], m["prev"], m["data"]["price"]) for m in found]


def wait_for(condition: Callable[[], bool], within: float = 10) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_subscriber_gets_the_newest_trade_and_then_each_one(market: Market) -> None:
    market.trade(100, 101)
    with market.client() as client:
        ack = subscribe(client, id="a")
        snapshot = heard(client)
        market.trade(102)
        market.trade(103, 104)
        assert ack == {
            "type": "ack",
            "id": "a",
            "accepted": [{"entity_id": ACME, "symbol": "ACME"}],
            "rejected": [],
        }
        assert (snapshot["type"], snapshot["seq"]) == ("snapshot", 1)
        assert snapshot["data"]["price"] == "101"
        assert prices(client, 3) == [(2, 1, "102"), (3, 2, "103"), (4, 3, "104")]


def test_row_is_as_the_api_shows_it(market: Market) -> None:
    market.trade(100)
    with market.client() as client:
        subscribe(client)
        data = heard(client)["data"]
    rows = httpx2.get(
        f"http://127.0.0.1:{market.port}/v1/trades",
        params={"symbols": "ACME", "start": "2024-10-18", "end": "2024-10-29", "limit": 1},
    ).json()["data"]
    assert list(data) == list(rows[0])
    assert data["symbol"] == "ACME"
    assert data["sequence"] == -1  # of a record without one, here as there
    assert data["event_time"] == "2024-11-01T04:00:00.000Z"


def test_listing_without_any_record_has_an_empty_snapshot_and_gets_the_first(
    market: Market,
) -> None:
    with market.client() as client:
        subscribe(client)
        snapshot = heard(client)
        market.trade(100)
        assert (snapshot["seq"], snapshot["data"]) == (-1, None)
        assert prices(client, 1) == [(0, -1, "100")]


def test_symbol_that_names_nothing_stops_no_other(market: Market) -> None:
    with market.client() as client:
        ack = subscribe(client, symbols=["ACME", "NOBODY"], entity_ids=[NOVA])
        assert {one["entity_id"] for one in ack["accepted"]} == {ACME, NOVA}
        assert [(one["symbol"], one["code"]) for one in ack["rejected"]] == [
            ("NOBODY", "ASKNOWN-API-404")
        ]


def test_symbol_given_up_by_a_rename_is_read_at_the_moment_asked_for(market: Market) -> None:
    with market.client() as client:
        then = subscribe(client, symbols="OLD", symbol_as_of="2024-02-01")
        assert [one["entity_id"] for one in then["accepted"]] == [PEAR]
        heard(client)
        now = subscribe(client, symbols="OLD")
        assert [one["entity_id"] for one in now["accepted"]] == [NOVA]


def test_other_listings_and_other_channels_are_not_heard(market: Market) -> None:
    with market.client() as client:
        subscribe(client, channel="quotes")
        heard(client)
        market.trade(100)
        market.trade(7, entity_id=NOVA)
        say(client, action="ping", id="p")
        assert heard(client)["type"] == "pong"


def test_client_that_comes_back_gets_what_it_missed(market: Market) -> None:
    market.trade(100, 101)
    market.trade(102, 103)
    with market.client() as client:
        subscribe(client, from_seq={ACME: 1})
        assert prices(client, 2) == [(2, 1, "102"), (3, 2, "103")]
        market.trade(104)
        assert prices(client, 1) == [(4, 3, "104")]


def test_client_that_missed_more_than_is_kept_gets_a_snapshot(market: Market) -> None:
    market.trade(*range(latest.KEEP + 10))
    with market.client() as client:
        subscribe(client, from_seq={ACME: 3})
        snapshot = heard(client)
        assert (snapshot["type"], snapshot["seq"]) == ("snapshot", latest.KEEP + 9)


def test_client_of_a_future_number_gets_a_snapshot(market: Market) -> None:
    market.trade(100)
    with market.client() as client:
        subscribe(client, from_seq={ACME: 900})
        assert heard(client)["type"] == "snapshot"


def test_without_a_snapshot_only_what_comes_is_sent(market: Market) -> None:
    market.trade(100)
    with market.client() as client:
        subscribe(client, snapshot=False)
        market.trade(101)
        assert prices(client, 1) == [(1, 0, "101")]


def test_unsubscribed_listing_is_silent(market: Market) -> None:
    with market.client() as client:
        subscribe(client)
        heard(client)
        say(client, action="unsubscribe", id="u", channel="trades", symbols="ACME")
        assert heard(client)["ended"] == [{"entity_id": ACME, "symbol": "ACME"}]
        market.trade(100)
        say(client, action="ping")
        assert heard(client)["type"] == "pong"


def test_late_trade_is_told_and_the_snapshot_stays_the_newest(market: Market) -> None:
    market.trade(100, second=30)
    with market.client() as first:
        subscribe(first)
        heard(first)
        market.trade(99, second=10)
        assert prices(first, 1) == [(1, 0, "99")]
    with market.client() as second:
        subscribe(second)
        snapshot = heard(second)
        assert (snapshot["seq"], snapshot["data"]["price"]) == (1, "100")


def test_redis_that_is_killed_and_comes_back_costs_no_update(market: Market) -> None:
    market.trade(100)
    with market.client() as client:
        subscribe(client)
        assert heard(client)["data"]["price"] == "100"
        market.redis.kill()
        assert heard(client) == {"type": "status", "feed": "lost"}
        market.redis.start()
        market.trade(101, 102)  # perhaps before the API listens again
        found = [heard(client) for _ in range(3)]
        assert found[0] == {"type": "status", "feed": "back"} or found[2]["type"] == "status"
        seen = [(m["seq"], m["prev"]) for m in found if m["type"] == "update"]
        assert seen == [(1, 0), (2, 1)]


def test_subscription_while_redis_is_away_is_refused_with_the_reason(market: Market) -> None:
    with market.client() as client:
        market.redis.kill()
        try:
            answer = subscribe(client, id="x")
        finally:
            market.redis.start()
        assert (answer["type"], answer["id"], answer["code"]) == ("error", "x", "ASKNOWN-LIVE-002")
        wait_for(lambda: subscribe(client)["type"] == "ack" and heard(client)["type"] == "snapshot")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"action":"subscribe"}', '{"action":"sing"}', '{"action":"subscribe",'
     '"channel":"trades","symbols":"ACME","adjust":"all"}', '{"action":"ping","id":7}'],
)  # fmt: skip
def test_message_that_is_none_is_refused_and_the_client_stays(market: Market, text: str) -> None:
    with market.client() as client:
        client.send(text)
        answer = heard(client)
        assert (answer["type"], answer["code"]) == ("error", "ASKNOWN-STREAM-001")
        say(client, action="ping", id="still")
        assert heard(client)["id"] == "still"


def test_client_that_asks_for_too_much_is_refused(market: Market) -> None:
    with market.client() as client:
        for first in range(0, 500, 100):
            ids = [f"L-{n}" for n in range(first, first + 100)]
            assert subscribe(client, symbols=[], entity_ids=ids)["type"] == "ack"
            for _ in ids:
                heard(client)
        assert subscribe(client)["code"] == "ASKNOWN-STREAM-002"


def test_client_that_floods_is_sent_away(market: Market) -> None:
    with market.client() as client, pytest.raises(ConnectionClosed) as left:
        for _ in range(10_000):
            say(client, action="ping")
        while True:
            heard(client)
    assert left.value.rcvd is not None
    assert left.value.rcvd.code == 1008


def test_message_of_a_megabyte_ends_the_connection(market: Market) -> None:
    with market.client() as client, pytest.raises(ConnectionClosed) as left:
        client.send("x" * 1_000_000)
        heard(client)
    assert left.value.rcvd is not None
    assert left.value.rcvd.code == 1009


def test_page_of_another_origin_is_not_let_in(market: Market) -> None:
    with pytest.raises(InvalidStatus) as refused, market.client(origin="https://evil.example"):
        pass
    assert refused.value.response.status_code == 403
    with market.client(origin=f"http://127.0.0.1:{market.port}") as client:
        assert subscribe(client)["type"] == "ack"


def test_client_that_does_not_read_stops_nobody_and_is_told_what_it_missed(market: Market) -> None:
    count, size = 6_000, 4_000
    with market.client(max_queue=1) as stalled, market.client() as good:
        for client in (stalled, good):
            subscribe(client)
            heard(client)
        for price in range(0, count, 50):
            market.trade(*range(price, price + 50), isin="X" * size)
            assert len(prices(good, 50)) == 50
        found: list[Message] = []
        while not found or found[-1].get("seq") != count - 1:
            found.append(heard(stalled))
    updates = [m for m in found if m["type"] == "update"]
    left_out = sum(m.get("left_out", 0) for m in updates)
    assert [m["code"] for m in found if m["type"] == "warning"][:1] == ["SLOW_CONSUMER"]
    assert all(b["prev"] == a["seq"] for a, b in zip(updates, updates[1:], strict=False))
    assert left_out + len(updates) == count
    wait_for(lambda: market.metric("asknown_stream_clients") == 0)
    assert market.metric("asknown_stream_left_out_total") >= left_out > 0
