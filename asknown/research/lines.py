"""Who instruments are, by the lake: identifiers and listings by the knowledge of a moment."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asknown.errors import AsknownError, ExitCode
from asknown.reference.adjusting import Factors, Timeline
from asknown.reference.identifiers import Identifier
from asknown.reference.moments import iso, milliseconds
from asknown.reference.naming import Asked, Identity, Moment, Row, decide, given_up, meant, refusal
from asknown.research.sources import HISTORY, IDENTIFIER
from asknown.research.tables import Tables, believed
from asknown.research.where import EVERY, among, equal

_TIMES = ("valid_from", "valid_to", "known_from", "known_to")


class NotNamedError(AsknownError):
    """Report a symbol that does not name one listing; `data` holds what it was found to mean."""

    def __init__(self, code: str, message: str, hint: str, data: Mapping[str, Any]) -> None:
        super().__init__(code, message, hint=hint, exit_code=ExitCode.CHECK_FAILED)
        self.data = dict(data)


@dataclass(frozen=True, slots=True)
class Point:
    """What a listing was from `valid_from` on; `row` is the whole rectangle."""

    valid_from: datetime
    factors: Factors
    row: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the point as the basis of an answer."""
        row = self.row
        return {
            "entity_id": row["listing_id"],
            "symbol": row["symbol"],
            "venue": row["venue"],
            "isin": row["isin"] or None,
            "status": row["status"],
            "raw_key": row["raw_key"],
            "valid_from": iso(row["valid_from"]),
            "known_from": iso(row["known_from"]),
            "price_factor": row["price_factor"],
            "split_factor": row["split_factor"],
            "share_factor": row["share_factor"],
            "factor_version": row["factor_version"],
        }


Lines = dict[str, Timeline[Point]]


def identities(tables: Tables, asked: Sequence[Asked], at: Moment) -> list[Identity]:
    """Return what each identifier meant, in the order asked."""
    if not asked:
        return []
    values = sorted({value for one in asked for value in one.values()})
    found = tables.rows(IDENTIFIER, at.known_at, among("id_value", values))
    rows = [_row(row) for row in found.to_pylist()]
    return [decide(one, rows, at) for one in asked]


def lines_of(tables: Tables, listings: Sequence[str] | None, known_at: datetime) -> Lines:
    """Return the timelines of listings by one knowledge; of all of them for None.

    Listings of which nothing was known then are left out.
    """
    where = EVERY if listings is None else among("listing_id", listings)
    if listings is not None and not listings:
        return {}
    found = believed(tables.rows(HISTORY, known_at, where), known_at)
    rows = sorted(
        found.to_pylist(),
        key=lambda r: (r["listing_id"], r["valid_from"], r["status"] == "LISTED", r["raw_key"]),
    )
    points: dict[str, list[Point]] = {listing: [] for listing in listings or ()}
    for row in rows:
        factors = Factors(row["price_factor"], row["split_factor"], row["share_factor"])
        points.setdefault(row["listing_id"], []).append(Point(row["valid_from"], factors, row))
    return {listing: Timeline(held) for listing, held in points.items() if held}


def instruments(
    tables: Tables, symbols: Sequence[str], entity_ids: Sequence[str], at: Moment
) -> Lines:
    """Return the timelines of the listings that a question names.

    Raises NotNamedError for what names no listing, or several.
    """
    found = identities(tables, [Asked(symbol) for symbol in symbols], at)
    listings = dict.fromkeys(entity_ids)
    for one in found:
        listing = meant(one)
        if listing is None:
            raise problem(tables, one, at)
        listings[listing] = None
    lines = lines_of(tables, list(listings), at.known_at)
    for listing in listings:
        if listing not in lines:
            raise _unknown(listing, at.known_at)
    for one in found:
        point = lines[one.listing_ids[0]].at(at.on)
        if given_up(one, point.row["status"] if point else None):
            raise problem(tables, one, at)
    return lines


def problem(tables: Tables, identity: Identity, at: Moment) -> NotNamedError:
    """Return the error for an identifier that does not name one listing."""
    code, text, hint = refusal(identity, at)
    return NotNamedError(code, text, hint or _nearest(tables, identity), identity.as_json(at))


def _unknown(listing: str, known_at: datetime) -> NotNamedError:
    return NotNamedError(
        "ASKNOWN-API-404",
        f"entity_ids: expected permanent listing ids known at {iso(known_at)}, "
        f"found {listing[:64]!r}.",
        "resolve(symbol) gives an instrument's id",
        {},
    )


def _nearest(tables: Tables, identity: Identity) -> str:
    where = equal("id_type", "SYMBOL")
    known = tables.read(IDENTIFIER.table, where, ("id_value",)).column("id_value").unique()
    near = difflib.get_close_matches(identity.asked.value, known.to_pylist(), n=3, cutoff=0.4)
    return f"nearest: {', '.join(near)}" if near else "no instrument of such a name is loaded"


def _row(row: Mapping[str, Any]) -> Row:
    times = (milliseconds(row[name]) for name in _TIMES)
    names = (row[name] for name in ("listing_id", "id_type", "id_value", "venue", "series"))
    return Row(Identifier(*names, *times), row["reason"], row["link"], row["raw_event_id"])
