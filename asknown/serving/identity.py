"""Who a symbol was, and with which factors, by the knowledge of a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from asknown.serving.adjust import Factors
from asknown.serving.parameters import iso
from asknown.serving.problems import ApiError
from asknown.serving.store import Store, milliseconds

_COLUMNS = (
    "raw_key, symbol, venue, listing_id, isin, status, effective_time, known_from,"
    " price_factor, split_factor, share_factor, factor_version"
)
_KNOWN = (
    "known_from <= fromUnixTimestamp64Milli({known_at:Int64}, 'UTC')"
    " AND effective_time <= fromUnixTimestamp64Milli({on:Int64}, 'UTC')"
)
_MATCHING = (
    "SELECT raw_key FROM silver.entity_change WHERE symbol IN {names:Array(String)}"
    " OR raw_key IN {names:Array(String)}"
    " OR concat(symbol, '.', venue) IN {names:Array(String)}"
)
# The latest point of each key first, and only then its symbol: a key may change what it is called.
_IN_FORCE = (
    f"SELECT {_COLUMNS} FROM silver.entity_change FINAL"  # noqa: S608  # of fixed parts
    f" WHERE raw_key IN ({_MATCHING})"
    f" AND {_KNOWN} ORDER BY raw_key, effective_time DESC LIMIT 1 BY raw_key"
)
_HISTORY = (
    f"SELECT {_COLUMNS} FROM silver.entity_change FINAL"  # noqa: S608
    f" WHERE (raw_key IN ({_MATCHING})"
    " OR (listing_id IN {listings:Array(String)}))"
    f" AND {_KNOWN} ORDER BY effective_time, raw_key"
)
_BASIS = (
    f"SELECT {_COLUMNS} FROM silver.entity_change FINAL"  # noqa: S608
    f" WHERE listing_id IN {{listings:Array(String)}} AND {_KNOWN}"
    " ORDER BY listing_id, effective_time DESC, factor_version DESC LIMIT 1 BY listing_id"
)
_NEAREST = (
    "SELECT symbol FROM silver.entity_change WHERE symbol != '' GROUP BY symbol"
    " ORDER BY editDistanceUTF8(upper(symbol), upper({name:String})), symbol LIMIT 3"
)


@dataclass(frozen=True)
class Point:
    """One change point: what a source key means from `effective_time` on."""

    raw_key: str
    symbol: str
    venue: str
    listing_id: str
    isin: str
    status: str
    effective_time: datetime
    known_from: datetime
    price_factor: float
    split_factor: float
    share_factor: float
    factor_version: int

    @property
    def factors(self) -> Factors:
        """Return C, X and S."""
        return Factors(self.price_factor, self.split_factor, self.share_factor)

    def answers_to(self, name: str) -> bool:
        """Return whether a symbol, SYMBOL.VENUE or source key means this point."""
        return name in (self.symbol, self.raw_key, f"{self.symbol}.{self.venue}")

    def as_json(self) -> dict[str, Any]:
        """Return the point as the API shows it."""
        return {
            "entity_id": self.listing_id or None,
            "symbol": self.symbol,
            "venue": self.venue,
            "isin": self.isin or None,
            "status": self.status,
            "raw_key": self.raw_key,
            "effective_time": iso(self.effective_time),
            "known_from": iso(self.known_from),
            "price_factor": self.price_factor,
            "split_factor": self.split_factor,
            "share_factor": self.share_factor,
            "factor_version": self.factor_version,
        }


def resolve(store: Store, names: Sequence[str], on: datetime, known_at: datetime) -> list[Point]:
    """Return the change point each symbol meant at `on`, in the order of the names.

    Raises ApiError 404 for a symbol that named nothing then, and 422 for one that named several
    instruments.
    """
    if not names:
        return []
    parameters = {"names": list(names), "on": milliseconds(on), "known_at": milliseconds(known_at)}
    points = [Point(*row) for row in store.query(_IN_FORCE, parameters)]
    return [_one(store, name, points, on) for name in names]


def basis(
    store: Store, listings: Sequence[str], on: datetime, known_at: datetime
) -> dict[str, Point]:
    """Return per listing the factors in force at `on`, as known at `known_at`.

    Raises ApiError 404 for a listing id that nothing is known of.
    """
    parameters = {
        "listings": list(listings),
        "on": milliseconds(on),
        "known_at": milliseconds(known_at),
    }
    found = {p.listing_id: p for p in (Point(*row) for row in store.query(_BASIS, parameters))}
    unknown = [listing for listing in listings if listing not in found]
    if unknown:
        raise ApiError(
            HTTPStatus.NOT_FOUND,
            "ASKNOWN-API-404",
            f"entity_ids: expected permanent listing ids known at {iso(known_at)}, "
            f"found {unknown[0][:64]!r}.",
            hint="GET /v1/instruments/resolve?symbol= gives an instrument's id",
        )
    return found


def history(store: Store, point: Point, name: str, known_at: datetime) -> list[Point]:
    """Return every change point of a symbol and of the listing it named, by effective time."""
    parameters = {
        "names": [name],
        "listings": [point.listing_id] if point.listing_id else [],
        "on": milliseconds(known_at),
        "known_at": milliseconds(known_at),
    }
    return [Point(*row) for row in store.query(_HISTORY, parameters)]


def _one(store: Store, name: str, points: Sequence[Point], on: datetime) -> Point:
    """Return the only point in force that a name means."""
    mine = [point for point in points if point.answers_to(name)]
    named = {point.listing_id: point for point in mine if point.listing_id}
    traded = [point for point in named.values() if point.status == "LISTED"] or [*named.values()]
    if len(traded) == 1:
        return traded[0]
    if traded:
        choices = ", ".join(sorted(f"{p.symbol}.{p.venue} ({p.raw_key})" for p in traded))
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "ASKNOWN-API-003",
            f"symbols: expected one instrument, found {name!r} to mean several: {choices}.",
            hint="name it as SYMBOL.VENUE, by its source key, or by entity_ids",
        )
    if mine:
        raise ApiError(
            HTTPStatus.NOT_FOUND,
            "ASKNOWN-API-404",
            f"symbols: {name!r} named no listing at {iso(on)}.",
            hint="symbol_as_of= reads the symbol at another moment",
        )
    near = [str(row[0]) for row in store.query(_NEAREST, {"name": name})]
    raise ApiError(
        HTTPStatus.NOT_FOUND,
        "ASKNOWN-API-404",
        f"symbols: no instrument was known as {name!r} at {iso(on)}.",
        hint=f"nearest: {', '.join(near)}" if near else "no instrument is loaded yet",
    )
