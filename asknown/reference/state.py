"""What the reference engine remembers, per venue, and where it keeps it.

Entries are small typed records. A store may keep them as objects (memory) or as bytes with a
format version (Flink's state): what an engine wrote, a later engine must be able to read.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import msgspec

from asknown.reference.actions import Action
from asknown.reference.records import RawSecurity
from asknown.reference.steps import Fix
from asknown.reference.timeline import Fact


class Meaning(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a key means: the payload of an interval of reference.entity_history."""

    listing_id: str
    security_id: str
    issuer_id: str
    symbol: str
    venue: str
    series: str
    isin: str
    security_class: str
    status: str
    price_factor: float
    split_factor: float
    share_factor: float
    factor_version: int
    strike: Decimal | None
    lot_size: Decimal | None


class Point(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """From `start` on the key means this, as was learnt at `known_from`."""

    start: int
    known_from: int
    meaning: Meaning


class Belief(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A bitemporal row that is still believed: what names it, since when, and its columns."""

    name: tuple[str, ...]
    known_from: int
    columns: dict[str, Any]


class Listing(msgspec.Struct):
    """Everything known about a listing: facts and actions in all versions, and what was said."""

    venue: str
    facts: list[Fact] = []
    actions: list[Action] = []
    fixes: list[Fix] = []
    closes: dict[date, Decimal] = {}
    contracts: list[str] = []  # option contracts on this listing
    identifiers: list[Belief] = []
    factors: list[Belief] = []


class Key(msgspec.Struct):
    """Which listings a key ever named, and what is believed of it."""

    first_known: int
    symbol: str
    venue: str
    listings: list[str] = []
    points: list[Point] = []
    overwritten: list[int] = []  # instants to come that were published and are no points any more


class Owners(msgspec.Struct, gc=False):
    """The listings that ever had an ISIN or a symbol."""

    listings: list[str] = []


class Said(msgspec.Struct, frozen=True, gc=False):
    """The newest version of a fact or an action: where it belongs and what it said."""

    listing_id: str
    version: int
    digest: str


class Venue(msgspec.Struct):
    """What waits for its day: contradicted facts, and listings whose factors become final."""

    held: list[RawSecurity] = []
    due: dict[int, list[str]] = {}
    sessions: bool = False


TABLES: dict[str, type[msgspec.Struct]] = {
    "listing": Listing,
    "key": Key,
    "isin": Owners,
    "symbol": Owners,
    "said": Said,
    "venue": Venue,
}

Entry = TypeVar("Entry", bound=msgspec.Struct)


class Store(Protocol):
    """Where an engine keeps its entries: one table a kind."""

    def get(self, table: str, name: str) -> Any:
        """Return the entry, which the caller may change before putting it back; None: no entry."""

    def put(self, table: str, name: str, entry: msgspec.Struct) -> None:
        """Keep `entry` under `name`."""


class MemoryStore:
    """A store in memory: for tests, and for rebuilding a history in one go."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], msgspec.Struct] = {}

    def get(self, table: str, name: str) -> Any:
        """Return the entry; None: no entry."""
        return self._entries.get((table, name))

    def put(self, table: str, name: str, entry: msgspec.Struct) -> None:
        """Keep `entry` under `name`."""
        self._entries[table, name] = entry
