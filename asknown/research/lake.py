"""Answer from the lake: Iceberg tables, read in the states they have when the question comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog

from asknown.reference.adjusting import Adjust
from asknown.reference.moments import iso
from asknown.reference.naming import Asked, Moment
from asknown.research import daily, facts, lines
from asknown.research.adjusted import adjust_table
from asknown.research.asking import Ask, bad
from asknown.research.result import Result
from asknown.research.sources import BAR, COMPUTED_DAY, INTERVALS, SOURCE_DAY, TRADE, Source
from asknown.research.spans import about, in_range, windows
from asknown.research.stored import stored
from asknown.research.tables import Tables, naive
from asknown.research.where import among, at_least, below, equal, every

PRECISION = "decimal * double ratio, rounded half to even to 8 places"


class Lake:
    """Answers questions from one catalog."""

    def __init__(self, catalog: Catalog, now: Callable[[], datetime]) -> None:
        """Keep the catalog, and what tells the time by which answers are known."""
        self._catalog = catalog
        self._now = now

    @property
    def place(self) -> str:
        """Return where answers come from."""
        return "lake"

    def now(self) -> datetime:
        """Return the newest knowledge there can be."""
        moment = self._now().astimezone(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def answer(self, ask: Ask) -> Result:
        """Return the rows of a question.

        Raises UsageError for what cannot be asked, NotNamedError for symbols.
        """
        ask = self._complete(ask)
        tables = Tables(self._catalog, ask.snapshots)
        if ask.dataset in facts.ANSWERS:
            return facts.answer(tables, ask)
        if ask.dataset == "table":
            return stored(tables, ask)
        return _rows(tables, ask)

    def resolve(self, asked: Asked, at: Moment) -> dict[str, Any]:
        """Return what an identifier meant: status, entity_id and the candidates."""
        tables = Tables(self._catalog, {})
        (found,) = lines.identities(tables, [asked], at)
        return found.as_json(at)

    def close(self) -> None:
        """Do nothing: files are closed when they were read."""

    def _complete(self, ask: Ask) -> Ask:
        now = self.now()
        if ask.known_at is not None and ask.known_at > now:
            raise bad("known_at", f"a time not after now ({iso(now)})", iso(ask.known_at))
        known_at = ask.known_at or now
        on = ask.symbol_as_of or known_at
        return replace(ask, known_at=known_at, symbol_as_of=on)


def _rows(tables: Tables, ask: Ask) -> Result:
    """Return trades or bars."""
    assert ask.known_at and ask.symbol_as_of and ask.start  # noqa: S101  # completed
    known_at = ask.known_at
    source = {"trade": TRADE, "bar": BAR, "daily_bar": SOURCE_DAY}[ask.dataset]
    at = Moment(ask.symbol_as_of, ask.known_at)
    found = lines.instruments(tables, ask.symbols, ask.entity_ids, at)
    basis = [line.at(ask.known_at) for line in found.values()]
    empty = tables.rows(source, ask.known_at, equal("entity_id", ""))

    def read() -> Iterator[pa.Table]:
        for start, end in windows(ask, source):
            rows = _window(tables, ask, source, (start, end), list(found))
            if source is SOURCE_DAY:
                rows = daily.computed_first(tables, rows, known_at, list(found))
            rows = in_range(rows, source.time, ask)
            yield adjust_table(rows, source, ask.adjust, found, known_at)

    if source is SOURCE_DAY:
        tables.open(COMPUTED_DAY.table)  # pinned before anything is read
    meta = {
        **about(ask, tables),
        "adjust": ask.adjust.value,
        "precision": "as received" if ask.adjust is Adjust.RAW else PRECISION,
        "entity_ids": list(found),
        "factor_basis": [point.as_json() for point in basis if point],
    }
    return Result(ask, empty.schema, meta, source.key, read)


def _window(
    tables: Tables,
    ask: Ask,
    source: Source,
    span: tuple[datetime, datetime],
    listings: list[str],
) -> pa.Table:
    assert ask.known_at  # noqa: S101  # completed
    start, end = (naive(one).isoformat() for one in span)
    where = every(
        among("entity_id", listings),
        at_least("event_time", start),
        below("event_time", end),
        *(equal(name, value) for name, value in _fixed(ask, source)),
    )
    return tables.rows(source, ask.known_at, where)


def _fixed(ask: Ask, source: Source) -> list[tuple[str, Any]]:
    if source is TRADE:
        return []
    if source is SOURCE_DAY:
        return [("interval_seconds", INTERVALS["1d"])]
    return [(name, ask.options[name]) for name in ("interval_seconds", "price_type")]
