"""Reason codes: why a record was set aside, or what is odd about it. A code is never renamed."""

from __future__ import annotations

from enum import StrEnum

_REPLAY = "Mend it at the source and send it again: as a new record, it is no copy of this one."
_DECODE = (
    "Look at the bytes (asknown quarantine show): who wrote them, and with which schema? Readers "
    "go on; the record cannot be brought back before its bytes can be read."
)
_REFERENCE = (
    "Load what was missing (asknown reference load), then bring the records back: "
    "asknown quarantine replay --reason {code}."
)
_FACT = (
    "The fact has changed nothing. Correct it at its source and load it as a new version: "
    "asknown reference load."
)


class Reason(StrEnum):
    """One reason code; `help` says in a sentence what it means, `next` what to do."""

    help: str
    next: str

    def __new__(cls, code: str, text: str = "", then: str = "") -> Reason:
        """Make a member whose value is the code alone."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.help = text
        member.next = then.replace("{code}", code)
        return member

    DECODE_NULL_VALUE = (
        "DECODE_NULL_VALUE",
        "The Kafka record has no value.",
        "Find who writes tombstones into a topic that is not compacted; there is nothing to bring "
        "back.",
    )
    DECODE_BAD_MAGIC = (
        "DECODE_BAD_MAGIC",
        "The value does not start with the framing byte 0.",
        _DECODE,
    )
    DECODE_UNKNOWN_SCHEMA = (
        "DECODE_UNKNOWN_SCHEMA",
        "The schema registry does not know the schema id in the value, or the schema does not fit "
        "the topic.",
        "Register the producer's schema (asknown schema check, then register). " + _DECODE,
    )
    DECODE_TRUNCATED = (
        "DECODE_TRUNCATED",
        "The bytes end too early, or are no record of the schema they name.",
        _DECODE,
    )
    ENVELOPE_INCOMPLETE = (
        "ENVELOPE_INCOMPLETE",
        "An envelope field is missing or empty, or a time was never set.",
        _REPLAY,
    )
    FIELD_MISSING = (
        "FIELD_MISSING",
        "A field that the dataset requires is missing or empty.",
        "A price that was no number is in `extra` of the raw record. " + _REPLAY,
    )
    PRICE_OUT_OF_RANGE = (
        "PRICE_OUT_OF_RANGE",
        "A price is not above 0 or not below 1,000,000,000.",
        _REPLAY,
    )
    SIZE_OUT_OF_RANGE = "SIZE_OUT_OF_RANGE", "A size or a volume is negative.", _REPLAY
    CROSSED_QUOTE = (
        "CROSSED_QUOTE",
        "The bid is above the ask.",
        "One of them is old or they are the wrong way round: see whether the source sends the two "
        "sides apart. " + _REPLAY,
    )
    BAR_INCONSISTENT = (
        "BAR_INCONSISTENT",
        "The high is not the highest, the low not the lowest, or the interval is not positive.",
        _REPLAY,
    )
    TIME_IN_FUTURE = (
        "TIME_IN_FUTURE",
        "The event time is further ahead of ingestion, or of the broker, than allowed; or it lies "
        "in the year 2200 or after.",
        "Compare the clock of the source with the broker's. The record moved no time of ours. "
        + _REPLAY,
    )
    PATTERN_MISMATCH = (
        "PATTERN_MISMATCH",
        "A text is not of the form its field has.",
        "See whether the source changed its names, or broke their encoding. " + _REPLAY,
    )
    UNKNOWN_SYMBOL = (
        "UNKNOWN_SYMBOL",
        "No reference data names this key; its events are replayed when a mapping arrives.",
        _REFERENCE,
    )
    NOT_LISTED = (
        "NOT_LISTED",
        "At the event's time the key did not name a listing yet.",
        "If it did, the reference data are wrong about the day. " + _REFERENCE,
    )
    AFTER_DELISTING = (
        "AFTER_DELISTING",
        "At the event's time the listing had ended.",
        "If it had not, the reference data are wrong about the day. " + _REFERENCE,
    )
    MARKET_CLOSED = (
        "MARKET_CLOSED",
        "The venue's calendar has no session on the event's day.",
        "Compare the day with the exchange's notices; a special session belongs into the "
        "calendar's file of exceptions. Then: asknown quarantine replay --reason {code}.",
    )
    LATE_BEYOND_WATERMARK = (
        "LATE_BEYOND_WATERMARK",
        "The record came after its watermark had passed; a backfill heals it.",
        "asknown heal puts it into its place and revises the bars it belongs to.",
    )
    LOST = (
        "LOST",
        "Bronze has the record and no stage had an answer for it: Kafka forgot it before it was "
        "read, or a defect dropped it.",
        "asknown recover lost put it there; asknown heal puts it into its place.",
    )
    DUPLICATE = (
        "DUPLICATE",
        "A record with the same event_id had already been taken.",
        "Nothing: the first delivery counts. Many of them tell of a source that sends again.",
    )
    FIELD_OUT_OF_RANGE = (
        "FIELD_OUT_OF_RANGE",
        "A field holds a value nothing can be computed with, such as a time after the year 9999.",
        _REPLAY,
    )
    UNKNOWN_KIND = (
        "UNKNOWN_KIND",
        "The kind, status or method of a reference record is none of ours.",
        _FACT,
    )
    ISIN_CHECKSUM = "ISIN_CHECKSUM", "The check digit of the ISIN is wrong.", _FACT
    SELF_MAP = "SELF_MAP", "A renaming names the same symbol before and after.", _FACT
    OVERLAPPING_INTERVAL = (
        "OVERLAPPING_INTERVAL",
        "Two facts say different things of one listing from the same day on; both are named.",
        _FACT,
    )
    CONFLICT = (
        "CONFLICT",
        "One key would name two listings at one time, or key and ISIN name different ones.",
        _FACT,
    )
    STALE_VERSION = (
        "STALE_VERSION",
        "A later version of the fact or action is known already.",
        "Nothing, if the source sent its versions out of order; else load a newer version.",
    )
    FACTOR_NONPOSITIVE = (
        "FACTOR_NONPOSITIVE",
        "The terms give a factor that is not finite and above 0.",
        _FACT,
    )
    VALUE_NOT_ALLOWED = (
        "VALUE_NOT_ALLOWED",
        "A field holds none of the values that are known for it.",
        "Is the value right? Then add it to the rule; else ask the source.",
    )
    OFF_TICK = (
        "OFF_TICK",
        "The price is no multiple of the tick its venue trades in.",
        "Look for prices that went through a float, for another venue's prices, or for a tick "
        "size that has changed: schemas/quality/ticks.yaml.",
    )
    STALE_SOURCE = (
        "STALE_SOURCE",
        "The record was ingested minutes after it happened.",
        "See whether the source or the connector is behind: asknown freshness.",
    )
    OUT_OF_ORDER = (
        "OUT_OF_ORDER",
        "The record before this one of its key, by event time, came after it.",
        "Some disorder is how feeds are. When the share grows: asknown quality, and "
        "out_of_orderness_ms in schemas/topics.yaml, beyond which a record is late.",
    )
    UNEXPLAINED_GAP = (
        "UNEXPLAINED_GAP",
        "The price is far from the previous one of its key and no corporate action says why.",
        "asknown actions of the listing: is a split or a demerger missing, or its day wrong? Load "
        "it; what was sent before is restated. Else it may be news.",
    )
