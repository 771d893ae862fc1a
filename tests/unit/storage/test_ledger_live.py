"""The ledger as a metric: what is overdue, and since which offset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from prometheus_client import REGISTRY

from asknown.settings import Settings
from asknown.storage import clickhouse
from asknown.storage.ledger_live import LiveLedger, published
from asknown.storage.ledger_places import PlaceBook
from tests.unit.storage import lanes
from tests.unit.storage.lanes import normalized, quote, send
from tests.unit.storage.test_loader import running_loader

PARTITION = 3  # nothing else sends to it
OVERDUE = 300.0


def metric(name: str, **labels: str) -> float | None:
    place = {"topic": "raw.quote", "partition": str(PARTITION), **labels}
    return REGISTRY.get_sample_value(f"asknown_ledger_{name}", place)


def overdue() -> dict[str, float | None]:
    return {f: metric("overdue_records", fault=f) for f in ("lost", "doubled", "unknown")}


def rows(*offsets: int) -> pa.Table:
    """Return normalized rows as the loader has them."""
    return pa.table({"raw_partition": [PARTITION] * len(offsets), "raw_offset": list(offsets)})


def aside(*offsets: int, **more: str) -> pa.Table:
    named = {"topic": "raw.quote", "partition": PARTITION, **more}
    return pa.Table.from_pylist([{**named, "offset": offset} for offset in offsets])


@pytest.fixture
def ledger(stores: Settings) -> Iterator[LiveLedger]:
    """Yield a ledger that begins behind what other tests have sent."""
    found = LiveLedger(stores, overdue_s=OVERDUE, span=0)
    with clickhouse.client("writer", settings=stores) as connection:
        found.begin(connection)
    yield found
    found.close()


def sent(config: Settings, count: int) -> list[int]:
    places = send(config, "raw.quote", *map(quote, range(count)), partition=PARTITION)
    return [offset for _, offset in places]


def test_record_is_overdue_only_when_time_has_passed(stores: Settings, ledger: LiveLedger):
    offsets = sent(stores, 4)
    ledger.loaded("normalized.quote", rows(*offsets[:2]))
    ledger.measure(lambda: 0.0)
    assert metric("difference") == 2
    assert overdue() == {"lost": 0, "doubled": 0, "unknown": 0}

    ledger.loaded("duplicate.event", aside(offsets[3]))
    ledger.measure(lambda: OVERDUE)
    assert overdue() == {"lost": 1, "doubled": 0, "unknown": 0}
    assert metric("first_overdue_offset") == offsets[2]

    ledger.loaded("late.event", aside(offsets[2]))
    ledger.measure(lambda: OVERDUE + 1)
    assert overdue() == {"lost": 0, "doubled": 0, "unknown": 0}
    assert (metric("difference"), metric("first_overdue_offset")) == (0, -1)
    assert metric("records", lane="normalized") == 2


def test_one_lost_and_one_doubled_are_both_overdue(stores: Settings, ledger: LiveLedger):
    offsets = sent(stores, 3)
    ledger.loaded("normalized.quote", rows(offsets[0], offsets[0], offsets[1]))
    ledger.measure(lambda: 0.0)
    ledger.measure(lambda: OVERDUE)
    assert metric("difference") == 0
    assert overdue() == {"lost": 1, "doubled": 1, "unknown": 0}


def test_markers_move_records_from_lane_to_lane(stores: Settings, ledger: LiveLedger):
    offsets = sent(stores, 3)
    ledger.loaded("quarantine.event", aside(offsets[0]))
    ledger.loaded("late.event", aside(*offsets[1:]))
    ledger.loaded("replayed.event", aside(offsets[0], outcome="NORMALIZED"))
    ledger.loaded("healed.event", aside(offsets[1], outcome="DUPLICATE"))
    ledger.loaded("healed.event", aside(offsets[2], outcome="MARKET_CLOSED"))
    ledger.loaded("normalized.quote", rows(offsets[0]))
    ledger.measure(lambda: 0.0)
    counts = {
        lane: metric("records", lane=lane)
        for lane in ("raw", "normalized", "duplicate", "late", "quarantined")
    }
    assert counts == {"raw": 3, "normalized": 1, "duplicate": 1, "late": 0, "quarantined": 1}
    assert metric("difference") == 0


def test_start_takes_over_what_clickhouse_holds(stores: Settings):
    offsets = sent(stores, 3)
    with clickhouse.client("writer", settings=stores) as connection:
        for column, offset in (("silver.quote", offsets[0]), ("ops.late_event", offsets[1])):
            names = "raw_partition, raw_offset"
            if column.startswith("ops"):
                names = "topic, partition, offset"
            values = f"{PARTITION}, {offset}"
            values = f"'raw.quote', {values}" if column.startswith("ops") else values
            connection.command(f"INSERT INTO {column} ({names}) VALUES ({values})")
        found = LiveLedger(stores, overdue_s=0.0, span=3)
        found.begin(connection)
    found.measure()
    found.measure()
    found.close()
    assert overdue() == {"lost": 1, "doubled": 0, "unknown": 0}
    assert metric("first_overdue_offset") == offsets[2]


def test_rows_that_cannot_be_counted_are_no_reason_not_to_load(ledger: LiveLedger):
    ledger.loaded("normalized.quote", pa.table({"other": [1]}))
    ledger.measure(lambda: 0.0)
    assert metric("difference") == 0


def test_loader_publishes_what_kafka_says_by_place(
    stores: Settings, eventually: Callable[..., None], tmp_path: Path
):
    offsets = sent(stores, 3)
    with running_loader(stores, tmp_path / "loader.log"), PlaceBook(stores) as book:

        def equal() -> bool:
            kafka = sum(found.difference for found in book.read().partitions.values())
            return (published(stores) or {}).get("difference") == kafka

        eventually(equal)
        kept = [normalized(offset, PARTITION) for offset in offsets[:2]]
        send(stores, "normalized.quote", *kept)
        eventually(equal)
        send(stores, "late.event", lanes.aside(offsets[2], "LATE", PARTITION))
        eventually(equal)
        assert not [gap for gap in book.read().gaps if gap.first in offsets]
    assert "no ledger is kept" not in (tmp_path / "loader.log").read_text()


def test_nothing_is_published_where_no_loader_answers(stores: Settings):
    assert published(stores) is None
