"""A server of the stream with its Redis, and who trades meanwhile."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from redis import Redis
from websockets.sync.client import ClientConnection, connect

from asknown.serving.main import create_app, server
from asknown.settings import Settings
from asknown.storage import latest
from asknown.storage.latest import Applied
from tests.unit.redis_running import RunningRedis, with_redis
from tests.unit.serving.market import ACME

NOW = datetime(2024, 11, 1, 12, tzinfo=UTC)
PLACE = "normalized.trade[0]"
Message = dict[str, Any]


@dataclass
class Market:
    """A server of the API, its Redis, and who writes into it."""

    redis: RunningRedis
    store: Redis
    port: int
    next: int = 0

    def trade(self, *prices: int, entity_id: str = ACME, second: int = 0, **more: Any) -> None:
        """Let trades happen, one offset after the other."""
        before = self.next or None
        updates = []
        for price in prices:
            record = {
                "entity_id": entity_id,
                "event_time": datetime(2024, 11, 1, 4, 0, second, tzinfo=UTC),
                "raw_symbol": "ACME",
                "price": Decimal(price),
                "sequence": None,
                **more,
            }
            updates.append(latest.update("normalized.trade", self.next, record))
            self.next += 1
        at = Applied(PLACE, before, self.next)
        latest.apply(self.store, at, [one for one in updates if one])

    @contextmanager
    def client(self, **options: Any) -> Iterator[ClientConnection]:
        with connect(f"ws://127.0.0.1:{self.port}/v1/stream", **options) as socket_:
            assert heard(socket_)["type"] == "hello"
            yield socket_

    def metric(self, name: str) -> float:
        text = httpx2.get(f"http://127.0.0.1:{self.port}/metrics").text
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))


@pytest.fixture(scope="module")
def running(filled: Settings) -> Iterator[Market]:
    config = with_redis(filled)
    with (
        RunningRedis(config) as redis,
        latest.client("writer", config) as store,
        socket.socket() as listening,
    ):
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        serving = server(create_app(config, now=lambda: NOW), config)
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not serving.started:
                assert thread.is_alive()
                time.sleep(0.02)
            yield Market(redis, store, listening.getsockname()[1])
        finally:
            serving.should_exit = True
            thread.join(30)


@pytest.fixture
def market(running: Market) -> Market:
    running.store.flushdb()
    running.next = 0
    return running


def heard(client: ClientConnection, within: float = 10) -> Message:
    found: Message = json.loads(client.recv(timeout=within))
    return found
