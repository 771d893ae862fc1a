"""Strike and lot of an option contract from an ex-date on."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.errors import UsageError
from asknown.reference.factors import Factors
from asknown.reference.option_terms import TICK, adjusted, is_extraordinary


def shares(new: int, old: int) -> Factors:
    return Factors(Fraction(old, new), Fraction(old, new), Fraction(new, old))


@pytest.mark.parametrize(
    ("terms", "factors", "after"),
    [
        # NESTLEIND 2024-01-05, a split of ten; CASTROLIND 2017-12-21, a bonus of 1:1.
        (("25000", 40), shares(10, 1), ("2500", 400)),
        (("410", 1400), shares(2, 1), ("205", 2800)),
        (("5", 6000), shares(1, 10), ("50", 600)),
        (("100", 700), shares(10, 7), ("70", 1000)),
        (("100", 125), shares(3, 2), ("66.65", 188)),
    ],
)
def test_split_divides_the_strike_and_multiplies_the_lot(
    terms: tuple[str, int], factors: Factors, after: tuple[str, int]
) -> None:
    found = adjusted(Decimal(terms[0]), Decimal(terms[1]), factors)
    assert found == (Decimal(after[0]), Decimal(after[1]))


def test_ordinary_dividend_leaves_the_contract_alone() -> None:
    paid = Factors(price=Fraction(99, 100))
    assert adjusted(Decimal("100.01"), Decimal("12.5"), paid) == (
        Decimal("100.01"),
        Decimal("12.5"),
    )


def test_extraordinary_dividend_comes_off_the_strike() -> None:
    paid = Factors(price=Fraction(9, 10))
    assert adjusted(Decimal(100), Decimal(50), paid, Decimal(10)) == (Decimal(90), Decimal(50))


def test_extraordinary_dividend_on_the_day_of_a_split_is_on_the_cum_basis() -> None:
    found = adjusted(Decimal(100), Decimal(50), shares(2, 1), Decimal(10))
    assert found == (Decimal(45), Decimal(100))


@pytest.mark.parametrize(("amount", "expected"), [("1.99", False), ("2", True), ("30", True)])
def test_dividend_from_two_percent_on_is_extraordinary(amount: str, expected: bool) -> None:
    assert is_extraordinary(Decimal(amount), Decimal(100)) is expected


def test_dividend_as_high_as_the_strike_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        adjusted(Decimal(10), Decimal(50), Factors(), Decimal(10))
    assert refused.value.code == "ASKNOWN-REFERENCE-005"


@given(st.integers(1_000, 10**6), st.integers(1, 10**5), st.integers(1, 20), st.integers(1, 20))
def test_split_keeps_the_value_of_a_contract_but_for_rounding(
    ticks: int, lot: int, new: int, old: int
) -> None:
    strike = ticks * TICK
    lot_size = Decimal(lot * old)  # a lot that the split leaves whole
    after = adjusted(strike, lot_size, shares(new, old))
    assert after[1] == lot * new
    assert abs(after[0] * after[1] - strike * lot_size) <= TICK / 2 * after[1]
    assert after[0] % TICK == 0
