"""Rules mean the same in SQL (run by DuckDB) and in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.contracts.catalog import Field, contract
from asknown.errors import UsageError
from asknown.quality.reasons import Reason
from asknown.quality.rules import RuleSet

START = datetime(2014, 5, 7, tzinfo=UTC)
TIMES = st.sampled_from(
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1971, 1, 1, tzinfo=UTC),
        START,
        START + timedelta(minutes=5),
        START + timedelta(minutes=5, milliseconds=1),
    ]
)
NUMBERS = st.sampled_from(
    [Decimal(text) for text in ("-1", "0", "0.00000001", "1", "2", "999999999.99999999", "1e9")]
)
STRATEGIES = {
    "string": st.sampled_from(["", "x"]),
    "int": st.sampled_from([-1, 0, 1]),
    "long": st.sampled_from([0, 1]),
    "timestamp": TIMES,
    "decimal": NUMBERS,
    "map": st.just({}),
}
DUCKDB = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "timestamp": "TIMESTAMP",
    "decimal": "DECIMAL(18, 8)",
    "map": "MAP(VARCHAR, VARCHAR)",
}


def values(fields: tuple[Field, ...]) -> st.SearchStrategy[dict]:
    # At most one value is missing, else the last rules would never be reached.
    complete = {f.name: STRATEGIES[f.type.kind] for f in fields}
    return st.fixed_dictionaries(complete).flatmap(
        lambda record: st.sets(st.sampled_from(sorted(record)), max_size=1).map(
            lambda gone: {k: None if k in gone else v for k, v in record.items()}
        )
    )


def records(dataset: str) -> st.SearchStrategy[dict]:
    c = contract(f"raw.{dataset}")
    envelope = values(c.envelope)
    payload = st.one_of(values(c.payload), values(c.payload), st.none())
    return st.builds(lambda e, p: {**e, "payload": p}, envelope, payload)


def by_sql(dataset: str, batch: list[dict], *, nested: bool) -> list[str | None]:
    c = contract(f"raw.{dataset}")
    rows = ", ".join(f"({', '.join(row(dataset, record))})" for record in batch)
    payload = ", ".join(f'"{f.name}" := p_{f.name}' for f in c.payload)
    names = [f.name for f in c.envelope] + [f"p_{f.name}" for f in c.payload]
    columns = ", ".join(f'"{name}"' for name in ["n", "has_payload", *names])
    if nested:
        view = f"SELECT *, CASE WHEN has_payload THEN struct_pack({payload}) END AS payload FROM t"
    else:
        flat = ", ".join(f'p_{f.name} AS "{f.name}"' for f in c.payload)
        view = f"SELECT n, {', '.join(f.name for f in c.envelope)}, {flat} FROM t"
    rules = RuleSet.load(dataset)
    text = (rules.reason_sql() if nested else rules.reason_sql(payload="")).replace("`", '"')
    numbered = (
        f"WITH t({columns}) AS (VALUES {rows}), v AS ({view}) SELECT {text} FROM v ORDER BY n"
    )
    return [reason for (reason,) in duckdb.sql(numbered).fetchall()]


def row(dataset: str, record: dict) -> list[str]:
    c = contract(f"raw.{dataset}")
    payload = record["payload"]
    cells = [str(record["n"]), str(payload is not None)]
    cells += [literal(f, record[f.name]) for f in c.envelope]
    return cells + [literal(f, (payload or {}).get(f.name)) for f in c.payload]


def literal(field: Field, value: object) -> str:
    if value is None or field.type.kind == "map":
        text = "NULL"
    elif isinstance(value, datetime):
        text = f"'{value.replace(tzinfo=None).isoformat(sep=' ')}'"
    elif isinstance(value, Decimal):
        text = f"'{value:f}'"
    else:
        text = f"'{value}'"
    return f"CAST({text} AS {DUCKDB[field.type.kind]})"


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "flat"])
@pytest.mark.parametrize("dataset", ["trade", "quote", "bar"])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_sql_and_python_give_every_record_the_same_reason(dataset: str, nested: bool, data):
    batch = data.draw(st.lists(records(dataset), min_size=20, max_size=40))
    batch = [{**record, "n": number} for number, record in enumerate(batch)]
    expected = [RuleSet.load(dataset).reason(record) for record in batch]
    assert by_sql(dataset, batch, nested=nested) == expected


def good(dataset: str) -> dict:
    one = Decimal(1)
    payloads = {
        "trade": {"symbol": "AAA", "price": one, "size": one},
        "quote": {
            "symbol": "AAA",
            **dict.fromkeys(("bid_price", "bid_size", "ask_price", "ask_size"), one),
        },
        "bar": {
            "symbol": "AAA",
            "interval_seconds": 60,
            **dict.fromkeys(("open", "high", "low", "close", "volume"), one),
        },
    }
    return {
        "event_id": "id",
        "event_time": START,
        "ingest_time": START,
        "source": "test",
        "schema_version": 1,
        "entity_id": "XTST:EQ:AAA",
        "payload": payloads[dataset],
    }


@pytest.mark.parametrize("dataset", ["trade", "quote", "bar"])
def test_a_good_record_has_no_reason(dataset: str):
    record = {**good(dataset), "n": 0}
    full = {f.name: None for f in contract(f"raw.{dataset}").payload} | record["payload"]
    assert RuleSet.load(dataset).reason(record) is None
    assert by_sql(dataset, [{**record, "payload": full}], nested=True) == [None]


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
        ({"payload": None}, Reason.FIELD_MISSING),
    ],
)
def test_a_broken_envelope_gives_its_reason(change: dict, reason: Reason):
    assert RuleSet.load("trade").reason(good("trade") | change) == reason


def test_old_events_ingested_today_are_no_future_events():
    record = good("trade") | {"ingest_time": datetime(2026, 11, 21, tzinfo=UTC)}
    assert RuleSet.load("trade").reason(record) is None


def test_every_reason_is_explained_in_one_sentence():
    assert [r for r in Reason if not r.help.endswith(".")] == []
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
