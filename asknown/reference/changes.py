"""Change points: from this event time on, this is what an event with this key means.

One shape in three readings of the same bitemporal facts (ARCHITECTURE.md section 5):
    AS_KNOWN    what a reader knew at each moment: `effective_time = max(valid_from, known_from)`
    AS_OF_NOW   what is known today: `effective_time = valid_from`
    known at T  the same by the knowledge of T
A key is unknown before the first moment at which any fact about it was known or valid; it is
NOT_LISTED from then until its listing begins, and again after a rename took its listing away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from asknown.reference.actions import Action, Factors, cumulative, in_force
from asknown.reference.symbology import FactKind, Ownership, SecurityFact, ownerships


class Status(StrEnum):
    """Whether a key names a listing that trades."""

    LISTED = "LISTED"
    NOT_LISTED = "NOT_LISTED"
    DELISTED = "DELISTED"


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """One row of reference.entity_change; no field is ever None (sentinels: '' and 1.0)."""

    raw_key: str
    effective_time: int
    listing_id: str
    isin: str
    symbol: str
    venue: str
    status: Status
    price_factor: float
    split_factor: float
    share_factor: float
    factor_version: int
    known_from: int

    def payload(self) -> dict[str, object]:
        """Return the row as the payload of schemas/reference/entity_change.avsc."""
        return {**asdict(self), "status": self.status.value}

    def meaning(self) -> tuple[object, ...]:
        """Return what the row says, without when it says so."""
        return (
            self.listing_id,
            self.isin,
            self.symbol,
            self.status,
            self.price_factor,
            self.split_factor,
            self.share_factor,
            self.factor_version,
        )


class History:
    """The facts and actions of a set of listings, and the change points they amount to."""

    def __init__(self, facts: Iterable[SecurityFact], actions: Iterable[Action] = ()) -> None:
        self._facts: dict[str, list[SecurityFact]] = defaultdict(list)
        self._listings: dict[str, list[SecurityFact]] = defaultdict(list)
        self._actions: dict[str, list[Action]] = defaultdict(list)
        for fact in facts:
            self._listings[fact.listing_id].append(fact)
            self._facts[fact.raw_key].append(fact)
        for action in actions:
            self._actions[action.listing_id].append(action)

    def as_known(self) -> list[ChangePoint]:
        """Return what the live stream publishes: each row from when it held and was known."""
        return self._rows(None, diagonal=True)

    def as_of_now(self) -> list[ChangePoint]:
        """Return what the same events mean by all that is known today."""
        return self._rows(None, diagonal=False)

    def known_at(self, at_ms: int) -> list[ChangePoint]:
        """Return what the same events meant by the knowledge of `at_ms`."""
        return self._rows(at_ms, diagonal=False)

    def state(self, raw_key: str, at_ms: int, known_at: int | None = None) -> ChangePoint | None:
        """Return what `raw_key` means at `at_ms` by the knowledge of `known_at` (None: all).

        None when nothing about the key was known or valid by then: an unknown symbol.
        """
        facts = self._related(raw_key)
        about = [fact for fact in facts if known_at is None or fact.known_from <= known_at]
        about = [fact for fact in about if fact.raw_key == raw_key]
        if not about or at_ms < min(min(fact.known_from, fact.valid_from) for fact in about):
            return None
        owned = [one for one in ownerships(facts, known_at) if one.raw_key == raw_key]
        holder = max((one for one in owned if one.covers(at_ms)), key=_precedence, default=None)
        if holder is not None:
            return self._listed(holder, at_ms, known_at)
        past = [one for one in owned if one.end is not None and one.end <= at_ms]
        return self._unlisted(raw_key, at_ms, known_at, past, about)

    def _related(self, raw_key: str) -> list[SecurityFact]:
        """Return every fact of every listing that ever owned `raw_key`."""
        listings = {fact.listing_id: None for fact in self._facts[raw_key]}
        return [fact for listing in listings for fact in self._listings[listing]]

    def _rows(self, known_at: int | None, *, diagonal: bool) -> list[ChangePoint]:
        rows: list[ChangePoint] = []
        for raw_key in sorted(self._facts):
            before: ChangePoint | None = None
            for at_ms in self._moments(raw_key):
                row = self.state(raw_key, at_ms, at_ms if diagonal else known_at)
                if row is not None and (before is None or row.meaning() != before.meaning()):
                    rows.append(row)
                    before = row
        return rows

    def _moments(self, raw_key: str) -> list[int]:
        """Return the only instants at which the meaning of `raw_key` can change."""
        moments: set[int] = set()
        for fact in self._related(raw_key):
            moments |= {fact.valid_from, fact.known_from}
            for action in self._actions[fact.listing_id]:
                moments |= {action.valid_from, action.known_from}
        return sorted(moments)

    def _factors(self, listing: str, at_ms: int, known_at: int | None) -> tuple[Factors, int, int]:
        """Return the factors, their version and when they were known, 0 without any action.

        The version counts the versions of actions that were known and whose day had come: it grows
        along every reading, and at a given event time more knowledge means a higher version.
        """
        known = [
            action
            for action in self._actions[listing]
            if action.valid_from <= at_ms and (known_at is None or action.known_from <= known_at)
        ]
        newest = in_force(self._actions[listing], known_at)
        since = max((action.known_from for action in known), default=0)
        return cumulative(newest, at_ms), len(known), since

    def _listed(self, holder: Ownership, at_ms: int, known_at: int | None) -> ChangePoint:
        return self._row(holder, at_ms, known_at, Status.LISTED)

    def _unlisted(
        self,
        raw_key: str,
        at_ms: int,
        known_at: int | None,
        past: list[Ownership],
        about: list[SecurityFact],
    ) -> ChangePoint:
        last = max(past, key=lambda one: (one.end or 0, one.start), default=None)
        if last is not None and last.ended_by is FactKind.DELIST:
            return self._row(last, at_ms, known_at, Status.DELISTED)
        fact = min(about, key=lambda one: (one.known_from, one.valid_from))
        return ChangePoint(
            raw_key=raw_key,
            effective_time=at_ms,
            listing_id="",
            isin="",
            symbol=fact.symbol,
            venue=fact.venue,
            status=Status.NOT_LISTED,
            price_factor=1.0,
            split_factor=1.0,
            share_factor=1.0,
            factor_version=0,
            known_from=last.end_known_from if last is not None else fact.known_from,
        )

    def _row(
        self, holder: Ownership, at_ms: int, known_at: int | None, status: Status
    ) -> ChangePoint:
        fact = holder.fact
        factors, version, since = self._factors(fact.listing_id, at_ms, known_at)
        known = holder.known_from if status is Status.LISTED else holder.end_known_from
        return ChangePoint(
            raw_key=fact.raw_key,
            effective_time=at_ms,
            listing_id=fact.listing_id,
            isin=fact.isin,
            symbol=fact.symbol,
            venue=fact.venue,
            status=status,
            price_factor=float(factors.price),
            split_factor=float(factors.split),
            share_factor=float(factors.share),
            factor_version=version,
            known_from=max(known, since),
        )


def resolve(rows: Iterable[ChangePoint], raw_key: str, at_ms: int) -> ChangePoint | None:
    """Return the row in force for `raw_key` at `at_ms`, as the jobs' OVER aggregate finds it."""
    found = [row for row in rows if row.raw_key == raw_key and row.effective_time <= at_ms]
    return max(found, key=lambda row: row.effective_time, default=None)


def by_key(rows: Iterable[ChangePoint]) -> Mapping[str, list[ChangePoint]]:
    """Return the rows of each key in the order of their effective time."""
    found: dict[str, list[ChangePoint]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.raw_key, row.effective_time)):
        found[row.raw_key].append(row)
    return found


def _precedence(owned: Ownership) -> tuple[int, int]:
    """Rank owners of one key at one moment: the later start, then the later knowledge, wins.

    Two at once can only be read while the end of the earlier one is not known yet.
    """
    return owned.start, owned.known_from
