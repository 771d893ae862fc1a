"""The engine's memory in Flink's state: buckets of entries, in a format with a version.

An entry a state key would cost a round trip between Python and the JVM for each look-up. Entries
of one table that hash alike share a bucket: a batch reads and writes each bucket once.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from functools import cache
from typing import Any

import msgspec
from pyflink.datastream.state import MapState

from asknown.reference.state import TABLES

FORMAT = 1  # of the bytes; a reader knows every format ever written
BUCKETS = 1024
_CACHED = 4 * BUCKETS

Bucket = dict[str, Any]


class StateStore:
    """A store of asknown.reference.state over one MapState of bytes; call `commit` after a batch.

    Buckets stay decoded between batches. That is safe: a bucket is only changed here, and a
    restored operator is a new object.
    """

    def __init__(self, state: MapState) -> None:
        self._state = state
        self._cache: OrderedDict[tuple[str, str, int], Bucket] = OrderedDict()
        self._dirty: set[tuple[str, str, int]] = set()
        self._venue = ""

    def enter(self, venue: str) -> None:
        """Say whose entries are asked for from now on: Flink's current key."""
        self._venue = venue

    def get(self, table: str, name: str) -> Any:
        """Return the entry; None: no entry."""
        return self._bucket(table, name)[1].get(name)

    def put(self, table: str, name: str, entry: msgspec.Struct) -> None:
        """Keep `entry`; it is written with its bucket by `commit`."""
        place, bucket = self._bucket(table, name)
        bucket[name] = entry
        self._dirty.add(place)

    def commit(self) -> None:
        """Write the buckets that were changed, and forget the ones not used for longest."""
        for place in sorted(self._dirty):
            _, table, number = place
            self._state.put(f"{table}/{number}", encode(self._cache[place]))
        self._dirty.clear()
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)

    def _bucket(self, table: str, name: str) -> tuple[tuple[str, str, int], Bucket]:
        number = zlib.crc32(name.encode()) % BUCKETS
        place = (self._venue, table, number)
        if place not in self._cache:
            held = self._state.get(f"{table}/{number}")
            self._cache[place] = decode(table, held) if held else {}
        self._cache.move_to_end(place)
        return place, self._cache[place]


def encode(bucket: Bucket) -> bytes:
    """Return a bucket as bytes: the format's number, then JSON."""
    return bytes([FORMAT]) + msgspec.json.encode(bucket)


def decode(table: str, held: bytes) -> Bucket:
    """Return the bucket that `encode` wrote.

    Raises `ValueError` for a format this version does not know.
    """
    if held[0] != FORMAT:
        raise ValueError(
            f"expected state of format {FORMAT} in {table}, found {held[0]}: it was written by "
            "a later version. Start the job with that version, or afresh with --restore none."
        )
    bucket: Bucket = _decoder(table).decode(held[1:])
    return bucket


@cache
def _decoder(table: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(dict[str, TABLES[table]])  # type: ignore[misc]  # chosen at run time
