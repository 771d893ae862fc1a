"""From what is known of a key to its change points, and from one belief to the next.

A schedule is what a key means, by the knowledge of one instant, from its first instant on. When
knowledge changes, the difference of two schedules says what to publish: rectangles of the
bitemporal truth, change points for the stream, and the ranges of the past that were restated.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from asknown.reference.isin import issuer_of, security_of
from asknown.reference.records import FOR_EVER
from asknown.reference.state import Key, Meaning, Point
from asknown.reference.steps import Step
from asknown.reference.timeline import Interval

_UNCHANGED = (1.0, 1.0, 1.0)
LISTED, NOT_LISTED, DELISTED = "LISTED", "NOT_LISTED", "DELISTED"

Plan = list[tuple[int, Meaning]]


@dataclass(frozen=True, slots=True)
class Life:
    """A listing as one key sees it: its intervals and the steps of its factors."""

    listing_id: str
    intervals: Sequence[Interval]
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Restated:
    """A range of the past in which a key means something else than was believed."""

    start: int
    end: int
    old: Meaning | None
    new: Meaning | None


def plan(raw_key: str, key: Key, lives: Iterable[Life]) -> Plan:
    """Return what `raw_key` means from when on, in order, by the knowledge in `lives`."""
    owned = [(one, life) for life in lives for one in life.intervals if one.raw_key == raw_key]
    if len(owned) > 1:
        owned.sort(key=lambda pair: pair[0].start)
    found: Plan = []
    if not owned or key.first_known < owned[0][0].start:
        found.append((key.first_known, _nobody(key)))
    for at, (interval, life) in enumerate(owned):
        following = owned[at + 1][0].start if at + 1 < len(owned) else FOR_EVER
        found += _pieces(life, interval, (interval.start, interval.end), LISTED, key.venue)
        if interval.end < following:
            gap = (interval.end, following)
            if interval.delisted:
                found += _pieces(life, interval, gap, DELISTED, key.venue)
            else:
                found.append((interval.end, _nobody(key)))
    return [row for at, row in enumerate(found) if not at or row[1] != found[at - 1][1]]


def meaning_at(points: Sequence[Point], at: int) -> Meaning | None:
    """Return what was believed of `at`; None before the first point."""
    place = bisect_right(points, at, key=_start)
    return points[place - 1].meaning if place else None


_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Renewal:
    """What is believed of a key from now on, and the rectangles that are new or believed no more.

    A rectangle is a point and the instant at which it ends.
    """

    points: list[Point]
    come: list[tuple[Point, int]]
    gone: list[tuple[Point, int]]


def renewed(old: Sequence[Point], new: Plan, at: int) -> Renewal:
    """Return what is believed after `new` was learnt at `at`.

    A rectangle that was believed before keeps its knowledge time.
    """
    found = Renewal([], [], [])
    held = {point.start: (point, end) for point, end in zip(old, _ends(old), strict=True)}
    ends = [*(start for start, _ in new[1:]), FOR_EVER]
    for (start, meaning), end in zip(new, ends, strict=True):
        was = held.get(start)
        if was is not None and was[1] == end and was[0].meaning == meaning:
            found.points.append(was[0])
            del held[start]
            continue
        point = Point(start, at, meaning)
        found.points.append(point)
        found.come.append((point, end))
    found.gone.extend(held.values())
    return found


def _ends(points: Sequence[Point]) -> list[int]:
    return [*(point.start for point in points[1:]), FOR_EVER] if points else []


def published(key: Key, old: Sequence[Point], at: int) -> Plan:
    """Return the change points to publish at `at`: what holds from now on, and from when on.

    What was published of the future and is no longer true is overwritten by what holds there. Such
    an instant stays in the key's `overwritten` until it has passed: the point lies in the topic, so
    whatever changes what holds there has to be said there as well.
    """
    new, rows = key.points, list[tuple[int, Meaning | None]]()
    if (now := meaning_at(new, at)) != meaning_at(old, at):
        rows.append((at, now))
    was: dict[int, Meaning | None] = {**_after(old, at)}
    for start in key.overwritten:
        if start > at:
            was[start] = meaning_at(old, start)
    will = _after(new, at)
    for start in sorted({*was, *will}):
        meaning = will[start] if start in will else meaning_at(new, start)
        if start not in was or was[start] != meaning:
            rows.append((start, meaning))
    key.overwritten = sorted(was.keys() - will.keys())
    return [(start, meaning or _nobody(key)) for start, meaning in rows]


def _after(points: Sequence[Point], at: int) -> dict[int, Meaning]:
    following = points[bisect_right(points, at, key=_start) :]
    return {point.start: point.meaning for point in following}


def restated(old: Sequence[Point], new: Sequence[Point], at: int) -> Iterator[Restated]:
    """Yield the ranges before `at` that mean something else by `new`, as long as they can be.

    A key that meant nothing before and means nothing now is no restatement.
    """
    if _same_until(old, new, at):
        return
    starts = sorted({p.start for p in (*old, *new) if p.start < at})
    range_start: int | None = None
    last: tuple[Meaning | None, Meaning | None] = (None, None)
    for start in [*starts, at]:
        was, now = meaning_at(old, start), meaning_at(new, start)
        nothing = _means_nothing(was) and _means_nothing(now)
        differs = start < at and was != now and not nothing
        if differs:
            range_start = start if range_start is None else range_start
            last = (was, now)
        elif range_start is not None:
            yield Restated(range_start, start, *last)
            range_start = None


def _same_until(old: Sequence[Point], new: Sequence[Point], at: int) -> bool:
    """Tell at a glance that nothing before `at` was restated: the common case."""
    count = bisect_left(old, at, key=_start)
    return count == bisect_left(new, at, key=_start) and all(
        one is other or (one.start == other.start and one.meaning == other.meaning)
        for one, other in zip(old[:count], new[:count], strict=True)
    )


def _means_nothing(meaning: Meaning | None) -> bool:
    return meaning is None or meaning.status == NOT_LISTED


def _pieces(
    life: Life, interval: Interval, span: tuple[int, int], status: str, venue: str
) -> Iterator[tuple[int, Meaning]]:
    """Yield the span of an interval, cut where the factors step."""
    named = (
        life.listing_id,
        security_of(interval.isin),
        interval.issuer or issuer_of(interval.isin),
        interval.symbol,
        venue,
        interval.series,
        interval.isin,
        interval.security_class,
        status,
    )
    terms = (interval.strike, interval.lot_size)
    place = bisect_right(life.steps, span[0], key=_start)
    before = life.steps[place - 1] if place else None
    numbers, version = (before.numbers, before.version) if before else (_UNCHANGED, 0)
    yield span[0], Meaning(*named, *numbers, version, *terms)
    for step in life.steps[place:]:
        if step.start >= span[1]:
            break
        yield step.start, Meaning(*named, *step.numbers, step.version, *terms)


def _nobody(key: Key) -> Meaning:
    return Meaning(
        "", "", "", key.symbol, key.venue, "", "", "", NOT_LISTED, 1.0, 1.0, 1.0, 0, None, None
    )
