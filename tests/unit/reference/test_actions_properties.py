"""What holds for the factors of any history of actions."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from asknown.reference.actions import DividendMethod, cumulative, day_factors
from tests.unit.reference.actions_vocabulary import DIVIDEND, RIGHTS, split

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


terms = st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(0, 200))


@given(terms, ratios, st.integers(0, 99))
def test_rights_day_keeps_the_value_of_a_holding(
    offer: tuple[int, int, int], ratio: tuple[int, int], cash: int
) -> None:
    """Holding, cash and cost of taking the rights up add to what there was before."""
    new, held, price = offer
    offered = replace(
        RIGHTS,
        ratio_numerator=new,
        ratio_denominator=held,
        subscription_price=Decimal(price),
        reference_price=Decimal(100),
    )
    paid = replace(DIVIDEND, cash_amount=Decimal(cash), reference_price=Decimal(100))
    factors = day_factors([offered, split(*ratio, 1_000, 0), paid])
    taken = Fraction(new, held) if price < 100 - cash else Fraction(0)
    shares = Fraction(*ratio) * (1 + taken)
    assert shares * 100 * factors.price + cash - taken * price == 100
    assert factors.split * factors.share == 1
    assert 0 < factors.price <= factors.split
