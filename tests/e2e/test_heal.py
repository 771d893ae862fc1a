"""Late trades are put into their place, exactly once, and their bars are revised.

Three minutes of one day. TARDY's trades of the first two minutes come in part when their bars are
out: one of a second that has others, one of a second that has none, a copy of one that was on time,
and one twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.ingestion.clock import follower
from asknown.ingestion.connectors import synthetic_market as market
from asknown.ingestion.event import Delivery, Event, Settle
from asknown.ingestion.gateway import Gateway
from asknown.ingestion.replay import Pace, Summary, replay
from asknown.settings import Settings
from tests.e2e.judge import judge_equal
from tests.e2e.stream_log import StreamLog, judge_in_time, wait_until_told
from tests.e2e.surfaces import Since, Surfaces
from tests.e2e.test_reference import identity, security, trade

DAY, LISTED_ON = date(2024, 11, 12), date(2024, 11, 1)
OPEN = market.instant(DAY, 10)
TARDY = "HEALME"
TRADES, LANE, MARKERS, BARS = "normalized.trade", "late.event", "healed.event", "analytics.bar"
ON_TIME = tuple(OPEN + second * 1000 for second in range(0, 180, 2))
OVERDUE = (OPEN + 4_500, OPEN + 65_000)  # of a second with another trade; of one without
COPIED = OPEN + 20_000
CAME = OPEN + 150_000
LATE = 4  # records: OVERDUE, the second of them twice, and the copy

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.clock("2024-11-12")]


def priced(at_ms: int) -> Decimal:
    return Decimal(100) + Decimal(at_ms // 500 % 7)


def sale(at_ms: int, came_ms: int | None = None) -> Delivery:
    """Return a trade of TARDY, delivered when it happened or when it came."""
    one = trade(TARDY, at_ms)
    assert isinstance(one.item, Event)
    payload = {**one.item.payload, "price": priced(at_ms)}
    came = at_ms if came_ms is None else came_ms
    return Delivery(came, replace(one.item, payload=payload, ingest_time_ms=came))


def send(config: Settings, deliveries: Iterable[Delivery | Settle]) -> Summary:
    with (
        RegistryClient(config.registry_url) as registry,
        Gateway(config, codec=AvroCodec(registry)) as gateway,
    ):
        wait = follower(config, AvroCodec(registry).decode, 60)
        return replay(gateway, deliveries, Pace(settle_seconds=10), wait)


@pytest.fixture(scope="module")
def watched(pipeline: Any) -> Iterator[StreamLog]:
    """Watch TARDY's minutes from before it is listed on."""
    bars = {"channel": "bars", "interval": "1m", "entity_ids": [identity(TARDY)]}
    with StreamLog(pipeline.settings, **bars) as log:
        yield log


@pytest.fixture(scope="module")
def sent(pipeline: Any, surfaces: Surfaces, watched: StreamLog) -> Since:
    """Send the story; return where the topics began before."""
    before = surfaces.now()
    fact = security(TARDY, "LIST", LISTED_ON, OPEN - 1_000)
    late = [sale(at, CAME) for at in (*OVERDUE, OVERDUE[1], COPIED)]
    on_time = sorted([fact, *map(sale, ON_TIME)], key=lambda one: one.clock_ms)
    before_late = [one for one in on_time if one.clock_ms <= CAME]
    # The pause lets the watermark pass what comes behind it, however fast all of it is sent.
    story = [*before_late, Settle(CAME), *late, *on_time[len(before_late) :]]
    assert send(pipeline.settings, story).followed
    reading = pipeline.json("ledger", "--wait", "180", check=False)
    assert reading["closed"], reading
    assert reading["stores_equal"], reading["stores"]
    return before


@pytest.fixture(scope="module")
def healed(sent: Since, pipeline: Any, surfaces: Surfaces) -> dict[str, Any]:
    """Heal, and wait until every store has it; return what the command said."""
    late = [row for row in surfaces.kafka(LANE, sent) if row["raw_key"] == market.raw_key(TARDY)]
    assert len(late) == LATE
    before = late_trades(pipeline)
    planned = pipeline.json("heal", "--dry-run")
    assert planned["dry_run"]
    assert surfaces.count(MARKERS, sent) == 0

    said: dict[str, Any] = pipeline.json("heal")
    assert said["groups"] == planned["groups"]
    assert sum(said["outcomes"].values()) == said["found"] >= LATE
    reading = pipeline.json("ledger", "--wait", "180", check=False)
    assert reading["closed"], reading
    assert reading["stores_equal"], reading["stores"]
    # Rows that were late for their bars alone are found too; in the ledger they are normalized.
    raw = [row for row in surfaces.kafka(MARKERS, sent) if row["topic"] == "raw.trade"]
    assert late_trades(pipeline) == before - len(raw)
    return said


def late_trades(pipeline: Any) -> int:
    topics = pipeline.json("ledger", "--wait", "60", check=False)["topics"]
    return int(next(row["late"] for row in topics if row["topic"] == "raw.trade"))


def mine(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["entity_id"] == identity(TARDY)]


