"""Trino over a lake on Postgres: answers, knowledge of a moment, and everything it must refuse."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.stack.paths import Paths
from asknown.stack.trino import java_home, keeper
from asknown.storage.iceberg import lake
from asknown.storage.trino import ask, names
from tests.e2e.conftest import Stack, free_offset
from tests.unit.research.market import compute, fill, known

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
LISTING = "e_trino"
FIRST, CORRECTED = "2024-03-01", "2024-03-05"


@pytest.fixture(scope="module")
def trino() -> Iterator[Stack]:
    """Yield a stack of Postgres and Trino over a lake with a few rows."""
    try:
        java_home(Settings())
    except AsknownError as error:
        pytest.skip(str(error))
    if not Paths.of(Settings()).trino_server.exists():
        pytest.skip("Trino is not there: make trino")
    with tempfile.TemporaryDirectory(prefix="asknown-trino-") as folder:
        config = Settings(
            port_offset=free_offset(), data_dir=Path(folder) / "data", with_trino=True
        )
        stack = Stack(config)
        try:
            stack.run("up", "--only", "postgres,trino", "--with", "trino")
            _fill(config)
            yield stack
        finally:
            stack.run("down", check=False)


def _fill(config: Settings) -> None:
    fill(config)
    row = {
        "feature_name": "adv_20d",
        "feature_version": 1,
        "entity_id": LISTING,
        "trade_date": known(FIRST)["known_from"].date(),
        "observations": 20,
    }
    first = {**row, "value": 1.5, **known(FIRST, CORRECTED)}
    compute(config, "gold.feature", [first, {**row, "value": 2.5, **known(CORRECTED)}])


def rows(stack: Stack, question: str, known_at: str = "") -> Any:
    """Return what `asknown sql` answers."""
    more = ("--known-at", known_at) if known_at else ()
    return json.loads(stack.run("sql", question, *more, "-o", "json").stdout)


@pytest.mark.parametrize("name", names())
def test_view_can_be_read_now_and_by_any_knowledge(trino: Stack, name: str) -> None:
    every = rows(trino, f"SELECT count(*) AS n FROM {name}_asof")[0]["n"]
    now = rows(trino, f"SELECT count(*) AS n FROM lake.research.{name}")[0]["n"]
    assert 0 <= now <= every


@pytest.mark.parametrize("table", ["silver.trade", "gold.bar", "silver.corporate_action"])
def test_trino_counts_what_pyiceberg_counts(trino: Stack, table: str) -> None:
    expected = lake(trino.settings).load_table(table).scan().to_arrow().num_rows
    assert expected > 0
    assert rows(trino, f"SELECT count(*) AS n FROM lake.{table}") == [{"n": expected}]


@pytest.mark.parametrize(
    ("known_at", "values"),
    [("2024-02-01", []), ("2024-03-02", [1.5]), (CORRECTED, [2.5]), ("", [2.5])],
)
def test_feature_by_the_knowledge_of_a_moment_is_what_was_believed_then(
    trino: Stack, known_at: str, values: list[float]
) -> None:
    question = f"SELECT value FROM feature WHERE entity_id = '{LISTING}'"
    assert [row["value"] for row in rows(trino, question, known_at)] == values


def test_bar_by_now_is_its_last_revision_and_asof_holds_all(trino: Stack) -> None:
    key = "entity_id, interval_seconds, price_type, bar_start, factor_version"
    twice = f"SELECT {key} FROM %s GROUP BY {key} HAVING count(*) > 1"
    assert rows(trino, twice % "bar") == []
    assert rows(trino, twice % "bar_asof") != []


FORBIDDEN = (
    "CREATE TABLE lake.silver.mine (a INT)",
    "CREATE TABLE lake.research.mine AS SELECT 1 AS a",
    "CREATE SCHEMA lake.mine",
    "CREATE VIEW lake.research.mine AS SELECT 1 AS a",
    "CREATE OR REPLACE VIEW lake.research.bar AS SELECT 1 AS a",
    "DROP VIEW lake.research.bar",
    "DROP TABLE lake.silver.trade",
    "ALTER TABLE lake.silver.trade RENAME TO lake.silver.gone",
    "ALTER TABLE lake.silver.trade EXECUTE optimize",
    "ALTER TABLE lake.silver.trade EXECUTE expire_snapshots(retention_threshold => '7d')",
    "ALTER TABLE lake.silver.trade EXECUTE remove_orphan_files(retention_threshold => '7d')",
    "ALTER TABLE lake.silver.trade SET PROPERTIES format_version = 2",
    "INSERT INTO lake.gold.feature SELECT * FROM lake.gold.feature",
    "DELETE FROM lake.silver.trade",
    "UPDATE lake.silver.trade SET venue = 'X'",
    "MERGE INTO lake.gold.feature t USING lake.gold.feature s ON false WHEN MATCHED THEN DELETE",
    "TRUNCATE TABLE lake.silver.trade",
    "CALL lake.system.register_table('silver', 'mine', 'file:///tmp/x')",
    "CALL lake.system.rollback_to_snapshot('silver', 'trade', 1)",
    "CALL system.runtime.kill_query('x', 'y')",
    "SELECT * FROM system.runtime.queries",
    "SELECT * FROM system.metadata.catalogs",
    "SELECT * FROM keeper.silver.trade",
    "GRANT SELECT ON lake.silver.trade TO USER mine",
    "CREATE CATALOG mine USING memory",
    "SET SESSION AUTHORIZATION 'keeper'",
    "EXPLAIN ANALYZE DELETE FROM lake.silver.trade",
    "COMMENT ON TABLE lake.silver.trade IS 'mine'",
)


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_statement_that_is_no_reading_is_refused(trino: Stack, statement: str) -> None:
    before = lake(trino.settings).load_table("silver.trade").current_snapshot()
    with pytest.raises(AsknownError) as caught:
        ask(trino.settings, statement)
    assert caught.value.code == "ASKNOWN-SQL-001", caught.value
    after = lake(trino.settings).load_table("silver.trade").current_snapshot()
    assert before is not None
    assert after == before


def test_question_over_its_memory_is_refused_and_the_server_stays(trino: Stack) -> None:
    numbers = "UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 3000)) AS b(y)"
    with pytest.raises(AsknownError, match="memory"):
        ask(trino.settings, f"SELECT count(DISTINCT (x, y, cast(x AS varchar))) FROM {numbers}")
    assert ask(trino.settings, "SELECT 1 AS a").rows == [(1,)]


def test_question_that_is_wrong_names_the_datasets(trino: Stack) -> None:
    done = trino.run("sql", "SELECT * FROM bars", check=False)
    assert done.returncode != 0
    assert "ASKNOWN-SQL-001" in done.stderr
    assert "bar" in done.stderr


def test_name_of_the_keeper_is_in_no_log(trino: Stack) -> None:
    texts = [path.read_text(errors="replace") for path in Paths.of(trino.settings).logs.iterdir()]
    assert texts
    assert not any(keeper(trino.settings) in text for text in texts)


def test_third_question_of_one_user_waits_for_the_first_two(trino: Stack, eventually: Any) -> None:
    config = trino.settings
    slow = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y), "
    slow += "UNNEST(sequence(1, 1000)) c(z) WHERE x * y % 7 = z % 5"
    header = {"X-Trino-User": "busy"}
    asked = []
    for _ in range(3):
        posted = httpx2.post(f"{config.trino_url}/v1/statement", content=slow, headers=header)
        asked.append(posted.json())

    def states() -> list[str]:
        for number, one in enumerate(asked):
            if "nextUri" in one:
                asked[number] = httpx2.get(one["nextUri"], headers=header, timeout=10).json()
        return sorted(one["stats"]["state"] for one in asked)

    try:
        eventually(lambda: states() == ["QUEUED", "RUNNING", "RUNNING"], 20, "one to wait")
        assert states() == ["QUEUED", "RUNNING", "RUNNING"]
    finally:
        for one in asked:
            httpx2.delete(one["nextUri"], headers=header)
