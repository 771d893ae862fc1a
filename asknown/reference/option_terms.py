"""What a corporate action of the underlying makes of an option contract (DOMAIN.md section 2.3).

NSE's rule, in force from the ex-date on: a split, a bonus, a consolidation or rights divide the
strike by the adjustment factor and multiply the lot by it, so that the position keeps its value.
An extraordinary dividend, of at least 2 % of the underlying's close, comes off the strike and
leaves the lot alone; an ordinary one changes nothing. Fractions that remain are rounded to the
tick and to whole units; the exchange may decide otherwise in its circular, so terms reported by
it (TERMS_CHANGE) stand above what is computed here.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from asknown.errors import UsageError
from asknown.reference.factors import ONE, Factors

TICK = Decimal("0.05")
UNIT = Decimal(1)
_EXTRAORDINARY = Fraction(2, 100)
_HALF = Fraction(1, 2)


def is_extraordinary(amount: Decimal, close: Decimal) -> bool:
    """Tell whether a dividend of `amount` is one that option contracts follow."""
    return Fraction(amount) >= _EXTRAORDINARY * Fraction(close)


def adjusted(
    strike: Decimal,
    lot_size: Decimal,
    factors: Factors,
    dividend: Decimal = Decimal(0),
) -> tuple[Decimal, Decimal]:
    """Return strike and lot from the ex-date on, given the factors of the underlying's day.

    Only the split part of `factors` is used. `dividend` is the extraordinary part of what was
    paid that day, per share on the cum basis. What no term changes is returned as it is, not
    rounded. Raises `UsageError` ASKNOWN-REFERENCE-005 when nothing is left of strike or lot.
    """
    terms = (strike, lot_size)
    if factors.split != ONE or dividend:
        exact = (Fraction(strike) - Fraction(dividend)) * factors.split
        terms = (_rounded(exact, TICK), terms[1])
    if factors.share != ONE:
        terms = (terms[0], _rounded(Fraction(lot_size) * factors.share, UNIT))
    if min(terms) <= 0:
        raise UsageError(
            "ASKNOWN-REFERENCE-005",
            f"expected a strike and a lot above 0, found {terms[0]} and {terms[1]}.",
            hint="check the terms of the action, or report the contract's as TERMS_CHANGE.",
        )
    return terms


def _rounded(value: Fraction, step: Decimal) -> Decimal:
    """Return the multiple of `step` next to `value`, the upper one of two as near."""
    steps = (value / Fraction(step) + _HALF).__floor__()
    return steps * step
