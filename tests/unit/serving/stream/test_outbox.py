"""What waits for one client: in order, bounded, and every gap is said."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from asknown.serving.stream.feed import Told
from asknown.serving.stream.outbox import Key, Outbox

ACME: Key = ("L-ACME", "trade")
PEAR: Key = ("L-PEAR", "trade")


def told(seq: int, previous: int = -1) -> Told:
    return Told("trade", seq, previous, b'{"price":"1"}')


def sent(outbox: Outbox) -> list[dict[str, Any]]:
    async def all_of_it() -> list[dict[str, Any]]:
        return [orjson.loads(await outbox.next()) for _ in range(len(outbox))]

    return asyncio.run(all_of_it())


def following(*keys: Key, limit: int = 1000) -> Outbox:
    outbox = Outbox(limit)
    for key in keys:
        outbox.begin(key, "trades", 0)
    return outbox


def test_updates_come_in_order_each_naming_the_one_before() -> None:
    outbox = following(ACME, PEAR)
    for key, seq in ((ACME, 3), (PEAR, 4), (ACME, 5)):
        outbox.update(key, told(seq), conflate=False)
    assert [(m["entity_id"], m["prev"], m["seq"]) for m in sent(outbox)] == [
        ("L-ACME", 0, 3),
        ("L-PEAR", 0, 4),
        ("L-ACME", 3, 5),
    ]


def test_conflating_client_gets_the_newest_and_how_many_were_left_out() -> None:
    outbox = following(ACME, PEAR)
    for key, seq in ((ACME, 3), (PEAR, 4), (ACME, 5), (ACME, 6)):
        outbox.update(key, told(seq), conflate=True)
    first, second = sent(outbox)
    assert (first["entity_id"], first["prev"], first["seq"], first["left_out"]) == (
        "L-ACME",
        0,
        6,
        2,
    )
    assert (second["entity_id"], second["seq"]) == ("L-PEAR", 4)
    assert "left_out" not in second
    assert outbox.left_out == 2


def test_client_that_falls_behind_is_told_and_gets_the_newest_until_it_has_all() -> None:
    outbox = following(ACME, PEAR, limit=4)
    outbox.message({"type": "ack"})
    for seq in range(1, 8):
        outbox.update(ACME, told(seq), conflate=False)
    outbox.update(PEAR, told(8), conflate=False)
    found = sent(outbox)
    assert [m["type"] for m in found] == ["warning", "ack", "update", "update"]
    assert found[0]["code"] == "SLOW_CONSUMER"
    assert (found[2]["seq"], found[2]["prev"], found[2]["left_out"]) == (7, 0, 6)
    assert found[3]["seq"] == 8


def test_client_that_has_caught_up_gets_every_update_again() -> None:
    outbox = following(ACME, limit=2)

    async def conversation() -> list[int]:
        for seq in range(1, 6):
            outbox.update(ACME, told(seq), conflate=False)
        seen = [orjson.loads(await outbox.next()) for _ in range(len(outbox))]
        waiting = asyncio.create_task(outbox.next())
        await asyncio.sleep(0)  # it finds nothing, so the client is no longer behind
        outbox.update(ACME, told(6), conflate=False)
        outbox.update(ACME, told(7), conflate=False)
        seen += [orjson.loads(await waiting), orjson.loads(await outbox.next())]
        return [m["seq"] for m in seen if m["type"] == "update"]

    assert asyncio.run(conversation()) == [5, 6, 7]


def test_snapshot_takes_the_place_of_what_waits_of_its_series() -> None:
    outbox = following(ACME, PEAR)
    for key, seq in ((ACME, 1), (PEAR, 2), (ACME, 3)):
        outbox.update(key, told(seq), conflate=False)
    outbox.snapshot(ACME, "trades", 9, b'{"price":"2"}')
    outbox.update(ACME, told(10), conflate=False)
    pear, snapshot, update = sent(outbox)
    assert (pear["entity_id"], pear["seq"]) == ("L-PEAR", 2)
    assert (snapshot["type"], snapshot["seq"], snapshot["data"]) == ("snapshot", 9, {"price": "2"})
    assert (update["prev"], update["seq"]) == (9, 10)


def test_series_that_is_forgotten_is_sent_no_more() -> None:
    outbox = following(ACME, PEAR)
    outbox.update(ACME, told(1), conflate=True)
    outbox.update(PEAR, told(2), conflate=False)
    outbox.forget(ACME)
    assert [m["entity_id"] for m in sent(outbox)] == ["L-PEAR"]


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("update"), st.sampled_from([ACME, PEAR]), st.booleans()),
            st.tuples(st.just("send"), st.just(ACME), st.booleans()),
            st.tuples(st.just("snapshot"), st.sampled_from([ACME, PEAR]), st.booleans()),
        ),
        max_size=80,
    ),
    limit=st.integers(1, 6),
)
def test_numbers_of_a_series_are_a_chain_whatever_is_left_out(
    steps: list[tuple[str, Key, bool]], limit: int
) -> None:
    outbox = following(ACME, PEAR, limit=limit)
    last = {"L-ACME": 0, "L-PEAR": 0}
    newest = dict(last)

    def check(message: dict[str, Any]) -> None:
        if message["type"] == "update":
            assert message["prev"] == last[message["entity_id"]] < message["seq"]
        if message["type"] in ("update", "snapshot"):
            last[message["entity_id"]] = message["seq"]

    for seq, (what, key, conflate) in enumerate(steps, start=1):
        if what == "update":
            outbox.update(key, told(seq), conflate=conflate)
            newest[key[0]] = seq
        elif what == "snapshot":
            outbox.snapshot(key, "trades", seq, None)
            newest[key[0]] = seq
        elif len(outbox):
            check(orjson.loads(asyncio.run(outbox.next())))
    for message in sent(outbox):
        check(message)
    assert last == newest
    assert len(outbox) == 0
