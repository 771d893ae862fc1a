"""Adjust prices and sizes at read time from cumulative factors; nothing adjusted is ever stored.

A record carries C(t), X(t) and S(t): the cumulative price, split and share factors from listing,
in force at its time. Seen from T (DOMAIN.md 2.5):

    all        P * C(T) / C(t)                      V * S(T) / S(t)
    split      P * X(T) / X(t)                      V * S(T) / S(t)
    dividend   P * (C(T)/X(T)) / (C(t)/X(t))        V

Precision: factors are doubles, so a ratio is exact to about 16 digits; prices and sizes are exact
decimals, and the product is rounded half to even to 8 places, their own scale. Where the ratio is
1 the value is untouched.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum

_PLACES = Decimal("1E-8")
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


class Adjust(StrEnum):
    """Which corporate actions are taken out of prices and sizes."""

    RAW = "raw"
    SPLIT = "split"
    DIVIDEND = "dividend"
    ALL = "all"


@dataclass(frozen=True)
class Factors:
    """Cumulative factors from listing: C, X and S."""

    price: float
    split: float
    share: float


def ratios(adjust: Adjust, then: Factors, basis: Factors) -> tuple[float, float]:
    """Return what to multiply a price and a size of `then` with, seen from `basis`."""
    size = basis.share / then.share
    match adjust:
        case Adjust.ALL:
            return basis.price / then.price, size
        case Adjust.SPLIT:
            return basis.split / then.split, size
        case Adjust.DIVIDEND:
            return (basis.price / basis.split) / (then.price / then.split), 1.0
        case Adjust.RAW:
            return 1.0, 1.0


def scaled(value: Decimal, ratio: float) -> Decimal:
    """Return a decimal times a ratio, rounded half to even to 8 places."""
    if ratio == 1.0:
        return value
    return _EXACT.quantize(_EXACT.multiply(value, Decimal(repr(ratio))), _PLACES)
