"""What derive measures of normalized records; each test runs in a stream and in a batch."""

from __future__ import annotations

import json
import random
import statistics

import pytest

from tests.pipelines.harness import Mode, as_set, utc
from tests.pipelines.test_derive import normalized
from tests.pipelines.vocabulary import MINUTE, SECOND, T0

QUALITY = "analytics.quality"


def trade(at, *, price="10", size="1", source="test", flags=None, offset=0, delay=0, **payload):
    """Return a normalized trade as a source sent it."""
    row = normalized("A", at=at, price=price, size=size, offset=offset)
    row["payload"] |= {"quality_flags": flags, "isin": "US0000000001", **payload}
    return row | {"source": source, "ingest_time": utc(at + delay)}


def quote(at, *, bid_size):
    """Return a normalized quote without some of what a quote may have."""
    row = normalized("A", at=at)
    sides = {"bid_price": "9", "ask_price": "11", "bid_size": bid_size, "ask_size": None}
    kept = {k: v for k, v in row["payload"].items() if k not in ("price", "size")}
    return row | {"payload": kept | sides}


def daily_bar(at):
    """Return a normalized bar of a source."""
    row = normalized("A", at=at)
    prices = dict.fromkeys(("open", "high", "low", "close"), "7.5")
    kept = {k: v for k, v in row["payload"].items() if k not in ("price", "size", "sequence")}
    return row | {"payload": kept | prices | {"volume": "300", "interval_seconds": 86_400}}


def measured(out, start=T0, dataset="trade", source="test"):
    """Return the values of one window by metric and column, and what they were computed from."""
    chosen = [row["payload"] for row in out[QUALITY]]
    return {
        (m["metric"], m.get("measured_column")): (float(m["value"]), int(m["records"]))
        for m in chosen
        if (m["dataset"], m["measured_source"]) == (dataset, source)
        and m["window_start"] == utc(start)[: len(m["window_start"])]
    }


def test_minute_is_measured_by_source(deriving, mode):
    rows = [
        trade(T0, price="10", size="1", flags="OUT_OF_ORDER,TICK_SIZE", delay=40),
        trade(T0 + SECOND, price="13", size="4", isin="", sequence=7, flags="TICK_SIZE", delay=20),
        trade(T0 + 59_999, price="16", size="1", isin=None, venue=None),
        trade(T0 + 5, price="99", source="other"),
        trade(T0 + MINUTE, price="99"),
    ]
    found = measured(deriving(mode).run({"normalized.trade": rows}))

    assert found[("records", None)] == (3, 3)
    assert found[("flagged_share", None)] == (pytest.approx(2 / 3), 3)
    assert found[("order_violation_share", None)] == (pytest.approx(1 / 3), 3)
    assert found[("delay_mean", None)] == (20, 3)
    assert found[("delay_max", None)] == (40, 3)
    assert {c: v for (m, c), (v, _) in found.items() if m == "null_share"} == {
        "isin": pytest.approx(2 / 3),
        "venue": pytest.approx(1 / 3),
        "trade_date": 0,
        "sequence": pytest.approx(2 / 3),
    }
    assert found[("mean", "price")] == (13, 3)
    assert found[("stddev", "price")] == (pytest.approx(statistics.pstdev([10, 13, 16])), 3)
    assert (found[("min", "price")], found[("max", "price")]) == ((10, 3), (16, 3))
    assert found[("mean", "size")] == (2, 3)


def test_column_without_values_has_a_null_share_and_no_mean(deriving, mode):
    rows = {"normalized.quote": [quote(T0, bid_size="2"), quote(T0 + 1, bid_size=None)]}
    found = measured(deriving(mode).run(rows), dataset="quote")

    assert found[("mean", "bid_size")] == (2, 1)
    assert found[("null_share", "bid_size")] == (0.5, 2)
    assert found[("null_share", "ask_size")] == (1, 2)
    assert not [key for key in found if key[1] == "ask_size" and key[0] != "null_share"]


def test_each_dataset_is_measured_by_its_own_columns(deriving, mode):
    out = deriving(mode).run(
        {"normalized.trade": [trade(T0)], "normalized.bar": [daily_bar(T0), daily_bar(T0)]}
    )

    assert measured(out, dataset="bar")[("mean", "close")] == (7.5, 2)
    assert measured(out, dataset="bar")[("records", None)] == (2, 2)
    assert measured(out)[("records", None)] == (1, 1)
    assert {bar["payload"]["price_type"] for bar in out["analytics.bar"]} == {"trade"}


def test_heartbeats_are_not_measured(deriving, mode):
    beat = normalized("A", at=T0 + 2 * MINUTE) | {"source": "heartbeat", "payload": None}
    out = deriving(mode).run({"normalized.trade": [trade(T0), beat]})

    assert {row["payload"]["window_start"] for row in out[QUALITY]} == {utc(T0)[:-4]}
    assert all(row["source"] == "derive" for row in out[QUALITY])


def test_measurements_have_ids_and_depend_on_neither_arrival_nor_parallelism(deriving, mode):
    chance = random.Random(3)
    rows = [
        trade(
            T0 + chance.randrange(3 * MINUTE),
            price=f"{chance.randrange(1, 10**9)}.{chance.randrange(10**8):08}",
            size=f"{chance.randrange(10**9)}",
            source=chance.choice(["one", "two"]),
            offset=n,
        )
        for n in range(300)
    ]
    plain = deriving(mode).run({"normalized.trade": rows})
    other = deriving(mode, parallelism=2, shuffle_seed=1).run({"normalized.trade": rows})

    assert as_set(plain[QUALITY]) == as_set(other[QUALITY])
    ids = [row["event_id"] for row in plain[QUALITY]]
    assert len(set(ids)) == len(ids) == 3 * 2 * len(measured(plain, source="one"))
    assert f"trade|one|mean|price|{T0}" in ids


def test_stream_and_batch_give_the_same_measurements(deriving):
    chance = random.Random(11)
    rows = [
        trade(T0 + chance.randrange(MINUTE), price=f"{chance.randrange(10**5)}.17", offset=n)
        for n in range(200)
    ]
    found = [deriving(mode).run({"normalized.trade": rows})[QUALITY] for mode in Mode]

    assert as_set(found[0]) == as_set(found[1])
    assert json.dumps(found[0]).count('"metric": "stddev"') == 2
