"""What Redis holds of each listing: its newest records, the last updates, who listens.

    latest:{entity_id}            hash: series -> record, and its number and time
    recent:{entity_id}:{series}   list: the last updates, newest first, for whoever missed some
    live:{entity_id}              channel: each update as it comes
    live:applied                  hash: topic[partition] -> the next offset

A series is `trade`, `quote` or `bar:<seconds>:<price type>`. An update's number is its Kafka
offset, and it carries the number of the update before it: both follow from Kafka alone, so they are
the same after any restart or rebuild, and a reader sees by them whether one is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from redis import Redis
from redis.exceptions import RedisError

from asknown.errors import AsknownError, UnreachableError
from asknown.reference.moments import milliseconds
from asknown.reference.plain import plain
from asknown.settings import CHECKOUT, Settings
from asknown.stack.secrets import secret

APPLIED = "live:applied"
KEEP = 32  # updates of one series that can be asked for again, for five minutes
TIMEOUT_S = 10
DAY_SECONDS = 86_400
TRADES, QUOTES, DAILY_BARS, BARS = (
    *("normalized.trade", "normalized.quote", "normalized.bar", "analytics.bar"),
)
TOPICS = (TRADES, QUOTES, DAILY_BARS, BARS)
_SCRIPT = (CHECKOUT / "sql" / "redis" / "keep_latest.lua").read_text()

Role = Literal["writer", "reader"]


class MovedError(AsknownError):
    """Say that Redis is not where its writer believed it: emptied, made anew, or another writes."""


@dataclass(frozen=True)
class Update:
    """A record of one listing's series; `time` decides which one is the newest."""

    entity_id: str
    series: str
    offset: int
    time_ms: int
    body: bytes


@dataclass(frozen=True)
class Applied:
    """How far one partition is in Redis: the next offset before and behind some updates."""

    place: str
    before: int | None
    after: int


def client(role: Role, config: Settings) -> Redis:
    """Return a client that may write, or one that may only read; it connects when it is used."""
    return Redis.from_url(
        config.redis_url,
        username=role,
        password=secret(f"redis_{role}", config),
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
    )


def place(topic: str, partition: int) -> str:
    """Return the name of a partition."""
    return f"{topic}[{partition}]"


def latest_key(entity_id: str) -> str:
    """Return the key of a listing's newest records."""
    return f"latest:{entity_id}"


def recent_key(entity_id: str, series: str) -> str:
    """Return the key of the last updates of a series."""
    return f"recent:{entity_id}:{series}"


def channel(entity_id: str) -> str:
    """Return the channel on which a listing's updates are told."""
    return f"live:{entity_id}"


def bars(seconds: int, price_type: str) -> str:
    """Return the series of bars of one length."""
    return f"bar:{seconds}:{price_type}"


def update(topic: str, offset: int, record: Mapping[str, Any]) -> Update | None:
    """Return what a flat record of a topic is in Redis; None for what is not served live."""
    when: datetime = record.get("bar_start") or record["event_time"]
    series = "trade" if topic == TRADES else "quote"
    if topic in (BARS, DAILY_BARS):
        seconds = record["interval_seconds"]
        # A source's own bars are served by the day only; the shorter ones are computed here.
        if topic == DAILY_BARS and seconds != DAY_SECONDS:
            return None
        series = bars(seconds, record.get("price_type") or "trade")
    body = orjson.dumps({name: plain(value) for name, value in record.items()})
    return Update(record["entity_id"], series, offset, milliseconds(when), body)


def apply(connection: Redis, at: Applied, updates: Iterable[Update], keep: int = KEEP) -> int:
    """Keep and tell updates of one partition, all or none, and return how many were new.

    Raises MovedError ASKNOWN-LIVE-001 when Redis is not where `at.before` says, UnreachableError
    ASKNOWN-LIVE-002 when it does not answer or refuses.
    """
    before = "" if at.before is None else str(at.before)
    arguments: list[Any] = [at.place, before, at.after, keep]
    for one in updates:
        arguments += [one.entity_id, one.series, one.offset, one.time_ms, one.body]
    try:
        told: Any = connection.eval(_SCRIPT, 0, *arguments)
    except RedisError as error:
        if str(error).startswith("MOVED expected"):
            raise MovedError(
                "ASKNOWN-LIVE-001",
                f"{str(error).removeprefix('MOVED ')}.",
                hint="it is read from there again; `asknown recover redis` fills an empty one.",
            ) from error
        raise unreachable(connection, error) from error
    return int(told)


def applied(connection: Redis) -> dict[str, int]:
    """Return the next offset of each partition.

    Raises UnreachableError ASKNOWN-LIVE-002 when Redis does not answer.
    """
    try:
        found: Any = connection.hgetall(APPLIED)
    except RedisError as error:
        raise unreachable(connection, error) from error
    return {name.decode(): int(offset) for name, offset in found.items()}


def empty(connection: Redis) -> None:
    """Forget everything.

    Raises UnreachableError ASKNOWN-LIVE-002 when Redis does not answer.
    """
    try:
        connection.flushdb()
    except RedisError as error:
        raise unreachable(connection, error) from error


def put(connection: Redis, newest: Iterable[tuple[Update, int]]) -> None:
    """Keep the newest record of series, each with the number of its last update; tell nobody.

    Raises UnreachableError ASKNOWN-LIVE-002 when Redis does not answer.
    """
    try:
        with connection.pipeline(transaction=False) as calls:
            for one, seq in newest:
                known = {f"{one.series}@seq": seq, f"{one.series}@time": one.time_ms}
                calls.hset(latest_key(one.entity_id), mapping={one.series: one.body, **known})
            calls.execute()
    except RedisError as error:
        raise unreachable(connection, error) from error


def go_on_at(connection: Redis, places: Mapping[str, int]) -> None:
    """Note where each partition goes on.

    Raises UnreachableError ASKNOWN-LIVE-002 when Redis does not answer.
    """
    if not places:
        return
    try:
        connection.hset(APPLIED, mapping=dict(places))
    except RedisError as error:
        raise unreachable(connection, error) from error


def unreachable(connection: Redis, error: RedisError) -> UnreachableError:
    """Return the error for a Redis that does not answer or refuses."""
    where = connection.connection_pool.connection_kwargs
    return UnreachableError(
        "ASKNOWN-LIVE-002",
        f"expected an answer from Redis, found: {error}",
        where=f"{where.get('host')}:{where.get('port')}",
        hint="`asknown status` shows whether it runs; `asknown up` starts it.",
    )
