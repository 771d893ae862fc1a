"""A real ClickHouse for the API's tests: the library's own server on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from asknown.serving.main import create_app
from asknown.settings import Settings
from asknown.stack.clickhouse import clickhouse_service
from asknown.storage import clickhouse

NOW = datetime(2024, 11, 1, 12, tzinfo=UTC)
INGESTED = datetime(2024, 10, 28, 12, tzinfo=UTC)
START_SECONDS = 60


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """A change point, as far as the tests care."""

    key: str
    effective: str
    listing: str
    symbol: str
    price: float = 1.0
    split: float = 1.0
    share: float = 1.0
    version: int = 0
    known: str = ""
    status: str = "LISTED"
    venue: str = "XSIM"


ACME, NOVA, PEAR, TWIN = "e_acme", "e_nova", "e_pear", "e_twin"
CHANGES = [
    # ACME: a 2:1 split on 10-21, a dividend on 10-25 that was known only on the 26th
    Change("X:ACME", "2024-01-02", ACME, "ACME"),
    Change("X:ACME", "2024-10-21", ACME, "ACME", 0.5, 0.5, 2.0, 1),
    Change("X:ACME", "2024-10-26", ACME, "ACME", 0.49, 0.5, 2.0, 2),
    # announced: not yet in force at NOW
    Change("X:ACME", "2024-12-02", ACME, "ACME", 0.245, 0.25, 4.0, 3, known="2024-10-30"),
    # PEAR was called OLD until 2024-06-03; then a new company took that symbol
    Change("X:OLD", "2024-01-02", PEAR, "OLD"),
    Change("X:OLD", "2024-06-03", "", "OLD", status="NOT_LISTED"),
    Change("X:OLD", "2024-07-01", NOVA, "OLD"),
    Change("X:PEAR", "2024-06-03", PEAR, "PEAR"),
    # the same symbol on two venues
    Change("X:TWIN", "2024-01-02", TWIN, "TWIN"),
    Change("Y:TWIN", "2024-01-02", "e_twin_y", "TWIN", venue="XNYS"),
    # gone, but its history is still asked for
    Change("X:GONE", "2024-01-02", "e_gone", "GONE"),
    Change("X:GONE", "2024-08-01", "e_gone", "GONE", status="DELISTED"),
]
ENVELOPE = {"source": "test", "schema_version": 1, "kafka_partition": 0}


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Yield the settings of a running ClickHouse with empty tables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = tmp_path_factory.mktemp("serving")
    config = Settings(data_dir=data, clickhouse_port=port, port_offset=0, clickhouse_address="")
    service = clickhouse_service(config)
    service.prepare()
    process = service.processes[0]
    environment = {**os.environ, **process.environment, "ASKNOWN_CLICKHOUSE_PORT": str(port)}
    with (
        (data / "clickhouse.log").open("wb") as log,
        subprocess.Popen(process.command, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            end = time.monotonic() + START_SECONDS
            while service.ready():
                assert time.monotonic() < end, service.ready()
                assert server.poll() is None, (data / "clickhouse.log").read_text()
            clickhouse.migrate(config)
            yield config
        finally:
            server.kill()


@pytest.fixture(scope="session")
def filled(config: Settings) -> Settings:
    """Put a small market into the server."""
    insert(config, "silver.entity_change", changes())
    insert(config, "silver.trade", trades())
    insert(config, "silver.quote", quotes())
    insert(config, "silver.bar", daily_bars())
    insert(config, "gold.bar", bars())
    # Corrections learnt on the 30th, of keys that are there already.
    learnt = {"ingest_time": at("2024-10-30"), "kafka_offset": 900}
    insert(config, "silver.trade", [{**trades()[0], **learnt, "price": Decimal("99.5")}])
    insert(config, "gold.bar", [{**bars()[1], **learnt, "close": Decimal(101), "revision": 1}])
    return config


@pytest.fixture(scope="session")
def api(filled: Settings) -> Iterator[TestClient]:
    """Yield the API over the filled server, with its clock standing still."""
    app = create_app(filled, now=lambda: NOW)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def insert(config: Settings, table: str, rows: list[dict[str, Any]]) -> None:
    with clickhouse.client("writer", settings=config) as client:
        names = list(rows[0])
        client.insert(table, [[row[n] for n in names] for row in rows], column_names=names)


def changes() -> list[dict[str, Any]]:
    return [
        {
            **ENVELOPE,
            "event_id": f"c{number}",
            "event_time": at(c.effective),
            "ingest_time": at(c.effective),
            "entity_id": c.key,
            "raw_key": c.key,
            "effective_time": at(c.effective),
            "listing_id": c.listing,
            "isin": "",
            "symbol": c.symbol,
            "venue": c.venue,
            "status": c.status,
            "price_factor": c.price,
            "split_factor": c.split,
            "share_factor": c.share,
            "factor_version": c.version,
            "known_from": at(c.known or c.effective),
            "kafka_offset": number,
        }
        for number, c in enumerate(CHANGES)
    ]


def resolved(listing: str, symbol: str, time: datetime, number: int, **more: Any) -> dict[str, Any]:
    """One normalized record, with the factors in force for ACME at its time."""
    factors = (1.0, 1.0, 1.0, 0)
    if listing == ACME and time >= at("2024-10-21"):
        factors = (0.5, 0.5, 2.0, 1)
    if listing == ACME and time >= at("2024-10-26"):
        factors = (0.49, 0.5, 2.0, 2)
    names = ("price_factor", "split_factor", "share_factor", "factor_version")
    return {
        **ENVELOPE,
        "event_id": f"{listing}-{number:04d}",
        "event_time": time,
        "ingest_time": INGESTED,
        "entity_id": listing,
        "raw_symbol": symbol,
        "venue": "XSIM",
        "trade_date": time.date(),
        "kafka_offset": number,
        **dict(zip(names, factors, strict=True)),
        **more,
    }


def normalized(
    listing: str, symbol: str, time: datetime, number: int, **more: Any
) -> dict[str, Any]:
    place = {"raw_key": f"X:{symbol}", "isin": None, "session_phase": "regular"}
    place |= {"raw_partition": 0, "raw_offset": number}
    return resolved(listing, symbol, time, number, **place, **more)


def tick(listing: str, symbol: str, time: datetime, number: int, **more: Any) -> dict[str, Any]:
    order = {"sequence": number, "event_time_ns": None}
    return normalized(listing, symbol, time, number, **{**order, **more})


def trades() -> list[dict[str, Any]]:
    rows = []
    for number in range(250):  # 50 trades a day on five days around split and dividend, in pairs
        day = ("2024-10-18", "2024-10-21", "2024-10-22", "2024-10-25", "2024-10-28")[number // 50]
        second = number % 50 // 2  # two in the same millisecond: the sequence decides
        time = at(f"{day}T04:00:{second:02d}")
        price = Decimal(100 if number < 50 else 50) + Decimal(number % 7) / 100
        rows.append(tick(ACME, "ACME", time, number, price=price, size=Decimal(10)))
    for listing, symbol, day in (
        (PEAR, "OLD", "2024-02-01"),
        (PEAR, "PEAR", "2024-10-18"),
        (NOVA, "OLD", "2024-10-18"),
    ):
        time = at(f"{day}T05:00:00")
        rows.append(tick(listing, symbol, time, 300, price=Decimal(7), size=Decimal("0.5")))
    return rows


def quotes() -> list[dict[str, Any]]:
    time = at("2024-10-18T04:00:00")
    sides = {"bid_price": Decimal("99.9"), "bid_size": Decimal(3)}
    sides |= {"ask_price": Decimal("100.1"), "ask_size": Decimal(4)}
    return [tick(ACME, "ACME", time, 1, sequence=None, **sides)]


def daily_bars() -> list[dict[str, Any]]:
    days = ("2024-10-18", "2024-10-21", "2024-10-25", "2024-10-28")
    closes = ("100", "50", "50", "49")
    return [
        normalized(
            ACME,
            "ACME",
            at(f"{day}T03:45:00"),
            number,
            interval_seconds=86_400,
            **dict.fromkeys(("open", "high", "low", "close"), Decimal(close)),
            volume=Decimal(1000),
        )
        for number, (day, close) in enumerate(zip(days, closes, strict=True))
    ]


def bars() -> list[dict[str, Any]]:
    rows = []
    for number, (price_type, interval) in enumerate(
        (p, i) for p in ("trade", "bid") for i in (1, 60) for _ in range(1)
    ):
        time = at("2024-10-18T04:00:00")
        rows.append(
            resolved(
                ACME,
                "ACME",
                time,
                number,
                interval_seconds=interval,
                price_type=price_type,
                bar_start=time,
                **dict.fromkeys(("open", "high", "low", "close"), Decimal("100.5")),
                volume=Decimal(0 if price_type == "bid" else 20),
                vwap=None if price_type == "bid" else Decimal("100.12345678"),
                event_count=2,
                revision=0,
            )
        )
    return rows
