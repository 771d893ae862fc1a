"""Facts and actions that arrive while trades flow, through every job of a running stack.

One minute of one day: NEWCO is listed but nobody knows it until half past; OLDCO splits on that
day and nobody knows it until forty seconds past; STAY is announced to split in the afternoon.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.ingestion.clock import follower
from asknown.ingestion.connectors import synthetic_market as market
from asknown.ingestion.event import Delivery, Event, Poison, envelope
from asknown.ingestion.gateway import Gateway
from asknown.ingestion.replay import Pace, Summary, replay
from asknown.reference.symbology import listing_id
from asknown.settings import Settings
from tests.e2e.surfaces import Since, Surfaces
from tests.e2e.verdict import restarts

DAY = date(2024, 11, 4)
LISTED_ON = date(2024, 11, 1)
OPEN = market.instant(DAY, 10)
AFTERNOON = market.instant(DAY, 14)
MINUTE = 60_000
NEWCO_KNOWN, SPLIT_KNOWN = OPEN + 30_000, OPEN + 40_000
NOT_COMPARED = ("kafka_partition", "kafka_offset")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.clock("2024-11-04")]


def trade(symbol: str, at_ms: int) -> Delivery:
    payload = {
        "source_system": "test",
        "symbol": symbol,
        "price": Decimal(100),
        "size": Decimal(1),
        "event_time_ns": at_ms * 1_000_000,
        "sequence": at_ms,
        "extra": {},
    }
    key = market.raw_key(symbol)
    event = Event("raw.trade", "test", ("trade", symbol, str(at_ms)), at_ms, key, payload, at_ms)
    return Delivery(at_ms, event)


def security(symbol: str, kind: str, on: date, known: int, **more: Any) -> Delivery:
    payload = {
        "venue": market.VENUE,
        "symbol": symbol,
        "kind": kind,
        "valid_from": on,
        "security_class": "EQ",
        "extra": {},
        **more,
    }
    name = ("security", symbol, kind, str(on))
    event = Event("raw.security", "test", name, known, market.raw_key(symbol), payload, known)
    return Delivery(known, event)


def split(symbol: str, on: date, known: int, starts: int | None = None) -> Delivery:
    payload = {
        "venue": market.VENUE,
        "symbol": symbol,
        "action_id": f"test:{symbol}:split",
        "version": 1,
        "kind": "SPLIT",
        "ex_date": on,
        "ratio_numerator": 2,
        "ratio_denominator": 1,
        "extra": {} if starts is None else {"valid_from_ms": str(starts)},
    }
    name = ("action", symbol)
    key = market.raw_key(symbol)
    return Delivery(known, Event("raw.corporate_action", "test", name, known, key, payload, known))


def story() -> list[Delivery]:
    symbols = ("NEWCO", "OLDCO", "STAY")
    trades = [trade(s, OPEN + second * 1000) for second in range(60) for s in symbols]
    trades += [trade(s, AFTERNOON + second * 1000) for second in range(10) for s in symbols]
    listed = market.instant(LISTED_ON)
    facts = [
        security("OLDCO", "LIST", LISTED_ON, listed),
        security("STAY", "LIST", LISTED_ON, listed),
        split("STAY", DAY, OPEN - 5_000, AFTERNOON),
        security("NEWCO", "LIST", LISTED_ON, NEWCO_KNOWN),
        split("OLDCO", DAY, SPLIT_KNOWN),
    ]
    return sorted([*facts, *trades], key=lambda one: one.clock_ms)


def send(config: Settings, deliveries: Iterable[Delivery], *, wait: float = 60) -> Summary:
    with (
        RegistryClient(config.registry_url) as registry,
        Gateway(config, codec=AvroCodec(registry)) as gateway,
    ):
        follow = follower(config, AvroCodec(registry).decode, wait) if wait else None
        return replay(gateway, deliveries, Pace(settle_seconds=0), follow)


@pytest.fixture(scope="module")
def told(pipeline: Any, surfaces: Surfaces) -> Since:
    """Send the story; return where the topics began before."""
    before = surfaces.now()
    assert send(pipeline.settings, story()).followed
    reading = pipeline.json("ledger", "--wait", "180", check=False)
    assert reading["closed"], reading
    return before


def of(rows: Iterable[dict[str, Any]], symbol: str) -> list[dict[str, Any]]:
    key = market.raw_key(symbol)
    mine = [row for row in rows if row.get("raw_symbol") == symbol or row.get("raw_key") == key]
    return sorted(mine, key=lambda row: row["event_time"])


def identity(symbol: str) -> str:
    return listing_id(market.VENUE, symbol, LISTED_ON, "EQ")


def test_mapping_takes_effect_for_events_after_it_was_known(
    told: Since, surfaces: Surfaces
) -> None:
    rows = of(surfaces.kafka("normalized.trade", told), "NEWCO")
    assert [row["event_time"] for row in rows][:1] == [NEWCO_KNOWN]
    assert {row["entity_id"] for row in rows} == {identity("NEWCO")}
    waiting = of(surfaces.kafka("quarantine.event", told), "NEWCO")
    assert [row["reason"] for row in waiting] == ["UNKNOWN_SYMBOL"] * 30


def test_split_learnt_late_is_in_the_factors_from_then_on(told: Since, surfaces: Surfaces) -> None:
    rows = of(surfaces.kafka("normalized.trade", told), "OLDCO")
    assert len(rows) == 70
    for row in rows:
        wanted = 0.5 if row["event_time"] >= SPLIT_KNOWN else 1.0
        assert (row["price_factor"], row["share_factor"]) == (wanted, 1 / wanted), row
        assert row["price"] == Decimal(100)


def test_announced_split_waits_for_its_time(told: Since, surfaces: Surfaces) -> None:
    rows = of(surfaces.kafka("normalized.trade", told), "STAY")
    assert {row["price_factor"] for row in rows if row["event_time"] < AFTERNOON} == {1.0}
    assert {row["price_factor"] for row in rows if row["event_time"] >= AFTERNOON} == {0.5}


def test_what_was_learnt_late_is_restated_with_the_exact_range(
    told: Since, surfaces: Surfaces
) -> None:
    found = {
        (row["raw_key"], row["from_time"], row["to_time"], row["reason"])
        for row in surfaces.kafka("normalized.restatement", told)
    }
    listed, ex_date = market.instant(LISTED_ON), market.instant(DAY)
    assert found == {
        (market.raw_key("NEWCO"), listed, NEWCO_KNOWN, "MAPPING"),
        (market.raw_key("OLDCO"), ex_date, SPLIT_KNOWN, "ACTION"),
    }


def silver(surfaces: Surfaces) -> dict[str, dict[str, Any]]:
    keys = {market.raw_key(symbol) for symbol in ("NEWCO", "OLDCO", "STAY")}
    rows = surfaces.iceberg("normalized.trade", {})
    rows += surfaces.scan("normalized.trade", "kafka_partition = -1")
    mine = [row for row in rows if market.raw_key(row["raw_symbol"]) in keys]
    bare = [{k: v for k, v in row.items() if k not in NOT_COMPARED} for row in mine]
    assert len({row["event_id"] for row in bare}) == len(bare)
    return {row["event_id"]: row for row in bare}


def test_backfill_as_of_now_differs_in_the_restated_range_and_as_known_is_the_stream_again(
    told: Since, pipeline: Any, surfaces: Surfaces, eventually: Any
) -> None:
    eventually(lambda: len(silver(surfaces)) == 180, 60, "the lake")
    streamed = silver(surfaces)
    window = ("--from", str(DAY), "--to", "2024-11-05")
    pipeline.run("backfill", "apply", *window, "--knowledge", "as-of-now", timeout=300)
    restated = silver(surfaces)
    changed = {
        (row["raw_symbol"], row["event_time"])
        for event_id, row in restated.items()
        if streamed.get(event_id) != row
    }
    late = {("NEWCO", OPEN + second * 1000) for second in range(30)}
    late |= {("OLDCO", OPEN + second * 1000) for second in range(40)}
    assert changed == late
    assert streamed.keys() < restated.keys()
    old = [row for row in restated.values() if row["raw_symbol"] == "OLDCO"]
    assert {row["price_factor"] for row in old} == {0.5}

    pipeline.run("backfill", "apply", *window, timeout=300)
    assert silver(surfaces) == streamed


@pytest.mark.clock("2024-11-05")
def test_dead_reference_job_holds_the_market_up_for_its_grace_only(
    told: Since, pipeline: Any, surfaces: Surfaces, eventually: Any
) -> None:
    before = surfaces.now()
    pipeline.run("job", "stop", "reference")
    assert "reference" not in {row["name"] for row in pipeline.json("job", "ls")}
    opens = market.instant(date(2024, 11, 5), 10)
    sent = send(pipeline.settings, [trade("OLDCO", opens + s * 1000) for s in range(5)], wait=1)
    assert not sent.followed
    grace = pipeline.settings.reference_grace_ms / 1000
    eventually(
        lambda: len(of(surfaces.kafka("normalized.trade", before), "OLDCO")) == 5,
        grace + 60,
        "trades without a reference job",
    )
    pipeline.run("job", "submit", "reference")
    later = market.instant(date(2024, 11, 5), 11)
    facts = [security("AGAIN", "LIST", LISTED_ON, later)]
    send(pipeline.settings, [*facts, *(trade("AGAIN", later + s * 1000) for s in range(5))])
    eventually(
        lambda: len(of(surfaces.kafka("normalized.trade", before), "AGAIN")) == 5,
        60,
        "trades of what was learnt afterwards",
    )


@pytest.mark.clock("2024-11-05T12")
def test_reference_record_of_no_calendar_is_quarantined_and_restarts_nothing(
    told: Since, pipeline: Any, surfaces: Surfaces, eventually: Any
) -> None:
    before, failures = surfaces.now(), restarts(pipeline.settings)
    noon = market.instant(date(2024, 11, 5), 12)
    far = 9_214_646_400_000  # the year 2262, in milliseconds
    with RegistryClient(pipeline.settings.registry_url) as registry:
        encode = AvroCodec(registry).encoder("raw.security")
        records = [
            raw_security("FARDAY", noon, valid_from=10_000_000),
            raw_security("FARTIME", far, valid_from=20_000),
            raw_security("NOTIME", -1, valid_from=20_000),
        ]
        poison = [Poison("raw.security", one["entity_id"], encode(one)) for one in records]
    story = [Delivery(noon + number, one) for number, one in enumerate(poison)]
    send(pipeline.settings, [*story, trade("OLDCO", noon + 1000)])
    wanted = {
        ("FARDAY", "FIELD_OUT_OF_RANGE"),
        ("FARTIME", "TIME_IN_FUTURE"),
        ("NOTIME", "ENVELOPE_INCOMPLETE"),
    }
    eventually(lambda: reasons(surfaces, before) == wanted, 60, "three refused records")
    assert restarts(pipeline.settings) == failures
    reading = pipeline.json("ledger", "--wait", "60", check=False)
    assert reading["closed"], reading


def raw_security(symbol: str, at_ms: int, **payload: Any) -> dict[str, Any]:
    said = security(symbol, "LIST", LISTED_ON, at_ms).item
    assert isinstance(said, Event)
    return {**envelope(said, at_ms), "payload": {**said.payload, **payload}}


def reasons(surfaces: Surfaces, since: Since) -> set[tuple[str, str]]:
    rows = surfaces.kafka("quarantine.event", since)
    return {(str(row["raw_key"]).rpartition(":")[2], row["reason"]) for row in rows}
