"""Corporate actions and their exact factors.

An action multiplies the price of every earlier share by `m` and the number of shares by `s`. C is
the last close with the right (the cum close), P the first one without it:
    split, n new for d old            m = d/n                    s = n/d
    capital reduction, n left of d    m = d/n                    s = n/d
    bonus, A new for every B held     m = B/(A+B)                s = (A+B)/B
    stock dividend of A/B             m = B/(A+B)                s = (A+B)/B
    rights, A new per B held at S     m = TERP/C, 1 if S >= C    s = 1/m
    cash or special dividend D,       m = (C-D)/C  PREV_CLOSE    s = 1
      demerger of a value D           m = P/(P+D)  EX_CLOSE      s = 1
    merger, other                     m = 1                      s = 1
TERP = (B*C + A*S)/(A+B). Rights count as a split of 1/m into 1: who takes them up pays for the
shares, so only the part of the price fall that they did not pay for is adjusted, and volume moves
against it: `split * share` is always 1. A split of 1:10 is a consolidation.

Several actions of one day are all stated on the cum basis, per share held before any of them, and
priced ones are measured against the same C: splits and bonuses multiply; distributions measured
against one close are added and come out of it together; rights come last, on what is left of C,
because a share offered that day has no claim to what goes ex with it:
    m = product of d/n and B/(A+B) * (C - sum of D)/C * TERP(C - sum of D)/(C - sum of D)

Cumulative forward factors from listing, over the actions whose ex-date has come:
    C(t) = product of m, S(t) = product of s. Back-adjusted to T: price * C(T)/C(t), volume *
S(T)/S(t). Sources: DOMAIN.md section 2.1 (CRSP, LEAN, zipline, WIKI, MSCI).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from asknown.errors import UsageError
from asknown.reference.factors import (
    NOTHING,
    ONE,
    DividendMethod,
    Factors,
    checked,
    dividend_factor,
    nonpositive,
    rights_factor,
)

__all__ = [
    "ONE",
    "Action",
    "ActionKind",
    "ActionStatus",
    "DividendMethod",
    "Factors",
    "cumulative",
    "day_factors",
    "in_force",
    "method_of",
    "needs_close",
    "share_ratio",
]


class ActionKind(StrEnum):
    """Kinds of raw.corporate_action."""

    SPLIT = "SPLIT"
    BONUS = "BONUS"
    STOCK_DIVIDEND = "STOCK_DIVIDEND"
    CASH_DIVIDEND = "CASH_DIVIDEND"
    SPECIAL_DIVIDEND = "SPECIAL_DIVIDEND"
    RIGHTS = "RIGHTS"
    DEMERGER = "DEMERGER"
    CAPITAL_REDUCTION = "CAPITAL_REDUCTION"
    MERGER = "MERGER"
    OTHER = "OTHER"


class ActionStatus(StrEnum):
    """How far an action has come; a cancelled one and one without terms have no factor."""

    ANNOUNCED = "ANNOUNCED"
    CONFIRMED = "CONFIRMED"
    AMENDED = "AMENDED"
    CANCELLED = "CANCELLED"
    NEEDS_TERMS = "NEEDS_TERMS"


_BONUS = frozenset({ActionKind.BONUS, ActionKind.STOCK_DIVIDEND})
_SPLIT = frozenset({ActionKind.SPLIT, ActionKind.CAPITAL_REDUCTION})
_CASH = frozenset({ActionKind.CASH_DIVIDEND, ActionKind.SPECIAL_DIVIDEND})
_SHARES = _BONUS | _SPLIT
_NO_FACTOR = frozenset({ActionKind.MERGER, ActionKind.OTHER})
_INERT = frozenset({ActionStatus.CANCELLED, ActionStatus.NEEDS_TERMS})


@dataclass(frozen=True, slots=True)
class Action:
    """One version of one corporate action; `(action_id, version)` names it.

    `valid_from` is the instant at which the ex-date begins at the exchange and `known_from` when
    this version was learnt (UTC milliseconds). Amounts are per share before any split of the same
    day. `reference_price` is the raw close that `method` asks for; no method is PREV_CLOSE.
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
    subscription_price: Decimal | None = None  # rights: of one new share, premium included
    distributed_value: Decimal | None = None  # demerger: per share of the parent

    @property
    def counts(self) -> bool:
        """Tell whether this version has a factor at all."""
        return self.status not in _INERT and self.kind not in _NO_FACTOR


def share_ratio(action: Action) -> Fraction:
    """Return the shares one old share becomes for nothing; 1 for an action that gives none.

    Rights are not among them: their `s` hangs on a close, see `day_factors`. Raises `UsageError`
    ASKNOWN-REFERENCE-002 for terms that are missing or not positive, and ASKNOWN-REFERENCE-004
    for a capital reduction without a ratio.
    """
    if action.kind in _BONUS:
        return 1 + _ratio(action)
    return _ratio(action) if action.kind in _SPLIT else ONE


def needs_close(action: Action) -> DividendMethod | None:
    """Return which raw close the factor of `action` is measured against; None for no close."""
    if not action.counts:
        return None
    if action.kind is ActionKind.RIGHTS:
        return DividendMethod.PREV_CLOSE
    return (action.method or DividendMethod.PREV_CLOSE) if _pays(action) else None


