"""Actions whose terms give no usable factor."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from asknown.errors import UsageError
from asknown.reference.actions import (
    ActionKind,
    ActionStatus,
    DividendMethod,
    cumulative,
    day_factors,
)
from tests.unit.reference.actions_vocabulary import DIVIDEND, RIGHTS, SPLIT, split


@pytest.mark.parametrize("status", [ActionStatus.CANCELLED, ActionStatus.NEEDS_TERMS])
def test_action_without_force_has_no_factor(status: ActionStatus) -> None:
    assert day_factors([replace(SPLIT, status=status)]).price == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ratio_numerator": 0}, "ASKNOWN-REFERENCE-002"),
        ({"ratio_denominator": None}, "ASKNOWN-REFERENCE-002"),
        ({"kind": ActionKind.RIGHTS}, "ASKNOWN-REFERENCE-004"),
        ({"kind": ActionKind.DEMERGER}, "ASKNOWN-REFERENCE-004"),
        (
            {"kind": ActionKind.CAPITAL_REDUCTION, "ratio_numerator": None}
            | {"ratio_denominator": None},
            "ASKNOWN-REFERENCE-004",
        ),
        ({"ratio_numerator": 10**400}, "ASKNOWN-REFERENCE-005"),
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
        ({"reference_price": Decimal(0)}, "ASKNOWN-REFERENCE-003"),
        ({"reference_price": Decimal("NaN")}, "ASKNOWN-REFERENCE-003"),
        ({"cash_amount": None}, "ASKNOWN-REFERENCE-002"),
        ({"cash_amount": Decimal(-1)}, "ASKNOWN-REFERENCE-002"),
        ({"cash_amount": Decimal("34.75")}, "ASKNOWN-REFERENCE-005"),
        ({"cash_amount": Decimal("Infinity")}, "ASKNOWN-REFERENCE-005"),
        ({"cash_amount": Decimal("NaN")}, "ASKNOWN-REFERENCE-005"),
    ],
)
def test_dividend_without_usable_terms_is_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(UsageError) as refused:
        day_factors([replace(DIVIDEND, **changes)])  # type: ignore[arg-type]
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ratio_denominator": 0}, "ASKNOWN-REFERENCE-002"),
        ({"reference_price": None}, "ASKNOWN-REFERENCE-003"),
        ({"subscription_price": Decimal(-1)}, "ASKNOWN-REFERENCE-005"),
        ({"subscription_price": Decimal("Infinity")}, "ASKNOWN-REFERENCE-005"),
        ({"method": DividendMethod.EX_CLOSE}, "ASKNOWN-REFERENCE-004"),
        ({"kind": ActionKind.DEMERGER, "distributed_value": Decimal(-1)}, "ASKNOWN-REFERENCE-005"),
        ({"kind": ActionKind.DEMERGER, "distributed_value": Decimal(60)}, "ASKNOWN-REFERENCE-005"),
    ],
)
def test_priced_action_without_usable_terms_is_refused(
    changes: dict[str, object], code: str
) -> None:
    with pytest.raises(UsageError) as refused:
        day_factors([replace(RIGHTS, **changes)])  # type: ignore[arg-type]
    assert refused.value.code == code


def test_rights_on_a_close_that_the_dividend_used_up_are_refused() -> None:
    paid = replace(DIVIDEND, cash_amount=Decimal(60), reference_price=Decimal(100))
    with pytest.raises(UsageError) as refused:
        day_factors([RIGHTS, paid])
    assert refused.value.code == "ASKNOWN-REFERENCE-005"


def test_factors_that_grow_out_of_every_number_are_refused() -> None:
    actions = [split(1, 2**62, at, at) for at in range(20)]
    with pytest.raises(UsageError) as refused:
        cumulative(actions, 20)
    assert refused.value.code == "ASKNOWN-REFERENCE-005"
