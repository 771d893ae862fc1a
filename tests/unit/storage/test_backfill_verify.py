"""What the lake holds against what a job recomputed beside it; which days a cause has touched."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from asknown.errors import UsageError
from asknown.settings import Settings
from asknown.storage.backfill_book import APPLIED, Book
from asknown.storage.backfill_plan import (
    ROWS_PER_SECOND,
    SECONDS_PER_JOB,
    of_corruption,
    of_days,
    of_restatement,
    of_rule,
    plan,
)
from asknown.storage.backfill_verify import compare, differences, knowledge_of_day
from asknown.storage.partition_sums import sum_of_day
from tests.unit.storage.backfill_lake import (
    BARS,
    DAYS,
    PER_DAY,
    SILVER,
    TRADES,
    bar,
    fill,
    planned,
    replace,
    trade,
    write_folder,
)
from tests.unit.storage.lake_rows import append, row_of, settings_of, utc


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    config = settings_of(tmp_path)
    fill(config)
    return config


@pytest.fixture
def right(lake: Settings, tmp_path: Path) -> Path:
    """Return a folder with what the second day should hold."""
    folder = tmp_path / "made"
    rows = {TRADES: [trade(DAYS[1], n) for n in range(PER_DAY)], BARS: [bar(DAYS[1])]}
    named = {"kafka_partition": 0, "kafka_offset": 0}
    write_folder(folder, {topic: [row | named for row in some] for topic, some in rows.items()})
    return folder


def wrong(config: Settings, folder: Path) -> list[str]:
    return [one.place for one in compare(config, folder, [DAYS[1]]) if not one.equal]


def test_day_that_holds_what_was_recomputed_is_equal(lake: Settings, right: Path):
    assert wrong(lake, right) == []
    assert differences(lake, right, SILVER, DAYS[1]) == ({}, [])


def test_lost_doubled_and_changed_rows_are_found_and_named(lake: Settings, right: Path):
    held = [trade(DAYS[1], 0), trade(DAYS[1], 0), trade(DAYS[1], 1, price=Decimal(9))]
    replace(lake, SILVER, DAYS[1], held, "somebody")

    assert wrong(lake, right) == [f"{SILVER}:{DAYS[1]}"]
    counts, rows = differences(lake, right, SILVER, DAYS[1])
    assert counts == {"missing": 1, "extra": 1, "changed": 1}
    named = {(row["kind"], row["event_id"]) for row in rows}
    numbers = {"extra": 0, "changed": 1, "missing": 2}
    assert named == {(kind, f"{DAYS[1]}-{n}") for kind, n in numbers.items()}
    changed = next(row["changed"] for row in rows if row["kind"] == "changed")
    assert changed == "price: 101.00000000 -> 9.00000000"


def test_checksum_knows_no_order_no_coordinates_and_no_flag_that_looks_back(lake: Settings):
    before = sum_of_day(SILVER, DAYS[1], lake)
    flagged = [trade(DAYS[1], n, quality_flags="OUT_OF_ORDER") for n in (2, 0, 1)]
    replace(lake, SILVER, DAYS[1], flagged, "job")
    assert sum_of_day(SILVER, DAYS[1], lake) == before
    replace(lake, SILVER, DAYS[1], [*flagged[:2], flagged[0]], "job")
    assert sum_of_day(SILVER, DAYS[1], lake) != before
    others = [trade(DAYS[1], n, quality_flags="STALE_SOURCE") for n in range(PER_DAY)]
    replace(lake, SILVER, DAYS[1], others, "job")
    assert sum_of_day(SILVER, DAYS[1], lake) != before


def test_checksum_of_bars_is_that_of_their_newest_revisions(lake: Settings):
    newest = {"event_id": "bar/1", "revision": 1, "close": Decimal(4)}
    append(lake, BARS, bar(DAYS[1], **newest))
    revised = sum_of_day("gold.bar", DAYS[1], lake)
    replace(lake, "gold.bar", DAYS[1], [bar(DAYS[1], **{**newest, "event_id": "bar/2"})], "job")
    assert revised == sum_of_day("gold.bar", DAYS[1], lake)
    assert revised.rows == 1
    assert revised != sum_of_day("gold.bar", DAYS[2], lake)


def test_knowledge_of_a_day_is_what_its_rows_say(lake: Settings):
    replace(lake, SILVER, DAYS[1], [trade(DAYS[1], 0)], "job", known_at=1_730_000_000_000)
    replace(lake, SILVER, DAYS[2], [trade(DAYS[2], 0)], "job")
    found = [knowledge_of_day(lake, day) for day in DAYS[:3]]
    assert found == [None, 1_730_000_000_000, None]


def test_plan_names_days_rows_and_an_estimate(lake: Settings):
    window = of_days(DAYS[0], date(2024, 12, 24))
    found = plan(lake, window, "a test", "as-known")
    assert found.days == dict.fromkeys(DAYS, PER_DAY)
    rows = PER_DAY * len(DAYS)
    assert found.seconds == pytest.approx(SECONDS_PER_JOB + rows / ROWS_PER_SECOND)

    run = planned(lake)
    done = {"day": str(DAYS[0]), "bronze_rows": 10, "seconds": 5.0, "tables": {}}
    Book(lake).add(run.asked, APPLIED, APPLIED, done)
    again = plan(lake, window, "a test", "as-known")
    assert again.seconds == pytest.approx(rows / 2)


def test_rule_and_corruption_touch_their_days(lake: Settings):
    assert plan(lake, of_rule(lake, "trade"), "a test", "as-known").days.keys() == set(DAYS)
    assert of_rule(lake, "quote").spans == ()
    cause = of_corruption([f"gold.bar:{DAYS[2]}", f"{SILVER}:{DAYS[0]}"])
    assert list(plan(lake, cause, "a test", "as-known").days) == [DAYS[0], DAYS[2]]
    for place in ("bronze.trade:2024-11-18", "silver.trade", "silver.trade:yesterday"):
        with pytest.raises(UsageError):
            of_corruption([place])
    with pytest.raises(UsageError):
        of_rule(lake, "bar")


def test_restatement_is_open_until_a_run_that_names_it_was_applied(lake: Settings):
    def restated(name: str, first: date, end: date) -> dict[str, Any]:
        spans = {"from_time": utc(first.year, first.month, first.day, 12)}
        spans |= {"to_time": utc(end.year, end.month, end.day)}
        return row_of("normalized.restatement", event_id=name, raw_key=f"KEY:{name}", **spans)

    append(
        lake,
        "normalized.restatement",
        restated("a", DAYS[0], DAYS[2]),
        restated("b", DAYS[3], date(2024, 12, 1)),
    )
    every = of_restatement(lake, "all", ())
    assert list(plan(lake, every, "a test", "as-of-now").days) == [DAYS[0], DAYS[1], DAYS[3]]
    one = of_restatement(lake, "KEY:a", ())
    assert one.spans == ((DAYS[0], DAYS[2]),)

    run = planned(lake, one, "as-of-now")
    assert of_restatement(lake, "all", Book(lake).runs()).named == every.named
    Book(lake).add(run.asked, APPLIED, APPLIED, {})
    left = of_restatement(lake, "all", Book(lake).runs())
    assert left.named == {"restatements": ["b"]}
