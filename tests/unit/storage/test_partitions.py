"""Days that a backfill has no rows for, over a lake in a folder."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema
from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.storage import iceberg, partitions
from tests.unit.storage.lake_rows import append, new_lake, row_of, utc

DAYS = [date(2024, 10, 28) + timedelta(days=n) for n in range(4)]
WINDOW = (DAYS[0], DAYS[3])
TABLE, BRONZE = "silver.trade", ("bronze.trade",)


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """Return the settings of a lake with a trade on each of four days, raw and normalized."""
    config = new_lake(tmp_path)
    for topic in ("raw.trade", "normalized.trade"):
        append(config, topic, *(trade(topic, day) for day in DAYS))
    return config


def trade(topic: str, day: date) -> dict:
    times = {"kafka_time": utc(2024, 11, 1)} if topic == "raw.trade" else {}
    return row_of(topic, event_time=utc(day.year, day.month, day.day, 4), **times)


def overwrite(config: Settings, *days: date) -> None:
    """Do what the job does: replace the days it has rows for."""
    for day in days:
        row = trade("normalized.trade", day) | {"kafka_partition": -1, "kafka_offset": -1}
        found = pa.Table.from_pylist([row], schema=arrow_schema(contract("normalized.trade")))
        chosen = f"event_time >= '{day}T00:00:00' AND event_time <= '{day}T23:59:59'"
        iceberg.lake(config).load_table(TABLE).overwrite(found, overwrite_filter=chosen)


def left(config: Settings) -> list[date]:
    table = iceberg.lake(config).load_table(TABLE).scan().to_arrow()
    return sorted(at.date() for at in table["event_time"].to_pylist())


def test_day_without_rows_is_emptied_and_days_outside_the_window_stay(lake: Settings):
    before = partitions.files_by_day(TABLE, WINDOW, lake)
    assert sorted(before) == DAYS[:3]
    overwrite(lake, DAYS[0], DAYS[2])

    assert partitions.drop_days_without_rows(TABLE, BRONZE, WINDOW, before, lake) == [DAYS[1]]
    assert left(lake) == [DAYS[0], DAYS[2], DAYS[3]]


def test_day_of_which_bronze_has_nothing_is_left_alone(lake: Settings):
    before = partitions.files_by_day(TABLE, WINDOW, lake)
    other = ("bronze.quote",)

    assert partitions.drop_days_without_rows(TABLE, other, WINDOW, before, lake) == []
    assert left(lake) == DAYS


def test_day_to_which_rows_have_come_since_is_left_alone(lake: Settings):
    before = partitions.files_by_day(TABLE, WINDOW, lake)
    overwrite(lake, DAYS[0], DAYS[2])
    append(lake, "normalized.trade", trade("normalized.trade", DAYS[1]))

    assert partitions.drop_days_without_rows(TABLE, BRONZE, WINDOW, before, lake) == []
    assert left(lake) == sorted([*DAYS, DAYS[1]])


def test_commits_in_between_are_tried_again_and_then_reported(
    lake: Settings, monkeypatch: pytest.MonkeyPatch
):
    before = partitions.files_by_day(TABLE, (DAYS[1], DAYS[2]), lake)
    refusals = iter([True] * (partitions.ATTEMPTS + 1))
    delete = Table.delete

    def contended(self: Table, chosen: str) -> None:
        if next(refusals, False):
            raise CommitFailedException("another commit")
        delete(self, chosen)

    monkeypatch.setattr(Table, "delete", contended)
    arguments = (TABLE, BRONZE, (DAYS[1], DAYS[2]), before, lake)
    with pytest.raises(AsknownError, match="ASKNOWN-BACKFILL-003"):
        partitions.drop_days_without_rows(*arguments)
    assert partitions.drop_days_without_rows(*arguments) == [DAYS[1]]
    assert left(lake) == [DAYS[0], DAYS[2], DAYS[3]]
