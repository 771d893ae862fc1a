"""One client of the stream: what it says, what it follows, what it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from fastapi import WebSocket, WebSocketDisconnect

from asknown.errors import AsknownError
from asknown.reference.moments import iso
from asknown.serving.stream.feed import Feed, Held, Told
from asknown.serving.stream.messages import (
    HEARTBEAT_S,
    MAX_SERIES,
    Message,
    Ping,
    Subscribe,
    Unsubscribe,
    hello,
    parse,
    refused,
)
from asknown.serving.stream.naming import Meant
from asknown.serving.stream.outbox import Key, Outbox

SEND_S = 10.0  # how long one message may take before its reader counts as gone
SAID_PER_S, SAID_AT_ONCE = 20.0, 60.0  # messages of a client
TOO_SLOW, TOO_LOUD = 1013, 1008  # close codes: try again later, policy violation

log = structlog.get_logger("asknown.stream")
Name = Callable[[Subscribe | Unsubscribe], Coroutine[Any, Any, Meant]]


@dataclass
class _Following:
    """One subscription; while it catches up, what is told waits in `held_back`."""

    channel: str
    conflate: bool
    last: int = -1
    held_back: list[Told] | None = field(default_factory=list)


class Session:
    """Talk with one client until either side ends it; told by the feed meanwhile."""

    def __init__(
        self, socket: WebSocket, feed: Feed, name: Name, now: Callable[[], datetime]
    ) -> None:
        self.outbox = Outbox()
        self._socket = socket
        self._feed = feed
        self._name = name
        self._now = now
        self._following: dict[Key, _Following] = {}
        self._catching_up: set[asyncio.Task[None]] = set()
        self._allowance, self._said_at = SAID_AT_ONCE, time.monotonic()

    async def run(self) -> None:
        """Greet, then read and write until the client leaves or is sent away."""
        self.outbox.message(hello(iso(self._now())))
        tasks = [asyncio.create_task(one) for one in (self._read(), self._write())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except WebSocketDisconnect:
            pass
        finally:
            for task in (*tasks, *self._catching_up):
                task.cancel()
            await asyncio.gather(*tasks, *self._catching_up, return_exceptions=True)
            for entity_id in {key[0] for key in self._following}:
                await self._feed.unwatch(entity_id, self)

    def told(self, entity_id: str, update: Told) -> None:
        """Take an update; one that does not follow the last one seen begins a catching up."""
        key = (entity_id, update.series)
        following = self._following.get(key)
        if following is None:
            return
        if following.held_back is not None:
            following.held_back.append(update)
        elif update.seq <= following.last:
            return
        elif update.previous > following.last:
            self._miss(key, following, update)
        else:
            self._pass_on(key, following, update)

    def feed_lost(self) -> None:
        """Tell the client that nothing comes for now."""
        self.outbox.message({"type": "status", "feed": "lost"})

    def feed_back(self) -> None:
        """Tell the client that the feed is back, and send what it missed."""
        self.outbox.message({"type": "status", "feed": "back"})
        for key, following in self._following.items():
            if following.held_back is None:
                self._miss(key, following)

    async def _read(self) -> None:
        while True:
            text = await self._socket.receive_text()
            if not self._may_speak():
                with contextlib.suppress(RuntimeError):
                    await self._socket.close(
                        TOO_LOUD, f"more than {SAID_PER_S:.0f} messages a second"
                    )
                return
            try:
                message = parse(text)
            except AsknownError as error:
                self.outbox.message(refused("", error.code, error.message, error.hint))
                continue
            try:
                await self._answer(message)
            except AsknownError as error:
                self.outbox.message(refused(message.id, error.code, error.message, error.hint))

    async def _write(self) -> None:
        while True:
            try:
                text = await asyncio.wait_for(self.outbox.next(), HEARTBEAT_S)
            except TimeoutError:
                self.outbox.message({"type": "heartbeat", "time": iso(self._now())})
                continue
            try:
                await asyncio.wait_for(self._socket.send_text(text.decode()), SEND_S)
            except TimeoutError:
                log.warning("client does not read", waiting=len(self.outbox))
                with contextlib.suppress(RuntimeError, TimeoutError):
                    await asyncio.wait_for(self._socket.close(TOO_SLOW, "does not read"), 1)
                return

    async def _answer(self, message: Message) -> None:
        if isinstance(message, Ping):
            self.outbox.message({"type": "pong", "id": message.id, "time": iso(self._now())})
            return
        meant = await self._name(message)
        if isinstance(message, Unsubscribe):
            await self._end(message, meant)
            return
        new = {(entity_id, message.series) for entity_id in meant.listings}
        if len(new | self._following.keys()) > MAX_SERIES:
            detail = f"expected at most {MAX_SERIES} subscriptions of one client"
            self.outbox.message(refused(message.id, "ASKNOWN-STREAM-002", detail))
            return
        held = {key: await self._begin(key, message) for key in sorted(new)}
        accepted = [{"entity_id": e, "symbol": symbol} for e, symbol in meant.listings.items()]
        self.outbox.message(
            {"type": "ack", "id": message.id, "accepted": accepted, "rejected": meant.rejected}
        )
        for key, one in held.items():
            self._deliver(key, message, one)

    async def _begin(self, key: Key, asked: Subscribe) -> Held:
        """Listen first and read then, both before the ack: behind it nothing is missed."""
        self._following[key] = _Following(asked.channel, asked.mode == "conflated")
        try:
            await self._feed.watch(key[0], self)
            return await self._feed.held(*key)
        except AsknownError:
            await self._leave(key)
            raise

    def _deliver(self, key: Key, asked: Subscribe, held: Held) -> None:
        """Send what a subscription begins with, and then what was told meanwhile."""
        following = self._following[key]
        seen = asked.from_seq.get(key[0])
        if seen is not None:
            following.last = seen
            self.outbox.begin(key, following.channel, seen)
            self._continue(key, following, held)
        elif asked.snapshot:
            self._show(key, following, held)
        else:
            following.last = held.seq
            self.outbox.begin(key, following.channel, held.seq)
            self._release(key, following)

    async def _end(self, asked: Unsubscribe, meant: Meant) -> None:
        for entity_id in meant.listings:
            await self._leave((entity_id, asked.series))
        ended = [{"entity_id": e, "symbol": symbol} for e, symbol in meant.listings.items()]
        self.outbox.message(
            {"type": "ack", "id": asked.id, "ended": ended, "rejected": meant.rejected}
        )

    async def _leave(self, key: Key) -> None:
        self._following.pop(key, None)
        self.outbox.forget(key)
        if all(other != key[0] for other, _ in self._following):
            await self._feed.unwatch(key[0], self)

    def _miss(self, key: Key, following: _Following, *seen: Told) -> None:
        """Hold back what is told until what was missed is there."""
        following.held_back = list(seen)
        task = asyncio.get_running_loop().create_task(self._catch_up(key, following))
        self._catching_up.add(task)
        task.add_done_callback(self._catching_up.discard)

    async def _catch_up(self, key: Key, following: _Following) -> None:
        try:
            self._continue(key, following, await self._feed.held(*key))
        except AsknownError as error:  # it is away again; when it is back, this is done again
            following.held_back = None
            self.outbox.message(refused("", error.code, error.message, error.hint))

    def _continue(self, key: Key, following: _Following, held: Held) -> None:
        """Send what was missed; where too much was, the newest record instead."""
        missed = [one for one in held.updates if one.seq > following.last]
        whole = missed[0].previous <= following.last if missed else held.seq == following.last
        if not whole:
            self._show(key, following, held)
            return
        for one in missed:
            self._pass_on(key, following, one)
        self._release(key, following)

    def _show(self, key: Key, following: _Following, held: Held) -> None:
        following.last = held.seq
        self.outbox.snapshot(key, following.channel, held.seq, held.data)
        self._release(key, following)

    def _release(self, key: Key, following: _Following) -> None:
        """Send what was told meanwhile and is newer."""
        waiting, following.held_back = following.held_back or [], None
        for one in waiting:
            self.told(key[0], one)

    def _pass_on(self, key: Key, following: _Following, update: Told) -> None:
        following.last = update.seq
        self.outbox.update(key, update, conflate=following.conflate)

    def _may_speak(self) -> bool:
        """Tell whether a client keeps to its rate: so many at once, so many a second on average."""
        now = time.monotonic()
        self._allowance += (now - self._said_at) * SAID_PER_S
        self._allowance, self._said_at = min(self._allowance, SAID_AT_ONCE) - 1, now
        return self._allowance >= 0
