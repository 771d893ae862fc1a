"""Redis from the lake: the newest record of each series, the numbers, and where Kafka goes on."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from pyiceberg.catalog import Catalog

from asknown.contracts.catalog import contract
from asknown.contracts.render import iceberg_schema
from asknown.settings import Settings
from asknown.storage import iceberg, latest, latest_rebuild
from asknown.storage.lake_layout import partition_spec
from asknown.storage.latest import Applied, MovedError
from tests.unit.redis_running import RunningRedis, settings_in
from tests.unit.storage.lake_rows import append, row_of, utc

TRADE, BAR = "normalized.trade", "analytics.bar"
RELIANCE, INFY = "L-RELIANCE", "L-INFY"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Settings]:
    """Yield the settings of an empty Redis and a lake with two empty tables."""
    settings = settings_in(tmp_path / "data").model_copy(
        update={
            "catalog_address": f"sqlite:///{tmp_path / 'catalog.db'}",
            "warehouse": f"file://{tmp_path / 'warehouse'}",
        }
    )
    for topic in (TRADE, BAR):
        _make(iceberg.lake(settings), topic)
    with RunningRedis(settings):
        yield settings


def _make(catalog: Catalog, topic: str) -> None:
    c, schema = contract(topic), iceberg_schema(contract(topic))
    catalog.create_namespace_if_not_exists(c.topic.namespace)
    catalog.create_table(c.topic.table, schema, partition_spec=partition_spec(c, schema))


def trade(entity_id: str, second: int, partition: int, offset: int, price: int) -> dict[str, Any]:
    return row_of(
        TRADE,
        entity_id=entity_id,
        event_id=f"t{second}-{offset}",
        event_time=utc(2024, 10, 28, 4, 0, second),
        price=Decimal(price),
        kafka_partition=partition,
        kafka_offset=offset,
    )


def held(config: Settings, entity_id: str, series: str = "trade") -> tuple[str, int]:
    """Return the price of the newest record and the number of the last update."""
    with latest.client("reader", config) as reader:
        body, seq = reader.hmget(latest.latest_key(entity_id), [series, f"{series}@seq"])
    record = orjson.loads(body)
    return record.get("price") or record["close"], int(seq)


def places(config: Settings) -> dict[str, int]:
    with latest.client("writer", config) as connection:
        return latest.applied(connection)


def rebuilt(config: Settings) -> dict[str, int]:
    return {one.topic: one.series for one in latest_rebuild.rebuild(config)}


def test_newest_by_event_time_is_held_and_the_last_offset_is_the_number(config: Settings) -> None:
    append(config, TRADE, trade(RELIANCE, 5, 0, 7, 100), trade(RELIANCE, 3, 0, 9, 99))
    append(config, TRADE, trade(INFY, 1, 1, 4, 50))
    assert rebuilt(config)[TRADE] == 2
    assert held(config, RELIANCE) == ("100", 9)
    assert held(config, INFY) == ("50", 4)
    assert places(config) == {"normalized.trade[0]": 10, "normalized.trade[1]": 5}


def test_record_of_a_backfill_counts_and_has_no_number_of_its_own(config: Settings) -> None:
    append(config, TRADE, trade(RELIANCE, 3, 0, 9, 99), trade(RELIANCE, 5, -1, -1, 100))
    append(config, TRADE, trade(INFY, 5, -1, -1, 50))
    rebuilt(config)
    assert held(config, RELIANCE) == ("100", 9)
    assert held(config, INFY) == ("50", -1)
    assert places(config) == {"normalized.trade[0]": 10}


def test_bars_are_held_by_length_and_price_and_the_last_revision_counts(config: Settings) -> None:
    def bar(minute: int, seconds: int, price_type: str, offset: int, close: int) -> dict[str, Any]:
        start = utc(2024, 10, 28, 4, minute)
        return row_of(
            BAR,
            entity_id=RELIANCE,
            event_id=f"b{offset}",
            event_time=start,
            bar_start=start,
            interval_seconds=seconds,
            price_type=price_type,
            close=Decimal(close),
            kafka_partition=0,
            kafka_offset=offset,
        )

    rows = [bar(1, 60, "trade", 1, 10), bar(1, 60, "bid", 2, 9), bar(1, 1, "trade", 3, 8)]
    append(config, BAR, *rows, bar(1, 60, "trade", 5, 11), bar(0, 60, "trade", 6, 7))
    assert rebuilt(config)[BAR] == 3
    assert held(config, RELIANCE, "bar:60:trade") == ("11", 6)
    assert held(config, RELIANCE, "bar:60:bid") == ("9", 2)
    assert held(config, RELIANCE, "bar:1:trade") == ("8", 3)


def test_rebuild_forgets_what_was_there_and_refuses_a_writer_that_did_not_notice(
    config: Settings,
) -> None:
    stale = latest.update(TRADE, 2, {**trade("L-GONE", 1, 0, 2, 1)})
    assert stale is not None
    with latest.client("writer", config) as connection:
        latest.apply(connection, Applied("normalized.trade[0]", None, 3), [stale])
        append(config, TRADE, trade(RELIANCE, 5, 0, 7, 100))
        rebuilt(config)
        assert not connection.exists(latest.latest_key("L-GONE"))
        with pytest.raises(MovedError, match="found 8"):
            latest.apply(connection, Applied("normalized.trade[0]", 3, 4), [stale])


def test_empty_lake_leaves_an_empty_store_that_begins_at_the_beginning(config: Settings) -> None:
    assert set(rebuilt(config).values()) == {0}
    assert places(config) == {}
