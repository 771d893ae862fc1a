"""From the actions of a listing to the steps of its cumulative factors.

C(t) and S(t) change on ex-dates only. An action that is measured against a close waits for it: it
is not applied before, and provisional until its ex-date has come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace as dataclass_replace
from datetime import date
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from asknown.errors import UsageError
from asknown.reference.actions import (
    Action,
    ActionKind,
    ActionStatus,
    DividendMethod,
    Factors,
    day_factors,
    method_of,
    needs_close,
)
from asknown.reference.option_terms import is_extraordinary

_BITS = 1000  # as asknown.reference.factors has it: doubles reach 2 ** 1023
OLD_CLOSE_DAYS = 7  # a cum close further back is one of a stock that does not trade


class Fix(msgspec.Struct, frozen=True, gc=False):
    """The close a version of an action was measured against, as far as it is known."""

    action_id: str
    version: int
    close: Decimal
    on: date


class Day(msgspec.Struct, frozen=True, gc=False):
    """All actions of one ex-date, and their factors by today's knowledge."""

    ex_date: date
    effective: int
    actions: tuple[Action, ...]
    factors: Factors
    method: str
    reference_price: Decimal | None
    reference_date: date | None
    status: str  # FINAL, PROVISIONAL, MISSING_CLOSE or NEEDS_TERMS

    @property
    def settled(self) -> bool:
        """Tell whether no close that is not part of the terms went, or will go, into it."""
        return self.reference_date is None and self.status != "MISSING_CLOSE"


class Product(msgspec.Struct, frozen=True, gc=False):
    """An exact product of factors, not reduced: products need no common divisors, quotients do."""

    price: tuple[int, int] = (1, 1)  # numerator, denominator
    split: tuple[int, int] = (1, 1)

    def times(self, factors: Factors) -> Product:
        """Return the product; this one where it would be no number for any reader."""
        price, split = factors.price, factors.split
        product = Product(
            (self.price[0] * price.numerator, self.price[1] * price.denominator),
            (self.split[0] * split.numerator, self.split[1] * split.denominator),
        )
        return self if _beyond(product.price) or _beyond(product.split) else product

    def numbers(self) -> tuple[float, float, float]:
        """Return price, split and share factor; a share factor is one over the split."""
        (price, of_price), (split, of_split) = self.price, self.split
        return price / of_price, split / of_split, of_split / split


def _beyond(ratio: tuple[int, int]) -> bool:
    return abs(ratio[0].bit_length() - ratio[1].bit_length()) > _BITS


class Step(msgspec.Struct, frozen=True, gc=False):
    """From `start` on the cumulative factors are these; `day` made the step, if an action did."""

    start: int
    day: Day | None
    total: Product
    numbers: tuple[float, float, float]
    version: int


def pick_close(action: Action, closes: Mapping[date, Decimal]) -> Fix | None:
    """Return the close that `action` asks for among the raw closes of its listing.

    PREV_CLOSE is the last one before the ex-date, EX_CLOSE the first one from it on: only closes
    that reach back to the ex-date can tell which one was the first.
    """
    before = max((day for day in closes if day < action.ex_date), default=None)
    on = before
    if needs_close(action) is DividendMethod.EX_CLOSE:
        on = min((day for day in closes if day >= action.ex_date), default=None)
        if on and before is None and (on - action.ex_date).days > OLD_CLOSE_DAYS:
            on = None
    return None if on is None else Fix(action.action_id, action.version, closes[on], on)


def awaiting(current: Iterable[Action]) -> list[Action]:
    """Return those of the actions in force whose close the source did not give."""
    return [
        action
        for action in current
        if action.reference_price is None and needs_close(action) is not None
    ]


Known = tuple[Iterable[Day], Mapping[tuple[str, int], Factors]]