def method_of(actions: Iterable[Action]) -> str:
    """Return how the factor of a day came about: RATIO, PREV_CLOSE, EX_CLOSE, TERP, joined by +.

    '' when no action of the day counts.
    """
    found: set[str] = set()
    for action in actions:
        close = needs_close(action)
        if action.counts and action.kind in _SHARES:
            found.add("RATIO")
        if close is not None:
            found.add("TERP" if action.kind is ActionKind.RIGHTS else close.value)
    return "+".join(one for one in ("RATIO", "PREV_CLOSE", "EX_CLOSE", "TERP") if one in found)


def day_factors(actions: Iterable[Action]) -> Factors:
    """Return the factors of all actions of one listing and one ex-date together.

    The module says how they combine. Closes that differ between distributions of one method are
    two sources' views of one day: each comes out of its own, and the results multiply.

    Raises `UsageError` ASKNOWN-REFERENCE-002 and -004 for terms that are missing, -003 for a
    close that is, and -005 for a factor that is not finite and above 0.
    """
    counting = [action for action in actions if action.counts]
    if not counting:
        return Factors()
    split, paid = ONE, NOTHING
    cash: dict[tuple[DividendMethod, Decimal], Fraction] = {}
    for action in counting:
        if _pays(action):
            amount, key = _amount(action), _close(action)
            cash[key] = cash[key] + amount if key in cash else amount
            paid = paid + amount if paid else amount
        if action.kind in _SHARES:
            split = split / share_ratio(action)
    offered = [action for action in counting if action.kind is ActionKind.RIGHTS]
    if offered:
        split = split * _rights(offered, paid)
    price = split
    for (method, close), amount in cash.items():
        price = price * dividend_factor(method, Fraction(close), amount, split)
    share = ONE if split is ONE else 1 / split
    return checked(Factors(price, split, share), counting[0].action_id)


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
    return checked(total, "cumulative")


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


def _rights(actions: Sequence[Action], paid: Fraction) -> Fraction:
    """Return the factor of the day's rights, each on what `paid` leaves of its cum close."""
    factor = ONE
    for action in actions:
        subscription = _positive(action, action.subscription_price, "a subscription price")
        ratio = _ratio(action)
        method, close = _close(action)
        if method is not DividendMethod.PREV_CLOSE:
            raise _unpriced(action, "rights against PREV_CLOSE", method.value)
        left = Fraction(close) - paid
        if left <= 0:
            raise nonpositive("a cum close above what is paid", f"{close}", action.action_id)
        factor *= rights_factor(left, ratio, subscription)
    return factor


def _ratio(action: Action) -> Fraction:
    new, old = action.ratio_numerator, action.ratio_denominator
    if action.kind is ActionKind.CAPITAL_REDUCTION and new is None and old is None:
        raise _unpriced(action, "the ratio of a capital reduction", "none")
    if new is None or old is None or new <= 0 or old <= 0:
        raise UsageError(
            "ASKNOWN-REFERENCE-002",
            f"expected positive terms of a {action.kind}, found {new}:{old}.",
            where=action.action_id,
            hint="correct the terms, or load it with status NEEDS_TERMS.",
        )
    return Fraction(new, old)


def _pays(action: Action) -> bool:
    """Tell whether holders get cash or another company; a capital reduction may repay some."""
    if action.kind is ActionKind.CAPITAL_REDUCTION:
        return bool(action.cash_amount)
    return action.kind in _CASH or action.kind is ActionKind.DEMERGER


def _close(action: Action) -> tuple[DividendMethod, Decimal]:
    close = action.reference_price
    if close is None or not close.is_finite() or close <= 0:
        raise UsageError(
            "ASKNOWN-REFERENCE-003",
            f"expected a close above 0 for a {action.kind}, found {close}.",
            where=action.action_id,
            hint="give the close, or load it with status NEEDS_TERMS.",
        )
    return action.method or DividendMethod.PREV_CLOSE, close


def _amount(action: Action) -> Fraction:
    if action.kind is ActionKind.DEMERGER:
        return _positive(action, action.distributed_value, "a distributed value")
    amount = action.cash_amount
    if amount is None or (amount.is_finite() and amount < 0):
        raise UsageError(
            "ASKNOWN-REFERENCE-002",
            f"expected an amount of 0 or more for a dividend, found {amount}.",
            where=action.action_id,
            hint="correct the amount, or load it with status NEEDS_TERMS.",
        )
    return _finite(action, amount)


def _positive(action: Action, value: Decimal | None, name: str) -> Fraction:
    """Return a price that only the terms can say; it is never guessed from the market."""
    if value is None:
        raise _unpriced(action, f"{name} of a {action.kind}", "none")
    if value.is_finite() and value < 0:
        raise nonpositive(f"{name} of 0 or more", f"{value}", action.action_id)
    return _finite(action, value)


def _finite(action: Action, value: Decimal) -> Fraction:
    if not value.is_finite():
        raise nonpositive("a finite amount", f"{value}", action.action_id)
    return Fraction(value)


def _unpriced(action: Action, expected: str, found: str) -> UsageError:
    return UsageError(
        "ASKNOWN-REFERENCE-004",
        f"expected {expected}, found {found}.",
        where=action.action_id,
        hint="give the terms, or load it with status NEEDS_TERMS.",
    )
