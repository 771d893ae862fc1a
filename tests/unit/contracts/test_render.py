"""Rendering for the engines, tried on the engines' own libraries."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyiceberg.io.pyarrow import schema_to_pyarrow

from asknown.contracts.catalog import contract, contracts
from asknown.contracts.render import (
    arrow_schema,
    clickhouse_ddl,
    flink_columns,
    flink_flat_columns,
    iceberg_schema,
    store_fields,
)
from asknown.errors import UsageError

VALUES = {
    "string": "x",
    "int": 1,
    "long": 2,
    "double": 1.5,
    "bytes": b"\x00\xff",
    "date": date(2014, 5, 7),
    "timestamp": datetime(2014, 5, 7, 9, 30, tzinfo=UTC),
    "decimal": Decimal("1.25"),
    "map": [("k", "v")],
}


def test_flink_columns_are_nested_as_on_the_wire():
    text = flink_columns(contract("raw.trade"))
    assert text.startswith("`event_id` STRING, `event_time` TIMESTAMP(3), ")
    assert "`payload` ROW<`source_system` STRING, `symbol` STRING, `price` DECIMAL(18, 8), " in text
    assert text.endswith("`extra` MAP<STRING, STRING>>")
    assert "NOT NULL" not in text


@pytest.mark.parametrize("topic", list(contracts()))
def test_every_engine_has_the_same_columns_in_the_same_order(topic: str):
    c = contract(topic)
    names = [f.name for f in store_fields(c)]
    assert [name for name, _ in flink_flat_columns(c)] == names
    assert [f.name for f in iceberg_schema(c).fields] == names
    assert arrow_schema(c).names == names


@pytest.mark.parametrize("topic", list(contracts()))
def test_the_arrow_schema_is_what_the_lake_takes(topic: str):
    c = contract(topic)
    wanted = iceberg_schema(c)
    lake = schema_to_pyarrow(wanted, include_field_ids=False)
    row = {f.name: [VALUES[f.type.kind]] for f in store_fields(c)}
    table = pa.table(row, schema=arrow_schema(c))
    assert table.cast(lake).num_rows == 1


def test_bronze_columns_may_all_be_missing_and_others_as_the_contract_says():
    assert all(f.nullable for f in store_fields(contract("raw.trade")))
    silver = {f.name: f.nullable for f in store_fields(contract("normalized.trade"))}
    assert (silver["price"], silver["isin"], silver["kafka_offset"]) == (False, True, False)


def test_clickhouse_does_not_hold_bronze():
    with pytest.raises(UsageError) as caught:
        clickhouse_ddl(contract("raw.trade"))
    assert caught.value.code == "ASKNOWN-CONTRACT-004"


def test_revisions_of_a_bar_are_all_kept():
    ddl = clickhouse_ddl(contract("analytics.bar"))
    grain = "entity_id, interval_seconds, price_type, bar_start, factor_version"
    assert "ENGINE = ReplacingMergeTree(kafka_offset)" in ddl
    assert f"ORDER BY ({grain}, revision)" in ddl
