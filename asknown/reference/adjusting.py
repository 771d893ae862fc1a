"""Adjust prices and sizes at read time from cumulative factors; nothing adjusted is ever stored.

C(t), X(t) and S(t) are the cumulative price, split and share factors from listing, in force at a
record's time by one knowledge (`Timeline`). Seen from T by the same knowledge (DOMAIN.md 2.5):

    all        P * C(T) / C(t)                      V * S(T) / S(t)
    split      P * X(T) / X(t)                      V * S(T) / S(t)
    dividend   P * (C(T)/X(T)) / (C(t)/X(t))        V

Precision: factors are doubles, so a ratio is exact to about 16 digits; prices and sizes are exact
decimals, and the product is rounded half to even to 8 places, their own scale. Where the ratio is
1 the value is untouched.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

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


UNADJUSTED = Factors(1.0, 1.0, 1.0)


class Stretch(Protocol):
    """What holds of a listing from `valid_from` on."""

    @property
    def valid_from(self) -> datetime:
        """Return when it begins."""

    @property
    def factors(self) -> Factors:
        """Return C, X and S."""


S = TypeVar("S", bound=Stretch)


class Timeline(Generic[S]):
    """The points of one listing in the order of their beginnings."""

    def __init__(self, points: Sequence[S]) -> None:
        """Keep the points, which are ordered and of one listing and one knowledge."""
        self.points = points
        self._starts = [point.valid_from for point in points]

    def at(self, moment: datetime) -> S | None:
        """Return the last point that began by then, None before the listing."""
        number = bisect_right(self._starts, moment)
        return self.points[number - 1] if number else None

    def factors(self, moment: datetime) -> Factors:
        """Return the cumulative factors in force at a moment; 1 before anything happened."""
        point = self.at(moment)
        return point.factors if point else UNADJUSTED

    def factors_of_part(self, start: datetime, end: datetime, stored: Factors) -> Factors:
        """Return the factors of a bar that was cut where the factors changed within it.

        Of such a bar there is one row per factor version. The factors it was stored with tell
        which part it is: where one of those in force within the bar equals them, it is that one.
        """
        first = bisect_right(self._starts, start)
        last = bisect_right(self._starts, end, lo=first)
        inside = [p.factors for p in self.points[first:last] if p.valid_from < end]
        return stored if stored in inside else self.factors(start)


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


def shortest(value: Decimal) -> str:
    """Return a decimal without exponent and without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