def days(
    current: Iterable[Action], fixes: Sequence[Fix], at: int, known: Known = ((), {})
) -> list[Day]:
    """Return the ex-dates of the actions in force, in order, by the knowledge of `at`.

    `known` saves work: days worked out before are used again where they rest on the same actions
    and on no close, factors of a version where it is alone on its day.
    """
    before, exact = known
    newest = {(fix.action_id, fix.version): fix for fix in fixes} if fixes else {}
    held = {day.effective: day for day in before if day.settled}
    by_day: dict[int, list[Action]] = defaultdict(list)
    for action in current:
        if action.status is not ActionStatus.CANCELLED:
            by_day[action.valid_from].append(action)
    found = []
    for effective, of_day in by_day.items():
        together = tuple(of_day)
        day = held.get(effective)
        if day is None or day.actions != together:
            day = _day(together, newest, at, exact)
        found.append(day)
    return found


def steps(
    actions: Sequence[Action],
    fixes: Sequence[Fix],
    found: Iterable[Day],
    before: Sequence[Step] = (),
) -> list[Step]:
    """Return the steps of the cumulative factors, in order, the listing's beginning left out.

    The version counts what was learnt about actions whose day had come: versions and closes. It
    grows along every reading, and at a given event time more knowledge means a higher version.
    Steps worked out `before` are used again up to the first one that differs.
    """
    learnt: dict[int, int] = defaultdict(int)
    for action in actions:
        learnt[action.valid_from] += 1
    if fixes:
        effective = {(one.action_id, one.version): one.valid_from for one in actions}
        for fix in fixes:
            learnt[effective[fix.action_id, fix.version]] += 1
    by_start = {day.effective: day for day in found}
    total, version, made = Product(), 0, list[Step]()
    for place, start in enumerate(sorted(learnt)):
        day = by_start.get(start)
        version += learnt[start]
        held = before[place] if place < len(before) else None
        if held is not None and held.start == start and held.day is day:
            step = held if held.version == version else replace(held, version=version)
        else:
            before = ()
            total = total if day is None else total.times(day.factors)
            step = Step(start, day, total, total.numbers(), version)
        total = step.total
        made.append(step)
    return made


def _day(
    actions: tuple[Action, ...],
    fixes: Mapping[tuple[str, int], Fix],
    at: int,
    exact: Mapping[tuple[str, int], Factors],
) -> Day:
    first, used = actions[0], list[Action]()
    status, price, on = "FINAL", None, None
    for action in actions:
        if action.status is ActionStatus.NEEDS_TERMS:
            status = "NEEDS_TERMS"
        close = action.reference_price
        if close is None and needs_close(action) is not None:
            fix = fixes.get((action.action_id, action.version))
            if fix is None:
                status = "MISSING_CLOSE"
                continue
            action, close, on = (
                dataclass_replace(action, reference_price=fix.close),
                fix.close,
                fix.on,
            )
            old = abs((first.ex_date - on).days) > OLD_CLOSE_DAYS
            if status == "FINAL" and (at < first.valid_from or old):
                status = "PROVISIONAL"
        price = close if close is not None else price
        used.append(action)
    try:
        alone = exact.get((first.action_id, first.version)) if len(actions) == 1 else None
        factors = alone or day_factors(used)
    except UsageError:
        # Against the closes that came, or all together, the terms leave nothing of the price: what
        # is measured against a close is kept and not applied; a split needs no close to be true.
        used = [action for action in used if needs_close(action) is None]
        factors, status = day_factors(used), "NEEDS_TERMS"
    return Day(
        first.ex_date, first.valid_from, actions, factors, method_of(used), price, on, status
    )


def extraordinary(day: Day) -> Decimal:
    """Return what option contracts take off their strikes on an ex-date; 0 for nothing."""
    special = [one for one in day.actions if one.kind is ActionKind.SPECIAL_DIVIDEND and one.counts]
    paid = sum((one.cash_amount for one in special if one.cash_amount), Decimal(0))
    close = day.reference_price
    return paid if paid and close and is_extraordinary(paid, close) else Decimal(0)
