"""Tables of the lake, in a catalog of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from asknown.contracts.catalog import contract, contracts
from asknown.contracts.render import arrow_schema, iceberg_schema, store_fields
from asknown.contracts.tables import lake_tables
from asknown.settings import Settings
from asknown.storage import iceberg
from asknown.storage.lake_layout import BY_DAY
from asknown.storage.partition_sums import REBUILT


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    """Return settings of a lake in a folder."""
    return Settings(
        catalog_address=f"sqlite:///{tmp_path / 'catalog.db'}",
        warehouse=f"file://{tmp_path / 'warehouse'}",
    )


def rows(topic: str, count: int) -> pa.Table:
    """Return rows whose columns are missing where they may be, else a value of their type."""
    values = {"string": "x", "timestamp": datetime(2014, 5, 7, tzinfo=UTC), "decimal": Decimal(1)}
    schema = arrow_schema(contract(topic))
    columns = [
        pa.array([None if f.nullable else values.get(f.type.kind, 1)] * count, schema.field(n).type)
        for n, f in enumerate(store_fields(contract(topic)))
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def test_tables_are_made_once_and_as_the_contracts_say(config: Settings):
    changes = iceberg.ensure_tables(config)
    assert f"created table {contract('raw.trade').topic.table}" in changes
    assert iceberg.ensure_tables(config) == []
    for c in contracts().values():
        table = iceberg.lake(config).load_table(c.topic.table)
        assert table.format_version == 2
        found = [(f.name, str(f.field_type), f.required) for f in table.schema().fields]
        wanted = [(f.name, str(f.field_type), f.required) for f in iceberg_schema(c).fields]
        assert found == wanted


def test_tables_without_a_topic_are_made_cut_and_sorted(config: Settings):
    iceberg.ensure_tables(config)
    for t in lake_tables().values():
        table = iceberg.lake(config).load_table(t.name)
        assert table.schema().column_names == [f.name for f in t.fields]
        assert len(table.spec().fields) == len(t.partition_by)
        ids = [table.schema().find_field(column).field_id for column in t.sort_by]
        assert [f.source_id for f in table.sort_order().fields] == ids


def test_tables_are_cut_by_the_day_but_facts_and_a_source_s_bars_by_the_year(config: Settings):
    iceberg.ensure_tables(config)
    catalog = iceberg.lake(config)
    found = {
        name: [f.name for f in catalog.load_table(name).spec().fields]
        for name in (
            *("bronze.trade", "silver.trade", "silver.bar"),
            *("gold.bar", "gold.quality", "silver.entity_change", "ops.late_event"),
        )
    }
    assert found == {
        "bronze.trade": ["kafka_time_day"],
        "silver.trade": ["event_time_day"],
        "silver.bar": ["event_time_year"],
        "gold.quality": ["event_time_year"],
        "gold.bar": ["event_time_day"],
        "silver.entity_change": ["event_time_year"],
        "ops.late_event": ["event_time_day"],
    }


def test_tables_that_a_backfill_replaces_by_the_day_are_cut_by_the_day():
    assert {topic for topic, _ in REBUILT.values()} == set(BY_DAY)


def test_appended_rows_are_counted(config: Settings):
    iceberg.ensure_tables(config)
    assert iceberg.count("silver.trade", config) == 0
    table = iceberg.lake(config).load_table("silver.trade")
    table.append(rows("normalized.trade", 3))
    table.append(rows("normalized.trade", 2))
    assert iceberg.count("silver.trade", config) == 5
    assert table.refresh().scan().count() == 5


def test_a_column_that_a_contract_gained_is_added_in_its_place(config: Settings):
    iceberg.ensure_tables(config)
    table = iceberg.lake(config).load_table("silver.trade")
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.delete_column("isin")
    assert iceberg.ensure_tables(config) == ["added column isin to table silver.trade"]
    names = [f.name for f in iceberg.lake(config).load_table("silver.trade").schema().fields]
    assert names == [f.name for f in iceberg_schema(contract("normalized.trade")).fields]
