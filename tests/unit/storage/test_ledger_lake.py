"""The exact ledger over a lake in a folder: it closes, and each record too few or many is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asknown.quality.ledger import Gap, Ledger
from asknown.settings import Settings
from asknown.storage.ledger_lake import LakeLedger, read
from tests.unit.storage.lake_rows import Row, append, new_lake, row_of, utc

T0 = utc(2024, 10, 28, 4, 30)
NOW_MS = 7_258_118_399_999
TOPIC = "raw.quote"
LANES = {"duplicate": "duplicate.event", "late": "late.event", "quarantined": "quarantine.event"}


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """Return the settings of an empty lake."""
    return new_lake(tmp_path)


def raw(offset: int, partition: int = 0, at: datetime = T0) -> Row:
    place = {"kafka_partition": partition, "kafka_offset": offset}
    return row_of(TOPIC, event_time=at, kafka_time=at, **place)


def normalized(offset: int, partition: int = 0, **more: object) -> Row:
    place = {"raw_partition": partition, "raw_offset": offset}
    return row_of("normalized.quote", event_time=T0, **place, **more)


def aside(topic: str, offset: int, partition: int = 0, **more: object) -> Row:
    place = {"topic": TOPIC, "partition": partition, "offset": offset}
    return row_of(topic, event_time=T0, **place, **more)


def found(config: Settings, **more: Mapping[str, Mapping[int, int]]) -> LakeLedger:
    (one,) = read(config, [TOPIC], **more)
    return one


def names(ledger: LakeLedger) -> list[tuple[str, str]]:
    return [(gap.name, gap.fault) for gap in ledger.gaps]


def clean(config: Settings) -> None:
    """Put eight records in: of offsets 0 to 9, two are heartbeats."""
    append(config, TOPIC, *(raw(n) for n in (0, 1, 2, 4, 5, 6, 8, 9)))
    append(config, "normalized.quote", *(normalized(n) for n in (0, 1, 4, 8, 9)))
    append(config, "duplicate.event", aside("duplicate.event", 2))
    append(config, "late.event", aside("late.event", 5))
    append(config, "quarantine.event", aside("quarantine.event", 6))


def test_lake_with_each_record_in_one_lane_is_exact(lake: Settings):
    clean(lake)
    one = found(lake)
    assert one.exact
    assert one.total() == Ledger(8, 5, 1, 1, 1)
    assert names(one) == []


def test_records_dropped_and_doubled_are_named_by_their_offsets(lake: Settings):
    clean(lake)
    append(lake, TOPIC, *(raw(n, partition=2) for n in (1041, 1042, 1043, 1050)))
    append(lake, "normalized.quote", normalized(1050, 2), normalized(8))
    append(lake, "duplicate.event", aside("duplicate.event", 1, stage="normalize"))
    append(lake, "late.event", aside("late.event", 77))

    one = found(lake)
    assert one.total().difference == 4 - 1 - 2 - 1 + 1 - 1
    assert names(one) == [
        ("raw.quote[0]@1", "doubled"),
        ("raw.quote[0]@8", "doubled"),
        ("raw.quote[0]@77", "unknown"),
        ("raw.quote[2]@1041-1043", "lost"),
    ]
    assert one.faults == {"lost": 3, "doubled": 2, "unknown": 1}


def test_one_lost_and_one_doubled_do_not_hide_each_other(lake: Settings):
    append(lake, TOPIC, raw(0), raw(1))
    append(lake, "normalized.quote", normalized(0), normalized(0))
    one = found(lake)
    assert one.total().closed
    assert names(one) == [("raw.quote[0]@0", "doubled"), ("raw.quote[0]@1", "lost")]


def test_record_that_bronze_has_twice_is_named(lake: Settings):
    append(lake, TOPIC, raw(3), raw(3))
    append(lake, "normalized.quote", normalized(3))
    assert names(found(lake)) == [("raw.quote[0]@3", "kept_twice")]


def test_marker_moves_its_record(lake: Settings):
    append(lake, TOPIC, *(raw(n) for n in range(6)))
    lane = {n: "quarantine.event" if n < 2 else "late.event" for n in range(6)}
    for n, topic in lane.items():
        append(lake, topic, aside(topic, n, stage="normalize"))
    append(lake, "normalized.quote", normalized(0), normalized(2))
    append(lake, "replayed.event", aside("replayed.event", 0, outcome="NORMALIZED"))
    outcomes = {2: "NORMALIZED", 3: "DUPLICATE", 4: "UNKNOWN_SYMBOL"}
    append(
        lake,
        "healed.event",
        *(aside("healed.event", n, outcome=outcome) for n, outcome in outcomes.items()),
    )
    one = found(lake)
    assert one.exact, names(one)
    assert one.total() == Ledger(raw=6, normalized=2, duplicate=1, late=1, quarantined=2)


def test_marker_of_a_late_row_of_another_topic_moves_nothing(lake: Settings):
    append(lake, TOPIC, raw(0))
    append(lake, "late.event", aside("late.event", 0))
    other = aside("healed.event", 0, outcome="NORMALIZED") | {"topic": "normalized.quote"}
    append(lake, "healed.event", other)
    assert found(lake).total() == Ledger(raw=1, late=1)


def test_row_that_a_backfill_computed_of_a_late_record_leaves_it_late(lake: Settings):
    append(lake, TOPIC, raw(0), raw(1))
    append(lake, "late.event", aside("late.event", 0))
    back = {"kafka_partition": -1, "kafka_offset": -1}
    append(lake, "normalized.quote", normalized(0, **back), normalized(1, **back))
    one = found(lake)
    assert one.exact, names(one)
    assert one.total() == Ledger(raw=2, normalized=1, late=1)


def test_record_left_out_by_a_backfill_of_another_knowledge_is_not_lost(lake: Settings):
    append(lake, TOPIC, raw(0), raw(1), raw(2, at=T0 + timedelta(days=1)))
    restated = {"kafka_partition": -1, "kafka_offset": NOW_MS}
    append(lake, "normalized.quote", normalized(0, **restated))
    one = found(lake)
    assert one.restated == 1
    assert names(one) == [("raw.quote[0]@2", "lost")]


def test_counts_are_by_partition_and_by_the_hour_the_broker_took_it_in(lake: Settings):
    later = T0 + timedelta(hours=1)
    append(lake, TOPIC, raw(0), raw(1, at=later), raw(0, 1), raw(1, 1))
    append(lake, "normalized.quote", normalized(0), normalized(1), normalized(0, 1))
    append(lake, "quarantine.event", aside("quarantine.event", 1, 1))
    one = found(lake)
    hours = [(h.partition, h.hour, h.ledger.raw, h.ledger.accounted) for h in one.hours]
    begin = T0.replace(minute=0)
    assert hours == [(0, begin, 1, 1), (0, begin + timedelta(hours=1), 1, 1), (1, begin, 2, 2)]
    assert one.by_partition()[1] == Ledger(raw=2, normalized=1, quarantined=1)


def test_records_before_a_start_do_not_count_and_kafka_has_those_it_still_has(lake: Settings):
    clean(lake)
    append(lake, TOPIC, raw(100))
    assert found(lake, since={TOPIC: {0: 5}}).total() == Ledger(5, 2, 0, 1, 1)
    assert found(lake, since={TOPIC: {0: 101}}).exact
    kept = found(lake, kept={TOPIC: {0: 8}})
    assert kept.total(known=True) == Ledger(raw=3, normalized=2)
    assert kept.total().raw == 9


def test_gap_names_one_offset_or_a_range():
    assert Gap("raw.trade", 2, 1041, 1043, "lost", 3).name == "raw.trade[2]@1041-1043"
    assert Gap("raw.trade", 0, 7, 7, "lost", 1).name == "raw.trade[0]@7"


@pytest.fixture(scope="module")
def reused(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Iterator[int]]:
    """Return the settings of a lake, and the partitions that the examples take in turn."""
    return new_lake(tmp_path_factory.mktemp("lake")), count()


OFFSETS = st.lists(st.integers(0, 12), max_size=14)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.integers(0, 12)), st.fixed_dictionaries(dict.fromkeys(LANES, OFFSETS)), OFFSETS)
def test_any_records_in_any_lanes_are_told_apart(
    reused: tuple[Settings, Iterator[int]],
    held: set[int],
    lanes: dict[str, list[int]],
    rows: list[int],
):
    config, partition = reused[0], next(reused[1])
    if held:
        append(config, TOPIC, *(raw(n, partition) for n in sorted(held)))
    if rows:
        append(config, "normalized.quote", *(normalized(n, partition) for n in rows))
    for lane, offsets in lanes.items():
        if offsets:
            append(config, LANES[lane], *(aside(LANES[lane], n, partition) for n in offsets))

    times = Counter([*rows, *(n for offsets in lanes.values() for n in offsets)])
    expected = {n: "lost" for n in held if not times[n]}
    expected |= {n: "doubled" for n in held if times[n] > 1}
    expected |= {n: "unknown" for n in times if n not in held}
    former = {TOPIC: dict.fromkeys(range(partition), 100)}
    gaps = found(config, since=former).gaps
    assert {gap.partition for gap in gaps} <= {partition}
    assert {n: gap.fault for gap in gaps for n in range(gap.first, gap.last + 1)} == expected
