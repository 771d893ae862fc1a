"""Rules in the job mean what the rule engine means; each test runs in a stream and in a batch."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from asknown.quality.rules import RuleSet
from tests.pipelines.harness import Row, utc
from tests.pipelines.vocabulary import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    T0,
    Factors,
    change,
    listed,
    quote,
    trade,
)

CHANGES = "reference.entity_change"
TIMES = ("event_time", "ingest_time", "kafka_time")
DECIMALS = ("price", "size", "bid_price", "bid_size", "ask_price", "ask_size")


def seen(row: Row) -> Row:
    """Return a row of the vocabulary as the rule engine reads it."""
    times = {name: at(row[name]) for name in TIMES if row.get(name)}
    payload = row.get("payload") or {}
    if "effective_time" in payload:
        return row | times | {"event_id": None} | payload
    numbers = {n: Decimal(payload[n]) for n in DECIMALS if payload.get(n) is not None}
    return row | times | {"payload": payload | numbers}


def called(symbol: str) -> Row:
    row = trade("INFY", at=T0)
    return row | {"payload": row["payload"] | {"symbol": symbol}}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def flags(out: dict[str, list[Row]], topic: str = "normalized.trade") -> dict[int, str | None]:
    return {r["payload"]["raw_offset"]: r["payload"].get("quality_flags") for r in out[topic]}


def session(seed: int) -> tuple[list[Row], list[Row]]:
    """Return trades of three keys and their change points; offsets say how they came."""
    chance = random.Random(seed)
    symbols = ("AAA", "BBB", "M&M")
    trades = [
        trade(
            chance.choice(symbols),
            at=T0 + chance.randrange(40) * SECOND // 4,
            price=chance.choice(["100", "100.05", "119.95", "120", "125", "50", "60.01", "24.97"]),
            event_id=f"t{n}",
            sequence=n,
        )
        for n in range(120)
    ]
    for row in chance.sample(trades, 12):
        row["ingest_time"] = utc(T0 + 16 * MINUTE)
    # Copies: what came first counts, wherever it lies.
    trades += [dict(row) for row in chance.sample(trades, 10)]
    chance.shuffle(trades)
    numbered = [row | {"kafka_offset": n} for n, row in enumerate(trades)]
    changes = [
        *(listed(symbol) for symbol in symbols),
        change("AAA", at=T0 + 5 * SECOND, factors=Factors(0.5, 0.5, 2.0, 1)),
        change("BBB", at=T0 + 5 * SECOND, listing="e_another"),
    ]
    return numbered, changes


@pytest.mark.parametrize("seed", [1, 2])
def test_flags_of_a_job_are_those_of_the_rule_engine(normalizing, mode, seed):
    trades, changes = session(seed)
    out = normalizing(mode, shuffle_seed=seed).run({"raw.trade": trades, CHANGES: changes})

    rules, expected = RuleSet.load("trade"), {}
    for key in {row["entity_id"] for row in trades}:
        rows = [seen(row) for row in trades + changes if row["entity_id"] == key]
        expected |= rules.flags_of_key(rows)
    found = flags(out)
    assert found == {offset: expected[offset] for offset in found}
    assert len(found) == 120
    words = {word for one in found.values() for word in (one or "").split(",")}
    assert words == {"", "OFF_TICK", "STALE_SOURCE", "OUT_OF_ORDER", "UNEXPLAINED_GAP"}


def test_reasons_and_words_of_a_job_are_those_of_the_rule_engine(normalizing, mode):
    trades = [
        trade("INFY", at=T0, price="-1"),
        trade("INFY", at=T0, price=None),
        trade("INFY", at=T0, size="-7"),
        trade("INFY", at=T0, event_id=""),
        called("A\nB"),
        called("x" * 65),
        trade("INFY", at=T0 + DAY, kafka_time=utc(T0)),
        trade("INFY", at=T0, ingest_time=utc(T0 - HOUR)),
        trade("INFY", at=T0),
    ]
    quotes = [quote("INFY", at=T0, bid="9", ask="8"), quote("INFY", at=T0, bid="8", ask="8")]
    out = normalizing(mode).run(
        {"raw.trade": trades, "raw.quote": quotes, CHANGES: [listed("INFY")]}
    )

    expected = {
        (f"raw.{dataset}", n): (rules.reason(row), rules.detail(row))
        for dataset, rows in (("trade", trades), ("quote", quotes))
        for rules in [RuleSet.load(dataset)]
        for n, row in enumerate(map(seen, rows))
    }
    lanes = (row["payload"] for row in out["quarantine.event"])
    found = {(lane["topic"], lane["offset"]): (lane["reason"], lane["detail"]) for lane in lanes}
    assert found == {where: verdict for where, verdict in expected.items() if verdict[0]}
    assert found["raw.trade", 0][1].endswith("above 0 and below 1000000000; found -1.00000000")
    assert {reason for reason, _ in found.values()} >= {"PATTERN_MISMATCH", "TIME_IN_FUTURE"}


def test_years_of_no_calendar_are_refused_and_move_no_time(normalizing, mode):
    years = {
        1970: "1970-01-01T00:00:00.000",
        2262: "2262-04-12T00:00:00.000",
        9999: "9999-12-31T23:59:59.999",
    }
    odd = [
        trade("INFY", at=T0, event_id=str(year), event_time=text, ingest_time=text)
        for year, text in years.items()
    ]
    sound = [trade("INFY", at=T0 + n * SECOND, event_id=f"s{n}") for n in range(3)]
    out = normalizing(mode).run({"raw.trade": [*odd, *sound], CHANGES: [listed("INFY")]})

    reasons = {
        r["payload"]["raw_event_id"]: r["payload"]["reason"] for r in out["quarantine.event"]
    }
    assert reasons == {
        "1970": "ENVELOPE_INCOMPLETE",
        "2262": "TIME_IN_FUTURE",
        "9999": "TIME_IN_FUTURE",
    }
    assert len(out["normalized.trade"]) == 3 and out["late.event"] == []


def test_a_heartbeat_that_lies_ahead_of_the_broker_is_ignored(normalizing, mode):
    ahead = utc(T0 + DAY)
    beat = trade("x", at=T0, source="heartbeat", entity_id="heartbeat-3")
    poisoned = beat | {"event_id": "poisoned", "event_time": ahead, "ingest_time": ahead}
    sound = [trade("INFY", at=T0 + n * SECOND, event_id=f"s{n}") for n in range(3)]
    rows = [row | {"payload": row["payload"] if row in sound else None} for row in
            [beat, poisoned, *sound]]  # fmt: skip
    out = normalizing(mode).run({"raw.trade": rows, CHANGES: [listed("INFY")]})

    beats = [row["event_id"] for row in out["normalized.trade"] if row["source"] == "heartbeat"]
    assert beats == [beat["event_id"]]
    assert len(out["normalized.trade"]) == 4
    assert out["quarantine.event"] == out["late.event"] == []


def test_quotes_and_bars_have_gaps_of_their_own(normalizing, mode):
    def bar(day: int, opened: str, close: str, seconds: int = 86400) -> Row:
        prices = {"open": opened, "high": "500", "low": "1", "close": close, "volume": "5"}
        row = trade("ITC", at=T0 + day * DAY, interval_seconds=seconds, **prices)
        row["event_id"] = f"{day}/{seconds}"
        row["payload"] = {k: v for k, v in row["payload"].items() if k not in {"price", "size"}}
        return row

    quotes = [
        quote("ITC", at=T0, bid="99", ask="101"),
        quote("ITC", at=T0 + SECOND, bid="99", ask="141"),
        quote("ITC", at=T0 + 2 * SECOND, bid="99", ask="143.05"),
        quote("ITC", at=T0 + 3 * SECOND, bid="149", ask="151"),
    ]
    bars = [bar(0, "100", "130"), bar(0, "100", "200", 7), bar(1, "150", "300"), bar(2, "200", "1")]
    out = normalizing(mode).run({"raw.quote": quotes, "raw.bar": bars, CHANGES: [listed("ITC")]})

    gap = "UNEXPLAINED_GAP"
    assert flags(out, "normalized.quote") == {0: None, 1: None, 2: None, 3: gap}
    assert flags(out, "normalized.bar") == {0: None, 1: "VALUE_NOT_ALLOWED", 2: None, 3: gap}


def test_without_rules_only_what_cannot_be_used_is_refused(normalizing_without_rules, mode):
    rows = [trade("INFY", at=T0, price="-1"), trade("INFY", at=T0, event_id="x", ingest_time=None)]
    rows += [dict(rows[0])]
    out = normalizing_without_rules(mode).run({"raw.trade": rows, CHANGES: [listed("INFY")]})

    assert flags(out) == {0: None}
    assert [r["payload"]["reason"] for r in out["quarantine.event"]] == ["ENVELOPE_INCOMPLETE"]
    assert [r["payload"]["offset"] for r in out["duplicate.event"]] == [2]
