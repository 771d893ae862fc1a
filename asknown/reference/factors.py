"""The arithmetic of adjustment in exact rationals, without any record around it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from asknown.errors import UsageError

ONE = Fraction(1)
NOTHING = Fraction(0)
_BITS = 1000  # doubles reach 2 ** 1023; a factor beyond this is no number for any reader of ours


class DividendMethod(StrEnum):
    """Which close a dividend is measured against; both are in use, see DOMAIN.md fact 8."""

    PREV_CLOSE = "PREV_CLOSE"
    EX_CLOSE = "EX_CLOSE"


@dataclass(frozen=True, slots=True)
class Factors:
    """Exact price, split and share factors; the dividend part is `price / split`."""

    price: Fraction = ONE
    split: Fraction = ONE
    share: Fraction = ONE

    def __mul__(self, other: Factors) -> Factors:
        """Return the factors of both, one after the other."""
        if other.split is ONE and other.share is ONE:  # a dividend: most actions of most listings
            return Factors(self.price * other.price, self.split, self.share)
        return Factors(self.price * other.price, self.split * other.split, self.share * other.share)


def dividend_factor(
    method: DividendMethod, close: Fraction, amount: Fraction, split: Fraction = ONE
) -> Fraction:
    """Return what a distribution of `amount` per old share leaves of a price.

    A close of PREV_CLOSE is per old share too. One of EX_CLOSE is per new share: there are
    `1 / split` of them for an old one, and each has that part of the amount in it.
    """
    if method is DividendMethod.EX_CLOSE:
        return close / (close + amount * split)
    if amount >= close:
        raise nonpositive(f"a distribution below the close {float(close):g}", f"{float(amount):g}")
    return (close - amount) / close


def rights_factor(cum: Fraction, ratio: Fraction, subscription: Fraction) -> Fraction:
    """Return the theoretical ex-rights price over the cum price; 1 for rights worth nothing.

    `ratio` is the new shares offered for one held, TERP = (cum + ratio * subscription) /
    (1 + ratio).
    """
    if subscription >= cum:
        return ONE
    return (cum + ratio * subscription) / ((1 + ratio) * cum)


def checked(factors: Factors, where: str = "") -> Factors:
    """Return `factors`; raise `UsageError` ASKNOWN-REFERENCE-005 unless all are usable numbers."""
    for value in (factors.price, factors.split, factors.share):
        if value is ONE:
            continue
        bits = value.numerator.bit_length() - value.denominator.bit_length()
        if value.numerator <= 0 or abs(bits) > _BITS:
            raise nonpositive("factors that are finite and above 0", f"2^{bits}", where)
    return factors


def nonpositive(expected: str, found: str, where: str = "") -> UsageError:
    """Return the error for terms that leave nothing, or no number, of a price."""
    return UsageError(
        "ASKNOWN-REFERENCE-005",
        f"expected {expected}, found {found}.",
        where=where,
        hint="check the terms and the close; a factor must be finite and above 0.",
    )
