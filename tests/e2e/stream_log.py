"""A reader of the live stream who writes down all it is told, and a judge of what it wrote.

The judge takes Kafka's committed records for the truth. An update must be the next record of its
series, once; where the stream said that it left something out (`left_out`, or a snapshot behind the
first one), it may. What it never may is to leave something out, or to repeat it, without saying so.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from threading import Event, Thread
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from asknown.settings import Settings
from asknown.storage.latest import applied, client, place

Message = Mapping[str, Any]


class StreamLog:
    """Read the stream in a thread from `with` on; a connection that ends is made again."""

    def __init__(self, config: Settings, **request: Any) -> None:
        self.messages: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._url = config.stream_url
        self._request: dict[str, Any] = {"action": "subscribe", **request}
        self._seen: dict[str, int] = {}
        self._began, self._stop = Event(), Event()
        self._thread = Thread(target=self._run, name="stream log")

    def __enter__(self) -> StreamLog:
        self._thread.start()
        assert self._began.wait(60), self.errors
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except (ConnectionClosed, InvalidHandshake, OSError) as error:
                self.errors.append(str(error))
                self._stop.wait(0.2)

    def _read(self) -> None:
        wanted = len(self._request["entity_ids"])
        with connect(self._url, open_timeout=5) as stream:
            stream.send(json.dumps({**self._request, "from_seq": self._seen}))
            while not self._stop.is_set():
                try:
                    message = json.loads(stream.recv(timeout=0.5))
                except TimeoutError:
                    continue
                if message["type"] == "error":
                    self.errors.append(message["detail"])
                    return
                if message["type"] in ("snapshot", "update"):
                    self._seen[message["entity_id"]] = message["seq"]
                    self.messages.append(message)
                if len(self._seen) == wanted:
                    self._began.set()


def wait_until_told(
    config: Settings, eventually: Any, lasts: Mapping[tuple[str, int], int]
) -> None:
    """Wait until Redis has all records of the topics it follows: the `lasts` of each partition.

    The end of a partition does not say it: markers of transactions come behind the last record,
    several where one was aborted.
    """

    def through() -> bool:
        with client("writer", config) as connection:
            found = applied(connection)
        return all(found.get(place(*at), 0) > last for at, last in lasts.items())

    eventually(through, 60, "Redis to have everything")


def judge_in_time(records: Iterable[Message], log: StreamLog, within: float = 30) -> list[str]:
    """Return what is wrong with a log, once it has had the time to become whole."""
    known, end = list(records), time.monotonic() + within
    while (findings := judge(known, log.messages)) and time.monotonic() < end:
        time.sleep(0.5)
    return findings


def judge(records: Iterable[Message], told: Iterable[Message]) -> list[str]:
    """Return what is wrong with the log of one channel, by Kafka's records of it."""
    true: dict[str, list[Message]] = defaultdict(list)
    for record in records:
        true[record["entity_id"]].append(record)
    log: dict[str, list[Message]] = defaultdict(list)
    for message in tuple(told):
        log[message["entity_id"]].append(message)
    return [
        finding
        for entity_id in sorted({*true, *log})
        for finding in _judge(entity_id, true[entity_id], log[entity_id])
    ]


def _judge(entity_id: str, records: list[Message], told: list[Message]) -> Iterator[str]:
    by_offset = {record["kafka_offset"]: record for record in records}
    first, *rest = told or [{"type": "nothing", "seq": -1}]
    if first["type"] != "snapshot":
        yield f"{entity_id}: expected a snapshot first, found {first['type']}"
        return
    last = first["seq"]
    expected = sorted(offset for offset in by_offset if offset > last)
    for message in rest:
        expected = expected[message.get("left_out", 0) :]  # a newer one was sent in their place
        if message["type"] == "snapshot":  # it says that what lies between is left out
            expected = [offset for offset in expected if offset > message["seq"]]
        elif not expected or message["seq"] != expected[0] or message["prev"] != last:
            found = {name: value for name, value in message.items() if name != "data"}
            yield f"{entity_id}: expected {expected[:1]} behind {last}, found {found}"
            return
        else:
            record = by_offset[expected.pop(0)]
            if message["data"]["event_id"] != record["event_id"]:
                yield f"{entity_id}: expected {record['event_id']}, found {message['data']}"
        last = message["seq"]
    if expected:
        yield f"{entity_id}: {len(expected)} records were never told, the first at {expected[0]}"
