"""Permanent listing ids and the facts that give a key its meaning through time.

All intervals are half open, `[start, end)`, in UTC milliseconds; a date becomes the instant at
which it begins at the exchange.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise

from asknown.errors import UsageError

ID_LENGTH = 16


def listing_id(mic: str, first_symbol: str, first_trade_date: date, security_class: str) -> str:
    """Return the permanent id of a listing.

    `e_` and 16 characters: lower-case base32 of the SHA-256 over
    `MIC|first_symbol|first_trade_date|class`. Nothing in it changes when the listing is renamed or
    gets a new ISIN, and stream and backfill derive it without asking each other.
    """
    text = f"{mic}|{first_symbol}|{first_trade_date.isoformat()}|{security_class}"
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return f"e_{digest[:ID_LENGTH]}"


class FactKind(StrEnum):
    """What a fact says about a listing, in the codes of raw.security."""

    LIST = "LIST"
    RENAME = "RENAME"
    ISIN_CHANGE = "ISIN_CHANGE"
    SERIES_CHANGE = "SERIES_CHANGE"
    TERMS_CHANGE = "TERMS_CHANGE"  # of an option contract: strike or lot
    DELIST = "DELIST"
    MERGE = "MERGE"  # ends the listing; its holders got another one


@dataclass(frozen=True, slots=True)
class SecurityFact:
    """One thing known about a listing: from `valid_from` on it is called this.

    `raw_key`, `symbol` and `isin` are those in force from `valid_from`; for DELIST they are the
    last ones. `known_from` is when it was learnt (UTC milliseconds).
    """

    kind: FactKind
    listing_id: str
    raw_key: str
    symbol: str
    venue: str
    valid_from: int
    known_from: int
    first_date: date  # exchange-local date of valid_from
    isin: str = ""
    security_class: str = "EQ"


@dataclass(frozen=True, slots=True)
class Ownership:
    """A stretch of time in which `raw_key` names one listing; `end` None is open."""

    raw_key: str
    start: int
    end: int | None
    ended_by: FactKind | None
    fact: SecurityFact
    known_from: int  # when its beginning was learnt
    end_known_from: int  # when its end was learnt; known_from while it is open

    def covers(self, at_ms: int) -> bool:
        """Tell whether `at_ms` lies in the half-open stretch."""
        return self.start <= at_ms and (self.end is None or at_ms < self.end)


def ownerships(facts: Iterable[SecurityFact], known_at: int | None = None) -> list[Ownership]:
    """Return who owned which key when, by the facts known at `known_at` (None: all of them).

    Ordered by (raw_key, start). A fact ends the stretch before it; DELIST only ends one.
    Raises `UsageError` ASKNOWN-REFERENCE-001 when two facts say different things of one listing
    from the same instant on.
    """
    by_listing: dict[str, list[SecurityFact]] = {}
    for fact in facts:
        if known_at is None or fact.known_from <= known_at:
            by_listing.setdefault(fact.listing_id, []).append(fact)
    found = [owned for known in by_listing.values() for owned in _timeline(known)]
    return sorted(found, key=lambda owned: (owned.raw_key, owned.start, owned.fact.listing_id))


def _timeline(facts: list[SecurityFact]) -> Iterable[Ownership]:
    ordered = sorted(facts, key=lambda fact: fact.valid_from)
    for one, other in pairwise(ordered):
        if one.valid_from == other.valid_from:
            raise UsageError(
                "ASKNOWN-REFERENCE-001",
                f"expected one fact of listing {one.listing_id} at {one.valid_from}, "
                f"found {one.kind} and {other.kind}.",
                hint="merge the two facts, or correct the date of one.",
            )
    following: list[SecurityFact | None] = [*ordered[1:], None]
    for fact, after in zip(ordered, following, strict=True):
        if fact.kind is FactKind.DELIST:
            continue
        yield Ownership(
            raw_key=fact.raw_key,
            start=fact.valid_from,
            end=after.valid_from if after else None,
            ended_by=after.kind if after else None,
            fact=fact,
            known_from=fact.known_from,
            end_known_from=after.known_from if after else fact.known_from,
        )
