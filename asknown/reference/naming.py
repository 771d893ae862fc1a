"""What an identifier can mean, and which listing it was found to mean: the question and the answer.

The rule is `asknown.reference.identifiers.resolve`; here a value is tried as all that it can be.
Rows come from whoever keeps them: the API reads ClickHouse, research reads the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from asknown.reference.identifiers import Identifier
from asknown.reference.identifiers import ResolutionStatus as Status
from asknown.reference.identifiers import resolve as rule
from asknown.reference.moments import FOR_EVER_MS, iso, milliseconds, moment

_PRECEDENCE = (Status.CONFLICT, Status.AMBIGUOUS, Status.RESOLVED, Status.CLOSED)


class IdType(StrEnum):
    """What an identifier is; `auto` tries all and is ambiguous when two mean different listings."""

    AUTO = "auto"
    SYMBOL = "symbol"
    ISIN = "isin"
    RAW_KEY = "raw_key"


_TYPES = {IdType.RAW_KEY: "RAW_KEY", IdType.SYMBOL: "SYMBOL", IdType.ISIN: "ISIN"}


@dataclass(frozen=True, slots=True)
class Moment:
    """Two kinds of as-of: when it held, and when it was known."""

    on: datetime
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """An identifier as it was asked for."""

    value: str
    id_type: IdType = IdType.AUTO
    venue: str | None = None
    series: str | None = None

    def readings(self) -> list[tuple[str, str, str | None]]:
        """Return what it can mean: (id_type, value, venue)."""
        if self.id_type is IdType.AUTO:
            found = [(name, self.value, self.venue) for name in _TYPES.values()]
        else:
            found = [(_TYPES[self.id_type], self.value, self.venue)]
        stem, dot, venue = self.value.rpartition(".")
        if dot and stem and not self.venue and self.id_type in (IdType.AUTO, IdType.SYMBOL):
            found.append(("SYMBOL", stem, venue))
        return found

    def values(self) -> set[str]:
        """Return the values whose rows are needed."""
        return {value for _, value, _ in self.readings()}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of silver.identifier_map: what the rule needs, and where it comes from."""

    identifier: Identifier
    reason: str
    link: str
    raw_event_id: str

    def as_json(self, known_at: int) -> dict[str, Any]:
        """Return the row as the API shows it: a claim of a listing to an identifier."""
        it = self.identifier
        return {
            "entity_id": it.listing_id,
            "id_type": str(it.id_type),
            "id_value": it.id_value,
            "venue": it.venue,
            "series": it.series,
            "valid_from": _iso(it.valid_from),
            "valid_to": _iso(it.valid_to),
            "known_from": _iso(it.known_from),
            "known_to": _iso(it.known_to) if it.known_to <= known_at else None,
            "reason": self.reason,
            "link": self.link,
            "raw_event_id": self.raw_event_id,
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """What an identifier was found to mean: exactly one status, and the rows it rests on."""

    asked: Asked
    status: Status
    listing_ids: tuple[str, ...]
    rows: tuple[Row, ...]

    def as_json(self, at: Moment) -> dict[str, Any]:
        """Return it as the API shows it; `entity_id` is null unless one listing was meant."""
        known_at = milliseconds(at.known_at)
        return {
            "status": self.status.value,
            "symbol": self.asked.value,
            "entity_id": self.listing_ids[0] if self.status is Status.RESOLVED else None,
            "candidates": [row.as_json(known_at) for row in self.rows],
        }


def newest(found: Iterable[Sequence[Any]]) -> list[Row]:
    """Return the last row of each key, as FINAL does: a later copy says when it was superseded."""
    last: dict[tuple[Any, ...], Sequence[Any]] = {}
    for row in found:
        key = (row[1], row[2], row[0], row[5], row[7])
        if key not in last or last[key][-1] < row[-1]:
            last[key] = row
    return [Row(Identifier(*row[:9]), *row[9:12]) for row in last.values()]


def decide(asked: Asked, rows: Sequence[Row], at: Moment) -> Identity:
    """Return what an identifier meant, by the rows of its values.

    It can be read in several ways; readings that name different listings are ambiguous.
    """
    found = [_read(asked, reading, rows, at) for reading in asked.readings()]
    by_status: dict[Status, list[Identity]] = {}
    for identity in found:
        by_status.setdefault(identity.status, []).append(identity)
    for status in _PRECEDENCE:
        same = by_status.get(status, [])
        if same:
            break
    else:
        return found[0]
    listings = tuple(dict.fromkeys(one for identity in same for one in identity.listing_ids))
    claims = tuple(dict.fromkeys(row for identity in same for row in identity.rows))
    if status is Status.RESOLVED and len(listings) > 1:
        status = Status.AMBIGUOUS
    return Identity(asked, status, listings, claims)


def _read(
    asked: Asked, reading: tuple[str, str, str | None], rows: Sequence[Row], at: Moment
) -> Identity:
    """Apply the rule to one reading of a value."""
    id_type, value, venue = reading
    by_identifier = {row.identifier: row for row in rows}
    found = rule(
        by_identifier,
        id_type,
        value,
        venue=venue,
        series=asked.series,
        at=milliseconds(at.on),
        known_at=milliseconds(at.known_at),
    )
    claims = tuple(by_identifier[candidate] for candidate in found.candidates)
    return Identity(asked, found.status, found.listing_ids, claims)


def meant(identity: Identity) -> str | None:
    """Return the listing that is to be read under an identifier, None for none or several.

    One that is CLOSED still names its last bearer if that was delisted, for nobody else has it:
    `given_up` tells.
    """
    named = identity.status is Status.RESOLVED
    closed = identity.status is Status.CLOSED and len(identity.listing_ids) == 1
    return identity.listing_ids[0] if named or closed else None


def given_up(identity: Identity, status: str | None) -> bool:
    """Tell whether a listing of this status gave the identifier up, and lives under another."""
    return identity.status is Status.CLOSED and status != "DELISTED"


def refusal(identity: Identity, at: Moment) -> tuple[str, str, str]:
    """Return code, text and hint of the error for an identifier that does not name one listing.

    Without a hint: the nearest symbols would be one.
    """
    name, when = repr(identity.asked.value[:64]), iso(at.on)
    who = _claims(identity.rows)
    match identity.status:
        case Status.AMBIGUOUS:
            return (
                "ASKNOWN-API-003",
                f"symbols: expected one instrument, found {name} to mean several at {when}: {who}.",
                "name it as SYMBOL.VENUE, with venue=, series= or id_type=, or by entity_ids",
            )
        case Status.CONFLICT:
            return (
                "ASKNOWN-API-004",
                f"symbols: expected one owner of {name} at {when}, found records that differ:"
                f" {who}.",
                "one of the records is wrong: correct it at its source; entity_ids reads either",
            )
        case Status.CLOSED:
            return (
                "ASKNOWN-API-404",
                f"symbols: {name} named no listing any more at {when}; it was {who}.",
                "symbol_as_of= (on=) reads the symbol at another moment, entity_ids the listing",
            )
    return (
        "ASKNOWN-API-404",
        f"symbols: no instrument was known as {name} at {when}, as known {iso(at.known_at)}.",
        "",
    )


def _claims(rows: Sequence[Row]) -> str:
    """Return who claims an identifier, with the records that say so."""
    said = []
    for row in rows:
        it = row.identifier
        until = "" if it.valid_to >= FOR_EVER_MS else f" until {_iso(it.valid_to)}"
        place = ".".join(part for part in (it.id_value, it.venue) if part)
        series = f" {it.series}" if it.series else ""
        said.append(f"{place}{series} ({it.listing_id}{until}, record {row.raw_event_id})")
    return ", ".join(said)


def _iso(ms: int) -> str | None:
    """Return a time, None for the end of an interval that is open."""
    return None if ms >= FOR_EVER_MS else iso(moment(ms))