def test_late_trades_are_in_silver_once_in_every_store(
    healed: dict[str, Any], sent: Since, surfaces: Surfaces
) -> None:
    assert healed["outcomes"]["DUPLICATE"] >= 2
    kafka = mine(surfaces.kafka(TRADES, sent))
    assert Counter(row["event_time"] for row in kafka) == Counter((*ON_TIME, *OVERDUE))
    assert {row["event_time"]: row["price"] for row in kafka if row["event_time"] in OVERDUE} == {
        at: priced(at) for at in OVERDUE
    }
    assert judge_equal("Iceberg", kafka, mine(surfaces.iceberg(TRADES, sent))) == []
    for final in (True, False):
        rows = mine(surfaces.clickhouse(TRADES, sent, final=final))
        assert judge_equal("ClickHouse", kafka, rows) == []


def test_each_late_record_has_one_marker(
    healed: dict[str, Any], sent: Since, surfaces: Surfaces
) -> None:
    assert healed["found"]
    late = {
        (row["topic"], row["partition"], row["offset"])
        for row in surfaces.kafka(LANE, sent)
        if row["raw_key"] == market.raw_key(TARDY) and row["topic"] == "raw.trade"
    }
    markers = [
        row
        for row in surfaces.kafka(MARKERS, sent)
        if (row["topic"], row["partition"], row["offset"]) in late
    ]
    assert Counter(row["outcome"] for row in markers) == {"NORMALIZED": 2, "DUPLICATE": 2}
    assert len(markers) == len(late) == LATE


def test_touched_bars_are_revised_once_and_no_other_is(
    healed: dict[str, Any], sent: Since, surfaces: Surfaces
) -> None:
    assert healed["bars"]["revised"]
    bars = mine(surfaces.kafka(BARS, sent))
    found = {(b["interval_seconds"], b["bar_start"], b["revision"]): b for b in bars}
    assert len(found) == len(bars)
    minutes = {key[1:]: b["event_count"] for key, b in found.items() if key[0] == 60}
    assert minutes[OPEN, 0] == minutes[OPEN + 60_000, 0] == 30
    assert minutes[OPEN, 1] == minutes[OPEN + 60_000, 1] == 31
    seconds = {key[1:]: b["event_count"] for key, b in found.items() if key[0] == 1}
    untouched = {(at, 0): 1 for at in ON_TIME if (at, 0) in seconds}
    assert seconds == {**untouched, (OPEN + 4_000, 1): 2, (OPEN + 65_000, 0): 1}
    for final in (True, False):
        rows = mine(surfaces.clickhouse(BARS, sent, final=final))
        assert judge_equal("ClickHouse", bars, rows) == []


def test_revised_bar_is_what_its_trades_say(
    healed: dict[str, Any], sent: Since, surfaces: Surfaces
) -> None:
    assert healed["found"]
    revised = [bar for bar in mine(surfaces.iceberg(BARS, sent)) if bar["revision"] == 1]
    for bar in revised:
        end = bar["bar_start"] + bar["interval_seconds"] * 1000
        within = sorted(at for at in (*ON_TIME, *OVERDUE) if bar["bar_start"] <= at < end)
        prices = [priced(at) for at in within]
        assert (bar["open"], bar["close"]) == (prices[0], prices[-1])
        assert (bar["high"], bar["low"]) == (max(prices), min(prices))
        assert (bar["volume"], bar["event_count"]) == (len(within), len(within))
    assert len(revised) == 3


def test_readers_of_the_stream_are_told_each_bar_and_each_revision_once(
    healed: dict[str, Any],
    sent: Since,
    watched: StreamLog,
    pipeline: Any,
    surfaces: Surfaces,
    eventually: Any,
) -> None:
    assert healed["found"]
    wait_until_told(pipeline.settings, eventually, surfaces.lasts((BARS,), sent))
    bars = [bar for bar in mine(surfaces.kafka(BARS, sent)) if bar["interval_seconds"] == 60]
    assert judge_in_time(bars, watched) == []
    rows = [m["data"] for m in watched.messages if m["type"] == "update"]
    revised = [row["event_count"] for row in rows if row["revision"] == 1]
    assert revised == [31, 31]
    assert [row["event_count"] for row in rows if row["revision"] == 0][:2] == [30, 30]


def test_second_heal_finds_nothing(
    healed: dict[str, Any], sent: Since, pipeline: Any, surfaces: Surfaces
) -> None:
    before = surfaces.now()
    said = pipeline.json("heal")
    assert (said["found"], said["outcomes"], said["bars"]) == (0, {}, {})
    assert said["left"] == healed["left"]
    assert surfaces.count(MARKERS, before) == 0


def test_bars_of_the_api_are_the_revised_ones(
    healed: dict[str, Any], pipeline: Any, surfaces: Surfaces
) -> None:
    import httpx2

    assert healed["found"]
    asked = {"entity_ids": identity(TARDY), "start": DAY.isoformat(), "interval": "1m"}
    answer = httpx2.get(f"{pipeline.settings.api_url}/v1/bars", params=asked, timeout=30)
    rows = answer.json()["data"]
    assert [row["revision"] for row in rows[:2]] == [1, 1]
    assert [row["event_count"] for row in rows[:2]] == [31, 31]
