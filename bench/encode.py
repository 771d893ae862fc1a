"""Encode W1 as Confluent-framed Avro, fixed width, thousands of records at a time.

Every field of a W1 trade has a constant encoded length (times take 6 or 9 bytes as varints,
prices and sizes 5 as two's complement, the sequence 4), so a block of records is a matrix of
bytes filled column by column. A unit test decodes it with fastavro by schemas/raw/trade.avsc.
"""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastavro
import numpy as np
from numpy.typing import NDArray

from bench.workload import POISON_KINDS, SCALE, VENUE, Arrivals, Ints, Population

SOURCE = b"bench"
UNKNOWN_SCHEMA_ID = 2_000_000_000
Matrix = NDArray[np.uint8]


def header(schema_id: int) -> bytes:
    """Return magic byte and schema id."""
    return struct.pack(">bI", 0, schema_id)


class TradeEncoder:
    """Turn slices of the arrivals into framed bytes of raw.trade."""

    def __init__(self, schema_id: int, people: Population) -> None:
        self._keys = _characters(people.keys)
        self._symbols = _characters(people.symbols)
        self._head = header(schema_id)

    def matrix(self, a: Arrivals, rows: Ints) -> Matrix:
        """Return one record per row, shape (len(rows), width)."""
        n, entity = len(rows), a.entity[rows]
        parts: list[bytes | Matrix] = [
            self._head,
            _length(16),
            _characters(a.event_id[rows]),
            _varint(a.event_ms[rows], 6),
            _varint(a.ingest_ms[rows], 6),
            _length(len(SOURCE)) + SOURCE,
            b"\x02",  # schema_version 1
            _length(self._keys.shape[1]),
            self._keys[entity],
            b"\x02",  # payload present; so is every nullable field below
            b"\x02" + _length(len(VENUE)) + VENUE.encode(),
            b"\x02" + _length(self._symbols.shape[1]),
            self._symbols[entity],
            b"\x02" + _length(5),
            _big_endian(a.price[rows], 5),
            b"\x02" + _length(5),
            _big_endian(a.size[rows], 5),
            b"\x02",
            _varint(a.sequence[rows], 4),
            b"\x02",
            _varint(a.event_ms[rows] * 1_000_000, 9),
            b"\x00",  # no extra
        ]
        width = sum(len(p) if isinstance(p, bytes) else p.shape[1] for p in parts)
        out = np.empty((n, width), np.uint8)
        at = 0
        for part in parts:
            wide = len(part) if isinstance(part, bytes) else part.shape[1]
            out[:, at : at + wide] = (
                np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part
            )
            at += wide
        return out


def records(matrix: Matrix) -> list[bytes]:
    """Cut a matrix into one bytes object per record."""
    width = matrix.shape[1]
    flat = matrix.tobytes()
    return [flat[at : at + width] for at in range(0, len(flat), width)]


def avro(schema: dict[str, Any], schema_id: int, record: dict[str, Any]) -> bytes:
    """Return one framed record of any schema."""
    out = io.BytesIO()
    out.write(header(schema_id))
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def heartbeat(schema: dict[str, Any], schema_id: int, key: bytes, at_ms: int) -> bytes:
    """Return the record that only moves time to `at_ms`."""
    return avro(schema, schema_id, _envelope(key.decode().ljust(16, "_")[-16:], at_ms, key, None))


def change_points(
    schema: dict[str, Any], schema_id: int, people: Population
) -> list[tuple[bytes, bytes, bytes]]:
    """Return (raw_key, message key, value) of every change point, by effective time."""
    rows = []
    k = people.effective_ms.shape[1]
    for point in np.argsort(people.effective_ms, axis=None, kind="stable"):
        e, version = divmod(int(point), k)
        raw_key = bytes(people.keys[e])
        effective = int(people.effective_ms[e, version])
        payload = {
            "raw_key": raw_key.decode(),
            "effective_time": _instant(effective),
            "listing_id": people.listing[e, version].decode(),
            "isin": people.isin[e, version].decode(),
            "symbol": people.symbols[e].decode(),
            "venue": VENUE,
            "status": "LISTED",
            "price_factor": float(people.price_factor[e, version]),
            "split_factor": float(people.split_factor[e, version]),
            "share_factor": float(people.share_factor[e, version]),
            "factor_version": int(people.factor_version[e, version]),
            "known_from": _instant(effective),
        }
        record = _envelope(f"c{e:09d}{version:06d}", effective, raw_key, payload)
        rows.append((raw_key, b"%s|%d" % (raw_key, effective), avro(schema, schema_id, record)))
    return rows


