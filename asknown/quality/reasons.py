"""Reason codes: why a record did not become a normalized one. A code is never renamed."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """One reason code; `help` says in a sentence what it means."""

    help: str

    def __new__(cls, code: str, text: str = "") -> Reason:
        """Make a member whose value is the code alone."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.help = text
        return member

    DECODE_NULL_VALUE = "DECODE_NULL_VALUE", "The Kafka record has no value."
    DECODE_BAD_MAGIC = "DECODE_BAD_MAGIC", "The value does not start with the framing byte 0."
    DECODE_UNKNOWN_SCHEMA = (
        "DECODE_UNKNOWN_SCHEMA",
        "The schema registry does not know the schema id in the value.",
    )
    DECODE_TRUNCATED = (
        "DECODE_TRUNCATED",
        "The bytes end too early, or are no record of the schema they name.",
    )
    ENVELOPE_INCOMPLETE = (
        "ENVELOPE_INCOMPLETE",
        "An envelope field is missing or empty, or the event time was never set.",
    )
    FIELD_MISSING = "FIELD_MISSING", "A field that the dataset requires is missing or empty."
    PRICE_OUT_OF_RANGE = "PRICE_OUT_OF_RANGE", "A price is not above 0 or not below 1,000,000,000."
    SIZE_OUT_OF_RANGE = "SIZE_OUT_OF_RANGE", "A size or a volume is negative."
    CROSSED_QUOTE = "CROSSED_QUOTE", "The bid is above the ask."
    BAR_INCONSISTENT = (
        "BAR_INCONSISTENT",
        "The high is not the highest, the low not the lowest, or the interval is not positive.",
    )
    TIME_IN_FUTURE = "TIME_IN_FUTURE", "The event time is further ahead of ingestion than allowed."
    UNKNOWN_SYMBOL = (
        "UNKNOWN_SYMBOL",
        "No reference data names this key; its events are replayed when a mapping arrives.",
    )
    NOT_LISTED = "NOT_LISTED", "At the event's time the key did not name a listing yet."
    AFTER_DELISTING = "AFTER_DELISTING", "At the event's time the listing had ended."
    MARKET_CLOSED = "MARKET_CLOSED", "The venue's calendar has no session on the event's day."
    LATE_BEYOND_WATERMARK = (
        "LATE_BEYOND_WATERMARK",
        "The record came after its watermark had passed; a backfill heals it.",
    )
    DUPLICATE = "DUPLICATE", "A record with the same event_id had already been taken."
