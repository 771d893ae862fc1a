"""What a listing was through time, by the knowledge of one moment.

Stored rows carry the factors that were known when they were normalized. What is adjusted at read
must not: an action learnt late changes C(t) of rows between its ex-date and the day it was known.
So C(t), X(t) and S(t) of a row's own time come from here, by the knowledge of `known_at`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from asknown.reference.adjusting import Factors, shortest
from asknown.reference.adjusting import Timeline as LineOf
from asknown.reference.moments import FOR_EVER, iso, milliseconds
from asknown.serving.problems import ApiError
from asknown.serving.store import Store

_COLUMNS = (
    "listing_id, raw_key, symbol, venue, series, isin, security_id, issuer_id, security_class,"
    " status, valid_from, valid_to, known_from, known_to, price_factor, split_factor, share_factor,"
    " factor_version, strike, lot_size"
)
# The keys first, by the index on listing_id; then their rows, by the primary key.
_BELIEVED = (
    f"SELECT {_COLUMNS} FROM silver.entity_history FINAL"  # noqa: S608  # of fixed parts
    " WHERE raw_key IN (SELECT raw_key FROM silver.entity_history"
    " WHERE listing_id IN {listings:Array(String)})"
    " AND listing_id IN {listings:Array(String)}"
    " AND known_from <= fromUnixTimestamp64Milli({known_at:Int64}, 'UTC')"
    " AND known_to > fromUnixTimestamp64Milli({known_at:Int64}, 'UTC')"
    " ORDER BY listing_id, valid_from, status = 'LISTED', raw_key"
)


@dataclass(frozen=True, slots=True)
class Point:
    """A rectangle of the bitemporal truth: what a listing was from `valid_from` on."""

    listing_id: str
    raw_key: str
    symbol: str
    venue: str
    series: str
    isin: str
    security_id: str
    issuer_id: str
    security_class: str
    status: str
    valid_from: datetime
    valid_to: datetime
    known_from: datetime
    known_to: datetime
    price_factor: float
    split_factor: float
    share_factor: float
    factor_version: int
    strike: Decimal | None
    lot_size: Decimal | None

    @property
    def factors(self) -> Factors:
        """Return C, X and S."""
        return Factors(self.price_factor, self.split_factor, self.share_factor)

    def as_json(self) -> dict[str, Any]:
        """Return the point as the basis of an answer."""
        return {
            "entity_id": self.listing_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "isin": self.isin or None,
            "status": self.status,
            "raw_key": self.raw_key,
            "valid_from": iso(self.valid_from),
            "known_from": iso(self.known_from),
            "price_factor": self.price_factor,
            "split_factor": self.split_factor,
            "share_factor": self.share_factor,
            "factor_version": self.factor_version,
        }

    def state(self, known_at: datetime) -> dict[str, Any]:
        """Return everything the point says; open ends are null."""
        return {
            **self.as_json(),
            "series": self.series or None,
            "security_id": self.security_id or None,
            "issuer_id": self.issuer_id or None,
            "security_class": self.security_class,
            "valid_to": iso(self.valid_to) if self.valid_to < FOR_EVER else None,
            "known_to": iso(self.known_to) if self.known_to <= known_at else None,
            "strike": _text(self.strike),
            "lot_size": _text(self.lot_size),
        }


Timeline = LineOf[Point]


def timelines(store: Store, listings: Sequence[str], known_at: datetime) -> dict[str, Timeline]:
    """Return the timeline of each listing by the knowledge of a moment.

    Raises ApiError 404 for a listing of which nothing was known then.
    """
    if not listings:
        return {}
    parameters = {"listings": list(listings), "known_at": milliseconds(known_at)}
    by_listing: dict[str, list[Point]] = {listing: [] for listing in listings}
    for point in _points(store.query(_BELIEVED, parameters)):
        by_listing[point.listing_id].append(point)
    for listing, points in by_listing.items():
        if not points:
            raise unknown(listing, known_at)
    return {listing: Timeline(points) for listing, points in by_listing.items()}


def _points(rows: Iterable[Sequence[Any]]) -> Iterable[Point]:
    return (Point(*row) for row in rows)


def unknown(listing: str, known_at: datetime) -> ApiError:
    """Return the error for a listing of which nothing was known."""
    return ApiError(
        HTTPStatus.NOT_FOUND,
        "ASKNOWN-API-404",
        f"entity_ids: expected permanent listing ids known at {iso(known_at)}, "
        f"found {listing[:64]!r}.",
        hint="GET /v1/instruments/resolve?symbol= gives an instrument's id",
    )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else shortest(value)
