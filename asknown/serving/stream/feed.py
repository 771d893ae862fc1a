"""One connection to Redis for all clients: who watches which listing, and what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import orjson
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from asknown.errors import UnreachableError
from asknown.serving import datasets
from asknown.serving.datasets import Dataset
from asknown.settings import Settings
from asknown.stack.secrets import secret
from asknown.storage.latest import DAY_SECONDS, channel, latest_key, recent_key

PAUSE_S = 0.5
TIMEOUT_S = 5.0
_NOBODY = channel("")  # always listened to: a connection that listens to nothing hears no end

log = structlog.get_logger("asknown.stream")


@dataclass(frozen=True)
class Told:
    """One update of a series; `previous` is the number of the update before it."""

    series: str
    seq: int
    previous: int
    body: bytes

    @cached_property
    def data(self) -> bytes:
        """Return the record as the API shows it; made once, however many clients there are."""
        return shown(self.series, self.body)


@dataclass(frozen=True)
class Held:
    """What Redis holds of a series: the newest record, its number, the last updates in order."""

    seq: int
    data: bytes | None
    updates: list[Told]


class Watcher(Protocol):
    """Who is told."""

    def told(self, entity_id: str, update: Told) -> None:
        """Take one update; must not wait."""

    def feed_lost(self) -> None:
        """Take note that updates may be missed from now on."""

    def feed_back(self) -> None:
        """Catch up with what was missed."""


class Feed:
    """Tell watchers what happens; for one event loop. Lost connections are made again."""

    def __init__(self, config: Settings) -> None:
        self._redis: Redis = Redis.from_url(
            config.redis_url,
            username="reader",
            password=secret("redis_reader", config),
            socket_connect_timeout=TIMEOUT_S,
        )
        self._watchers: dict[str, set[Watcher]] = defaultdict(set)
        self._heard: dict[str, asyncio.Event] = {}  # set when Redis has said it tells this channel
        self._pubsub: PubSub | None = None
        self._listener: asyncio.Task[None] | None = None

    async def watch(self, entity_id: str, watcher: Watcher) -> None:
        """Begin to tell a watcher of a listing; returns when nothing can be missed any more.

        Raises UnreachableError ASKNOWN-LIVE-002 when Redis does not answer.
        """
        self._watchers[entity_id].add(watcher)
        name = channel(entity_id)
        if name not in self._heard:
            self._heard[name] = asyncio.Event()
            await self._subscribe(name)
        try:
            await asyncio.wait_for(self._heard[name].wait(), TIMEOUT_S)
        except TimeoutError:
            raise _unreachable(f"{name} was not subscribed to in {TIMEOUT_S:.0f} s") from None

    async def unwatch(self, entity_id: str, watcher: Watcher) -> None:
        """End to tell a watcher of a listing."""
        watchers = self._watchers[entity_id]
        watchers.discard(watcher)
        if watchers:
            return
        del self._watchers[entity_id]
        if self._heard.pop(channel(entity_id), None) is not None and self._pubsub is not None:
            with contextlib.suppress(RedisError):
                await self._pubsub.unsubscribe(channel(entity_id))

    async def held(self, entity_id: str, series: str) -> Held:
        """Return what Redis holds of a series now.

        Raises UnreachableError ASKNOWN-LIVE-002 when Redis does not answer.
        """
        try:
            async with self._redis.pipeline(transaction=True) as both:
                both.hmget(latest_key(entity_id), [series, f"{series}@seq"])
                both.lrange(recent_key(entity_id, series), 0, -1)
                found, recent = await asyncio.wait_for(both.execute(), TIMEOUT_S)
        except (RedisError, TimeoutError) as error:
            raise _unreachable(str(error) or type(error).__name__) from error
        body, seq = found
        updates = [_update(series, text) for text in reversed(recent)]
        data = None if body is None else shown(series, body)
        return Held(-1 if seq is None else int(seq), data, updates)

    async def close(self) -> None:
        """Close the connections."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
        await self._redis.aclose()

    async def _subscribe(self, name: str) -> None:
        if self._listener is None:
            self._listener = asyncio.get_running_loop().create_task(self._listen())
        elif self._pubsub is not None:
            with contextlib.suppress(RedisError):  # the listener notices, and subscribes anew
                await self._pubsub.subscribe(name)

    async def _listen(self) -> None:
        """Listen for ever; after a failure subscribe to everything again."""
        lost = False
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(_NOBODY, *self._heard)
                    self._pubsub = pubsub
                    if lost:
                        self._each("feed_back")
                        lost = False
                    async for message in pubsub.listen():
                        self._take(message)
            except (RedisError, OSError) as error:
                log.warning("lost the feed", error=str(error), again_in_s=PAUSE_S)
                self._pubsub = None
                for heard in self._heard.values():
                    heard.clear()
                if not lost:
                    self._each("feed_lost")
                lost = True
                await asyncio.sleep(PAUSE_S)

    def _take(self, message: dict[str, Any]) -> None:
        name = message["channel"].decode()
        if message["type"] == "subscribe" and name in self._heard:
            self._heard[name].set()
        if message["type"] != "message":
            return
        entity_id = name.removeprefix(_NOBODY)
        series, _, text = message["data"].partition(b" ")
        update = _update(series.decode(), text)
        for watcher in tuple(self._watchers.get(entity_id, ())):
            watcher.told(entity_id, update)

    def _each(self, what: str) -> None:
        for watcher in {one for watchers in self._watchers.values() for one in watchers}:
            getattr(watcher, what)()


def shown(series: str, body: bytes) -> bytes:
    """Return a record as the API shows it."""
    dataset = dataset_of(series)
    record = orjson.loads(body)
    row = {name: _value(record, name, expression) for name, expression in dataset.columns}
    return orjson.dumps(row)


def dataset_of(series: str) -> Dataset:
    """Return the dataset that the records of a series belong to."""
    if series == "trade":
        return datasets.TRADE
    if series == "quote":
        return datasets.QUOTE
    daily = series.split(":")[1] == str(DAY_SECONDS)
    return datasets.DAILY_BAR if daily else datasets.BAR


def _value(record: dict[str, Any], name: str, expression: str) -> Any:
    """Return what ClickHouse would answer for a column of the allow-list."""
    if expression.startswith("'"):
        return expression.strip("'")
    if expression in record:
        return record[expression]
    found = record.get(name)
    return -1 if found is None and name == "sequence" else found


def _update(series: str, text: bytes) -> Told:
    seq, previous, body = text.split(b" ", 2)
    return Told(series, int(seq), int(previous), body)


def _unreachable(found: str) -> UnreachableError:
    return UnreachableError(
        "ASKNOWN-LIVE-002",
        f"expected an answer from Redis, found: {found}.",
        hint="`asknown status` shows whether it runs; nothing is lost, ask again.",
    )
