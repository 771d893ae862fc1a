"""Migrations against a real ClickHouse."""

from __future__ import annotations

import pytest

from asknown.contracts.catalog import contracts
from asknown.contracts.render import BRONZE, clickhouse_type, store_fields
from asknown.errors import AsknownError, UnreachableError, UsageError
from asknown.settings import Settings
from asknown.storage.clickhouse import (
    FIRST,
    MIGRATIONS,
    client,
    create_tables_sql,
    migrate,
    migrations,
    tables,
)


def test_first_migration_equals_what_the_contracts_render():
    assert (MIGRATIONS / FIRST).read_text() == create_tables_sql()


def test_migrating_twice_applies_each_migration_once(clickhouse):
    first = migrate(clickhouse.settings)
    assert first == [m.name for m in migrations()]
    assert migrate(clickhouse.settings) == []


def test_migrated_tables_have_the_columns_and_types_of_the_contracts(clickhouse):
    migrate(clickhouse.settings)
    with client("reader", settings=clickhouse.settings) as connection:
        rows = connection.query("SELECT database || '.' || table, name, type FROM system.columns")
        found: dict[str, list[tuple[str, str]]] = {}
        for table, name, kind in rows.result_rows:
            found.setdefault(table, []).append((name, kind))
    for c in contracts().values():
        if c.topic.namespace != BRONZE:
            expected = [(f.name, clickhouse_type(f)) for f in store_fields(c)]
            assert found[c.topic.table] == expected
    assert set(tables()) <= set(found)


def test_a_changed_migration_is_refused(clickhouse, tmp_path):
    folder = tmp_path / "sql"
    folder.mkdir()
    (folder / "001_create_one.sql").write_text("CREATE DATABASE IF NOT EXISTS one;\n")
    assert migrate(clickhouse.settings, folder) == ["001_create_one.sql"]
    (folder / "001_create_one.sql").write_text("CREATE DATABASE IF NOT EXISTS two;\n")
    with pytest.raises(AsknownError) as caught:
        migrate(clickhouse.settings, folder)
    assert caught.value.code == "ASKNOWN-CLICKHOUSE-003"


def test_a_gap_in_the_numbers_of_migrations_is_refused(tmp_path):
    (tmp_path / "002_create_one.sql").write_text("SELECT 1;\n")
    with pytest.raises(UsageError) as caught:
        migrations(tmp_path)
    assert caught.value.code == "ASKNOWN-CLICKHOUSE-002"


def test_an_absent_server_is_reported_as_unreachable(clickhouse_settings: Settings):
    with pytest.raises(UnreachableError) as caught:
        client("writer", settings=clickhouse_settings)
    assert caught.value.code == "ASKNOWN-CLICKHOUSE-001"
