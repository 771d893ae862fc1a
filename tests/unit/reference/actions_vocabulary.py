"""Actions that the tests of their factors start from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from asknown.reference.actions import Action, ActionKind, DividendMethod

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
RIGHTS = replace(
    SPLIT,
    action_id="rights",
    kind=ActionKind.RIGHTS,
    ratio_numerator=173,
    ratio_denominator=100,
    subscription_price=Decimal(17),
    reference_price=Decimal(60),
)
# Reliance 2023-07-20: 2841.85 before, 2580 found in the special pre-open without the demerged part.
DEMERGER = replace(
    DIVIDEND,
    action_id="demerger",
    kind=ActionKind.DEMERGER,
    cash_amount=None,
    distributed_value=Decimal("261.85"),
    reference_price=Decimal("2841.85"),
)
REDUCTION = replace(
    SPLIT,
    action_id="reduction",
    kind=ActionKind.CAPITAL_REDUCTION,
    ratio_numerator=1,
    ratio_denominator=10,
)


def split(new: int, old: int, at_ms: int, number: int) -> Action:
    return replace(
        SPLIT,
        action_id=f"split-{number}",
        valid_from=at_ms,
        ratio_numerator=new,
        ratio_denominator=old,
    )
