"""Option contracts follow what goes ex of their underlying."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from asknown.reference import calendars
from asknown.reference.engine import replay
from asknown.reference.records import Record, record

LISTED, EX = date(2024, 1, 2), date(2024, 6, 3)
PUT = "NSE:OPT:ABC24JUL1000PE"


def start(day: date) -> int:
    return calendars.day_start("XNSE", day)


def said(number: int, topic: str, key: str, day: date, **columns: Any) -> Record:
    place = {"partition": 0, "offset": number, "event_id": f"e{number}"}
    return record(topic, raw_key=key, venue="XNSE", event_time=start(day), **place, **columns)


def market(**dividend: Any) -> list[Record]:
    contract = {"underlying_symbol": "ABC", "strike": Decimal(1000), "lot_size": Decimal(50)}
    stock = {"symbol": "ABC", "kind": "LIST", "valid_from": LISTED}
    put = {"symbol": "ABC24JUL1000PE", "kind": "LIST", "valid_from": LISTED, **contract}
    paid = {"kind": "SPECIAL_DIVIDEND", "ex_date": EX, "reference_price": Decimal(1000)}
    return [
        said(1, "raw.security", "NSE:EQ:ABC", LISTED, **stock),
        said(2, "raw.security", PUT, LISTED, security_class="OPT", **put),
        said(3, "raw.corporate_action", "NSE:EQ:ABC", LISTED, **paid, **dividend),
    ]


@pytest.mark.parametrize(("amount", "strike"), [("19.95", 1000), ("20", 980), ("45.5", "954.5")])
def test_strike_falls_by_an_extraordinary_dividend_and_by_no_other(
    amount: str, strike: int | str
) -> None:
    rows = [
        output.payload
        for output in replay(market(cash_amount=Decimal(amount)))
        if output.topic == "reference.entity_history" and output.payload["raw_key"] == PUT
    ]
    last = max(rows, key=lambda row: (row["known_to"], row["valid_from"]))
    assert (last["strike"], last["lot_size"]) == (Decimal(strike), Decimal(50))
    assert last["valid_from"] == (start(EX) if Decimal(strike) < 1000 else start(LISTED))
