"""Rules mean the same in SQL (run by DuckDB) and in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from asknown.errors import UsageError
from asknown.quality.reasons import Reason
from asknown.quality.rules import RuleSet
from tests.unit.quality.rules_in_duckdb import START, evaluate, good, records

TIMES = ("event_time", "ingest_time")


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "flat"])
@pytest.mark.parametrize("dataset", ["trade", "quote", "bar"])
@given(data=st.data())
@settings(max_examples=15, deadline=None, phases=[Phase.generate])
def test_sql_and_python_give_every_record_the_same_reason_and_words(dataset, nested, data):
    batch = data.draw(st.lists(records(dataset), min_size=20, max_size=40))
    rules = RuleSet.load(dataset)
    payload = "payload" if nested else ""
    sql = [rules.reason_sql(payload), rules.detail_sql(payload)]
    expected = [(rules.reason(record), rules.detail(record)) for record in batch]
    assert evaluate(dataset, sql, batch, nested=nested) == expected


@pytest.mark.parametrize("dataset", ["trade", "quote", "bar"])
def test_a_good_record_has_no_reason(dataset: str):
    record, rules = good(dataset), RuleSet.load(dataset)
    assert (rules.reason(record), rules.detail(record)) == (None, None)
    sql = [rules.reason_sql(), rules.detail_sql()]
    assert evaluate(dataset, sql, [record], nested=True) == [(None, None)]


@pytest.mark.parametrize(
    ("dataset", "change", "reason"),
    [
        ("trade", {"price": None}, Reason.FIELD_MISSING),
        ("trade", {"symbol": ""}, Reason.FIELD_MISSING),
        ("trade", {"price": Decimal(0)}, Reason.PRICE_OUT_OF_RANGE),
        ("trade", {"price": Decimal(10) ** 9}, Reason.PRICE_OUT_OF_RANGE),
        ("trade", {"size": Decimal(-1)}, Reason.SIZE_OUT_OF_RANGE),
        ("quote", {"bid_price": Decimal(2)}, Reason.CROSSED_QUOTE),
        ("quote", {"ask_price": None}, Reason.FIELD_MISSING),
        ("bar", {"low": Decimal(2)}, Reason.BAR_INCONSISTENT),
        ("bar", {"close": Decimal(2)}, Reason.BAR_INCONSISTENT),
        ("bar", {"interval_seconds": 0}, Reason.BAR_INCONSISTENT),
        ("bar", {"volume": Decimal(-1)}, Reason.SIZE_OUT_OF_RANGE),
        ("trade", {"symbol": "A\x00"}, Reason.PATTERN_MISMATCH),
        ("quote", {"symbol": "A" * 65}, Reason.PATTERN_MISMATCH),
    ],
)
def test_a_broken_field_gives_its_reason(dataset: str, change: dict, reason: Reason):
    record = good(dataset)
    record["payload"] = record["payload"] | change
    assert RuleSet.load(dataset).reason(record) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_id": ""}, Reason.ENVELOPE_INCOMPLETE),
        ({"ingest_time": None}, Reason.ENVELOPE_INCOMPLETE),
        ({"event_time": datetime(1970, 1, 1, tzinfo=UTC)}, Reason.ENVELOPE_INCOMPLETE),
        ({"event_time": START + timedelta(minutes=6)}, Reason.TIME_IN_FUTURE),
        ({"event_time": START, "kafka_time": START - timedelta(minutes=6)}, Reason.TIME_IN_FUTURE),
        ({"ingest_time": datetime(1970, 1, 1, tzinfo=UTC)}, Reason.ENVELOPE_INCOMPLETE),
        (dict.fromkeys(TIMES, datetime(2262, 4, 12, tzinfo=UTC)), Reason.TIME_IN_FUTURE),
        ({"ingest_time": datetime(2262, 4, 12, tzinfo=UTC)}, Reason.TIME_IN_FUTURE),
        ({"payload": None}, Reason.FIELD_MISSING),
    ],
)
def test_a_broken_envelope_gives_its_reason(change: dict, reason: Reason):
    assert RuleSet.load("trade").reason(good("trade") | change) == reason


def test_old_events_ingested_today_are_no_future_events():
    record = good("trade") | {"ingest_time": datetime(2026, 11, 21, tzinfo=UTC)}
    assert RuleSet.load("trade").reason(record) is None


def test_a_refusal_says_the_rule_in_words_and_what_was_found():
    record = good("trade")
    record["payload"] = record["payload"] | {"price": Decimal("-1.5")}
    assert RuleSet.load("trade").detail(record) == (
        "trade.yaml rule 11: payload.price above 0 and below 1000000000; found -1.50000000"
    )


def test_every_reason_is_explained_in_one_sentence_and_says_what_to_do_next():
    assert [r for r in Reason if not (r.help.endswith(".") and r.next.endswith("."))] == []
    assert [r for r in Reason if Reason(str(r)) is not r] == []


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ("[{reason: NO_SUCH, present: [a]}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: FIELD_MISSING}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: FIELD_MISSING, filed: [a]}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: PRICE_OUT_OF_RANGE, range: {columns: [a]}}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: PRICE_OUT_OF_RANGE, range: {columns: [a], over: 1}}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: PRICE_OUT_OF_RANGE, range: {columns: [a], above: x}}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: PRICE_OUT_OF_RANGE, range: {columns: [a], above: 0}}]", "ASKNOWN-QUALITY-003"),
        ("[{reason: FIELD_MISSING, present: [a], severity: warn}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: FIELD_MISSING, present: a}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: VALUE_NOT_ALLOWED, enum: {columns: [a], values: []}}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: OFF_TICK, tick: {columns: [a]}}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: OUT_OF_ORDER, monotonic: {column: price}}]", "ASKNOWN-QUALITY-002"),
        ("[{reason: OUT_OF_ORDER, monotonic: {column: event_time}}]", "ASKNOWN-QUALITY-004"),
        (
            "[{reason: FIELD_MISSING, severity: flag, present: [a]},"
            " {reason: CROSSED_QUOTE, ordered: {lower: [a], upper: [a]}}]",
            "ASKNOWN-QUALITY-003",
        ),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(tmp_path, rules: str, code: str):
    (tmp_path / "x.yaml").write_text(f"dataset: x\nrules: {rules}\n")
    with pytest.raises(UsageError) as caught:
        RuleSet.load("x", tmp_path)
    assert caught.value.code == code


def test_an_unknown_dataset_is_answered_with_the_known_ones():
    with pytest.raises(UsageError) as caught:
        RuleSet.load("trades")
    assert caught.value.code == "ASKNOWN-QUALITY-001"
    assert "trade" in caught.value.hint
