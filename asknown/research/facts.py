"""Answers that are few rows: features, universes, corporate actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import BooleanExpression

from asknown.reference.naming import Moment
from asknown.research import daily, lines
from asknown.research.asking import Ask, bad
from asknown.research.result import Result
from asknown.research.sources import ACTION, FEATURE, UNIVERSE, Source
from asknown.research.spans import about
from asknown.research.tables import TIME, Tables, believed, newest, open_ends
from asknown.research.where import EVERY, among, equal, every


def answer(tables: Tables, ask: Ask) -> Result:
    """Return the rows of one of `ANSWERS`."""
    return ANSWERS[ask.dataset](tables, ask)


def actions(tables: Tables, ask: Ask) -> Result:
    """Return corporate actions by ex-date: of each the newest version known, or every one.

    The newest is picked before anything else is asked: an action that was moved out of the range
    is not in it any more.
    """
    listings = _listings(tables, ask)
    rows = tables.rows(ACTION, _known(ask), _of(listings))
    if not ask.options.get("revisions"):
        rows = newest(rows, ("entity_id", "action_id"), ("version",))
    rows = _between(rows, "ex_date", ask).sort_by([(name, "ascending") for name in ACTION.key])
    return _result(ask, rows, {**about(ask, tables), "entity_ids": listings}, ACTION)


def features(tables: Tables, ask: Ask) -> Result:
    """Return features, each in the newest version of its definition that was known."""
    listings, names = _listings(tables, ask), list(ask.options.get("names") or ())
    where: BooleanExpression = _of(listings)
    if names:
        where = every(where, among("feature_name", names))
    if ask.options.get("version") is not None:
        where = every(where, equal("feature_version", ask.options["version"]))
    rows = tables.rows(FEATURE, _known(ask), where)
    rows = _newest_definition(rows)
    rows = believed(rows, _known(ask), superseded=bool(ask.options.get("revisions")))
    rows = with_close(_between(rows, "trade_date", ask), tables, _known(ask))
    versions = rows.group_by("feature_name").aggregate([("feature_version", "max")]).to_pylist()
    meta = {
        **about(ask, tables),
        "entity_ids": listings,
        "feature_versions": {r["feature_name"]: r["feature_version_max"] for r in versions},
    }
    return _result(ask, rows, meta, FEATURE)


def universe(tables: Tables, ask: Ask) -> Result:
    """Return who was a member of a universe, on a day or within a range."""
    if ask.symbols or ask.entity_ids:
        raise bad("symbols", "none: a universe is asked for as a whole", ask.symbols)
    rows = tables.rows(UNIVERSE, _known(ask), equal("universe", ask.options["universe"]))
    rows = believed(rows, _known(ask), superseded=bool(ask.options.get("revisions")))
    if ask.start is not None:
        rows = rows.filter(pc.greater(rows.column("valid_to"), _date(ask.start)))
    if ask.end is not None:
        rows = rows.filter(pc.less(rows.column("valid_from"), _date(ask.end)))
    return _result(ask, open_ends(rows, "valid_to"), about(ask, tables), UNIVERSE)


ANSWERS: Mapping[str, Callable[[Tables, Ask], Result]] = {
    "corporate_action": actions,
    "feature": features,
    "universe_member": universe,
}


def with_close(rows: pa.Table, tables: Tables, known_at: datetime) -> pa.Table:
    """Return rows of session days with `close_time`, when the session ended at their venue."""
    listings = rows.column("entity_id").unique().to_pylist()
    known = lines.lines_of(tables, None if len(listings) > MANY else listings, known_at)
    venues = {listing: line.points[-1].row["venue"] for listing, line in known.items()}
    at = [venues.get(listing, "") for listing in rows.column("entity_id").to_pylist()]
    days = rows.column("trade_date").to_pylist()
    by_venue: dict[str, set[date]] = {}
    for venue, day in zip(at, days, strict=True):
        by_venue.setdefault(venue, set()).add(day)
    ends = {venue: daily.closes(venue, sorted(found)) for venue, found in by_venue.items()}
    times = [ends[venue][day] for venue, day in zip(at, days, strict=True)]
    place = rows.column_names.index("trade_date") + 1
    return rows.add_column(place, "close_time", pa.array(times, pa.int64()).cast(TIME))


MANY = 1000  # listings, from which on all are read


def _newest_definition(rows: pa.Table) -> pa.Table:
    last = rows.group_by("feature_name").aggregate([("feature_version", "max")])
    names = rows.column_names
    last = last.rename_columns({"feature_version_max": "feature_version"})
    kept = rows.join(last, ["feature_name", "feature_version"], join_type="left semi")
    return kept.select(names).sort_by([(name, "ascending") for name in FEATURE.key])


def _listings(tables: Tables, ask: Ask) -> list[str] | None:
    """Return the listings that a question names, None for all of them."""
    if not ask.symbols and not ask.entity_ids:
        return None
    assert ask.symbol_as_of  # noqa: S101  # completed
    at = Moment(ask.symbol_as_of, _known(ask))
    return list(lines.instruments(tables, ask.symbols, ask.entity_ids, at))


def _of(listings: list[str] | None) -> BooleanExpression:
    return EVERY if listings is None else among("entity_id", listings)


def _known(ask: Ask) -> datetime:
    assert ask.known_at  # noqa: S101  # completed
    return ask.known_at


def _between(rows: pa.Table, column: str, ask: Ask) -> pa.Table:
    for limit, compare in ((ask.start, pc.greater_equal), (ask.end, pc.less)):
        if limit is not None:
            rows = rows.filter(compare(rows.column(column), _date(limit)))
    return rows


def _date(limit: date) -> Any:
    if isinstance(limit, datetime):
        raise bad("start, end", "session dates", limit.isoformat())
    return pa.scalar(limit, pa.date32())


def _result(ask: Ask, rows: pa.Table, meta: dict[str, Any], source: Source) -> Result:
    def read() -> Iterator[pa.Table]:
        yield rows

    return Result(ask, rows.schema, meta, source.key, read)
