"""Rows encoded by the column are the records that are encoded one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Context
from io import BytesIO
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.contracts.catalog import Field, contract
from asknown.contracts.registry import HEADER
from asknown.contracts.render import arrow_schema
from asknown.errors import UsageError
from asknown.storage.avro_columns import encode

TOPICS = ("normalized.trade", "analytics.bar", "healed.event", "quarantine.event")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXACT = Context(prec=60)
FARTHEST = 10**12  # seconds that every store of times can hold, in milliseconds


def value(f: Field) -> st.SearchStrategy[Any]:
    most = 10**f.type.precision - 1
    found: st.SearchStrategy[Any] = {
        "string": st.text(max_size=200),
        "bytes": st.binary(max_size=200),
        "int": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63), 2**63 - 1),
        "double": st.floats(allow_nan=False),
        "date": st.dates(date(1900, 1, 1), date(2262, 1, 1)),
        "timestamp": st.integers(-FARTHEST, 4 * FARTHEST).map(
            lambda ms: (EPOCH + timedelta(milliseconds=ms)).replace(tzinfo=None)
        ),
        "decimal": st.integers(-most, most).map(lambda n: EXACT.scaleb(n, -f.type.scale)),
    }[f.type.kind]
    return st.none() | found if f.nullable else found


def rows(topic: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    c = contract(topic)
    row = st.fixed_dictionaries({f.name: value(f) for f in c.envelope + c.payload})
    return st.lists(row, min_size=1, max_size=5)


def table(topic: str, wanted: list[dict[str, Any]]) -> Any:
    names = {f.name for f in contract(topic).envelope + contract(topic).payload}
    schema = pa.schema([f for f in arrow_schema(contract(topic)) if f.name in names])
    return pa.Table.from_pylist(wanted, schema=schema)


def decoded(topic: str, data: bytes) -> dict[str, Any]:
    body = BytesIO(data)
    body.seek(HEADER.size)
    found: Any = fastavro.schemaless_reader(body, contract(topic).parsed, None)
    assert not body.read()
    record = {**found, **found["payload"]}
    record.pop("payload")
    return {k: v.replace(tzinfo=None) if isinstance(v, datetime) else v for k, v in record.items()}


@pytest.mark.parametrize("topic", TOPICS)
@settings(deadline=None)  # on a busy machine the first example is slow
@given(data=st.data())
def test_columns_decode_to_the_rows_they_were_made_from(topic: str, data: st.DataObject) -> None:
    wanted = data.draw(rows(topic))
    found = encode(contract(topic), 7, table(topic, wanted))
    assert [decoded(topic, one) for one in found] == wanted
    assert {one[: HEADER.size] for one in found} == {HEADER.pack(0, 7)}


def test_slice_of_a_table_is_encoded_as_if_it_were_whole() -> None:
    topic = "healed.event"
    row = {f.name: "x" * 70 if f.type.kind == "string" else 1 for f in contract(topic).payload}
    at = datetime(2024, 10, 28)  # noqa: DTZ001  # as the stores have it
    envelope = {"event_id": "e", "entity_id": "e", "source": "s", "schema_version": 1}
    times = {"event_time": at, "ingest_time": at}
    wanted = [{**row, **envelope, **times, "offset": n} for n in range(9)]
    whole = table(topic, wanted)
    found = encode(contract(topic), 1, pa.concat_tables([whole.slice(3, 2), whole.slice(7)]))
    assert [decoded(topic, one)["offset"] for one in found] == [3, 4, 7, 8]
    assert encode(contract(topic), 1, whole.slice(0, 0)) == []


def test_null_where_the_contract_has_none_is_refused() -> None:
    wanted = table("healed.event", [])
    column = pa.nulls(1)
    rows_ = pa.table(dict.fromkeys(wanted.column_names, column))
    with pytest.raises(UsageError, match="ASKNOWN-AVRO-001"):
        encode(contract("healed.event"), 1, rows_)


def test_map_has_no_columns_and_is_refused() -> None:
    c = contract("raw.trade")
    at = datetime(2024, 10, 28)  # noqa: DTZ001  # as the stores have it
    row = {f.name: None for f in c.payload} | {"extra": {}}
    row |= {"event_id": "e", "entity_id": "e", "source": "s", "schema_version": 1}
    with pytest.raises(UsageError, match="extra"):
        encode(c, 1, table("raw.trade", [{**row, "event_time": at, "ingest_time": at}]))
