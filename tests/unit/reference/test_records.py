"""What comes over from Flink as JSON: typed records, or the name of what cannot be one."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from asknown.reference.records import RawAction, RawSecurity, UnreadableError, decode

PLACE = {"partition": 0, "offset": 7, "event_id": "e7", "raw_key": "NSE:EQ:ABC"}


def text(topic: str, **columns: Any) -> str:
    return json.dumps({"topic": topic, **PLACE, **columns})


def test_record_has_dates_and_exact_decimals() -> None:
    found = decode(text("raw.corporate_action", ex_date="2024-06-03", cash_amount="0.10000000"))
    assert isinstance(found, RawAction)
    assert (found.ex_date, found.cash_amount) == (date(2024, 6, 3), Decimal("0.1"))


@pytest.mark.parametrize(
    ("topic", "columns"),
    [
        ("raw.security", {"valid_from": "29349-01-26"}),
        ("raw.security", {"expiry": "-0044-03-15"}),
        ("raw.corporate_action", {"ex_date": "5881580-07-11"}),
    ],
)
def test_record_with_a_date_of_no_calendar_names_itself(
    topic: str, columns: dict[str, str]
) -> None:
    with pytest.raises(UnreadableError) as refused:
        decode(text(topic, **columns))
    bare = refused.value.bare
    assert isinstance(bare, RawSecurity | RawAction)
    assert (bare.topic, bare.offset, bare.event_id, bare.raw_key) == (topic, 7, "e7", "NSE:EQ:ABC")
    assert refused.value.reason == "FIELD_OUT_OF_RANGE"
