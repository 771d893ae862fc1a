"""What derive makes of normalized events; each test runs in a stream and in a batch."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from tests.pipelines.harness import as_set, utc
from tests.pipelines.vocabulary import MINUTE, SECOND, T0


def normalized(symbol, *, at, price="10", size="1", sequence=None, version=0, offset=0):
    """Return a normalized trade."""
    return {
        "event_id": f"{symbol}-{at}-{offset}",
        "event_time": utc(at),
        "ingest_time": utc(at),
        "source": "test",
        "schema_version": 1,
        "entity_id": f"e_{symbol.lower()}",
        "payload": {
            "raw_key": f"SIM:EQ:{symbol}",
            "raw_symbol": symbol,
            "venue": "XSIM",
            "price": price,
            "size": size,
            "sequence": sequence,
            "trade_date": "2024-10-28",
            "price_factor": 1.0,
            "split_factor": 1.0,
            "share_factor": 1.0,
            "factor_version": version,
            "raw_partition": 0,
            "raw_offset": offset,
        },
        "kafka_time": utc(at),
    }


def bars(out, seconds):
    """Return the bars of one length by their start."""
    chosen = [
        r["payload"] for r in out["analytics.bar"] if r["payload"]["interval_seconds"] == seconds
    ]
    return {(bar["bar_start"], bar["factor_version"]): bar for bar in chosen}


def ohlc(bar):
    """Return open, high, low, close."""
    return tuple(float(bar[name]) for name in ("open", "high", "low", "close"))


def test_bar_holds_first_and_last_by_event_time_whatever_the_order_of_arrival(deriving, mode):
    trades = [
        normalized("A", at=T0 + 900, price="12"),
        normalized("A", at=T0 + 100, price="11"),
        normalized("A", at=T0 + 500, price="15"),
        normalized("A", at=T0 + 600, price="9"),
    ]
    out = deriving(mode).run({"normalized.trade": trades})

    assert {k[0]: ohlc(b) for k, b in bars(out, 1).items()} == {utc(T0)[:-4]: (11, 15, 9, 12)}


def test_events_of_one_millisecond_are_ordered_by_sequence(deriving, mode):
    trades = [
        normalized("A", at=T0, price="3", sequence=30),
        normalized("A", at=T0, price="1", sequence=4),
        normalized("A", at=T0, price="2", sequence=200),
    ]
    out = deriving(mode).run({"normalized.trade": trades})

    (bar,) = bars(out, 1).values()
    assert ohlc(bar) == (1, 3, 1, 2)


def test_bar_is_left_closed_and_labelled_by_its_start(deriving, mode):
    trades = [
        normalized("A", at=T0 + offset, price=str(n + 1)) for n, offset in enumerate((0, 999, 1000))
    ]
    out = deriving(mode).run({"normalized.trade": trades})

    assert [ohlc(bar) for _, bar in sorted(bars(out, 1).items())] == [(1, 2, 1, 2), (3, 3, 3, 3)]
    assert [ohlc(bar) for bar in bars(out, 60).values()] == [(1, 3, 1, 3)]


def test_minute_bar_sums_volume_and_weights_prices(deriving, mode):
    trades = [
        normalized("A", at=T0, price="10", size="1"),
        normalized("A", at=T0 + 59 * SECOND, price="20", size="3"),
    ]
    out = deriving(mode).run({"normalized.trade": trades})

    (bar,) = bars(out, 60).values()
    assert Decimal(bar["volume"]) == 4
    assert Decimal(bar["vwap"]) == Decimal("17.5")
    assert bar["event_count"] == 2


def test_quiet_interval_has_no_bar(deriving, mode):
    out = deriving(mode).run(
        {"normalized.trade": [normalized("A", at=T0), normalized("A", at=T0 + 5 * MINUTE)]}
    )

    assert len(bars(out, 60)) == len(bars(out, 1)) == 2


def test_prices_before_and_after_a_change_of_factors_never_share_a_bar(deriving, mode):
    out = deriving(mode).run(
        {
            "normalized.trade": [
                normalized("A", at=T0, price="100"),
                normalized("A", at=T0 + 1, price="10", version=1),
            ]
        }
    )

    assert sorted((key[1], ohlc(bar)[0]) for key, bar in bars(out, 60).items()) == [
        (0, 100),
        (1, 10),
    ]


@pytest.mark.parametrize("shuffle_seed", [1, 2])
def test_bars_do_not_depend_on_arrival_or_parallelism(deriving, mode, shuffle_seed):
    chance = random.Random(5)
    trades = [
        normalized(
            chance.choice("ABC"),
            at=T0 + chance.randrange(3 * MINUTE),
            price=str(chance.randrange(1, 99)),
            offset=n,
        )
        for n in range(300)
    ]
    plain = deriving(mode).run({"normalized.trade": trades})
    other = deriving(mode, parallelism=2, shuffle_seed=shuffle_seed).run(
        {"normalized.trade": trades}
    )

    assert as_set(plain["analytics.bar"]) == as_set(other["analytics.bar"])
    assert not plain.get("late.event")
