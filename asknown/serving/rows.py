"""From a request to a page of rows: identity, factors, reading, adjusting, the next cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asknown.reference.adjusting import Adjust, Factors, ratios, scaled
from asknown.reference.moments import iso
from asknown.reference.naming import Asked, Moment, given_up, meant
from asknown.serving import cursor, identity
from asknown.serving.datasets import Answer, Dataset, Row
from asknown.serving.parameters import (
    RowsQuery,
    Span,
    knowledge,
    require_instruments,
    span,
)
from asknown.serving.store import Page, Store, position
from asknown.serving.timelines import Timeline, timelines

PRECISION = "decimal * double ratio, rounded half to even to 8 places"


@dataclass(frozen=True)
class Reading:
    """One request: the dataset with what fixes its filters, and the parameters."""

    dataset: Dataset
    query: RowsQuery
    filters: Mapping[str, str | int]
    path: str


def read(store: Store, request: Reading, now: datetime, key: bytes) -> Answer:
    """Return one page.

    Raises ApiError for parameters, symbols and cursors that cannot be used.
    """
    query, dataset = request.query, request.dataset
    require_instruments(query)
    print_ = cursor.fingerprint(
        {"path": request.path, **query.model_dump(exclude={"limit", "next"}, mode="json")}
    )
    after = cursor.open_(query.next, print_, key) if query.next else None
    known_at = after.known_at if after else knowledge(query.known_at, now)
    times = span(query, dataset, known_at)
    at = Moment(times.symbol_as_of, known_at)
    lines = instruments(store, query.entity_ids, query.symbols, at)
    page = Page(
        entity_ids=list(lines),
        span=times,
        filters=request.filters,
        limit=query.limit + 1,  # one more tells whether there is a next page
        after=after.position if after else None,
    )
    found = [dict(zip(dataset.names, row, strict=True)) for row in store.page(dataset, page)]
    rows = found[: query.limit]
    complete = len(found) <= query.limit
    following = None
    if not complete:
        end = cursor.Cursor(position(dataset, rows[-1]), known_at)
        following = cursor.seal(end, print_, key)
    if query.adjust is not Adjust.RAW:
        adjust_rows(rows, dataset, query.adjust, lines, known_at)
    meta = _meta(query, times, lines, complete=complete)
    return Answer(dataset, rows, meta, following)


def instruments(
    store: Store, entity_ids: Sequence[str], symbols: Sequence[str], at: Moment
) -> dict[str, Timeline]:
    """Return the timelines of the listings that a request names.

    A symbol whose last bearer was delisted still names it: nobody else has it. One that was given
    up by a rename names nothing. Raises ApiError for what names no listing, or several.
    """
    asked = [Asked(symbol) for symbol in symbols]
    found = identity.resolve(store, asked, at)
    listings = dict.fromkeys(entity_ids)
    for one in found:
        listings[meant(one) or identity.require(store, one, at)] = None
    lines = timelines(store, list(listings), at.known_at)
    for one in found:
        point = lines[one.listing_ids[0]].at(at.on)
        if given_up(one, point.status if point else None):
            raise identity.problem(store, one, at)
    return lines


def _meta(
    query: RowsQuery, times: Span, lines: Mapping[str, Timeline], *, complete: bool
) -> dict[str, Any]:
    """Return what an answer rests on."""
    basis = [line.at(times.known_at) for line in lines.values()]
    return {
        "adjust": query.adjust.value,
        "precision": "as received" if query.adjust is Adjust.RAW else PRECISION,
        "start": iso(times.start),
        "end": iso(times.end),
        "known_at": iso(times.known_at),
        "symbol_as_of": iso(times.symbol_as_of),
        "factor_basis": [point.as_json() for point in basis if point],
        "complete": complete,
    }


def adjust_rows(
    rows: list[Row],
    dataset: Dataset,
    adjust: Adjust,
    lines: Mapping[str, Timeline],
    known_at: datetime,
) -> None:
    """Adjust prices and sizes in place, all by the knowledge of `known_at` and seen from it.

    The factors in a row become those it was adjusted with: those of its own time by that
    knowledge, which an action learnt late makes differ from the stored ones. Its factor_version
    stays: of bars it is part of the key.
    """
    basis = {listing: line.factors(known_at) for listing, line in lines.items()}
    for row in rows:
        listing = row["entity_id"]
        then = _factors(row, dataset, lines[listing])
        row.update(price_factor=then.price, split_factor=then.split, share_factor=then.share)
        price, size = ratios(adjust, then, basis[listing])
        for names, ratio in ((dataset.prices, price), (dataset.sizes, size)):
            for name in names:
                if row[name] is not None:
                    row[name] = scaled(row[name], ratio)


def _factors(row: Row, dataset: Dataset, line: Timeline) -> Factors:
    """Return the factors of a row's own time."""
    start: datetime = row[dataset.time_name]
    if not dataset.cut:
        return line.factors(start)
    stored = Factors(row["price_factor"], row["split_factor"], row["share_factor"])
    return line.factors_of_part(start, start + timedelta(seconds=row["interval_seconds"]), stored)
