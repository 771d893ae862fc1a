"""Compute who belonged to a universe, as it was known."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple


class Listed(NamedTuple):
    """A listing that could be traded on days [valid_from, valid_to), as known in [from, to)."""

    symbol: str
    valid_from: date
    valid_to: date
    known_from: int
    known_to: int | None


class Ranked(NamedTuple):
    """What a listing is ranked by, as known in [known_from, known_to), None: still is."""

    listing: str
    symbol: str
    value: float
    known_from: int
    known_to: int | None


class Believed(NamedTuple):
    """What was believed in [known_from, known_to), None: still is."""

    what: tuple[Hashable, ...]
    known_from: int
    known_to: int | None


def listed(rows: Iterable[Listed]) -> Iterator[Believed]:
    """Yield (symbol, valid_from, valid_to) of a listing's memberships; intervals that meet are one.

    The symbol is the one borne at the beginning.
    """
    held = list(rows)

    def at(moment: int) -> set[tuple[Hashable, ...]]:
        spans = sorted((r.valid_from, r.valid_to, r.symbol) for r in held if _known(r, moment))
        return set(_joined(spans))

    yield from _versions(_moments(held), at)


def most(rows: Iterable[Ranked], members: int, *, not_before: int) -> Iterator[Believed]:
    """Yield (listing, symbol) of the `members` listings with the highest values.

    Nothing is decided before the moment `not_before`: whoever reports later than others of the same
    evening is not left out for an hour. Of equal values the lower id comes first.
    """
    held = list(rows)

    def at(moment: int) -> set[tuple[Hashable, ...]]:
        known = sorted((-r.value, r.listing, r.symbol) for r in held if _known(r, moment))
        return {(listing, symbol) for _, listing, symbol in known[:members]}

    yield from _versions(_moments(held, not_before), at)


def _known(row: Listed | Ranked, moment: int) -> bool:
    return row.known_from <= moment and (row.known_to is None or moment < row.known_to)


def _moments(rows: Sequence[Listed | Ranked], not_before: int = 0) -> list[int]:
    """Return when something became known or ceased to be, none before `not_before`."""
    ends = {r.known_to for r in rows if r.known_to is not None}
    return sorted({max(moment, not_before) for moment in {r.known_from for r in rows} | ends})


def _versions(
    moments: Iterable[int], at: Callable[[int], set[tuple[Hashable, ...]]]
) -> Iterator[Believed]:
    """Yield each thing believed with the span of moments in which it was."""
    since: dict[tuple[Hashable, ...], int] = {}
    for moment in moments:
        now = at(moment)
        for gone in since.keys() - now:
            yield Believed(gone, since.pop(gone), moment)
        for new in now - since.keys():
            since[new] = moment
    for still, moment in since.items():
        yield Believed(still, moment, None)


def _joined(spans: Iterable[tuple[date, date, str]]) -> Iterator[tuple[Hashable, ...]]:
    start, end, symbol = None, date.min, ""
    for valid_from, valid_to, name in spans:
        if start is not None and valid_from <= end:
            end = max(end, valid_to)
            continue
        if start is not None:
            yield symbol, start, end
        start, end, symbol = valid_from, valid_to, name
    if start is not None:
        yield symbol, start, end


def next_month(day: date) -> date:
    """Return the first day of the month after that of `day`."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
