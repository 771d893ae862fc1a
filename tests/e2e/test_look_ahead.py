"""The look-ahead audit over everything that the tests before have put into the lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema
from asknown.storage.iceberg import lake

TABLE, TOPIC = "silver.trade", "normalized.trade"
NOWHERE = 99  # a partition that no topic has
FAR = 10**12
LEAK = f"raw_partition = {NOWHERE}"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.clock("2024-11-07")]

Plant = Callable[..., None]


@pytest.fixture
def plant(pipeline: Any) -> Iterator[Plant]:
    """Return a way to put a row into silver.trade, a copy of one there but for some columns."""
    table = lake(pipeline.settings).load_table(TABLE)

    def put(**changed: Any) -> None:
        found = table.refresh().scan(row_filter="kafka_partition >= 0", limit=1).to_arrow()
        place = {"raw_partition": NOWHERE, "kafka_offset": FAR}
        row = {**found.to_pylist()[0], **place, **changed}
        table.append(pa.Table.from_pylist([row], schema=arrow_schema(contract(TOPIC))))

    yield put
    table.refresh().delete(LEAK)


def test_no_row_of_the_session_used_what_was_learnt_later(pipeline: Any) -> None:
    pipeline.json("ledger", "--wait", "120", check=False)
    found = pipeline.json("audit", check=False)
    assert found["passed"], found
    rows = {one["audit"]: one["rows"] for one in found["audits"]}
    assert rows["look_ahead_trade"] > 1_000
    assert rows["look_ahead_computed_bar"] > 1_000


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"factor_version": 77}, id="factor version too high"),
        pytest.param({"price_factor": 0.125, "split_factor": 0.125}, id="factor of another time"),
        pytest.param({"entity_id": "e_somebody_else"}, id="another listing"),
    ],
)
def test_planted_leak_is_caught_and_named(
    pipeline: Any, plant: Plant, changed: dict[str, Any]
) -> None:
    plant(**changed)
    done = pipeline.run("audit", "look_ahead_trade", check=False)
    assert done.returncode == 3, done.stderr
    (audit,) = pipeline.json("audit", "look_ahead_trade", check=False)["audits"]
    assert audit["offending"] == 1
    assert audit["shown"][0]["raw_partition"] == NOWHERE
