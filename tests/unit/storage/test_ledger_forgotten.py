"""The ledger of Kafka when the broker has forgotten records, each topic by its own time."""

from __future__ import annotations

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient  # type: ignore[attr-defined]  # re-exported by hand

from asknown.quality.ledger import Ledger
from asknown.settings import Settings
from asknown.storage.ledger import Collector
from asknown.storage.ledger_places import _all_kept_since
from asknown.storage.ledger_report import Asked, Ledgers
from tests.unit.storage.lake_rows import append, row_of, utc
from tests.unit.storage.lanes import normalized, quote, send

PARTITION = 3  # nothing else sends to it
TOPIC, SENT, KEPT = "raw.quote", 50, 20
NOW_MS, WEEK_MS = 1_800_000_000_000, 168 * 3_600_000


@pytest.fixture
def forgotten(stores: Settings) -> Settings:
    """Return stores with quotes that are all normalized and copied; Kafka has the last of them."""
    sent = send(stores, TOPIC, *map(quote, range(SENT)), partition=PARTITION)
    offsets = [offset for _, offset in sent]
    send(stores, "normalized.quote", *(normalized(x, PARTITION) for x in offsets))
    at = utc(2024, 10, 28)
    places = [{"kafka_partition": PARTITION, "kafka_offset": x} for x in offsets]
    append(stores, TOPIC, *(row_of(TOPIC, event_time=at, **place) for place in places))
    admin = AdminClient({"bootstrap.servers": stores.bootstrap_servers})
    kept = TopicPartition(TOPIC, PARTITION, offsets[-KEPT])
    for future in admin.delete_records([kept]).values():
        future.result(30)
    return stores


def test_ledger_closes_over_what_kafka_still_has(forgotten: Settings) -> None:
    with Ledgers(forgotten, Asked()) as ledgers:
        report = ledgers.read()
    assert report.places is not None
    assert report.places.partitions[TOPIC, PARTITION] == Ledger(raw=KEPT, normalized=KEPT)
    assert report.kafka.ledgers == report.places.topics


def test_lake_is_counted_from_the_first_offset_that_kafka_has(forgotten: Settings) -> None:
    with Collector(forgotten) as collector:
        stores = {row.topic: row for row in collector.read().stores}
        assert collector.forgetful
    assert stores[TOPIC].iceberg == KEPT


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        ({("normalized.trade", 0): 0, ("late.event", 0): 0}, None),
        ({("normalized.trade", 0): 0, ("late.event", 0): 7}, NOW_MS - WEEK_MS),
        ({("replayed.event", 1): 7}, None),  # it is kept for ever: somebody has dropped it
    ],
)
def test_stages_have_everything_since_the_shortest_retention_of_one_that_forgot(
    begins: dict[tuple[str, int], int], expected: int | None
) -> None:
    assert _all_kept_since(begins, NOW_MS) == expected
