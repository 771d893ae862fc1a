"""Corporate actions and their exact factors.

An action multiplies the price of every earlier share by `m` and the number of shares by `s`:
    split, n new for d old            m = d/n        s = n/d
    bonus, A new for every B held     m = B/(A+B)    s = (A+B)/B
    stock dividend of A/B             m = B/(A+B)    s = (A+B)/B
    cash or special dividend D        m = 1 - D/P    (PREV_CLOSE, P the last close with the right)
                                      m = P/(P + D)  (EX_CLOSE, P the first close without it)
Cumulative forward factors from listing, over the actions whose ex-date has come:
    C(t) = product of m, S(t) = product of s. Back-adjusted to T: price * C(T)/C(t), volume *
S(T)/S(t). Sources of both dividend methods: DOMAIN.md section 2.1 (CRSP, LEAN, zipline, WIKI).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from asknown.errors import UsageError

ONE = Fraction(1)


class ActionKind(StrEnum):
    """Kinds of raw.corporate_action."""

    SPLIT = "SPLIT"
    BONUS = "BONUS"
    STOCK_DIVIDEND = "STOCK_DIVIDEND"
    CASH_DIVIDEND = "CASH_DIVIDEND"
    SPECIAL_DIVIDEND = "SPECIAL_DIVIDEND"
    RIGHTS = "RIGHTS"
    DEMERGER = "DEMERGER"
    MERGER = "MERGER"
    OTHER = "OTHER"


class ActionStatus(StrEnum):
    """How far an action has come; a cancelled one and one without terms have no factor."""

    ANNOUNCED = "ANNOUNCED"
    CONFIRMED = "CONFIRMED"
    AMENDED = "AMENDED"
    CANCELLED = "CANCELLED"
    NEEDS_TERMS = "NEEDS_TERMS"


class DividendMethod(StrEnum):
    """Which close a dividend is measured against; both are in use, see DOMAIN.md fact 8."""

    PREV_CLOSE = "PREV_CLOSE"
    EX_CLOSE = "EX_CLOSE"


_BONUS = frozenset({ActionKind.BONUS, ActionKind.STOCK_DIVIDEND})
_CASH = frozenset({ActionKind.CASH_DIVIDEND, ActionKind.SPECIAL_DIVIDEND})
_NO_FACTOR = frozenset({ActionKind.MERGER, ActionKind.OTHER})
_INERT = frozenset({ActionStatus.CANCELLED, ActionStatus.NEEDS_TERMS})


@dataclass(frozen=True, slots=True)
class Action:
    """One version of one corporate action; `(action_id, version)` names it.

    `valid_from` is the instant at which the ex-date begins at the exchange and `known_from` when
    this version was learnt (UTC milliseconds). `cash_amount` is per share before any split of the
    same day. `reference_price` is the raw close that `method` asks for.
    """

    action_id: str
    listing_id: str
    kind: ActionKind
    ex_date: date
    valid_from: int
    known_from: int
    version: int = 1
    status: ActionStatus = ActionStatus.CONFIRMED
    ratio_numerator: int | None = None
    ratio_denominator: int | None = None
    cash_amount: Decimal | None = None
    currency: str | None = None
    method: DividendMethod | None = None
    reference_price: Decimal | None = None

    @property
    def counts(self) -> bool:
        """Tell whether this version has a factor at all."""
        return self.status not in _INERT and self.kind not in _NO_FACTOR


@dataclass(frozen=True, slots=True)
class Factors:
    """Exact price, split and share factors; the dividend part is `price / split`."""

    price: Fraction = ONE
    split: Fraction = ONE
    share: Fraction = ONE

    def __mul__(self, other: Factors) -> Factors:
        """Return the factors of both, one after the other."""
        return Factors(self.price * other.price, self.split * other.split, self.share * other.share)


def share_ratio(action: Action) -> Fraction:
    """Return `s`, the shares one old share becomes; 1 for an action that issues none.

    Raises `UsageError` ASKNOWN-REFERENCE-002 for terms that are missing or not positive, and
    ASKNOWN-REFERENCE-004 for rights and demergers, whose price terms a split ratio cannot say.
    """
    if action.kind in _CASH or action.kind in _NO_FACTOR:
        return ONE
    new, old = action.ratio_numerator, action.ratio_denominator
    if action.kind is not ActionKind.SPLIT and action.kind not in _BONUS:
        raise UsageError(
            "ASKNOWN-REFERENCE-004",
            f"expected a split, a bonus or a dividend, found {action.kind}.",
            where=action.action_id,
            hint="load it with status NEEDS_TERMS.",
        )
    if new is None or old is None or new <= 0 or old <= 0:
        raise UsageError(
            "ASKNOWN-REFERENCE-002",
            f"expected positive terms of a {action.kind}, found {new}:{old}.",
            where=action.action_id,
            hint="correct the terms, or load it with status NEEDS_TERMS.",
        )
    return Fraction(new, old) if action.kind is ActionKind.SPLIT else Fraction(new + old, old)


def day_factors(actions: Iterable[Action]) -> Factors:
    """Return the factors of all actions of one listing and one ex-date together.

    Share actions multiply. Dividends measured against the same close come out of it together, so
    their amounts are added first. An EX_CLOSE is quoted after the day's split while the dividend
    is per share before it, so the dividend is converted; a PREV_CLOSE is from before, as it is.
    """
    share = ONE
    cash: dict[tuple[DividendMethod, Decimal], Fraction] = defaultdict(Fraction)
    for action in actions:
        if not action.counts:
            continue
        share *= share_ratio(action)
        if action.kind in _CASH:
            cash[_close(action)] += _amount(action)
    split = 1 / share
    price = split
    for (method, close), amount in cash.items():
        price *= _dividend_factor(method, Fraction(close), amount, split)
    return Factors(price, split, share)


def cumulative(actions: Iterable[Action], at_ms: int) -> Factors:
    """Return C(t), its split part and S(t) at `at_ms` over the actions of one listing.

    Takes one version of each action, as `in_force` chooses them.
    """
    by_day: dict[int, list[Action]] = defaultdict(list)
    for action in actions:
        if action.valid_from <= at_ms:
            by_day[action.valid_from].append(action)
    total = Factors()
    for _, of_day in sorted(by_day.items()):
        total = total * day_factors(of_day)
    return total


def in_force(actions: Iterable[Action], known_at: int | None = None) -> list[Action]:
    """Return the newest version of each action known at `known_at` (None: of all).

    Ordered by (valid_from, action_id).
    """
    newest: dict[str, Action] = {}
    for action in actions:
        if known_at is not None and action.known_from > known_at:
            continue
        held = newest.get(action.action_id)
        if held is None or action.version > held.version:
            newest[action.action_id] = action
    return sorted(newest.values(), key=lambda action: (action.valid_from, action.action_id))


def _close(action: Action) -> tuple[DividendMethod, Decimal]:
    if action.method is None or action.reference_price is None or action.reference_price <= 0:
        raise UsageError(
            "ASKNOWN-REFERENCE-003",
            f"expected a method and a close above 0 for a dividend, found {action.method} and "
            f"{action.reference_price}.",
            where=action.action_id,
            hint="give the close, or load it with status NEEDS_TERMS.",
        )
    return action.method, action.reference_price


def _amount(action: Action) -> Fraction:
    if action.cash_amount is None or action.cash_amount < 0:
        raise UsageError(
            "ASKNOWN-REFERENCE-002",
            f"expected an amount of 0 or more for a dividend, found {action.cash_amount}.",
            where=action.action_id,
            hint="correct the amount, or load it with status NEEDS_TERMS.",
        )
    return Fraction(action.cash_amount)


def _dividend_factor(
    method: DividendMethod, close: Fraction, amount: Fraction, split: Fraction
) -> Fraction:
    if method is DividendMethod.EX_CLOSE:
        return close / (close + amount * split)
    factor = 1 - amount / close
    if factor <= 0:
        raise UsageError(
            "ASKNOWN-REFERENCE-005",
            f"expected a dividend below the close {float(close):g}, found {float(amount):g}.",
            hint="check the amount and the close; a factor must be above 0.",
        )
    return factor
