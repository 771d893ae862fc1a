"""What the reference job takes in and gives out, as typed records.

A record is one row of a raw topic, flat: the envelope's columns beside the payload's. Instants are
UTC milliseconds, dates are local to the exchange, intervals half open.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

FOR_EVER = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp() * 1000)  # end of an open interval
SOURCE = "reference"  # of everything the reference job writes
_DIGEST_BYTES = 9
_ENCODE = msgspec.json.Encoder().encode


class _Row(msgspec.Struct, frozen=True, kw_only=True, tag_field="topic", omit_defaults=True):
    """Envelope and coordinates, as every raw record has them."""

    partition: int
    offset: int
    event_id: str
    event_time: int = 0  # when it was known; 0 in a batch that says so itself
    raw_key: str
    venue: str | None = None
    symbol: str | None = None
    isin: str | None = None
    version: int | None = None
    status: str | None = None
    kind: str | None = None
    valid_from_ms: str | None = None  # of `extra`: the exact instant, where a date does not say it

    @property
    def topic(self) -> str:
        """Return the topic it lay in."""
        return str(self.__struct_config__.tag)

    def digest(self) -> str:
        """Return a hash of what the record says; where it lay and when it came do not count.

        Fields without a value do not count either, so that later versions may have more of them.
        """
        said = msgspec.structs.replace(self, partition=0, offset=0, event_id="", event_time=0)
        return hashlib.blake2b(_ENCODE(said), digest_size=_DIGEST_BYTES).hexdigest()


class RawSecurity(_Row, frozen=True, kw_only=True, tag="raw.security"):
    """A fact about a listing as the source reported it: schemas/raw/security.avsc."""

    security_class: str | None = None
    previous_symbol: str | None = None
    valid_from: date | None = None
    fact_id: str | None = None
    series: str | None = None
    issuer: str | None = None
    first_trade_date: date | None = None
    successor_symbol: str | None = None
    underlying_symbol: str | None = None
    expiry: date | None = None
    strike: Decimal | None = None
    option_type: str | None = None
    lot_size: Decimal | None = None

    @property
    def name(self) -> str:
        """Return the id under which corrections find the fact again."""
        return self.fact_id or f"{self.raw_key}|{self.kind}|{self.valid_from}"


class RawAction(_Row, frozen=True, kw_only=True, tag="raw.corporate_action"):
    """A corporate action as the source reported it: schemas/raw/corporate_action.avsc."""

    action_id: str | None = None
    ex_date: date | None = None
    announce_date: date | None = None
    record_date: date | None = None
    pay_date: date | None = None
    ratio_numerator: int | None = None
    ratio_denominator: int | None = None
    cash_amount: Decimal | None = None
    currency: str | None = None
    subscription_price: Decimal | None = None
    distributed_value: Decimal | None = None
    method: str | None = None
    reference_price: Decimal | None = None
    purpose: str | None = None

    @property
    def name(self) -> str:
        """Return the id under which later versions find the action again."""
        return self.action_id or f"{self.raw_key}|{self.kind}|{self.ex_date}"


class Close(msgspec.Struct, frozen=True, kw_only=True, tag_field="topic", tag="normalized.bar"):
    """The raw close of a session day of a listing, from its daily bars."""

    listing_id: str
    venue: str
    trade_date: date
    close: Decimal
    event_time: int | None = None  # when it was known; None: together with the record before it


Record = RawSecurity | RawAction | Close

_DECODE: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def decode(text: str | bytes) -> Record:
    """Return the record of a JSON object; decimals and dates are strings in it.

    Raises `UnreadableError` with the record's name and place for a value that no type here can
    hold, such as a date of the year 29349, which Avro and Flink can.
    """
    try:
        found: Record = _DECODE.decode(text)
    except msgspec.ValidationError as error:
        said = msgspec.json.decode(text)
        columns = ("partition", "offset", "event_id", "raw_key")
        bare = record(said["topic"], **{name: said[name] for name in columns})
        raise UnreadableError(bare, str(error)) from error
    return found


def record(topic: str, **columns: Any) -> Record:
    """Return a record of `topic` from plain Python values, as a test or a loader has them."""
    kinds = {"raw.security": RawSecurity, "raw.corporate_action": RawAction}
    found: Record = kinds.get(topic, Close)(**columns)
    return found


class Output(msgspec.Struct, frozen=True, gc=False):
    """One row for `topic`: its key (entity_id), its event time and its payload."""

    topic: str
    key: str
    event_id: str
    event_time: int
    payload: dict[str, Any]


class RefusedError(Exception):
    """Say that a record is not applied, with a reason code and what was found."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class UnreadableError(RefusedError):
    """Say that a record has a value nothing can be computed with; `bare` is it without values."""

    def __init__(self, bare: Record, detail: str) -> None:
        super().__init__("FIELD_OUT_OF_RANGE", detail)
        self.bare = bare
