"""Lost records: what bronze has and no lane becomes rows of the late lane; nothing else does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from asknown.cli.recover_lost import time_passed
from asknown.contracts.catalog import contract
from asknown.ingestion.clock import Beat
from asknown.settings import Settings
from asknown.storage import ledger_lake
from asknown.storage.heal import plan
from asknown.storage.lost import NOT_PASSED, NOT_READABLE, Lost, Reached, find
from tests.unit.storage.heal_rows import HOUR, MINUTE, SECOND, T0, bar, late, trade
from tests.unit.storage.lake_rows import Row, append, new_lake, row_of, utc

TOPIC = "raw.trade"
T0_MS = 1_730_088_000_000


def raw(offset: int, **more: object) -> Row:
    at = T0 + offset * SECOND
    place = {"kafka_partition": 0, "kafka_offset": offset, "kafka_time": at + SECOND}
    times = {"event_time": at, "ingest_time": at + SECOND}
    names = {"event_id": f"e{offset}", "entity_id": "SIM:EQ:AAA", "source": "synthetic"}
    return row_of(TOPIC, **(place | times | names | more))


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """Return a lake in which the records 2 and 5 are lost, and bars are out for four hours."""
    config = new_lake(tmp_path)
    append(config, TOPIC, *map(raw, range(6)))
    append(config, "normalized.trade", *(trade(n, T0 + n * SECOND) for n in (0, 1, 3)))
    append(config, "late.event", late(4))
    append(config, "analytics.bar", bar(T0 + 4 * HOUR - MINUTE, 1))
    return config


def reached(offset: int = 6, seconds: int = 60) -> Reached:
    return Reached({TOPIC: {0: offset}}, {TOPIC: T0_MS + seconds * 1000})


def places(found: Lost) -> list[int]:
    return found.rows["place"].to_pylist() if found.rows.num_rows else []


def test_records_in_bronze_and_in_no_lane_are_lost(lake: Settings) -> None:
    found = find(lake, reached())
    assert places(found) == [2, 5]
    assert found.left == {}


@pytest.mark.parametrize(
    ("limits", "expected", "left"),
    [
        ({"offset": 5}, [2], {}),  # normalize has not read the last one
        ({"offset": 0}, [], {}),
        ({"seconds": 5}, [2], {NOT_PASSED: 1}),  # it may hold it until that time has passed
        ({"seconds": 0}, [], {NOT_PASSED: 2}),
    ],
)
def test_record_that_normalize_may_still_answer_is_not_lost(
    lake: Settings, limits: dict[str, int], expected: list[int], left: dict[str, int]
) -> None:
    found = find(lake, reached(**limits))
    assert places(found) == expected
    assert found.left == left


def test_time_of_a_topic_has_passed_when_every_partition_says_so() -> None:
    beats = [Beat("normalized.trade", partition, T0_MS + partition) for partition in range(4)]
    assert time_passed("normalized.trade", beats) == T0_MS
    assert time_passed("normalized.trade", beats[1:]) is None
    assert time_passed("normalized.trade", []) is None


def test_only_what_the_broker_took_from_the_time_on_is_found(lake: Settings) -> None:
    assert places(find(lake, reached(), T0_MS + 6_000)) == [5]
    assert places(find(lake, reached(), T0_MS + 6_001)) == []


def test_record_that_cannot_be_read_stays_lost(lake: Settings) -> None:
    append(lake, TOPIC, raw(6, event_id=None, event_time=None))
    found = find(lake, reached(7))
    assert places(found) == [2, 5]
    assert found.left == {NOT_READABLE: 1}


def test_record_that_a_backfill_has_recomputed_is_not_lost(lake: Settings) -> None:
    back = {"kafka_partition": -1, "kafka_offset": -1}
    append(lake, "normalized.trade", trade(2, T0 + 2 * SECOND) | back)
    assert places(find(lake, reached())) == [5]


def test_lost_records_in_the_late_lane_close_the_ledger_and_can_be_healed(lake: Settings) -> None:
    before = next(ledger_lake.read(lake, [TOPIC]))
    assert before.faults == {"lost": 2}
    found = find(lake, reached()).rows.to_pylist()

    names = {f.name for f in contract("late.event").envelope + contract("late.event").payload}
    for row in found:
        named = {"part": "partition", "place": "offset"}
        lane = {named.get(name, name): value for name, value in row.items()}
        assert lane.keys() == names
        append(lake, "late.event", row_of("late.event", **lane))

    assert next(ledger_lake.read(lake, [TOPIC])).exact
    assert find(lake, reached()).rows.num_rows == 0
    assert sorted(plan(lake).task["place"].to_pylist()) == [2, 4, 5]
    assert {row["reason"] for row in found} == {"LOST"}
    assert found[0]["event_time"] == utc(2024, 10, 28, 4) + timedelta(seconds=3)
