"""The table of bars keeps every revision; one that was made to keep the last is brought to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema
from asknown.storage.clickhouse import FIRST, MIGRATIONS, client, migrate
from tests.unit.storage.heal_rows import T0, bar

OLD_ENGINE = "ReplacingMergeTree(revision)"


def stored(connection: Any) -> list[tuple[int, int]]:
    rows = connection.query("SELECT revision, event_count FROM gold.bar FINAL ORDER BY revision")
    return [tuple(row) for row in rows.result_rows]


def insert(connection: Any, *rows: dict[str, Any]) -> None:
    numbered = [{**row, "kafka_partition": 0, "kafka_offset": n} for n, row in enumerate(rows)]
    table = pa.Table.from_pylist(numbered, schema=arrow_schema(contract("analytics.bar")))
    connection.insert_arrow("bar", table, database="gold")


def test_table_that_kept_the_last_revision_only_keeps_its_rows_and_all_later_revisions(
    clickhouse: Any, tmp_path: Path
) -> None:
    old = tmp_path / "sql"
    old.mkdir()
    text = (MIGRATIONS / FIRST).read_text()
    before, key = text.split("EXISTS gold.bar\n", 1)
    key = key.replace("ReplacingMergeTree(kafka_offset)", OLD_ENGINE, 1)
    key = key.replace("factor_version, revision)", "factor_version)", 1)
    (old / FIRST).write_text(f"{before}EXISTS gold.bar\n{key}")
    migrate(clickhouse.settings, old)
    with client("writer", settings=clickhouse.settings) as connection:
        insert(connection, bar(T0, 1))
        migrate(clickhouse.settings)
        assert stored(connection) == [(0, 1)]
        insert(connection, bar(T0, 2, revision=1), bar(T0, 3, revision=2))
        connection.command("OPTIMIZE TABLE gold.bar FINAL")
        assert stored(connection) == [(0, 1), (1, 2), (2, 3)]
        left = connection.query("EXISTS gold.bar_revision").result_rows
    assert left == [(0,)]
