"""Exact factors of corporate actions."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from asknown.reference.actions import (
    Action,
    ActionKind,
    ActionStatus,
    DividendMethod,
    day_factors,
    in_force,
    method_of,
    needs_close,
    share_ratio,
)
from tests.unit.reference.actions_vocabulary import (
    BONUS,
    DEMERGER,
    DIVIDEND,
    REDUCTION,
    RIGHTS,
    SPLIT,
    split,
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


@pytest.mark.parametrize(
    ("actions", "price"),
    [
        # MCX 2026-01-02, face value 10 to 2; BAJFINANCE 2025-06-16, 2 to 1 and a bonus of 4:1.
        ([split(5, 1, 1_000, 0)], Fraction(1, 5)),
        (
            [split(2, 1, 1_000, 0), replace(BONUS, ratio_numerator=4)],
            Fraction(1, 10),
        ),
        # Consolidations stay exact however large: those of GBSN come to 166,666.99.
        ([split(1, 35, 1_000, 0), split(3, 57, 1_000, 1)], Fraction(665)),
        ([split(100, 16_666_699, 1_000, 0)], Fraction("166666.99")),
    ],
)
def test_share_actions_multiply_exactly(actions: list[Action], price: Fraction) -> None:
    factors = day_factors(actions)
    assert factors.price == factors.split == price
    assert factors.share == 1 / price


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


def test_special_dividend_by_the_previous_close_gives_the_published_factor() -> None:
    paid = replace(
        DIVIDEND,
        kind=ActionKind.SPECIAL_DIVIDEND,
        cash_amount=Decimal("3.08"),
        reference_price=Decimal("29.97"),
    )
    assert round(float(day_factors([paid]).price), 6) == 0.897231


def test_dividend_without_a_method_is_measured_against_the_previous_close() -> None:
    assert day_factors([replace(DIVIDEND, method=None)]) == day_factors([DIVIDEND])


def test_dividend_on_the_day_of_a_split_is_on_the_cum_basis() -> None:
    # Half a rupee of 34.75, then two shares for one: the dividend is not quoted after the split.
    factors = day_factors([SPLIT, DIVIDEND])
    assert factors.price == (1 - Fraction("0.5") / Fraction("34.75")) / 2
    assert (factors.split, factors.share) == (Fraction(1, 2), 2)


def test_rights_take_the_price_to_the_theoretical_one() -> None:
    factors = day_factors([RIGHTS])
    assert factors.price == (100 * 60 + 173 * 17) / Fraction(273 * 60)
    assert round(float(factors.price), 6) == 0.545849
    assert factors.split == factors.price
    assert factors.split * factors.share == 1


@pytest.mark.parametrize("price", ["60", "61"])
def test_rights_at_or_above_the_close_change_nothing(price: str) -> None:
    assert day_factors([replace(RIGHTS, subscription_price=Decimal(price))]).price == 1


def test_rights_for_nothing_are_a_bonus() -> None:
    free = replace(RIGHTS, subscription_price=Decimal(0))
    bonus = replace(BONUS, ratio_numerator=173, ratio_denominator=100)
    assert day_factors([free]) == day_factors([bonus])


def test_demerger_takes_its_value_out_of_the_price_alone() -> None:
    factors = day_factors([DEMERGER])
    assert factors.price == Fraction(2580) / Fraction("2841.85")
    assert abs(float(factors.price) - 0.907859) < 1e-6
    assert factors.split == factors.share == 1


def test_demerger_by_the_ex_close_is_close_over_close_and_value() -> None:
    after = replace(DEMERGER, method=DividendMethod.EX_CLOSE, reference_price=Decimal(2580))
    assert day_factors([after]).price == Fraction(2580) / Fraction("2841.85")


def test_capital_reduction_with_a_ratio_is_a_consolidation() -> None:
    assert day_factors([REDUCTION]) == day_factors([split(1, 10, 1_000, 0)])


def test_capital_reduction_that_repays_is_measured_against_a_close() -> None:
    repaid = replace(REDUCTION, cash_amount=Decimal(5), reference_price=Decimal(50))
    assert day_factors([repaid]).price == 9
    assert needs_close(repaid) is DividendMethod.PREV_CLOSE


def test_priced_actions_of_one_day_share_one_cum_close() -> None:
    """Cash leaves first, together; a share offered that day has no claim to it."""
    close = {"reference_price": Decimal(100), "method": DividendMethod.PREV_CLOSE}
    paid = replace(DIVIDEND, cash_amount=Decimal(4), **close)
    spun = replace(DEMERGER, distributed_value=Decimal(16), **close)
    offered = replace(
        RIGHTS,
        ratio_numerator=1,
        ratio_denominator=3,
        subscription_price=Decimal(60),
        **close,
    )
    factors = day_factors([offered, SPLIT, paid, spun])
    # 100 less 20 is 80; three of 80 and one of 60 are four of 75; and two shares for each.
    assert factors.price == Fraction(75, 100) / 2
    assert factors.split == Fraction(75, 80) / 2
    assert factors.split * factors.share == 1
    assert factors == day_factors([spun, paid, offered, SPLIT])


def test_merger_and_other_have_no_factor() -> None:
    kinds = (ActionKind.MERGER, ActionKind.OTHER)
    actions = [replace(SPLIT, kind=kind) for kind in kinds]
    assert day_factors(actions).price == 1
    assert [share_ratio(action) for action in actions] == [1, 1]
    assert method_of(actions) == ""


def test_method_of_a_day_names_every_way_once() -> None:
    after = replace(DIVIDEND, method=DividendMethod.EX_CLOSE)
    assert method_of([RIGHTS, SPLIT, BONUS, DEMERGER, after]) == "RATIO+PREV_CLOSE+EX_CLOSE+TERP"
    assert method_of([SPLIT, replace(DIVIDEND, status=ActionStatus.CANCELLED)]) == "RATIO"


def test_only_priced_actions_that_count_need_a_close() -> None:
    assert needs_close(SPLIT) is None
    assert needs_close(replace(RIGHTS, status=ActionStatus.CANCELLED)) is None
    assert needs_close(RIGHTS) is DividendMethod.PREV_CLOSE
    assert needs_close(replace(DEMERGER, method=None)) is DividendMethod.PREV_CLOSE


def test_dividend_before_a_split_of_its_day_is_converted_for_the_ex_close() -> None:
    paid = replace(
        DIVIDEND,
        cash_amount=Decimal(2),
        method=DividendMethod.EX_CLOSE,
        reference_price=Decimal(49),
    )
    # One old share pays 2, so each of the two new ones has 1 in it: 49 of 50, times a half.
    assert day_factors([SPLIT, paid]).price == Fraction(49, 100)


def test_newest_known_version_is_in_force() -> None:
    amended = replace(SPLIT, version=2, known_from=800, ratio_numerator=3)
    assert in_force([amended, SPLIT], 700) == [SPLIT]
    assert in_force([SPLIT, amended]) == [amended]
