"""Run rendered rules over records in DuckDB; what each column's values may be in a property."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from hypothesis import strategies as st

from asknown.contracts.catalog import Contract, Field, FieldType, contract
from asknown.quality.rules.history import PRIOR_FACTOR, PRIOR_OFFSET, PRIOR_PRICE, PRIOR_TIME

START = datetime(2014, 5, 7, tzinfo=UTC)
TIMES = st.sampled_from(
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1971, 1, 1, tzinfo=UTC),
        START - timedelta(days=7),
        START,
        START + timedelta(minutes=5),
        START + timedelta(minutes=5, milliseconds=1),
        START + timedelta(minutes=15, milliseconds=1),
        datetime(2199, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(2200, 1, 1, tzinfo=UTC),
    ]
)
NUMBERS = st.sampled_from(
    [
        Decimal(text)
        for text in ("-1", "0", "0.00000001", "0.05", "0.06", "1", "1.2", "2", "999999999.99999999")
    ]
    + [Decimal(10) ** 9]
)
STRATEGIES = {
    "string": st.sampled_from(["", "x", "NSE:EQ:X", " x", "x\n", "é"]),
    "int": st.sampled_from([-1, 0, 1, 7]),
    "long": st.sampled_from([0, 1, 2]),
    "timestamp": TIMES,
    "decimal": NUMBERS,
    "double": st.sampled_from([0.5, 1.0, 2.0]),
    "map": st.just({}),
}
DUCKDB = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "timestamp": "TIMESTAMP",
    "decimal": "DECIMAL(18, 8)",
    "double": "DOUBLE",
    "map": "MAP(VARCHAR, VARCHAR)",
}
# What a job knows of a record beside what was sent.
KNOWN = tuple(
    Field(name, FieldType(kind), True, "")
    for name, kind in (
        ("kafka_time", "timestamp"),
        ("kafka_offset", "long"),
        ("price_factor", "double"),
        (PRIOR_OFFSET, "long"),
        (PRIOR_TIME, "timestamp"),
        (PRIOR_PRICE, "double"),
        (PRIOR_FACTOR, "double"),
    )
)


def values(fields: Sequence[Field], gone: int = 1) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a value for each field; at most `gone` are missing, else few rules would be reached."""
    complete = {f.name: STRATEGIES[f.type.kind] for f in fields}
    return st.fixed_dictionaries(complete).flatmap(
        lambda record: st.sets(st.sampled_from(sorted(record)), max_size=gone).map(
            lambda missing: {k: None if k in missing else v for k, v in record.items()}
        )
    )


def records(dataset: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw records as they come: anything may be missing, the payload too."""
    c = contract(f"raw.{dataset}")
    payload = st.one_of(values(c.payload), values(c.payload), st.none())
    known = values(KNOWN, gone=2) | st.just({f.name: None for f in KNOWN})
    return st.builds(lambda e, k, p: {**e, **k, "payload": p}, values(c.envelope), known, payload)


def evaluate(
    dataset: str, expressions: Sequence[str], batch: Sequence[dict[str, Any]], *, nested: bool
) -> list[tuple[Any, ...]]:
    """Return the values of SQL expressions over each record."""
    c = contract(f"raw.{dataset}")
    rows = ", ".join(f"({', '.join(_cells(c, n, record))})" for n, record in enumerate(batch))
    payload = ", ".join(f'"{f.name}" := p_{f.name}' for f in c.payload)
    outer = [f.name for f in (*c.envelope, *KNOWN)]
    columns = ", ".join(
        f'"{name}"' for name in ["n", "has_payload", *outer, *(f"p_{f.name}" for f in c.payload)]
    )
    if nested:
        view = f"SELECT *, CASE WHEN has_payload THEN struct_pack({payload}) END AS payload FROM t"
    else:
        flat = ", ".join(f'p_{f.name} AS "{f.name}"' for f in c.payload)
        view = f"SELECT n, {', '.join(outer)}, {flat} FROM t"
    text = ", ".join(expressions).replace("`", '"')
    with duckdb.connect() as connection:
        connection.execute("CREATE MACRO regexp(a, b) AS regexp_matches(a, b)")
        connection.execute("CREATE MACRO off_tick(price, tick) AS price % tick <> 0")
        return connection.execute(
            f"WITH t({columns}) AS (VALUES {rows}), v AS ({view}) SELECT {text} FROM v ORDER BY n"
        ).fetchall()


def _cells(c: Contract, number: int, record: dict[str, Any]) -> list[str]:
    payload = record["payload"]
    cells = [str(number), str(payload is not None)]
    cells += [_literal(f, record.get(f.name)) for f in (*c.envelope, *KNOWN)]
    return cells + [_literal(f, (payload or {}).get(f.name)) for f in c.payload]


def _literal(field: Field, value: object) -> str:
    if value is None or field.type.kind == "map":
        text = "NULL"
    elif isinstance(value, datetime):
        text = f"'{value.replace(tzinfo=None).isoformat(sep=' ')}'"
    elif isinstance(value, Decimal):
        text = f"'{value:f}'"
    else:
        doubled = str(value).replace("'", "''")
        text = f"'{doubled}'"
    return f"CAST({text} AS {DUCKDB[field.type.kind]})"


def good(dataset: str) -> dict[str, Any]:
    """Return a record that violates nothing."""
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
