"""The lineage that is committed is what Flink's planner says of today's queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asknown.contracts.catalog import contracts
from asknown.contracts.tables import lake_tables
from asknown.lineage.graph import RECORDED
from jobs.lineage.origins import Walk
from jobs.lineage.recording import JOBS, environment_of, record


@pytest.mark.parametrize("job", JOBS)
def test_lineage_in_the_repository_is_what_the_planner_says(job: str, tmp_path: Path):
    committed = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert record(job, tmp_path) == committed[job], "the queries have changed: make lineage"


def test_lineage_has_every_column_of_every_output():
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    found = 0
    for outputs in recorded.values():
        for dataset, said in outputs.items():
            if "columns" in said:
                c = contracts().get(dataset)
                fields = [*c.envelope, *c.payload] if c else lake_tables()[dataset].fields
                assert list(said["columns"]) == [f.name for f in fields], dataset
                found += 1
    assert found > 8


@pytest.fixture(scope="module")
def walk() -> Any:
    """Return a walk over one table `t` of four columns, and its environment."""
    env = environment_of("derive")
    env.execute_sql(
        "CREATE TEMPORARY TABLE t (a INT, b INT, c STRING, ts TIMESTAMP(3), "
        "WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('connector' = 'datagen')"
    )
    return env, Walk(env, lambda _: None)


QUERIES = {
    "as it is": ("SELECT a FROM t", [{"= a"}], set()),
    "computed": ("SELECT a + b, 1 FROM t", [{"~ a", "~ b"}, set()], set()),
    "filtered": ("SELECT a FROM t WHERE c LIKE '$1%'", [{"= a"}], {"~ c"}),
    "grouped": ("SELECT c, SUM(a) FROM t GROUP BY c", [{"= c"}, {"~ a"}], {"~ c"}),
    "over a window": (
        "SELECT MAX(a) OVER (PARTITION BY c ORDER BY ts) FROM t",
        [{"~ a"}],
        {"~ c", "~ ts"},
    ),
    "of a window": (
        "SELECT window_start, COUNT(b) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), "
        "INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
        [{"~ ts"}, {"~ b"}],
        {"~ ts"},
    ),
    "joined": (
        "SELECT x.a, y.b FROM t AS x JOIN t AS y ON x.c = y.c",
        [{"= a"}, {"= b"}],
        {"~ c"},
    ),
    "of an array": (
        "SELECT made.e FROM t CROSS JOIN UNNEST(ARRAY[a, b]) AS made (e)",
        [{"~ a", "~ b"}],
        set(),
    ),
    "in two ways": (
        "SELECT a FROM t UNION ALL SELECT a + b FROM t",
        [{"= a", "~ a", "~ b"}],
        set(),
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_column_comes_from_what_its_expression_names(walk: Any, name: str):
    env, walker = walk
    query, columns, deciding = QUERIES[name]
    view = name.replace(" ", "_")
    env.execute_sql(f"CREATE TEMPORARY VIEW `{view}` AS {query}")
    _, traced = walker.of_view(view)
    found = [{_sign(one) for one in column} for column in traced.columns]
    assert found == columns
    assert {_sign(one) for one in traced.deciding} == deciding


def _sign(one: Any) -> str:
    return f"{'=' if one.kept else '~'} {one.column}"
