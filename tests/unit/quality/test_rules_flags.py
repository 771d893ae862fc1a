"""Rules that flag mean the same in SQL (run by DuckDB) and in Python; each kind by itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from asknown.contracts.catalog import contract
from asknown.quality.reasons import Reason
from asknown.quality.rules import Columns, RuleSet
from asknown.quality.rules.history import PRIOR_FACTOR, PRIOR_OFFSET, PRIOR_PRICE, PRIOR_TIME
from asknown.quality.rules.ruleset import FOLDER, datasets
from asknown.quality.rules.ticks import OnTick, load
from asknown.quality.rules.values import OneOf, Pattern
from tests.unit.quality.rules_in_duckdb import (
    KNOWN,
    NUMBERS,
    START,
    TIMES,
    evaluate,
    good,
    values,
)

FLAT = Columns("")
PORTABLE = [
    "[A-Z]{1,3}",
    "a(b|c)?d*",
    r"[^x\-z]+",
    r"\(\.\)+",
    "[!-\\~][ -\\~]{0,3}",
    "(NSE|BSE):EQ",
]
NOT_PORTABLE = ["", "a*", "a.b", r"\d+", "a+?", "a++", "(?i)a", "^a", "a$", "[[:alpha:]]", "[a&&b]",
                "(a", "a)", "[z-a]", "|a*", "é"]  # fmt: skip


@st.composite
def accepted(draw: st.DrawFn, dataset: str) -> dict:
    """Draw a record that no rule refuses, with what a job knows of it."""
    record = good(dataset) | draw(values(KNOWN, gone=2)) | {"kafka_time": None}
    record["entity_id"] = draw(st.sampled_from(["NSE:EQ:X", "SIM:EQ:X", "XNAS:EQ:X", "HMM:EQ:X"]))
    record["event_time"] = draw(TIMES)
    record["ingest_time"] = record["event_time"] + timedelta(
        milliseconds=draw(st.sampled_from([0, 900_000, 900_001, 86_400_000, 86_400_001]))
    )
    record["kafka_offset"] = record["kafka_offset"] or 1
    names = [f.name for f in contract(f"raw.{dataset}").payload if f.type.kind == "decimal"]
    record["payload"] |= {name: draw(NUMBERS) for name in names}
    if dataset == "bar":
        record["payload"]["interval_seconds"] = draw(st.sampled_from([60, 61, 86400]))
    return record


@pytest.mark.parametrize("dataset", ["trade", "quote", "bar"])
@given(data=st.data())
@settings(max_examples=15, deadline=None, phases=[Phase.generate])
def test_sql_and_python_give_every_record_the_same_flags(dataset: str, data):
    batch = data.draw(st.lists(accepted(dataset), min_size=20, max_size=40))
    rules = RuleSet.load(dataset)
    expected = [(rules.flags(record),) for record in batch]
    assert evaluate(dataset, [rules.flags_sql(FLAT)], batch, nested=False) == expected


@pytest.mark.parametrize("dataset", ["trade", "quote", "bar"])
def test_an_ordinary_record_has_no_flags(dataset: str):
    assert RuleSet.load(dataset).flags(good(dataset)) is None


@given(
    expression=st.sampled_from(PORTABLE),
    texts=st.lists(st.text(alphabet="abcdxzABNSE:Q().-\n \\é", max_size=8), min_size=1),
)
@settings(max_examples=40, deadline=None)
def test_a_pattern_matches_the_same_texts_in_sql_and_in_python(expression: str, texts: list[str]):
    pattern = Pattern(("payload.symbol",), expression)
    batch = [good("trade") | {"payload": {"symbol": text}} for text in [*texts, "NSE:EQ", "A\n"]]
    found = evaluate("trade", [pattern.sql(FLAT)], batch, nested=False)
    assert found == [(pattern.violated(record),) for record in batch]


@pytest.mark.parametrize("expression", NOT_PORTABLE)
def test_a_pattern_that_engines_read_differently_is_refused(expression: str):
    with pytest.raises(ValueError, match=r"portable|repeat|empty|unterminated|unbalanced|range|^$"):
        Pattern(("payload.symbol",), expression)


@given(
    values=st.lists(st.text(alphabet="ab'", min_size=1, max_size=3), min_size=1, max_size=3),
    text=st.text(alphabet="ab'", min_size=1, max_size=3) | st.none(),
)
@settings(max_examples=40, deadline=None)
def test_an_enum_holds_the_same_values_in_sql_and_in_python(values: list[str], text: str | None):
    enum = OneOf(("payload.symbol",), tuple(values))
    record = good("trade") | {"payload": {"symbol": text}}
    ((found,),) = evaluate("trade", [enum.sql(FLAT)], [record], nested=False)
    assert bool(found) == enum.violated(record) == (text is not None and text not in values)


@given(
    prefix=st.sampled_from(["NSE:EQ:", "XNYS:EQ:", "XSIM:EQ:", "ELSE:EQ:"]),
    day=st.dates(datetime(2005, 1, 1).date(), datetime(2026, 1, 1).date()),  # noqa: DTZ001
    hundredths=st.integers(1, 4_000_000),
    sliver=st.sampled_from(["0", "0", "0.00000001", "0.0001", "0.005"]),
)
@settings(max_examples=60, deadline=None)
def test_a_price_is_on_the_same_tick_in_sql_and_in_python(prefix, day, hundredths, sliver):
    check = OnTick(("payload.price",), load(FOLDER, "quote"))
    at = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    price = Decimal(hundredths) / 100 + Decimal(sliver)
    record = good("trade") | {"entity_id": f"{prefix}X", "event_time": at}
    record["payload"] = record["payload"] | {"price": price}
    assert evaluate("trade", [check.sql(FLAT)], [record], nested=False) == [
        (check.violated(record),)
    ]


@pytest.mark.parametrize(
    ("key", "day", "price", "off"),
    [
        ("NSE:EQ:TCS", (2024, 6, 7), "200.01", True),
        ("NSE:EQ:TCS", (2024, 6, 10), "200.01", False),
        ("NSE:EQ:TCS", (2024, 6, 10), "400.01", True),
        ("NSE:EQ:TCS", (2025, 4, 14), "3500.05", False),
        ("NSE:EQ:TCS", (2025, 4, 15), "3500.05", True),
        ("NSE:EQ:MRF", (2025, 4, 15), "120005", False),
        ("NSE:EQ:MRF", (2025, 4, 15), "120001", True),
        ("NSE:BOND:X", (2025, 4, 15), "99.999", False),
        ("XNAS:EQ:AAPL", (2020, 1, 2), "300.005", False),  # a trade between the ticks
    ],
)
def test_the_tick_follows_venue_day_and_price(key: str, day: tuple, price: str, off: bool):
    record = good("trade") | dict.fromkeys(
        ("event_time", "ingest_time"), datetime(*day, tzinfo=UTC)
    )
    record |= {"entity_id": key, "payload": record["payload"] | {"price": Decimal(price)}}
    assert RuleSet.load("trade").flags(record) == ("OFF_TICK" if off else None)


def test_a_source_that_is_behind_is_flagged_and_history_is_not():
    found = [
        RuleSet.load("trade").flags(good("trade") | {"ingest_time": START + timedelta(minutes=m)})
        for m in (15, 16, 24 * 60, 24 * 60 + 1)
    ]
    assert found == [None, "STALE_SOURCE", "STALE_SOURCE", None]


def test_flags_come_in_the_order_of_the_rules():
    record = good("trade") | {
        "entity_id": "SIM:EQ:X",
        "ingest_time": START + timedelta(hours=1),
        "kafka_offset": 3,
        "price_factor": 0.5,
        PRIOR_OFFSET: 4,
        PRIOR_TIME: START - timedelta(days=7),
        PRIOR_PRICE: 1.6,
        PRIOR_FACTOR: 1.0,
    }
    record["payload"] = record["payload"] | {"price": Decimal("1.01")}
    expected = "OFF_TICK,STALE_SOURCE,OUT_OF_ORDER,UNEXPLAINED_GAP"
    assert RuleSet.load("trade").flags(record) == expected


@pytest.mark.parametrize(
    ("price", "days", "flag"),
    [
        ("119", 1, None),
        ("121", 1, "UNEXPLAINED_GAP"),
        ("79", 1, "UNEXPLAINED_GAP"),
        ("121", 8, None),
    ],
)
def test_a_gap_is_more_than_twenty_per_cent_within_a_week(price, days, flag):
    record = good("trade") | {
        "kafka_offset": 3,
        "price_factor": 0.5,
        PRIOR_TIME: START - timedelta(days=days),
        PRIOR_PRICE: 200.0,
        PRIOR_FACTOR: 1.0,  # the factor is 0.5 now, which explains a halving
    }
    record["payload"] = record["payload"] | {"price": Decimal(price)}
    assert RuleSet.load("trade").flags(record) == flag


def test_every_flag_is_a_reason_of_its_own():
    flagging = {rule.reason for d in datasets() for rule in RuleSet.load(d).flagging}
    rejecting = {rule.reason for d in datasets() for rule in RuleSet.load(d).rejecting}
    assert flagging and not flagging & rejecting
    assert all(re.fullmatch("[A-Z_]+", reason) for reason in Reason)  # a comma joins them
