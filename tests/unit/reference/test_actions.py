"""Exact factors of corporate actions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.errors import UsageError
from asknown.reference.actions import (
    Action,
    ActionKind,
    ActionStatus,
    DividendMethod,
    cumulative,
    day_factors,
    in_force,
)

SPLIT = Action(
    action_id="split",
    listing_id="e_1",
    kind=ActionKind.SPLIT,
    ex_date=date(2023, 3, 2),
    valid_from=1_000,
    known_from=500,
    ratio_numerator=2,
    ratio_denominator=1,
)
BONUS = replace(
    SPLIT, action_id="bonus", kind=ActionKind.BONUS, ratio_numerator=1, ratio_denominator=1
)
DIVIDEND = replace(
    SPLIT,
    action_id="dividend",
    kind=ActionKind.CASH_DIVIDEND,
    ratio_numerator=None,
    ratio_denominator=None,
    cash_amount=Decimal("0.5"),
    method=DividendMethod.PREV_CLOSE,
    reference_price=Decimal("34.75"),
)


def split(new: int, old: int, at_ms: int, number: int) -> Action:
    return replace(
        SPLIT,
        action_id=f"split-{number}",
        valid_from=at_ms,
        ratio_numerator=new,
        ratio_denominator=old,
    )


def test_split_and_bonus_on_one_day_multiply() -> None:
    # 360ONE 2023-03-02: a 2:1 split and a 1:1 bonus took 1773.30 to a quarter.
    factors = day_factors([SPLIT, BONUS])
    assert factors.price == Fraction(1, 4)
    assert factors.share == 4


@pytest.mark.parametrize(("new", "held", "price"), [(1, 1, (1, 2)), (1, 2, (2, 3)), (4, 1, (1, 5))])
def test_bonus_counts_new_shares_for_held_ones(new: int, held: int, price: tuple[int, int]) -> None:
    bonus = replace(BONUS, ratio_numerator=new, ratio_denominator=held)
    assert day_factors([bonus]).price == Fraction(*price)


def test_consolidation_raises_the_price() -> None:
    factors = day_factors([split(1, 10, 1_000, 0)])
    assert (factors.price, factors.share) == (Fraction(10), Fraction(1, 10))


def test_stock_dividend_of_five_percent_gives_one_over_1_05() -> None:
    paid = replace(BONUS, kind=ActionKind.STOCK_DIVIDEND, ratio_numerator=5, ratio_denominator=100)
    assert day_factors([paid]).price == 1 / Fraction(105, 100)


def test_dividend_both_methods_give_the_published_factors() -> None:
    # Apple 2012-08-09, 2.65 a share: 0.995725 (previous close) and 0.995749 (ex close).
    before = replace(DIVIDEND, cash_amount=Decimal("2.65"), reference_price=Decimal("619.86"))
    after = replace(before, method=DividendMethod.EX_CLOSE, reference_price=Decimal("620.7295"))
    assert round(float(day_factors([before]).price), 6) == 0.995725
    assert round(float(day_factors([after]).price), 6) == 0.995749
    assert day_factors([before]).share == day_factors([before]).split == 1


def test_dividends_of_one_day_come_out_of_one_close() -> None:
    # Microsoft 2004-11-15: 3.00 special and 0.08 ordinary, close 27.39 on the ex-date.
    special = replace(
        DIVIDEND,
        action_id="special",
        kind=ActionKind.SPECIAL_DIVIDEND,
        cash_amount=Decimal("3.00"),
        method=DividendMethod.EX_CLOSE,
        reference_price=Decimal("27.39"),
    )
    ordinary = replace(special, action_id="ordinary", cash_amount=Decimal("0.08"))
    both = day_factors([special, ordinary]).price
    assert both == Fraction("27.39") / Fraction("30.47")
    assert round(float(both), 6) == 0.898917


def test_dividend_before_a_split_of_its_day_is_converted_for_the_ex_close() -> None:
    paid = replace(
        DIVIDEND,
        cash_amount=Decimal(2),
        method=DividendMethod.EX_CLOSE,
        reference_price=Decimal(49),
    )
    # One old share pays 2, so each of the two new ones has 1 in it: 49 of 50, times a half.
    assert day_factors([SPLIT, paid]).price == Fraction(49, 100)


@pytest.mark.parametrize("status", [ActionStatus.CANCELLED, ActionStatus.NEEDS_TERMS])
def test_action_without_force_has_no_factor(status: ActionStatus) -> None:
    assert day_factors([replace(SPLIT, status=status)]).price == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ratio_numerator": 0}, "ASKNOWN-REFERENCE-002"),
        ({"kind": ActionKind.RIGHTS}, "ASKNOWN-REFERENCE-004"),
    ],
)
def test_share_action_without_usable_terms_is_refused(
    changes: dict[str, object], code: str
) -> None:
    with pytest.raises(UsageError) as refused:
        day_factors([replace(SPLIT, **changes)])  # type: ignore[arg-type]
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reference_price": None}, "ASKNOWN-REFERENCE-003"),
        ({"cash_amount": None}, "ASKNOWN-REFERENCE-002"),
        ({"cash_amount": Decimal("34.75")}, "ASKNOWN-REFERENCE-005"),
    ],
)
def test_dividend_without_usable_terms_is_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(UsageError) as refused:
        day_factors([replace(DIVIDEND, **changes)])  # type: ignore[arg-type]
    assert refused.value.code == code


def test_newest_known_version_is_in_force() -> None:
    amended = replace(SPLIT, version=2, known_from=800, ratio_numerator=3)
    assert in_force([amended, SPLIT], 700) == [SPLIT]
    assert in_force([SPLIT, amended]) == [amended]


ratios = st.tuples(st.integers(1, 50), st.integers(1, 50))
histories = st.lists(st.tuples(st.integers(0, 1_000), ratios), max_size=8)


@given(histories, st.integers(0, 1_000), st.integers(0, 1_000))
def test_split_at_any_time_keeps_volume_times_price(
    history: list[tuple[int, tuple[int, int]]], at_ms: int, to_ms: int
) -> None:
    actions = [split(*ratio, when, number) for number, (when, ratio) in enumerate(history)]
    here, there = cumulative(actions, at_ms), cumulative(actions, to_ms)
    price, volume = Fraction("123.45"), Fraction(700)
    adjusted = price * there.price / here.price
    shares = volume * there.share / here.share
    assert adjusted * shares == price * volume
    assert here.price * here.share == 1


dividends = st.tuples(st.integers(0, 1_000), st.integers(1, 99))


@given(
    histories,
    st.lists(dividends, max_size=6),
    st.lists(st.integers(0, 1_000), min_size=2, max_size=5),
    st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)),
)
def test_adjusting_to_two_days_differs_by_one_constant(
    history: list[tuple[int, tuple[int, int]]],
    paid: list[tuple[int, int]],
    times: list[int],
    ends: tuple[int, int],
) -> None:
    actions = [split(*ratio, when, number) for number, (when, ratio) in enumerate(history)]
    actions += [
        replace(
            DIVIDEND,
            action_id=f"dividend-{number}",
            valid_from=when,
            cash_amount=Decimal(cents).scaleb(-2),
            method=DividendMethod.EX_CLOSE,
        )
        for number, (when, cents) in enumerate(paid)
    ]
    factor = {at: cumulative(actions, at).price for at in (*times, *ends)}
    series = [[Fraction(100 + at) * factor[end] / factor[at] for at in times] for end in ends]
    constant = factor[ends[0]] / factor[ends[1]]
    assert [one / other for one, other in zip(*series, strict=True)] == [constant] * len(times)
