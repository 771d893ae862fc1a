"""Compute the features of a listing as they were known: from versions of days, versions of values.

Time of knowledge is walked from moment to moment. While days only come after those already there,
nothing computed before can change, so they are computed together. What changes an earlier day (a
corrected bar, a factor learnt late) is a moment of its own: from that day on all is computed again,
and of each value that differs the old version ends where the new one begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from asknown.features.measures import OF_MARKET, Array, Definition, Sessions, measured

OWN = ("open", "high", "low", "close", "volume", "price_factor", "share_factor")
SAME = 1e-12  # relative and absolute: less is the order of a sum, no other knowledge
_NEVER = np.iinfo(np.int64).max


class Day(NamedTuple):
    """A session day as it was believed in [known_from, known_to), None: still is.

    `values` are those named in OWN; of a benchmark only its adjusted close. Moments are any whole
    numbers that grow with time; `day` too.
    """

    day: int
    known_from: int
    known_to: int | None
    values: tuple[float, ...]


class Version(NamedTuple):
    """A value of a feature as it was believed in [known_from, known_to), None: still is."""

    feature: Definition
    day: int
    value: float
    observations: int
    known_from: int
    known_to: int | None


class _Change(NamedTuple):
    """A day that begins to be believed, or without values ceases to be."""

    moment: int
    begins: bool
    market: bool
    day: int
    values: tuple[float, ...]


@dataclass
class _Series:
    """What is believed of each day by now, and since when; NaN for a day that is not there."""

    values: Array
    since: npt.NDArray[np.int64]
    last: int = -1  # the newest place that was ever filled

    def put(self, place: int, change: _Change) -> None:
        """Apply a change."""
        self.values[:, place] = change.values if change.begins else np.nan
        self.since[place] = change.moment
        self.last = max(self.last, place)


class Walk:
    """The walk through the knowledge of one listing."""

    def __init__(
        self, features: Sequence[Definition], own: Iterable[Day], market: Iterable[Day]
    ) -> None:
        days = list(own)
        self._features = tuple(features)
        self._days = sorted({one.day for one in days})
        place = self._place = {day: number for number, day in enumerate(self._days)}
        held = [one for one in market if one.day in place]
        self._changes = sorted([*_changes(days, market=False), *_changes(held, market=True)])
        count = len(self._days)
        self._own = _Series(np.full((len(OWN), count), np.nan), np.zeros(count, np.int64))
        self._market = _Series(np.full((1, count), np.nan), np.zeros(count, np.int64))
        shape = (len(self._features), count)
        self._value, self._seen = np.full(shape, np.nan), np.zeros(shape)
        self._since = np.zeros(shape, np.int64)
        self._margin = 1 + max((one.window for one in self._features), default=0)

    def versions(self) -> Iterator[Version]:
        """Yield every version of every value, each once it is known how long it was believed."""
        pending = _NEVER  # the first place whose values are not computed yet
        for moment, group in groupby(self._changes, key=lambda change: change.moment):
            changes = list(group)
            appended = self._append(changes)
            if not appended and pending != _NEVER:
                yield from self._compute(pending, None)
                pending = _NEVER
            for change in changes:
                self._series(change).put(self._place[change.day], change)
            first = min(self._place[change.day] for change in changes)
            if appended:
                pending = min(pending, first)
            else:
                yield from self._compute(first, moment)
        if pending != _NEVER:
            yield from self._compute(pending, None)
        yield from self._open()

    def _series(self, change: _Change) -> _Series:
        return self._market if change.market else self._own

    def _append(self, changes: Sequence[_Change]) -> bool:
        """Tell whether each change only adds a day behind those of its own series."""
        return all(
            change.begins and self._place[change.day] > self._series(change).last
            for change in changes
        )

    def _compute(self, first: int, moment: int | None) -> Iterator[Version]:
        """Compute what is believed from the place `first` on, and yield what that supersedes.

        It is known since `moment`; for None since its newest day is.
        """
        there = np.flatnonzero(np.isfinite(self._own.values[OWN.index("close")]))
        begin = max(0, int(np.searchsorted(there, first)) - self._margin)
        read = there[begin:]
        own = dict(zip(OWN, self._own.values[:, read], strict=True))
        days = Sessions(**own, market=self._market.values[0, read])
        width = len(self._days) - first
        kept = read >= first
        for number, feature in enumerate(self._features):
            value, seen = np.full(width, np.nan), np.zeros(width)
            if kept.any():
                found, count = measured(feature.measure, days, feature)
                value[read[kept] - first], seen[read[kept] - first] = found[kept], count[kept]
            known = self._known(feature, first, moment)
            yield from self._replace(number, first, (value, seen, known))

    def _known(self, feature: Definition, first: int, moment: int | None) -> npt.NDArray[np.int64]:
        if moment is not None:
            return np.full(len(self._days) - first, moment, np.int64)
        own, market = self._own.since[first:], self._market.since[first:]
        return np.maximum(own, market) if feature.measure in OF_MARKET else own

    def _replace(
        self, number: int, first: int, new: tuple[Array, Array, npt.NDArray[np.int64]]
    ) -> Iterator[Version]:
        value, seen, known = new
        old = self._value[number, first:]
        same = np.isclose(old, value, rtol=SAME, atol=SAME, equal_nan=True)
        same &= np.isnan(value) | (self._seen[number, first:] == seen)
        for place in np.flatnonzero(~same):
            at = int(known[place])
            yield from self._ended(number, first + int(place), at)
        changed = np.flatnonzero(~same) + first
        self._value[number, changed] = value[changed - first]
        self._seen[number, changed] = seen[changed - first]
        self._since[number, changed] = known[changed - first]

    def _ended(self, number: int, place: int, known_to: int | None) -> Iterator[Version]:
        """Yield the version that ends, unless there is none or it was never believed."""
        value, since = self._value[number, place], int(self._since[number, place])
        if np.isnan(value) or since == known_to:
            return
        seen = int(self._seen[number, place])
        feature = self._features[number]
        yield Version(feature, self._days[place], float(value), seen, since, known_to)

    def _open(self) -> Iterator[Version]:
        for number in range(len(self._features)):
            for place in np.flatnonzero(np.isfinite(self._value[number])):
                yield from self._ended(number, int(place), None)


def _changes(days: Iterable[Day], *, market: bool) -> Iterator[_Change]:
    """Yield when days begin and cease to be believed; of one moment an end comes first."""
    for one in days:
        yield _Change(one.known_from, True, market, one.day, one.values)
        if one.known_to is not None:
            yield _Change(one.known_to, False, market, one.day, ())
