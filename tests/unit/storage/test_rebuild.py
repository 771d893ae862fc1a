"""ClickHouse from the lake: the same rows, in one step, and the loader knows where to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog import Catalog

from asknown.contracts.catalog import contract
from asknown.contracts.render import iceberg_schema
from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.storage import iceberg, rebuild
from asknown.storage.clickhouse import client, migrate
from asknown.storage.lake_layout import partition_spec
from tests.unit.storage.conftest import ClickHouseServer
from tests.unit.storage.lake_rows import append, row_of, utc

TOPICS = ("normalized.trade", "quarantine.event", "reference.entity_change")


@pytest.fixture
def config(clickhouse: ClickHouseServer, tmp_path: Path) -> Settings:
    """Return the settings of a ClickHouse and a lake with some empty tables."""
    found = clickhouse.settings.model_copy(
        update={
            "catalog_address": f"sqlite:///{tmp_path / 'catalog.db'}",
            "warehouse": f"file://{tmp_path / 'warehouse'}",
        }
    )
    migrate(found)
    for topic in TOPICS:
        _make(iceberg.lake(found), topic)
    return found


def _make(catalog: Catalog, topic: str) -> None:
    c, schema = contract(topic), iceberg_schema(contract(topic))
    catalog.create_namespace_if_not_exists(c.topic.namespace)
    catalog.create_table(c.topic.table, schema, partition_spec=partition_spec(c, schema))


def trade(number: int, **more: Any) -> dict[str, Any]:
    """Return a trade with an id of its own."""
    where = {"kafka_partition": number % 2, "kafka_offset": number}
    at = utc(2024, 10, 28, 4, 0, number)
    return row_of(TOPICS[0], event_id=f"t{number}", event_time=at, **where, **more)


def asked(config: Settings, question: str) -> list[tuple[Any, ...]]:
    """Return the answer of ClickHouse."""
    with client("reader", settings=config) as connection:
        return list(connection.query(question).result_rows)


def run(config: Settings, topic: str) -> rebuild.Rebuilt:
    """Rebuild the table of a topic."""
    (done,) = rebuild.rebuild(config, [contract(topic)], lambda _: None)
    return done


def test_rebuilt_tables_hold_the_lake_and_say_where_the_loader_goes_on(config: Settings):
    append(config, TOPICS[0], *(trade(number) for number in range(5)))
    backfilled = trade(9, isin="X") | {"kafka_partition": -1, "kafka_offset": -1}
    append(config, TOPICS[0], backfilled)
    with client("writer", settings=config) as connection:
        connection.command("DROP TABLE silver.trade SYNC")
    done = run(config, TOPICS[0])
    assert (done.rows, done.recomputed, done.places) == (6, 1, {0: 4, 1: 3})
    found = asked(config, "SELECT event_id, isin FROM silver.trade FINAL ORDER BY event_id")
    assert found == [
        ("t0", None),
        ("t1", None),
        ("t2", None),
        ("t3", None),
        ("t4", None),
        ("t9", "X"),
    ]
    assert asked(config, "SHOW TABLES FROM silver LIKE '%__rebuilt'") == []


def test_a_table_rebuilt_again_or_over_wrong_rows_is_the_same(config: Settings):
    append(config, TOPICS[0], *(trade(number) for number in range(3)))
    first = run(config, TOPICS[0])
    with client("writer", settings=config) as connection:
        connection.command(
            "INSERT INTO silver.trade SELECT * REPLACE ('wrong' AS event_id) FROM silver.trade"
        )
        connection.command("CREATE TABLE silver.trade__rebuilt AS silver.trade")
    assert run(config, TOPICS[0]) == first
    assert asked(config, "SELECT count(), countIf(event_id = 'wrong') FROM silver.trade") == [
        (3, 0)
    ]


def test_bytes_and_rows_of_one_key_come_over(config: Settings):
    append(config, TOPICS[1], row_of(TOPICS[1], raw_bytes=b"\x00\xff", kafka_partition=0))
    assert run(config, TOPICS[1]).rows == 1
    assert asked(config, "SELECT hex(raw_bytes) FROM ops.quarantine_event") == [("00FF",)]
    key = {"raw_key": "K", "effective_time": utc(2024, 1, 1)}
    rows = [row_of(TOPICS[2], isin=isin, **key) for isin in ("OLD", "NEW")]
    append(config, TOPICS[2], *rows)
    assert run(config, TOPICS[2]).rows == 2
    assert asked(config, "SELECT isin FROM silver.entity_change FINAL") == [("NEW",)]


def test_a_copy_that_differs_leaves_the_table_as_it_was(config: Settings, monkeypatch):
    append(config, TOPICS[0], *(trade(number) for number in range(3)))
    run(config, TOPICS[0])
    append(config, TOPICS[0], trade(7))
    block = rebuild._block

    def broken(batches: Any, schema: Any) -> Any:
        return block(batches, schema).slice(1)

    copy = rebuild._copy
    monkeypatch.setattr(rebuild, "_block", broken)
    monkeypatch.setattr(
        rebuild, "_copy", lambda *given: (rebuild.Checksum(4, 1), *copy(*given)[1:])
    )
    with pytest.raises(AsknownError, match="ASKNOWN-RECOVER-003"):
        run(config, TOPICS[0])
    assert asked(config, "SELECT count() FROM silver.trade") == [(3,)]


def test_a_table_that_clickhouse_does_not_hold_is_refused():
    assert [c.topic.name for c in rebuild.chosen("silver.trade")] == [TOPICS[0]]
    with pytest.raises(AsknownError, match="ASKNOWN-RECOVER-001"):
        rebuild.chosen("bronze.trade")
