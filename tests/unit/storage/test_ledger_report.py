"""The ledger by partition and hour, to the offset, and beside the lake; on real stores."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from asknown.cli.ledger import since_ms
from asknown.cli.main import run as asknown
from asknown.errors import UsageError
from asknown.quality.ledger import Ledger
from asknown.settings import Settings, settings
from asknown.storage.kafka import TopicReader
from asknown.storage.ledger_places import PlaceBook, PlaceReading
from asknown.storage.ledger_report import Asked, By, Difference, Ledgers
from tests.unit.storage import lake_rows
from tests.unit.storage.lake_rows import append, row_of
from tests.unit.storage.lanes import aside, healed, normalized, quote, replayed, send

PARTITION = 2  # nothing else sends to it
KEY = ("raw.quote", PARTITION)


def now_ms(config: Settings) -> int:
    """Return a time of the broker before which everything was sent so far."""
    ((_, offset),) = send(config, "raw.quote", quote(0), partition=PARTITION)
    with TopicReader(["raw.quote"], config) as reader:
        reader._consumer.assign([TopicPartition("raw.quote", PARTITION, offset)])
        (message,) = reader._consumer.consume(1, timeout=10)
    return int(message.timestamp()[1]) + 1


def quotes(config: Settings, number: int) -> list[int]:
    places = send(config, "raw.quote", *map(quote, range(number)), partition=PARTITION)
    return [offset for _, offset in places]


def own(found: PlaceReading) -> list[tuple[str, str]]:
    return [(gap.name, gap.fault) for gap in found.gaps if (gap.topic, gap.partition) == KEY]


def test_offsets_in_no_lane_and_in_two_are_named_and_close_as_lanes_arrive(stores: Settings):
    with PlaceBook(stores, now_ms(stores)) as book:
        n = quotes(stores, 8)
        send(stores, "normalized.quote", *(normalized(x, PARTITION) for x in (n[0], n[1], n[1])))
        send(stores, "late.event", *(aside(x, "LATE", PARTITION) for x in n[5:]))
        send(stores, "quarantine.event", aside(n[4], "UNKNOWN_SYMBOL", PARTITION))
        first = book.read()
        assert own(first) == [
            (f"raw.quote[2]@{n[1]}", "doubled"),
            (f"raw.quote[2]@{n[2]}-{n[3]}", "lost"),
        ]
        assert first.partitions[KEY] == Ledger(8, 3, 0, 3, 1)
        assert first.topics["raw.quote"].raw == 8

        send(stores, "duplicate.event", *(aside(x, "DUPLICATE", PARTITION) for x in n[2:4]))
        send(stores, "replayed.event", replayed(n[4], PARTITION, "NORMALIZED"))
        send(stores, "normalized.quote", normalized(n[4], PARTITION))
        outcomes = ("NORMALIZED", "DUPLICATE", "MARKET_CLOSED")
        pairs = zip(n[5:], outcomes, strict=True)
        send(stores, "healed.event", *(healed(x, outcome, PARTITION) for x, outcome in pairs))
        send(stores, "normalized.quote", normalized(n[5], PARTITION))
        second = book.read()
    assert own(second) == [(f"raw.quote[2]@{n[1]}", "doubled")]
    assert second.partitions[KEY] == Ledger(raw=8, normalized=5, duplicate=3, quarantined=1)
    (hour,) = [h for h in second.hours if (h.topic, h.partition) == KEY]
    assert hour.ledger == second.partitions[KEY]
    assert hour.hour is not None
    assert hour.hour.minute == 0


def test_what_came_before_a_time_does_not_count(stores: Settings):
    before = quotes(stores, 2)
    since = now_ms(stores)
    after = quotes(stores, 1)
    send(stores, "normalized.quote", *(normalized(x, PARTITION) for x in (*before, *after)))
    with PlaceBook(stores, since) as book:
        found = book.read()
    assert found.partitions[KEY] == Ledger(raw=1, normalized=1)
    assert own(found) == []


def copied(config: Settings, offsets: list[int]) -> None:
    """Put into the lake what the lake job would have."""
    at = lake_rows.utc(2024, 10, 28)
    place = [{"kafka_partition": PARTITION, "kafka_offset": x} for x in offsets]
    raws = [row_of("raw.quote", event_time=at, kafka_time=at, **one) for one in place]
    lanes = [row_of("normalized.quote", raw_partition=PARTITION, raw_offset=x) for x in offsets]
    append(config, "raw.quote", *raws)
    append(config, "normalized.quote", *lanes)


def test_lake_is_compared_with_kafka_by_partition(stores: Settings):
    since = now_ms(stores)
    offsets = quotes(stores, 3)
    send(stores, "normalized.quote", *(normalized(x, PARTITION) for x in offsets))
    copied(stores, offsets[:2])
    asked = Asked(By.PARTITION, since, lake=True)
    with Ledgers(stores, asked) as ledgers:
        behind = ledgers.complete(ledgers.read())
        copied(stores, offsets[2:])
        equal = ledgers.read()
    assert behind.differences == tuple(
        Difference("raw.quote", PARTITION, lane, 3, 2) for lane in ("raw", "normalized")
    )
    assert (behind.passed, equal.passed) == (False, True)
    document = equal.document()
    assert document["lake"]["exact"]
    (ours,) = [p for p in document["partitions"] if (p["topic"], p["partition"]) == KEY]
    assert (ours["raw"], ours["normalized"], ours["closed"]) == (3, 3, True)


def test_record_dropped_from_the_lake_and_one_doubled_there_are_named(stores: Settings):
    since = now_ms(stores)
    offsets = quotes(stores, 4)
    send(stores, "normalized.quote", *(normalized(x, PARTITION) for x in offsets))
    copied(stores, [*offsets[:1], *offsets[2:]])
    at = lake_rows.utc(2024, 10, 28)
    dropped = {"kafka_partition": PARTITION, "kafka_offset": offsets[1]}
    append(stores, "raw.quote", row_of("raw.quote", kafka_time=at, **dropped))
    twice = row_of("normalized.quote", raw_partition=PARTITION, raw_offset=offsets[3])
    append(stores, "normalized.quote", twice)

    with Ledgers(stores, Asked(since_ms=since, lake=True)) as ledgers:
        report = ledgers.complete(ledgers.read())
    assert [(gap.name, gap.fault) for gap in report.gaps] == [
        (f"raw.quote[2]@{offsets[1]}", "lost"),
        (f"raw.quote[2]@{offsets[3]}", "doubled"),
    ]
    assert report.kafka.closed
    assert report.differences == ()  # the counts are equal: only the coordinates tell
    assert not report.document()["closed"]


def test_command_names_the_offsets_and_exits_with_3(
    stores: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
):
    since = now_ms(stores)
    offsets = quotes(stores, 2)
    for name in ("port_offset", "catalog_address", "warehouse", "clickhouse_address"):
        monkeypatch.setenv(f"ASKNOWN_{name.upper()}", str(getattr(stores, name)))
    monkeypatch.setenv("ASKNOWN_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    at = datetime.fromtimestamp(since / 1000, UTC).isoformat()
    try:
        assert asknown(["ledger", "--since", at, "--by", "hour", "--lake"]) == 3
    finally:
        settings.cache_clear()
    printed = capsys.readouterr().out
    assert f"raw.quote[2]@{offsets[0]}-{offsets[1]}" in printed
    assert "ledger open by 2" in printed


def test_since_is_a_day_or_a_time():
    assert since_ms(None) is None
    assert since_ms("2024-10-28") == since_ms("2024-10-28T05:30:00+05:30")
    with pytest.raises(UsageError, match="ASKNOWN-LEDGER-004"):
        since_ms("yesterday")
