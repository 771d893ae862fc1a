"""What SQL cannot express: a listing's features through its knowledge, and memberships.

Each takes a key with all its lines (sql/research) and hands on its rows in blocks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from pyflink.common import Row
from pyflink.datastream import FlatMapFunction

from asknown.features.definitions import Liquid
from asknown.features.measures import Definition
from asknown.features.universes import Believed, Listed, Ranked, listed, most, next_month
from asknown.features.walk import OWN, Day, Walk
from asknown.reference import calendars
from jobs.runtime import streams

FEATURES, MEMBERS = "gold.feature", "gold.universe_member"
EPOCH = date(1970, 1, 1)
MINUTE_MS = 60_000
LAST_DAY = date(9999, 12, 31)
OPEN_MS = 253_402_214_400_000  # 9999-12-31
OPEN_YEAR = 2200  # from which on a time of the reference truth means that there is no end
_CLOSE, _PRICE_FACTOR = OWN.index("close"), OWN.index("price_factor")


class FeaturesOf(FlatMapFunction):
    """Compute all features of a listing: (listing, its days, the days of its market)."""

    def __init__(self, features: Sequence[Definition]) -> None:
        self._features = tuple(features)

    def flat_map(self, value: Row) -> Iterator[Row]:
        """Yield the versions of each value."""
        entity_id, own, market = value
        walk = Walk(self._features, _days(own), _market(market))
        rows = (
            {
                "feature_name": one.feature.name,
                "feature_version": one.feature.version,
                "entity_id": entity_id,
                "trade_date": EPOCH + timedelta(days=one.day),
                "value": one.value,
                "observations": one.observations,
                **_known(one.known_from, one.known_to),
            }
            for one in walk.versions()
        )
        yield from _blocks(FEATURES, rows)


class ListedOf(FlatMapFunction):
    """Say when a listing could be traded: (listing, venue, intervals of each knowledge)."""

    def flat_map(self, value: Row) -> Iterator[Row]:
        """Yield its memberships of the universe `listed`."""
        entity_id, venue, lines = value
        spans = (
            Listed(symbol, _first(venue, start), _end(venue, end), *known)
            for symbol, start, end, *known in _lines(lines)
        )
        rows = (
            {
                "universe": "listed",
                "entity_id": entity_id,
                "symbol": symbol,
                "valid_from": valid_from,
                "valid_to": valid_to,
                **_known(known_from, known_to),
            }
            for (symbol, valid_from, valid_to), known_from, known_to in listed(spans)
        )
        yield from _blocks(MEMBERS, rows)


class MostOf(FlatMapFunction):
    """Choose a venue's members for a month: (venue, last session before it, what ranks them)."""

    def __init__(self, universes: Sequence[Liquid]) -> None:
        self._universes = tuple(universes)

    def flat_map(self, value: Row) -> Iterator[Row]:
        """Yield the memberships, decided when the session is over everywhere on earth."""
        venue, day, lines = value
        decided = ((day - EPOCH).days * 24 + 36) * 60
        ranked = [Ranked(*line) for line in _lines(lines)]
        for universe in self._universes:
            chosen = most(ranked, universe.members, not_before=decided)
            yield from _blocks(MEMBERS, _chosen(f"{universe.name}_{venue}", day, chosen))


def _chosen(name: str, day: date, chosen: Iterable[Believed]) -> Iterator[dict[str, Any]]:
    begins = next_month(day)
    for (listing, symbol), known_from, known_to in chosen:
        yield {
            "universe": name,
            "entity_id": listing,
            "symbol": symbol,
            "valid_from": begins,
            "valid_to": next_month(begins),
            **_known(known_from, known_to),
        }


def _days(text: str) -> Iterator[Day]:
    for day, *values, known_from, known_to in _lines(text):
        yield Day(day, known_from, known_to, tuple(values))


def _market(text: str) -> Iterator[Day]:
    """Yield the days of a benchmark: adjusted closes."""
    for one in _days(text):
        yield one._replace(values=(one.values[_CLOSE] / one.values[_PRICE_FACTOR],))


def _lines(text: str) -> Iterator[list[Any]]:
    """Yield what each line says; its last two are when it began and ceased to be known."""
    for line in text.split("\n") if text else ():
        *said, known_from, known_to = json.loads(line)
        yield [*said, _minute(known_from), _minute(known_to)]


def _minute(text: str) -> int | None:
    """Return a time in whole minutes since 1970; None for the open end."""
    at = _time(text)
    return None if at.year >= OPEN_YEAR else int(at.timestamp()) // 60


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _known(known_from: int, known_to: int | None) -> dict[str, int]:
    end = OPEN_MS if known_to is None else known_to * MINUTE_MS
    return {"known_from": known_from * MINUTE_MS, "known_to": end}


def _first(venue: str, text: str) -> date:
    """Return the day, local to the venue, in which a time lies."""
    return calendars.local_date(venue, int(_time(text).timestamp() * 1000))


def _end(venue: str, text: str) -> date:
    """Return the day after the last one that begins before a time."""
    at = _time(text)
    if at.year >= OPEN_YEAR:
        return LAST_DAY
    return calendars.local_date(venue, int(at.timestamp() * 1000) - 1) + timedelta(days=1)


def _blocks(table: str, rows: Iterator[dict[str, Any]]) -> Iterator[Row]:
    while block := [streams.row(table, {}, row) for row in islice(rows, streams.BLOCK_ROWS)]:
        yield Row(block)
