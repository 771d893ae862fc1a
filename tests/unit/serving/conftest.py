"""A real ClickHouse for the API's tests: the library's own server on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from asknown.cli.main import run
from asknown.serving.main import create_app
from asknown.settings import Settings, settings
from asknown.stack.clickhouse import clickhouse_service
from asknown.storage import clickhouse
from tests.unit.serving import market
from tests.unit.serving.market import ACME, ENVELOPE, LATE, NOVA, PEAR, at

NOW = datetime(2024, 11, 1, 12, tzinfo=UTC)
INGESTED = datetime(2024, 10, 28, 12, tzinfo=UTC)
START_SECONDS = 60
Command = Callable[..., tuple[int, str, str]]


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
    insert(config, "silver.entity_history", market.entity_history())
    insert(config, "silver.identifier_map", market.identifiers())
    insert(config, "silver.corporate_action", market.actions())
    insert(config, "silver.adjustment_factor", market.adjustment_factors())
    insert(config, "silver.restatement", market.restatements())
    insert(config, "silver.trade", trades() + late_trades())
    insert(config, "silver.quote", quotes())
    insert(config, "silver.bar", daily_bars())
    insert(config, "gold.bar", bars())
    # Corrections learnt on the 30th, of keys that are there already.
    learnt = {"ingest_time": at("2024-10-30"), "kafka_offset": 900}
    insert(config, "silver.trade", [{**trades()[0], **learnt, "price": Decimal("99.5")}])
    insert(config, "gold.bar", [{**bars()[1], **learnt, "close": Decimal(101), "revision": 1}])
    insert(config, "gold.bar", revised_bars())
    return config


@pytest.fixture(scope="session")
def api(filled: Settings) -> Iterator[TestClient]:
    """Yield the API over the filled server, with its clock standing still."""
    app = create_app(filled, now=lambda: NOW)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def api_port(filled: Settings) -> Iterator[int]:
    """Yield the port of an API whose clock stands still."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(
            uvicorn.Config(create_app(filled, now=lambda: NOW), log_level="warning")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.02)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture
def command(
    api_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Yield a function that runs a command and returns its code, output and errors."""
    monkeypatch.setenv("ASKNOWN_API_PORT", str(api_port))
    monkeypatch.setenv("ASKNOWN_PORT_OFFSET", "0")

    def asknown(*arguments: str) -> tuple[int, str, str]:
        settings.cache_clear()
        code = run([*arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    yield asknown
    settings.cache_clear()


def insert(config: Settings, table: str, rows: list[dict[str, Any]]) -> None:
    with clickhouse.client("writer", settings=config) as client:
        names = list(rows[0])
        client.insert(table, [[row[n] for n in names] for row in rows], column_names=names)


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


def late_trades() -> list[dict[str, Any]]:
    """Return trades around a split that was learnt late: the second was stored without it."""
    stored = ((18, 100, market.NONE), (22, 50, market.NONE), (25, 50, market.HALF))
    names = ("price_factor", "split_factor", "share_factor", "factor_version")
    rows = []
    for day, price, factors in stored:
        time = at(f"2024-10-{day}T04:00:00")
        more = {"price": Decimal(price), "size": Decimal(10), "ingest_time": time}
        more |= dict(zip(names, factors, strict=True))
        rows.append(tick(LATE, "LATE", time, 400 + day, **more))
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


def revised_bars() -> list[dict[str, Any]]:
    """Return three minutes of NOVA; the second was revised on the 29th and on the 30th."""
    rows = []
    for number, (minute, day) in enumerate(((0, 28), (1, 28), (2, 28), (1, 29), (1, 30))):
        time = at(f"2024-10-18T04:0{minute}:00")
        revision = day - 28
        rows.append(
            {
                **bars()[1],
                "entity_id": NOVA,
                "event_id": f"{NOVA}:60:trade:{minute}:{revision}",
                "event_time": time,
                "bar_start": time,
                "ingest_time": at(f"2024-10-{day}"),
                "event_count": 2 + revision,
                "revision": revision,
                "kafka_offset": 1000 + number,
            }
        )
    return rows


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
