"""`asknown watch` over a real stream."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from asknown.cli.main import run
from asknown.cli.watch import Watched
from asknown.settings import settings
from tests.unit.serving.stream.conftest import Market


def test_watch_shows_the_newest_and_goes_on_behind_it(
    market: Market, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASKNOWN_API_PORT", str(market.port))
    monkeypatch.setenv("ASKNOWN_PORT_OFFSET", "0")
    settings.cache_clear()
    market.trade(100, 101)
    later = threading.Timer(1, market.trade, (102, 103))
    later.start()
    try:
        code = run(["watch", "ACME", "--count", "3", "-o", "json"])
    finally:
        later.join()
        settings.cache_clear()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [(m["type"], m["seq"], m["data"]["price"]) for m in lines] == [
        ("snapshot", 1, "101"),
        ("update", 2, "102"),
        ("update", 3, "103"),
    ]


def test_watch_of_an_unknown_symbol_says_so(
    market: Market, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASKNOWN_API_PORT", str(market.port))
    monkeypatch.setenv("ASKNOWN_PORT_OFFSET", "0")
    settings.cache_clear()
    try:
        code = run(["watch", "NOBODY"])
    finally:
        settings.cache_clear()
    assert code == 3
    assert "no instrument was known as 'NOBODY'" in capsys.readouterr().err


def test_watch_whose_connection_ends_goes_on_behind_what_it_has_seen(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[ClientConnection] = []

    refusals = [ConnectionRefusedError("starting"), ConnectionRefusedError("starting")]

    def remembered(*arguments: Any, **options: Any) -> ClientConnection:
        if opened and refusals:
            raise refusals.pop()
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr("asknown.cli.watch.connect", remembered)
    monkeypatch.setattr("asknown.cli.watch._PAUSE_S", 0.1)
    monkeypatch.setattr("asknown.cli.watch._url", lambda: f"ws://127.0.0.1:{market.port}/v1/stream")
    market.trade(100)
    messages = Watched({"action": "subscribe", "channel": "trades", "symbols": ["ACME"]}).messages()
    first = next(messages)
    opened[0].socket.shutdown(socket.SHUT_RDWR)
    market.trade(101, 102)
    found = [next(messages) for _ in range(2)]
    messages.close()
    assert (len(opened), refusals) == (2, [])
    assert first["seq"] == 0
    assert [(m["type"], m["prev"], m["seq"]) for m in found] == [("update", 0, 1), ("update", 1, 2)]
