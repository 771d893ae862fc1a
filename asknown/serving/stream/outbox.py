"""What waits to be sent to one client: bounded, in order, and honest about what it left out.

A client that keeps up gets every update. One that does not gets the newest of each series instead,
is told how many were left out, and each update still names the one sent before it; so whoever
follows the numbers sees a gap only where there is one. Who does not read at all is sent away by the
session, because sending does not return.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import orjson

from asknown.serving.stream.feed import Told

LIMIT = 1_000  # updates that wait, before only the newest of each series are kept
Key = tuple[str, str]  # entity_id, series


@dataclass
class _Entry:
    """An update that waits; `left_out` older ones are not sent."""

    key: Key
    told: Told
    left_out: int = 0


class Outbox:
    """Messages for one client; for one event loop."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.left_out = 0  # of all updates so far
        self._limit = limit
        self._queue: deque[bytes | _Entry] = deque()
        self._newest: dict[Key, _Entry] = {}  # of the queue's: those that newer updates replace
        self._sent: dict[Key, int] = {}
        self._channels: dict[Key, str] = {}
        self._behind = False
        self._some = asyncio.Event()

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._queue)

    def message(self, content: dict[str, object]) -> None:
        """Add a message that is no update."""
        self._add(orjson.dumps(content))

    def begin(self, key: Key, channel: str, seq: int) -> None:
        """Take updates of a series behind a number; what waits of it is left away."""
        self.forget(key)
        self._channels[key], self._sent[key] = channel, seq

    def snapshot(self, key: Key, channel: str, seq: int, data: bytes | None) -> None:
        """Add the newest record of a series, and take updates behind it."""
        self.begin(key, channel, seq)
        head = {"type": "snapshot", "channel": channel, "entity_id": key[0], "seq": seq}
        self._add(_with_data(head, data or b"null"))

    def update(self, key: Key, told: Told, *, conflate: bool) -> None:
        """Add an update."""
        if conflate or self._behind or key in self._newest:
            self._replace(key, told)
            return
        self._add(_Entry(key, told))
        if len(self._queue) > self._limit:
            self._fall_behind()

    def forget(self, key: Key) -> None:
        """Leave away what waits of a series."""
        self._queue = deque(
            item for item in self._queue if isinstance(item, bytes) or item.key != key
        )
        self._newest.pop(key, None)
        self._sent.pop(key, None)
        self._channels.pop(key, None)

    async def next(self) -> bytes:
        """Return the next message; wait until there is one."""
        while not self._queue:
            self._behind = False
            self._some.clear()
            await self._some.wait()
        item = self._queue.popleft()
        if isinstance(item, bytes):
            return item
        if self._newest.get(item.key) is item:
            del self._newest[item.key]
        return self._written(item)

    def _written(self, entry: _Entry) -> bytes:
        head: dict[str, object] = {
            "type": "update",
            "channel": self._channels[entry.key],
            "entity_id": entry.key[0],
            "seq": entry.told.seq,
            "prev": self._sent[entry.key],
        }
        if entry.left_out:
            head["left_out"] = entry.left_out
        self._sent[entry.key] = entry.told.seq
        return _with_data(head, entry.told.data)

    def _replace(self, key: Key, told: Told) -> None:
        """Let an update take the place of the one of its series that waits."""
        waiting = self._newest.get(key)
        if waiting is None:
            self._newest[key] = _Entry(key, told)
            self._add(self._newest[key])
            return
        waiting.told = told
        waiting.left_out += 1
        self.left_out += 1

    def _fall_behind(self) -> None:
        """Keep the newest update of each series only, until everything has been sent."""
        before = self.left_out
        held, self._queue, self._newest = self._queue, deque(), {}
        self._behind = True
        for item in held:
            if isinstance(item, bytes):
                self._queue.append(item)
            else:
                self._replace(item.key, item.told)
        warning = {"type": "warning", "code": "SLOW_CONSUMER", "left_out": self.left_out - before}
        self._queue.appendleft(orjson.dumps(warning))

    def _add(self, item: bytes | _Entry) -> None:
        self._queue.append(item)
        self._some.set()


def _with_data(head: dict[str, object], data: bytes) -> bytes:
    return orjson.dumps(head)[:-1] + b',"data":' + data + b"}"
