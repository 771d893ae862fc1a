"""Text to DECIMAL(18,8): exactly or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.ingestion.decimals import UNIT, exact_decimal, take


@pytest.mark.parametrize(
    "text", ["NaN", "-", "", "Infinity", "1e30", "10000000000", "0.123456789", "twelve"]
)
def test_price_that_does_not_fit_is_kept_as_text(text: str) -> None:
    extra: dict[str, str] = {}
    assert take(extra, "price", text) is None
    assert extra == {"price": text}


@pytest.mark.parametrize("text", ["0", "-12.50", "9999999999.99999999", "1.38676", "1E+3", " 7 "])
def test_price_that_fits_is_typed_and_not_repeated(text: str) -> None:
    extra: dict[str, str] = {}
    assert take(extra, "price", text) == Decimal(text.strip())
    assert extra == {}


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_every_unit_of_the_column_round_trips(units: int) -> None:
    value = exact_decimal(str(Decimal(units).scaleb(-8)))
    assert value is not None
    assert int(value * UNIT) == units
