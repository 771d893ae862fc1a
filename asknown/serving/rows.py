"""From a request to a page of rows: identity, factors, reading, adjusting, the next cursor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asknown.serving import cursor, identity
from asknown.serving.adjust import Adjust, Factors, ratios, scaled
from asknown.serving.datasets import Dataset
from asknown.serving.parameters import (
    RowsQuery,
    Span,
    iso,
    knowledge,
    require_instruments,
    span,
)
from asknown.serving.store import Page, Store, position

PRECISION = "decimal * double ratio, rounded half to even to 8 places"
Row = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """One request: the dataset with what fixes its filters, and the parameters."""

    dataset: Dataset
    query: RowsQuery
    filters: Mapping[str, str | int]
    path: str


@dataclass(frozen=True)
class Answer:
    """A page: rows as dictionaries of Python values, what they rest on, the next page."""

    dataset: Dataset
    rows: list[Row]
    meta: dict[str, Any]
    next: str | None


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
    points = identity.resolve(store, query.symbols, times.symbol_as_of, known_at)
    listings = list(dict.fromkeys([*query.entity_ids, *(p.listing_id for p in points)]))
    basis = identity.basis(store, listings, known_at, known_at)
    page = Page(
        entity_ids=listings,
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
        adjust_rows(rows, dataset, query.adjust, {k: p.factors for k, p in basis.items()})
    meta = _meta(query, times, basis, complete=complete)
    return Answer(dataset, rows, meta, following)


def _meta(
    query: RowsQuery, times: Span, basis: Mapping[str, identity.Point], *, complete: bool
) -> dict[str, Any]:
    """Return what an answer rests on."""
    return {
        "adjust": query.adjust.value,
        "precision": "as received" if query.adjust is Adjust.RAW else PRECISION,
        "start": iso(times.start),
        "end": iso(times.end),
        "known_at": iso(times.known_at),
        "symbol_as_of": iso(times.symbol_as_of),
        "factor_basis": [point.as_json() for point in basis.values()],
        "complete": complete,
    }


def adjust_rows(
    rows: list[Row], dataset: Dataset, adjust: Adjust, basis: Mapping[str, Factors]
) -> None:
    """Adjust prices and sizes in place; the factors in a row stay those of its own time."""
    for row in rows:
        then = Factors(row["price_factor"], row["split_factor"], row["share_factor"])
        price, size = ratios(adjust, then, basis[row["entity_id"]])
        for names, ratio in ((dataset.prices, price), (dataset.sizes, size)):
            for name in names:
                if row[name] is not None:
                    row[name] = scaled(row[name], ratio)
