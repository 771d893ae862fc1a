"""A day of the lake takes the place of one in ClickHouse; the loader goes on as if nothing was."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema
from asknown.settings import Settings
from asknown.storage import clickhouse as store
from asknown.storage import loaded_offsets
from asknown.storage.clickhouse import migrate
from asknown.storage.publish import frontiers, partition_of, publish_day
from tests.unit.storage.backfill_lake import (
    BARS,
    DAYS,
    PER_DAY,
    SILVER,
    TRADES,
    bar,
    fill,
    replace,
    trade,
)
from tests.unit.storage.conftest import ClickHouseServer

BAR = "gold.bar"


@pytest.fixture
def stores(clickhouse: ClickHouseServer, tmp_path: Path) -> Settings:
    """Return the settings of a ClickHouse and a lake that hold the same four days."""
    found = clickhouse.settings.model_copy(
        update={
            "catalog_address": f"sqlite:///{tmp_path / 'catalog.db'}",
            "warehouse": f"file://{tmp_path / 'warehouse'}",
        }
    )
    migrate(found)
    fill(found)
    load(found, TRADES, [trade(day, n) for day in DAYS for n in range(PER_DAY)])
    load(found, BARS, [bar(day) for day in DAYS])
    return found


def load(config: Settings, topic: str, rows: list[dict[str, Any]], first: int = 0) -> None:
    """Insert rows as the loader does: one partition, offsets from `first` on."""
    made = [
        row | {"kafka_partition": 0, "kafka_offset": offset}
        for offset, row in enumerate(rows, start=first)
    ]
    c = contract(topic)
    database, _, table = c.topic.table.partition(".")
    with store.client("writer", settings=config) as connection:
        found = pa.Table.from_pylist(made, schema=arrow_schema(c))
        connection.insert_arrow(table, found, database=database)


def held(config: Settings, columns: str, table: str = SILVER, final: str = "FINAL") -> list[Any]:
    with store.client("reader", settings=config) as connection:
        question = f"SELECT {columns} FROM {table} {final} ORDER BY ALL"
        return [tuple(row) for row in connection.query(question).result_rows]


def ids(config: Settings, *days: date, final: str = "FINAL") -> list[str]:
    chosen = ", ".join(f"'{day}'" for day in days)
    rows = held(config, "event_id", f"{SILVER} {final} WHERE toDate(event_time) IN ({chosen})", "")
    return [row[0] for row in rows]


def publish(config: Settings, day: date, table: str = SILVER, **more: Any) -> Any:
    return publish_day(config, table, day, frontiers(config, [table])[table], **more)


def test_day_is_replaced_whole_and_others_stay(stores: Settings):
    corrected = [trade(DAYS[1], 0, price=Decimal(7)), trade(DAYS[1], 5)]
    replace(stores, SILVER, DAYS[1], corrected, "job")
    others = [ids(stores, day) for day in DAYS if day != DAYS[1]]

    done = publish(stores, DAYS[1])

    assert (done.rows, done.removed) == (2, PER_DAY)
    assert (
        ids(stores, DAYS[1]) == ids(stores, DAYS[1], final="") == [f"{DAYS[1]}-0", f"{DAYS[1]}-5"]
    )
    assert [ids(stores, day) for day in DAYS if day != DAYS[1]] == others
    prices = held(stores, "price", f"{SILVER} FINAL WHERE event_id = '{DAYS[1]}-0'", "")
    assert prices == [(Decimal(7),)]


def test_publishing_again_changes_nothing(stores: Settings):
    replace(stores, SILVER, DAYS[1], [trade(DAYS[1], 0)], "job")
    publish(stores, DAYS[1])
    before = held(stores, "*", final="")
    done = publish(stores, DAYS[1])
    assert (done.rows, done.removed) == (1, 0)
    assert held(stores, "*", final="") == before


@pytest.mark.parametrize("step", ["staged", "replaced", "removed"])
def test_publishing_that_is_killed_anywhere_is_finished_by_the_next(stores: Settings, step: str):
    replace(stores, SILVER, DAYS[1], [trade(DAYS[1], 0), trade(DAYS[1], 5)], "job")

    def kill(done: str) -> None:
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(stores, DAYS[1], done=kill)
    # Whatever has been done, a reader lacks no row that is in both.
    assert f"{DAYS[1]}-0" in ids(stores, DAYS[1])
    publish(stores, DAYS[1])
    assert ids(stores, DAYS[1], final="") == [f"{DAYS[1]}-0", f"{DAYS[1]}-5"]


def test_loader_goes_on_behind_the_newest_row_though_it_was_taken_out(stores: Settings):
    last = PER_DAY * len(DAYS) - 1
    replace(stores, SILVER, DAYS[-1], [trade(DAYS[-1], 0)], "job")
    publish(stores, DAYS[-1])
    newest = held(stores, "max(kafka_offset)", f"{SILVER} WHERE kafka_partition >= 0", "")
    assert newest[0][0] < last
    with store.client("writer", settings=stores) as connection:
        assert loaded_offsets.loaded(connection, SILVER) == {0: last}


def test_row_that_the_loader_brings_afterwards_stays_and_wins(stores: Settings):
    reached = frontiers(stores, [SILVER])[SILVER]
    new = PER_DAY * len(DAYS)
    later = [trade(DAYS[1], 0, price=Decimal(9)), trade(DAYS[1], 8)]
    load(stores, TRADES, later, first=new)
    replace(stores, SILVER, DAYS[1], [trade(DAYS[1], 0)], "job")
    publish_day(stores, SILVER, DAYS[1], reached)

    assert ids(stores, DAYS[1]) == [f"{DAYS[1]}-0", f"{DAYS[1]}-8"]
    prices = held(stores, "price", f"{SILVER} FINAL WHERE event_id = '{DAYS[1]}-0'", "")
    assert prices == [(Decimal(9),)]


def test_row_that_the_lake_has_and_the_loader_brings_is_not_published_too(stores: Settings):
    reached = {0: PER_DAY * 2 - 2}  # the last row of the second day is still on its way
    done = publish_day(stores, SILVER, DAYS[1], reached)
    assert (done.rows, done.removed) == (PER_DAY - 1, PER_DAY - 1)
    assert len(ids(stores, DAYS[1], final="")) == PER_DAY


def test_day_that_is_empty_now_is_empty_for_readers(stores: Settings):
    replace(stores, SILVER, DAYS[1], [trade(DAYS[1], 0)], "job")
    publish(stores, DAYS[1])
    replace(stores, SILVER, DAYS[1], [], "job")
    assert publish(stores, DAYS[1]).rows == 0
    assert ids(stores, DAYS[1], final="") == []


def test_revisions_before_the_published_one_can_still_be_asked_for(stores: Settings):
    load(stores, BARS, [bar(DAYS[1], revision=1), bar(DAYS[1], revision=2)], first=len(DAYS))
    other = bar(DAYS[1], price_type="bid")
    load(stores, BARS, [other], first=len(DAYS) + 2)
    replace(stores, BAR, DAYS[1], [bar(DAYS[1], revision=2, close=Decimal(5))], "job")

    done = publish(stores, DAYS[1], BAR)

    assert (done.rows, done.removed) == (1, 2)  # the same revision, and a bar that is no more
    question = f"{BAR} FINAL WHERE toDate(bar_start) = '{DAYS[1]}'"
    rows = held(stores, "revision, price_type, close", question, "")
    assert rows == [(0, "x", Decimal(1)), (1, "x", Decimal(1)), (2, "x", Decimal(5))]


def test_offset_of_a_published_row_says_by_which_knowledge_it_was_made(stores: Settings):
    replace(stores, SILVER, DAYS[1], [trade(DAYS[1], 0)], "job", known_at=1_730_000_000_000)
    replace(stores, SILVER, DAYS[2], [trade(DAYS[2], 0)], "job")
    for day in DAYS[1:3]:
        publish(stores, day)
    chosen = f"{SILVER} WHERE kafka_partition < 0"
    assert held(stores, "kafka_partition, kafka_offset", chosen, "") == [
        (partition_of(DAYS[2]), -1),
        (partition_of(DAYS[1]), -1_730_000_000_002),
    ]


def test_each_day_has_a_partition_of_its_own_below_zero():
    numbers = [partition_of(day) for day in (date(1970, 1, 1), date(1970, 1, 3), *DAYS)]
    assert numbers[:2] == [-1, -3]
    assert len(set(numbers)) == len(numbers)
