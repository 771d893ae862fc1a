"""The reference engine: raw facts and actions in, bitemporal truth and change points out.

One engine serves one venue's records in the order in which they became known. It is pure: time is
the knowledge instant it is given, memory is the store it is given. `jobs/reference` runs it over
Flink's state, a rebuild over memory; both say the same.

    1. take each record into the book, or refuse it with a reason
    2. look for contradictions: two listings under one key at one time
    3. measure what waits for a close
    4. say anew what follows from the listings that were touched, as differences to what was said
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from asknown.reference import say
from asknown.reference.accept import RepeatedError, accept_action, accept_security, withdraw
from asknown.reference.actions import Action
from asknown.reference.book import Book, Memory
from asknown.reference.records import Close, Output, RawAction, RawSecurity, Record, RefusedError
from asknown.reference.state import MemoryStore, Store, Venue
from asknown.reference.steps import Fix, awaiting, pick_close
from asknown.reference.symbology import FactKind
from asknown.reference.timeline import Fact

KEPT_CLOSES = 30
REMEMBERED_LISTINGS = 300_000
_ORDER = {kind.value: at for at, kind in enumerate(FactKind)}


@dataclass(slots=True)
class Applied:
    """What a batch led to: rows, and the instants at which something has to be decided."""

    outputs: list[Output] = field(default_factory=list)
    wake: set[int] = field(default_factory=set)


class Engine:
    """Applies batches of records of one venue to what `store` holds of it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._memory = Memory()

    def apply(self, venue: str, records: Sequence[Record], at: int) -> Applied:
        """Apply what became known at `at` (UTC milliseconds); return what follows from it.

        What had to be decided before `at` is decided first, each at its own instant: a caller
        whose clock jumps may ask for it too late.
        """
        state: Venue | None = self._store.get("venue", venue)
        due = sorted(when for when in (state.due if state else ()) if when <= at)
        applied = Applied()
        for when in due:
            if when < at:
                self._run(venue, (), when, applied)
        if records or at in due:
            self._run(venue, records, at, applied)
        return applied

    def _run(self, venue: str, records: Iterable[Record], at: int, applied: Applied) -> None:
        book = Book(self._store, venue, at, self._memory)
        _Batch(book, applied).run(list(records))
        self._memory.forget(REMEMBERED_LISTINGS)


