"""The working copy of a batch: what the store holds of the listings and keys it touches."""

from __future__ import annotations

from collections.abc import Sequence

from asknown.reference.actions import Action, Factors, in_force
from asknown.reference.state import Belief, Key, Listing, Owners, Said, Store
from asknown.reference.steps import Day, Step, days, extraordinary, steps
from asknown.reference.timeline import Fact, Interval, Terms, covering, intervals

SaidDay = tuple[Day, int, Belief]  # an ex-date, its factor version, and what was said of it


class Memory:
    """What was worked out of a listing's entry before: saves work, and can be forgotten any time.

    Each piece is used again only where it follows from the very same facts and actions.
    """

    def __init__(self) -> None:
        self.intervals: dict[str, tuple[list[Fact], list[Terms], list[Interval]]] = {}
        self.days: dict[str, list[Day]] = {}
        self.steps: dict[str, list[Step]] = {}
        self.said: dict[str, dict[int, SaidDay]] = {}

    def forget(self, limit: int) -> None:
        """Forget everything once it is about more than `limit` listings."""
        if len(self.intervals) > limit:
            self.intervals.clear()
            self.days.clear()
            self.steps.clear()
            self.said.clear()


class Book:
    """Entries of one venue, read once and written back once; intervals and steps on demand."""

    def __init__(self, store: Store, venue: str, at: int, memory: Memory | None = None) -> None:
        self.store = store
        self._memory = memory or Memory()
        self.venue = venue
        self.at = at
        self.touched: dict[str, str] = {}  # listing id -> event id of what touched it first
        self.renamed: set[str] = set()  # those of them whose intervals may have changed
        self._listings: dict[str, Listing] = {}
        self._keys: dict[str, Key] = {}
        self._intervals: dict[str, list[Interval]] = {}
        self._current: dict[str, list[Action]] = {}
        self._days: dict[str, list[Day]] = {}
        self._steps: dict[str, list[Step]] = {}
        self.exact: dict[tuple[str, int], Factors] = {}  # of the versions the batch brought
        self._said: dict[str, list[Said | None]] = {}  # the last one counts

    def listing(self, listing_id: str) -> Listing:
        """Return the listing, a new one if nobody knows it."""
        if listing_id not in self._listings:
            held = self.store.get("listing", listing_id)
            self._listings[listing_id] = held or Listing(self.venue)
        return self._listings[listing_id]

    def key(self, raw_key: str, symbol: str = "") -> Key:
        """Return the key, a new one, known from now on, if nobody knows it."""
        if raw_key not in self._keys:
            held = self.store.get("key", raw_key)
            self._keys[raw_key] = held or Key(self.at, symbol, self.venue)
        return self._keys[raw_key]

    def knows(self, listing_id: str) -> bool:
        """Tell whether anybody knows the listing."""
        return listing_id in self._listings or self.store.get("listing", listing_id) is not None

    def known_key(self, raw_key: str) -> Key | None:
        """Return the key if anybody knows it."""
        return self._keys.get(raw_key) or self.store.get("key", raw_key)

    def touch(self, listing_id: str, event_id: str, *, renamed: bool = False) -> None:
        """Note that what follows from the listing must be said anew, its intervals if `renamed`."""
        contracts = self.listing(listing_id).contracts
        for one in (listing_id, *contracts):
            self.touched.setdefault(one, event_id)
            self._current.pop(one, None)
            self._days.pop(one, None)
            self._steps.pop(one, None)
        for one in (listing_id, *contracts) if renamed else contracts:
            self.renamed.add(one)
            self._intervals.pop(one, None)

    def current(self, listing_id: str) -> list[Action]:
        """Return the actions of a listing in force, each in its newest version."""
        if listing_id not in self._current:
            self._current[listing_id] = in_force(self.listing(listing_id).actions)
        return self._current[listing_id]

    def days(self, listing_id: str) -> list[Day]:
        """Return the ex-dates of a listing with their factors."""
        if listing_id not in self._days:
            entry = self.listing(listing_id)
            before = self._memory.days.get(listing_id, ())
            current = self.current(listing_id)
            found = days(current, entry.fixes, self.at, (before, self.exact))
            self._days[listing_id] = self._memory.days[listing_id] = found
        return self._days[listing_id]

    def steps(self, listing_id: str) -> list[Step]:
        """Return the steps of a listing's cumulative factors."""
        entry = self.listing(listing_id)
        if not entry.actions:
            return []
        if listing_id not in self._steps:
            before = self._memory.steps.get(listing_id, ())
            found = steps(entry.actions, entry.fixes, self.days(listing_id), before)
            self._steps[listing_id] = self._memory.steps[listing_id] = found
        return self._steps[listing_id]

    def said_days(self, listing_id: str) -> dict[int, SaidDay]:
        """Return the rows of ex-dates as they were said last, to be kept up to date."""
        return self._memory.said.setdefault(listing_id, {})

    def intervals(self, listing_id: str) -> list[Interval]:
        """Return the intervals of a listing; a contract's follow its underlying."""
        if listing_id not in self._intervals:
            facts = self.listing(listing_id).facts
            terms = self._terms(facts)
            held = self._memory.intervals.get(listing_id)
            if held is None or held[0] != facts or held[1] != terms:
                held = (list(facts), terms, intervals(facts, terms))
                self._memory.intervals[listing_id] = held
            self._intervals[listing_id] = held[2]
        return self._intervals[listing_id]

    def _terms(self, facts: Sequence[Fact]) -> list[Terms]:
        underlying = next((fact.underlying_id for fact in facts if fact.underlying_id), "")
        if not underlying:
            return []
        return [
            (day.effective, day.factors, day.actions[0].action_id, extraordinary(day))
            for day in self.days(underlying)
            if day.factors.share != 1 or extraordinary(day)
        ]

    def owner(self, raw_key: str, at: int) -> tuple[str, Interval] | None:
        """Return the listing that `raw_key` names at `at`, by what is known now."""
        key = self.known_key(raw_key)
        for listing_id in key.listings if key else ():
            interval = covering(self.intervals(listing_id), raw_key, at)
            if interval is not None:
                return listing_id, interval
        return None

    def owners(self, table: str, name: str) -> list[str]:
        """Return the listings that ever had an ISIN (`isin`) or a symbol (`symbol`)."""
        held: Owners | None = self.store.get(table, name)
        return held.listings if held else []

    def add_owner(self, table: str, name: str, listing_id: str) -> None:
        """Note that a listing has, or had, an ISIN or a symbol."""
        held: Owners = self.store.get(table, name) or Owners([])
        if listing_id not in held.listings:
            held.listings.append(listing_id)
            self.store.put(table, name, held)

    def with_isin(self, isin: str) -> list[str]:
        """Return the listings that have, or had, an ISIN by what is known now."""
        owners = self.owners("isin", f"{self.venue}|{isin}")
        return [one for one in owners if any(i.isin == isin for i in self.intervals(one))]

    def said(self, name: str) -> Said | None:
        """Return the newest version of a fact or an action that was taken in."""
        if name not in self._said:
            self._said[name] = [self.store.get("said", name)]
        return self._said[name][-1]

    def say(self, name: str, said: Said) -> None:
        """Note the newest version of a fact or an action."""
        self._said[name].append(said)

    def unsay(self, name: str) -> None:
        """Take back the last `say` of this batch."""
        self._said[name].pop()

    def save(self) -> None:
        """Write every entry that was read back to the store."""
        for listing_id, entry in self._listings.items():
            self.store.put("listing", listing_id, entry)
        for raw_key, key in self._keys.items():
            self.store.put("key", raw_key, key)
        for name, versions in self._said.items():
            if len(versions) > 1 and versions[-1] is not None:
                self.store.put("said", name, versions[-1])
