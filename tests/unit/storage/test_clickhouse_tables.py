"""Migrations against a real ClickHouse."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from asknown.contracts.catalog import contract, contracts
from asknown.contracts.render import BRONZE, arrow_schema, clickhouse_type, store_fields
from asknown.errors import AsknownError, UnreachableError, UsageError
from asknown.settings import Settings
from asknown.storage.blocks import Block
from asknown.storage.clickhouse import (
    FIRST,
    MIGRATIONS,
    client,
    create_tables_sql,
    migrate,
    migrations,
    tables,
)
from asknown.storage.loader import BLOCK_ROWS, COMMENT, insert_block, running_inserts


def test_first_migration_equals_what_the_contracts_render():
    assert (MIGRATIONS / FIRST).read_text() == create_tables_sql()


def test_migrating_twice_applies_each_migration_once(clickhouse):
    first = migrate(clickhouse.settings)
    assert first == [m.name for m in migrations()]
    assert migrate(clickhouse.settings) == []


def test_migrated_tables_have_the_columns_and_types_of_the_contracts(clickhouse):
    migrate(clickhouse.settings)
    with client("reader", settings=clickhouse.settings) as connection:
        rows = connection.query(
            "SELECT database || '.' || table, name, type FROM system.columns"
            " WHERE default_kind != 'MATERIALIZED'"  # a second copy for reading, not data
        )
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


def quarantined(first: int, count: int) -> Block:
    schema = arrow_schema(contract("quarantine.event"))
    numbers = list(range(first, first + count))
    columns = {f.name: [None if f.nullable else 0] * count for f in schema}
    for name in ("event_id", "entity_id", "source", "topic", "stage", "reason"):
        columns[name] = [f"{name} {number}" for number in numbers]
    columns["kafka_offset"] = numbers
    rows = pa.table({name: pa.array(v, schema.field(name).type) for name, v in columns.items()})
    return Block("quarantine.event", 0, first, numbers[-1], rows)


def test_a_block_is_one_part_however_large(clickhouse):
    migrate(clickhouse.settings)
    with client("writer", settings=clickhouse.settings) as connection:
        connection.command("SYSTEM STOP MERGES")
        insert_block(connection, "ops.quarantine_event", quarantined(0, BLOCK_ROWS))
        parts = connection.query(
            "SELECT rows FROM system.parts WHERE table = 'quarantine_event' AND active"
        ).result_rows
    assert [rows for (rows,) in parts] == [BLOCK_ROWS]


def test_a_block_sent_again_even_after_a_kill_is_stored_once(clickhouse):
    migrate(clickhouse.settings)
    block = quarantined(0, 1_000)
    for _ in range(2):
        with client("writer", settings=clickhouse.settings) as connection:
            insert_block(connection, "ops.quarantine_event", block)
            insert_block(connection, "ops.quarantine_event", block)
            insert_block(connection, "ops.quarantine_event", quarantined(1_000, 10))
            rows = connection.query("SELECT count() FROM ops.quarantine_event").result_rows
        assert rows == [(1_010,)]
        clickhouse.kill()
        clickhouse.start()


def test_an_insert_that_a_killed_loader_left_running_is_seen(clickhouse, eventually):
    migrate(clickhouse.settings)
    slow = "INSERT INTO ops.migration (name) SELECT toString(sleepEachRow(1)) FROM numbers(30)"
    settings = {"log_comment": COMMENT, "max_block_size": 1}
    with (
        client("writer", settings=clickhouse.settings) as orphan,
        client("writer", settings=clickhouse.settings) as loader,
        ThreadPoolExecutor(1) as pool,
    ):
        assert running_inserts(loader) == 0
        insert = pool.submit(orphan.command, slow, settings=settings)
        eventually(lambda: running_inserts(loader) == 1)
        loader.command("KILL QUERY WHERE query_kind = 'Insert' SYNC")
        assert insert.exception() is not None
        assert running_inserts(loader) == 0