class _Batch:
    """One batch on its way through the steps of the engine."""

    def __init__(self, book: Book, applied: Applied) -> None:
        self._book = book
        self.applied = applied
        self._facts: list[tuple[RawSecurity, Fact]] = []

    def run(self, records: Sequence[Record]) -> None:
        book = self._book
        state: Venue = book.store.get("venue", book.venue) or Venue()
        for instant in [when for when in state.due if when <= book.at]:
            for listing_id in state.due.pop(instant):
                book.touch(listing_id, f"ex:{listing_id}:{instant}")
        securities = [*state.held, *(r for r in records if isinstance(r, RawSecurity))]
        state.held = []
        for raw in _in_order(securities):
            self._take_security(raw)
        self._settle_conflicts(state)
        actions = [r for r in records if isinstance(r, RawAction)]
        for action in sorted(actions, key=lambda raw: (raw.name, *_by_version(raw))):
            self._take_action(action)
        for close in records:
            if isinstance(close, Close):
                self._take_close(close)
        for listing_id in list(book.touched):
            self._measure(listing_id, state)
        for raw, fact in self._facts:
            self.applied.outputs.append(say.security(book, raw, fact))
        self.applied.outputs += say.consequences(book)
        if not state.sessions:
            state.sessions = True
            self.applied.outputs += say.sessions(book.venue, book.at)
        book.store.put("venue", book.venue, state)
        book.save()

    def _take_security(self, raw: RawSecurity) -> None:
        try:
            self._facts.append((raw, accept_security(self._book, raw)))
        except RefusedError as refused:
            self.applied.outputs.append(say.refused(raw, refused, self._book.at))
        except RepeatedError:
            self.applied.outputs.append(say.repeated(raw, self._book.at))

    def _take_action(self, raw: RawAction) -> None:
        try:
            action = accept_action(self._book, raw)
        except RefusedError as refused:
            self.applied.outputs.append(say.refused(raw, refused, self._book.at))
        except RepeatedError:
            self.applied.outputs.append(say.repeated(raw, self._book.at))
        else:
            self.applied.outputs.append(say.action(self._book, raw, action))

    def _settle_conflicts(self, state: Venue) -> None:
        """Take facts out again until no key names two listings at one time.

        The last fact in order goes. One whose day has not come is held until then: the other half
        of a swap may still be on its way.
        """
        suspects = list(dict.fromkeys(fact.listing_id for _, fact in self._facts))
        keys = list(dict.fromkeys(key for one in suspects for key in self._keys_of(one)))
        while keys:
            found = self._conflict(keys[-1])
            if found is None:
                keys.pop()
                continue
            place, text = found
            raw, fact = self._facts.pop(place)
            keys += self._keys_of(fact.listing_id)
            withdraw(self._book, raw, fact)
            if fact.valid_from > self._book.at:
                state.held.append(raw)
                state.due.setdefault(fact.valid_from, [])
                self.applied.wake.add(fact.valid_from)
            else:
                refused = RefusedError("CONFLICT", text)
                self.applied.outputs.append(say.refused(raw, refused, self._book.at))

    def _keys_of(self, listing_id: str) -> list[str]:
        return list(dict.fromkeys(fact.raw_key for fact in self._book.listing(listing_id).facts))

    def _conflict(self, raw_key: str) -> tuple[int, str] | None:
        """Return the place of the fact to take out, and what it contradicts."""
        listings = self._book.key(raw_key).listings
        if len(listings) == 1:
            return None
        spans = sorted(
            (interval.start, interval.end, listing_id, interval.event_id)
            for listing_id in listings
            for interval in self._book.intervals(listing_id)
            if interval.raw_key == raw_key
        )
        for one, other in zip(spans, spans[1:], strict=False):
            if other[0] < one[1] and one[2] != other[2]:
                place = self._last_of({one[2], other[2]})
                text = f"{raw_key} would name {one[2]} (event {one[3]}) and {other[2]}"
                return place, f"{text} (event {other[3]}) at one time"
        return None

    def _last_of(self, listings: set[str]) -> int:
        return max(at for at, (_, fact) in enumerate(self._facts) if fact.listing_id in listings)

    def _take_close(self, close: Close) -> None:
        """Remember a close; only a listing with something to measure has to be looked at again."""
        if not self._book.knows(close.listing_id):
            return
        entry = self._book.listing(close.listing_id)
        entry.closes[close.trade_date] = close.close
        for day in sorted(entry.closes)[:-KEPT_CLOSES]:
            del entry.closes[day]
        if awaiting(self._book.current(close.listing_id)):
            self._book.touch(close.listing_id, f"close:{close.listing_id}:{close.trade_date}")

    def _measure(self, listing_id: str, state: Venue) -> None:
        """Measure actions against the closes known; each better close counts as knowledge."""
        entry = self._book.listing(listing_id)
        for action in awaiting(self._book.current(listing_id)):
            fix = pick_close(action, entry.closes)
            held = _newest(entry.fixes, action)
            final = held is not None and action.valid_from <= self._book.at
            if fix not in (None, held) and not final:
                entry.fixes.append(fix)
                self._book.touch(listing_id, action.action_id)
            waiting = state.due.setdefault(action.valid_from, [])
            if action.valid_from <= self._book.at:
                del state.due[action.valid_from]
            elif listing_id not in waiting:
                waiting.append(listing_id)
                self.applied.wake.add(action.valid_from)


def _newest(fixes: Sequence[Fix], action: Action) -> Fix | None:
    name = (action.action_id, action.version)
    return next((fix for fix in reversed(fixes) if (fix.action_id, fix.version) == name), None)


def _by_version(raw: RawSecurity | RawAction) -> tuple[int, str, int, int]:
    return raw.version or 0, raw.event_id, raw.partition, raw.offset


def _in_order(records: Iterable[RawSecurity]) -> list[RawSecurity]:
    """Return facts by their day, so that each finds the listing it speaks of.

    Versions of one fact follow each other, on the earliest day any of them names. A contract comes
    after its underlying.
    """
    days: dict[str, tuple[str, int, bool]] = {}
    for raw in records:
        day = (str(raw.valid_from), _ORDER.get(raw.kind or "", 0), bool(raw.underlying_symbol))
        days[raw.name] = min(day, days.get(raw.name, day))
    return sorted(records, key=lambda raw: (days[raw.name], raw.name, *_by_version(raw)))


def replay(records: Iterable[Record]) -> list[Output]:
    """Apply records in the order they became known; return everything that was said.

    Records of one venue and one instant are one batch. A close that does not say when it was known
    is known when the record before it in the input is. Venues know nothing of each other.
    """
    batches: dict[int, dict[str, list[Record]]] = {}
    at = 0
    for raw in records:
        at = at if raw.event_time is None else raw.event_time
        batches.setdefault(at, {}).setdefault(raw.venue or "", []).append(raw)
    engines: dict[str, Engine] = {}
    instants = list(batches)
    heapify(instants)
    outputs: list[Output] = []
    while instants:
        at = heappop(instants)
        due = batches.pop(at, {})
        for venue in sorted(due):
            applied = engines.setdefault(venue, Engine(MemoryStore())).apply(venue, due[venue], at)
            outputs += applied.outputs
            for when in applied.wake:
                if when not in batches:
                    heappush(instants, when)
                batches.setdefault(when, {}).setdefault(venue, [])
    return outputs
