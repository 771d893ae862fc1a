"""One event that two feeds tell under ids of their own counts once."""

from __future__ import annotations

from datetime import date
from typing import Any

from asknown.reference import calendars
from asknown.reference.engine import replay
from asknown.reference.records import FOR_EVER, Output, Record, record

KEY, LISTED, KNOWN, EX = "NSE:EQ:ABC", date(2024, 1, 2), date(2024, 5, 2), date(2024, 6, 3)


def listing() -> Record:
    return said(1, "raw.security", LISTED, symbol="ABC", kind="LIST", valid_from=LISTED)


def bonus(number: int, name: str, known: date = KNOWN, **more: Any) -> Record:
    terms = {"kind": "BONUS", "ex_date": EX, "ratio_numerator": 2, "ratio_denominator": 1}
    return said(number, "raw.corporate_action", known, action_id=name, **terms, **more)


def said(number: int, topic: str, day: date, **columns: Any) -> Record:
    known = calendars.day_start("XNSE", day)
    place = {"partition": 0, "offset": number, "event_id": f"e{number}"}
    return record(topic, raw_key=KEY, venue="XNSE", event_time=known, **place, **columns)


def factor(outputs: list[Output]) -> float:
    rows = [o.payload for o in outputs if o.topic == "reference.entity_history"]
    last = {(row["valid_from"], row["known_from"]): row for row in rows}
    believed = [row for row in last.values() if row["known_to"] == FOR_EVER]
    return float(max(believed, key=lambda row: row["valid_from"])["price_factor"])


def test_second_id_for_the_same_terms_and_day_is_a_conflict_that_names_both() -> None:
    outputs = replay([listing(), bonus(2, "csv"), bonus(3, "api")])
    (refused,) = [o.payload for o in outputs if o.topic == "quarantine.event"]
    assert refused["reason"] == "CONFLICT"
    assert "api" in refused["detail"]
    assert "csv" in refused["detail"]
    assert factor(outputs) == 1 / 3


def test_second_id_takes_over_where_the_first_was_cancelled() -> None:
    first = [bonus(2, "csv"), bonus(3, "csv", version=2, status="CANCELLED")]
    outputs = replay([listing(), *first, bonus(4, "api", EX)])
    assert [o for o in outputs if o.topic == "quarantine.event"] == []
    assert factor(outputs) == 1 / 3