def poison(
    kind: int, good: bytes, rng: np.random.Generator, other: bytes, schema: dict[str, Any]
) -> bytes | None:
    """Return the unreadable value of this kind (an index into POISON_KINDS).

    `good` is the readable record of that arrival, `other` a framed record of another topic.
    """
    name = POISON_KINDS[kind]
    if name == "random_body":
        return good[:5] + _undecodable(rng, schema)
    values: dict[str, bytes | None] = {
        "null_value": None,
        "empty": b"",
        "one_byte": b"\x00",
        "wrong_magic": b"\x07" + good[1:],
        "unknown_schema": header(UNKNOWN_SCHEMA_ID) + good[5:],
        "truncated_body": good[: int(rng.integers(12, len(good) - 1))],
        "other_schema": other,
    }
    return values[name]


def quote(schema: dict[str, Any], schema_id: int, event_id: str, at_ms: int, key: bytes) -> bytes:
    """Return a valid framed raw.quote: in raw.trade it is another schema's bytes."""
    one = Decimal(1)
    payload = {
        "source_system": VENUE,
        "symbol": key.decode().rpartition(":")[2],
        **dict.fromkeys(("bid_price", "bid_size", "ask_size"), one),
        "ask_price": Decimal(2),
        "sequence": 1,
        "event_time_ns": at_ms * 1_000_000,
        "extra": {},
    }
    return avro(schema, schema_id, _envelope(event_id, at_ms, key, payload))


def decimal(unscaled: int) -> Decimal:
    """Return the decimal an integer column stands for."""
    return Decimal(unscaled) / SCALE


def _undecodable(rng: np.random.Generator, schema: dict[str, Any]) -> bytes:
    """Draw random bytes until they are no trade by accident (which would be a valid record)."""
    while True:
        body = rng.bytes(90)
        try:
            fastavro.schemaless_reader(io.BytesIO(body), schema, None)
        except Exception:  # fastavro raises whatever the garbage leads to
            return body


def _envelope(
    event_id: str, at_ms: int, key: bytes, payload: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "event_time": _instant(at_ms),
        "ingest_time": _instant(at_ms),
        "source": "heartbeat" if payload is None else SOURCE.decode(),
        "schema_version": 1,
        "entity_id": key.decode(),
        "payload": payload,
    }


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _length(count: int) -> bytes:
    """Return the Avro length of a string below 64 bytes: one zigzag byte."""
    if not 0 <= count < 64:
        raise ValueError(f"expected a string below 64 bytes, found {count}")
    return bytes([count * 2])


def _characters(texts: NDArray[np.bytes_]) -> Matrix:
    """View fixed-width strings as a matrix of bytes."""
    return np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), texts.dtype.itemsize)


def _varint(values: Ints, width: int) -> Matrix:
    """Encode non-negative longs that all take exactly `width` zigzag varint bytes."""
    zigzag = values.astype(np.uint64) << np.uint64(1)
    if len(zigzag) and not (
        int(zigzag.min()) >> (7 * (width - 1)) > 0 and int(zigzag.max()) >> (7 * width) == 0
    ):
        raise ValueError(f"expected longs of {width} varint bytes, found others")
    out = np.empty((len(values), width), np.uint8)
    for at in range(width):
        out[:, at] = (zigzag >> np.uint64(7 * at)) & np.uint64(0x7F)
    out[:, : width - 1] |= 0x80
    return out


def _big_endian(values: Ints, width: int) -> Matrix:
    """Encode positive unscaled decimals as `width` bytes of two's complement."""
    if len(values) and (values.min() < 0 or values.max() >= 1 << (8 * width - 1)):
        raise ValueError(f"expected decimals of at most {width} bytes, found others")
    return values.astype(">i8").view(np.uint8).reshape(len(values), 8)[:, 8 - width :]
