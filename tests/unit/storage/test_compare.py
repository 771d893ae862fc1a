"""Silver and gold against what bronze gives: equal, or the day and table that is not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from asknown.contracts.catalog import contract
from asknown.contracts.render import iceberg_schema
from asknown.settings import Settings
from asknown.storage import iceberg
from asknown.storage.compare import Comparison, compare, days, hours
from asknown.storage.lake_layout import partition_spec
from tests.unit.storage.heal_rows import HOUR, SECOND, T0, bar, recomputed, trade
from tests.unit.storage.lake_rows import append
from tests.unit.storage.lake_tables import settings_of

DAY = date(2024, 10, 28)
TOPICS = ("normalized.trade", "analytics.bar")


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """Return the settings of a lake with trades and bars of a day, one bar revised."""
    config = settings_of(tmp_path)
    catalog = iceberg.lake(config)
    for topic in TOPICS:
        c, schema = contract(topic), iceberg_schema(contract(topic))
        catalog.create_namespace(c.topic.namespace)
        catalog.create_table(c.topic.table, schema, partition_spec=partition_spec(c, schema))
    append(config, TOPICS[0], trade(0, T0), trade(1, T0 + SECOND), trade(2, T0 + 24 * HOUR))
    append(config, TOPICS[1], bar(T0, 1), bar(T0, 2, revision=1))
    return config


def judged(config: Settings, folder: Path) -> list[Comparison]:
    """Return how the day compares."""
    return list(compare(config, folder, DAY, TOPICS))


def test_a_day_that_bronze_gives_again_is_the_same_in_any_order(lake: Settings, tmp_path: Path):
    made = [trade(1, T0 + SECOND), trade(0, T0)]
    recomputed(tmp_path / "job", normalized_trade=made, analytics_bar=[bar(T0, 2)])
    found = judged(lake, tmp_path / "job")
    assert [(one.table, one.found.rows, one.same) for one in found] == [
        ("silver.trade", 2, True),
        ("gold.bar", 1, True),
    ]


def test_a_day_that_was_changed_says_in_which_table(lake: Settings, tmp_path: Path):
    made = [trade(0, T0), trade(1, T0 + SECOND) | {"isin": "X"}]
    recomputed(tmp_path / "job", normalized_trade=made, analytics_bar=[bar(T0, 1)])
    assert [one.same for one in judged(lake, tmp_path / "job")] == [False, False]


def test_a_day_that_bronze_gives_no_row_of_differs(lake: Settings, tmp_path: Path):
    recomputed(tmp_path / "job")
    first = judged(lake, tmp_path / "job")[0]
    assert (first.expected.rows, first.found.rows, first.same) == (0, 2, False)


def test_days_are_asked_for_one_by_one_as_the_job_reads_them():
    assert list(days(DAY, date(2024, 10, 30))) == [DAY, date(2024, 10, 29)]
    span = "1730073600000-1730160000000"
    assert hours(DAY) == f"raw.trade={span};raw.quote={span}"
