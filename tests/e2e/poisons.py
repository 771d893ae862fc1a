"""Records that look sound and are not, and bytes of producers that ignore the rules.

Each says in which lanes it may end and why. What a reader of the contract can read is judged by a
rule; what it cannot is undecodable; nothing of it may stop a job or move its clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro

from asknown.contracts.catalog import contract
from asknown.contracts.registry import HEADER, MAGIC, RegistryClient
from asknown.ingestion.decimals import take

TOPIC = "raw.trade"
NORMALIZED = "NORMALIZED"
ROGUE = "rogue-value"  # a subject of a producer's own
TEN_MEGABYTES = 10_000_000
DAY_MS = 86_400_000
LEAST, MOST = -(2**63), 2**63 - 1
YEAR_2262 = 9_223_372_036_854  # the last one that nanoseconds in 64 bits can say
YEAR_2199 = 7_250_000_000_000
NOT_UTF8 = b"\xff\xfe\xc0"
THREE_ZEROS = b"\x06\0\0\0"  # as Avro writes a text of them
Record = dict[str, Any]
Sound = Callable[..., Record]


@dataclass(frozen=True)
class Evil:
    """A record to send, and the reasons that are right; NORMALIZED where it is harmless."""

    name: str
    value: bytes | None
    reasons: frozenset[str]
    keyless: bool = False


def _schema(change: Callable[[Mapping[str, Record]], None]) -> Record:
    """Return the contract's schema after a change to the fields of its payload."""
    avro = deepcopy(contract(TOPIC).avro)
    payload = next(one for one in avro["fields"] if one["name"] == "payload")["type"][1]
    change({one["name"]: one for one in payload["fields"]})
    return avro


def _bare(fields: Mapping[str, Record]) -> None:
    """Make bytes of the decimals, to write any; the bytes on the wire are the same."""
    for name in ("price", "size"):
        fields[name]["type"] = ["null", "bytes"]


def _doubles(fields: Mapping[str, Record]) -> None:
    fields["price"]["type"] = ["null", "double"]


def _scaled(fields: Mapping[str, Record]) -> None:
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}
    fields["price"]["type"] = ["null", decimal]


def _nested(fields: Mapping[str, Record]) -> None:
    """Let a record hold itself, for ever."""
    inner = {"name": "inner", "type": ["null", "asknown.raw.Deep"], "default": None}
    deep = {"type": "record", "name": "Deep", "namespace": "asknown.raw", "fields": [inner]}
    fields["extra"] |= {"type": ["null", deep], "default": None}


def _without_time() -> Record:
    avro = deepcopy(contract(TOPIC).avro)
    avro["fields"] = [one for one in avro["fields"] if one["name"] != "event_time"]
    return avro


def written(avro: Record, schema_id: int, record: Record) -> bytes:
    """Return framed bytes of a record."""
    body = BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(avro), record)
    return HEADER.pack(MAGIC, schema_id) + body.getvalue()


def nested(depth: int) -> Record | None:
    """Return a record in a record, so many times."""
    found: Record | None = None
    for _ in range(depth):
        found = {"inner": found}
    return found


def incompatible() -> dict[str, Record]:
    """Return schemas that the topic's subject must refuse, by name."""
    return {
        "doubles": _schema(_doubles),
        "another scale": _schema(_scaled),
        "endless": _schema(_nested),
    }


def evils(registry: RegistryClient, sound: Sound) -> Iterator[Evil]:
    """Yield one record of each kind; `sound(**payload)` makes a sound one of its own."""
    own = registry.register(contract(TOPIC).topic.subject, contract(TOPIC).avro)
    bare = _schema(_bare)

    def evil(name: str, record: Record, *reasons: str) -> Evil:
        return Evil(name, written(contract(TOPIC).avro, own, record), frozenset(reasons))

    def text(name: str, said: str) -> Evil:
        extra: dict[str, str] = {}
        price = take(extra, "price", said)
        return evil(name, sound(price=price, extra=extra), "FIELD_MISSING")

    def decimal(name: str, column: str, value: bytes, *reasons: str) -> Evil:
        numbers = {"price": b"\x02\x54\x0b\xe4\x00", "size": b"\x05\xf5\xe1\x00", column: value}
        return Evil(name, written(bare, own, sound(**numbers)), frozenset(reasons))

    yield from (text(f"price {said}", said) for said in ("NaN", "Inf", "-Infinity", "1e308"))
    yield decimal("a price of no bytes", "price", b"", "DECODE_TRUNCATED")
    yield decimal("a price of 200 bytes", "price", b"\x7f" * 200, "DECODE_TRUNCATED")
    nineteen = (b"\x7f" + b"\xff" * 7, "DECODE_TRUNCATED")
    yield decimal("a price of 19 digits", "price", *nineteen, "PRICE_OUT_OF_RANGE")
    yield decimal("a size of 19 digits", "size", *nineteen, "SIZE_OUT_OF_RANGE")
    yield evil("price -1", sound(price=Decimal(-1)), "PRICE_OUT_OF_RANGE")
    yield evil("price 0", sound(price=Decimal(0)), "PRICE_OUT_OF_RANGE")
    yield evil("size -1", sound(size=Decimal(-1)), "SIZE_OUT_OF_RANGE")
    yield from _strings(evil, sound)
    yield from _times(evil, sound)
    yield from _rogues(registry, sound)
    value = written(contract(TOPIC).avro, own, sound())
    yield Evil("no Kafka key", value, frozenset({NORMALIZED}), keyless=True)
    yield Evil("no value", None, frozenset({"DECODE_NULL_VALUE"}))
    beat = sound() | {"source": "heartbeat"}
    yield evil("a trade that says it is a heartbeat", beat, "ENVELOPE_INCOMPLETE")


