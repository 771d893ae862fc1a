"""Whatever a source sends: a record ends in exactly one lane, and the engine goes on."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.reference.engine import Engine, replay
from asknown.reference.records import Close, Output, RawAction, RawSecurity, Record, decode
from asknown.reference.state import TABLES, MemoryStore, Venue
from tests.reference_cases import merged
from tests.reference_cases.vocabulary import NSE

DATES = st.sampled_from(
    (None, date(2020, 3, 2), date(2020, 3, 3), date(1, 1, 1), date(9999, 12, 31), date(2200, 1, 1))
)
NUMBERS = st.sampled_from(
    [None, *(Decimal(text) for text in ("0", "-1", "1", "99", "100", "1e-8", "1e9", "Infinity"))]
)
WHOLE = st.sampled_from((None, -1, 0, 1, 2, 10**9, 2**62))
WORDS = st.sampled_from((None, "", "AA", "BB", "NSE:EQ:AA", "\x00", "é" * 3))
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "partition": st.integers(0, 1),
    "offset": st.integers(0, 9),
    "event_id": st.sampled_from(("e1", "e2", "e3")),
    "event_time": st.sampled_from((NSE.at("2020-03-01"), NSE.at("2020-03-04"))),
    "raw_key": st.sampled_from(("NSE:EQ:AA", "NSE:EQ:BB", "AA", "")),
    "venue": st.sampled_from((None, "XNSE", "XNSE", "XNSE", "XBOM", "")),
    "symbol": WORDS,
    "isin": st.sampled_from((None, "", "INE200A01026", "INE200A01027", "x")),
    "version": st.sampled_from((None, -1, 1, 2)),
    "status": st.sampled_from((None, "CONFIRMED", "CANCELLED", "NEEDS_TERMS", "?")),
    "valid_from_ms": st.sampled_from((None, None, "1583000000000", "soon", "-1", "9" * 30)),
}
SECURITY = st.builds(
    RawSecurity,
    **COMMON,
    kind=st.sampled_from((None, "", "LIST", "LIST", "RENAME", "DELIST", "MERGE", "TERMS_CHANGE")),
    previous_symbol=WORDS,
    valid_from=DATES,
    fact_id=st.sampled_from((None, "f")),
    first_trade_date=DATES,
    successor_symbol=WORDS,
    underlying_symbol=WORDS,
    strike=NUMBERS,
    lot_size=NUMBERS,
)
ACTION = st.builds(
    RawAction,
    **COMMON,
    kind=st.sampled_from(
        (None, "SPLIT", "BONUS", "CASH_DIVIDEND", "RIGHTS", "DEMERGER", "CAPITAL_REDUCTION", "?")
    ),
    action_id=st.sampled_from((None, "a")),
    ex_date=DATES,
    ratio_numerator=WHOLE,
    ratio_denominator=WHOLE,
    cash_amount=NUMBERS,
    subscription_price=NUMBERS,
    distributed_value=NUMBERS,
    method=st.sampled_from((None, "EX_CLOSE", "PREV_CLOSE", "?")),
    reference_price=NUMBERS,
)


def applied(records: list[Record]) -> Counter[str]:
    """Apply records, venue by venue; return how many records ended in which topic."""
    found: Counter[str] = Counter()
    for venue in {raw.venue or "" for raw in records}:
        store = MemoryStore()
        store.put("venue", venue, Venue(sessions=True))
        engine = Engine(store)
        mine = [raw for raw in records if (raw.venue or "") == venue]
        due = {raw.event_time or 0 for raw in mine}
        while due:
            at = min(due)
            due.remove(at)
            step = engine.apply(venue, [raw for raw in mine if raw.event_time == at], at)
            due |= step.wake
            found.update(output.topic for output in step.outputs)
    return found


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(SECURITY, SECURITY, ACTION), max_size=8))
def test_any_record_ends_in_exactly_one_lane(records: list[Record]) -> None:
    found = applied([NSE.listed("AA", on="2020-01-01", lot_size=Decimal(1)), *records])
    lanes = ("normalized.security", "normalized.corporate_action", "quarantine.event")
    assert sum(found[topic] for topic in (*lanes, "duplicate.event")) == len(records) + 1


class EncodedStore:
    """A store as Flink's state is one: what is not put back is not kept, and all is bytes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bytes] = {}

    def get(self, table: str, name: str) -> Any:
        kept = self._kept.get((table, name))
        return None if kept is None else msgspec.json.decode(kept, type=TABLES[table])

    def put(self, table: str, name: str, entry: msgspec.Struct) -> None:
        self._kept[table, name] = msgspec.json.encode(entry)


def test_engine_says_the_same_over_a_store_of_bytes() -> None:
    records = [raw for raw in merged() if raw.venue == "XNSE"]
    batches: dict[int, list[Record]] = {}
    for raw in records:
        assert raw.event_time is not None
        batches.setdefault(raw.event_time, []).append(raw)
    engine, said = Engine(EncodedStore()), list[Output]()
    while batches:
        at = min(batches)
        step = engine.apply("XNSE", batches.pop(at), at)
        said += step.outputs
        for when in step.wake:
            batches.setdefault(when, [])
    assert said == replay(records)


def test_records_are_the_same_after_they_were_text() -> None:
    for raw in merged():
        assert decode(msgspec.json.encode(raw)) == raw
        assert isinstance(raw, Close) or decode(msgspec.json.encode(raw)).topic == raw.topic
