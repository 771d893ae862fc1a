"""Records that Kafka forgot before normalize read them come back from bronze, exactly once.

Four minutes of one day. normalize is stopped over the second one, and the broker drops that minute
before the job goes on: the ledger of the lake misses it. Then it is taken for late, and healed.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient  # type: ignore[attr-defined]  # re-exported by hand

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.ingestion.connectors import synthetic_market as market
from asknown.ingestion.event import Delivery
from asknown.ingestion.gateway import Gateway
from asknown.ingestion.replay import Pace, replay
from asknown.settings import Settings
from tests.e2e.judge import judge_equal
from tests.e2e.surfaces import Since, Surfaces
from tests.e2e.test_heal import send
from tests.e2e.test_reference import identity, security, trade

DAY, LISTED_ON = date(2024, 11, 21), date(2024, 11, 1)
OPEN = market.instant(DAY, 10)
SYMBOL = "LOSTME"
RAW, TRADES, LANE, MARKERS = "raw.trade", "normalized.trade", "late.event", "healed.event"
BARS = "analytics.bar"
MINUTE_MS = 60_000
EACH_MS = 2_000
LOST = MINUTE_MS // EACH_MS

# It stops and starts a job, which takes a minute that `make test` does not have.
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.storm,
    pytest.mark.timeout(900),
    pytest.mark.clock(str(DAY)),
]


def minute(number: int) -> list[Delivery]:
    """Return the trades of a minute of the story."""
    start = OPEN + number * MINUTE_MS
    return [trade(SYMBOL, at) for at in range(start, start + MINUTE_MS, EACH_MS)]


def send_unread(config: Settings, deliveries: list[Delivery]) -> None:
    """Send without waiting for a job that is not there to read it."""
    with (
        RegistryClient(config.registry_url) as registry,
        Gateway(config, codec=AvroCodec(registry)) as gateway,
    ):
        replay(gateway, deliveries, Pace())


def forget(config: Settings, surfaces: Surfaces) -> None:
    """Make the broker drop what the raw topic holds, as its retention would."""
    ends = {place: end for place, end in surfaces.now().items() if place[0] == RAW}
    admin = AdminClient({"bootstrap.servers": config.bootstrap_servers})
    asked = [TopicPartition(*place, end) for place, end in ends.items()]
    for future in admin.delete_records(asked).values():
        future.result(30)


def mine(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["entity_id"] == identity(SYMBOL)]


def lake_ledger(pipeline: Any, wait: int) -> dict[str, Any]:
    found: dict[str, Any] = pipeline.json("ledger", "--lake", "--wait", str(wait), check=False)
    return found


def trades_by_bar(surfaces: Surfaces, since: Since) -> dict[tuple[int, int], int]:
    """Return how many trades the newest revision of each bar has, by interval and start."""
    bars = sorted(mine(surfaces.kafka(BARS, since)), key=lambda bar: int(bar["revision"]))
    return {(bar["interval_seconds"], bar["bar_start"]): bar["event_count"] for bar in bars}


@pytest.fixture(scope="module")
def forgotten(pipeline: Any, surfaces: Surfaces, eventually: Any) -> Since:
    """Lose the second minute; return where the topics began before."""
    before = surfaces.now()
    fact = security(SYMBOL, "LIST", LISTED_ON, OPEN - 1_000)
    assert send(pipeline.settings, [fact, *minute(0)]).followed
    assert pipeline.json("ledger", "--wait", "180", check=False)["closed"]

    pipeline.run("job", "stop", "normalize")
    send_unread(pipeline.settings, minute(1))
    kept = f"entity_id = '{market.raw_key(SYMBOL)}'"
    eventually(lambda: len(surfaces.scan(RAW, kept)) == 2 * LOST, 60, "the minute in bronze")
    forget(pipeline.settings, surfaces)
    pipeline.json("job", "submit", "normalize")

    assert send(pipeline.settings, [*minute(2), *minute(3)]).followed
    eventually(lambda: len(mine(surfaces.kafka(TRADES, before))) == 3 * LOST, 120, "the others")
    return before


def test_lost_records_are_found_and_healed_and_nothing_is_twice(
    forgotten: Since, pipeline: Any, surfaces: Surfaces
) -> None:
    missed = lake_ledger(pipeline, wait=10)
    assert {gap["fault"] for gap in missed["gaps"]} == {"lost"}
    assert missed["gap_records"] == LOST

    looked = pipeline.json("recover", "lost", "--dry-run")
    assert looked == {"lost": LOST, "left": {}, "dry_run": True}
    # Of a job that was stopped some rows may be too late for their bars; none is lost.
    overdue = surfaces.kafka(LANE, forgotten)
    assert {row["topic"] for row in overdue} <= {TRADES}

    assert pipeline.json("recover", "lost")["lost"] == LOST
    found = lake_ledger(pipeline, wait=60)
    assert found["closed"], found
    assert pipeline.json("heal")["outcomes"] == {"NORMALIZED": LOST + len(overdue)}
    reading = pipeline.json("ledger", "--wait", "120", check=False)
    assert reading["stores_equal"], reading["stores"]
    found = lake_ledger(pipeline, wait=60)
    assert found["closed"], found
    rows = mine(surfaces.kafka(TRADES, forgotten))
    assert sorted(row["event_time"] for row in rows) == [
        one.clock_ms for number in range(4) for one in minute(number)
    ]
    assert trades_by_bar(surfaces, forgotten) == {
        **{(1, row["event_time"]): 1 for row in rows},
        **{(60, OPEN + number * MINUTE_MS): LOST for number in range(4)},
    }
    for topic in (TRADES, BARS, MARKERS, LANE):
        sent = surfaces.kafka(topic, forgotten)
        assert judge_equal("the lake", sent, surfaces.iceberg(topic, forgotten)) == []
        assert (
            judge_equal("ClickHouse", sent, surfaces.clickhouse(topic, forgotten, final=False))
            == []
        )

    assert pipeline.json("recover", "lost")["lost"] == 0
    assert pipeline.json("heal")["found"] == 0
