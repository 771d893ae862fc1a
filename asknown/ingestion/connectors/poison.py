"""Eight kinds of bytes that are no trade, made from the bytes of one that is.

Each kind is made so that no decoder can mistake it for a normalized record: where a lenient
decoder could read on, what it reads is refused by a later check.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_HEADER = 5  # magic byte and schema id
_UNKNOWN_ID = 0x7FFFFF00
_ENDLESS = b"\xff" * 11  # a variable-length integer that never ends


@dataclass(frozen=True, slots=True)
class PoisonKind:
    """How to spoil a record, and the reason codes that then are right (`|` between them)."""

    name: str
    reason: str
    make: Callable[[Donor, random.Random], bytes | None]


@dataclass(frozen=True, slots=True)
class Donor:
    """Bytes to spoil: a framed trade, the raw key inside it, and a framed record of a quote."""

    trade: bytes
    raw_key: str
    quote: bytes


def _empty(donor: Donor, dice: random.Random) -> bytes | None:
    """Return Kafka's null or no bytes at all, by turns."""
    return None if dice.random() < 0.5 else b""


def _one_byte(donor: Donor, dice: random.Random) -> bytes:
    return b"\x00"


def _wrong_magic(donor: Donor, dice: random.Random) -> bytes:
    return bytes([dice.randrange(1, 256)]) + donor.trade[1:]


def _unknown_schema(donor: Donor, dice: random.Random) -> bytes:
    number = _UNKNOWN_ID + dice.randrange(200)
    return b"\x00" + struct.pack(">I", number) + donor.trade[_HEADER:]


def _truncated(donor: Donor, dice: random.Random) -> bytes:
    """Return the record without its end; it ends in the middle of the payload at the latest."""
    return donor.trade[: dice.randrange(_HEADER + 1, len(donor.trade) - 4)]


def _random_body(donor: Donor, dice: random.Random) -> bytes:
    return donor.trade[:_HEADER] + _ENDLESS + dice.randbytes(dice.randrange(8, 64))


def _bad_utf8(donor: Donor, dice: random.Random) -> bytes:
    """Return the record with bytes that are no UTF-8 in its key.

    A strict decoder refuses them; Java's replaces them, and then nobody knows the symbol.
    """
    key = donor.raw_key.encode()
    garbage = bytes(dice.choice(b"\xc0\xc1\xf5\xfe\xff") for _ in key)
    return donor.trade.replace(key, garbage, 1)


def _wrong_schema(donor: Donor, dice: random.Random) -> bytes:
    return donor.quote


KINDS: tuple[PoisonKind, ...] = (
    PoisonKind("empty", "DECODE_NULL_VALUE|DECODE_TRUNCATED", _empty),
    PoisonKind("one_byte", "DECODE_TRUNCATED", _one_byte),
    PoisonKind("wrong_magic", "DECODE_BAD_MAGIC", _wrong_magic),
    PoisonKind("unknown_schema", "DECODE_UNKNOWN_SCHEMA", _unknown_schema),
    PoisonKind("truncated", "DECODE_TRUNCATED", _truncated),
    PoisonKind("random_body", "DECODE_TRUNCATED", _random_body),
    PoisonKind("bad_utf8", "DECODE_TRUNCATED|UNKNOWN_SYMBOL|ENVELOPE_INCOMPLETE", _bad_utf8),
    PoisonKind("wrong_schema", "DECODE_TRUNCATED|FIELD_MISSING", _wrong_schema),
)


def reasons() -> Mapping[str, str]:
    """Return the right reason codes of each kind."""
    return {kind.name: kind.reason for kind in KINDS}