def _strings(evil: Callable[..., Evil], sound: Sound) -> Iterator[Evil]:
    long = "A" * TEN_MEGABYTES
    yield evil("a symbol of 10 MB", sound(symbol=long), "PATTERN_MISMATCH")
    yield evil("10 MB of extra", sound(extra={"note": long}), NORMALIZED)
    yield evil("10 MB of key", sound() | {"entity_id": long}, "UNKNOWN_SYMBOL", "PATTERN_MISMATCH")
    yield evil("deep nesting", sound(extra={"deep": "[" * 1_000_000}), NORMALIZED)
    yield evil("no symbol", sound(symbol=None), "FIELD_MISSING")
    for name, record in (
        ("symbol", sound(symbol="\0\0\0")),
        ("extra", sound(extra={"a": "\0\0\0"})),
        ("key", sound() | {"entity_id": "\0\0\0"}),
    ):
        made = evil(f"no UTF-8 in {name}", record, "DECODE_TRUNCATED")
        assert made.value is not None
        assert made.value.count(THREE_ZEROS) == 1
        yield replace(made, value=made.value.replace(THREE_ZEROS, THREE_ZEROS[:1] + NOT_UTF8))


def _times(evil: Callable[..., Evil], sound: Sound) -> Iterator[Evil]:
    now = sound()["event_time"]
    unset, future, absurd = "ENVELOPE_INCOMPLETE", "TIME_IN_FUTURE", "FIELD_OUT_OF_RANGE"
    for name, event, ingest, reasons in (
        ("1970", 0, now, {unset}),
        ("before 1970", -1, now, {unset}),
        ("the least time", LEAST, now, {unset, absurd}),
        ("a second after the least time", LEAST + 1_000, now, {unset, absurd}),
        ("both the least time", LEAST, LEAST, {unset, absurd}),
        ("+1 day", now + DAY_MS, now, {future}),
        ("2262", YEAR_2262, now, {future}),
        ("the most", MOST, now, {future, absurd}),
        ("2199, both", YEAR_2199, YEAR_2199, {future}),
        ("2262, both", YEAR_2262, YEAR_2262, {future}),
        ("the most, both", MOST, MOST, {future, absurd}),
        ("minutes below the most, both", MOST - 400_000, MOST, {future, absurd}),
    ):
        record = sound() | {"event_time": event, "ingest_time": ingest}
        yield evil(f"event time: {name}", record, *reasons)
    yield evil("2262 in nanoseconds", sound(event_time_ns=MOST), NORMALIZED)
    never = sound() | {"ingest_time": LEAST}
    yield evil("the least ingest time", never, unset, future, absurd)


def _rogues(registry: RegistryClient, sound: Sound) -> Iterator[Evil]:
    registry.set_compatibility(ROGUE, "NONE")
    schemas = incompatible() | {"no event time": _without_time()}
    rogue = {name: (avro, registry.register(ROGUE, avro)) for name, avro in schemas.items()}

    def evil(name: str, kind: str, record: Record, *reasons: str) -> Evil:
        return Evil(name, written(*rogue[kind], record), frozenset(reasons))

    for said in (float("nan"), float("inf"), 1e308, 1.5):
        yield evil(f"a double {said}", "doubles", sound(price=said), "DECODE_TRUNCATED")
    yield evil("cents", "another scale", sound(price=Decimal("1.25")), "DECODE_TRUNCATED")
    yield evil("no event time", "no event time", sound(), "ENVELOPE_INCOMPLETE", "DECODE_TRUNCATED")
    for depth in (0, 1, 400):
        record = sound(extra=nested(depth))
        yield evil(f"{depth} records deep", "endless", record, "DECODE_TRUNCATED", NORMALIZED)
