"""What a key means at one moment by the knowledge of another, by brute force.

Shares nothing with the engine but the rows of what was accepted: no timeline, no schedule, no
factors. Every answer walks through all facts and all actions again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from asknown.reference.engine import Engine
from asknown.reference.records import Output, Record
from asknown.reference.state import MemoryStore, Venue

KINDS = ("LIST", "RENAME", "ISIN_CHANGE", "SERIES_CHANGE", "TERMS_CHANGE", "DELIST", "MERGE")
ENDS = ("DELIST", "MERGE")

Meaning = tuple[Any, ...]


def run(
    records: Iterable[Record], venue: str = "XNSE", until: int | None = None
) -> Iterator[tuple[int, Output]]:
    """Yield what an engine says when, batch after batch, up to and including `until`."""
    store = MemoryStore()
    store.put(
        "venue", venue, Venue(sessions=True)
    )  # said already: they are many, and no matter here
    engine = Engine(store)
    due: dict[int, list[Record]] = {}
    at = 0
    for raw in records:
        at = at if raw.event_time is None else raw.event_time
        due.setdefault(at, []).append(raw)
    while due:
        at = min(due)
        if until is not None and at > until:
            return
        applied = engine.apply(venue, due.pop(at), at)
        yield from ((at, output) for output in applied.outputs)
        for when in applied.wake:
            due.setdefault(when, [])


@dataclass(frozen=True)
class Held:
    """What a listing is called at a moment."""

    raw_key: str
    symbol: str
    isin: str
    series: str
    ended: bool


class Oracle:
    """Answers from the rows of normalized.security and the actions that were accepted."""

    def __init__(
        self,
        facts: Sequence[tuple[str, dict[str, Any]]],
        actions: Sequence[tuple[str, dict[str, Any]]],
    ) -> None:
        self._facts = facts  # (listing, payload)
        self._actions = actions
        self._answers: dict[tuple[str, int, int], Held | None] = {}
        self.listings = sorted({listing for listing, _ in facts})
        self.known = sorted({row["known_from"] for _, row in (*facts, *actions)})
        self.instants = sorted(
            {row["valid_from"] for _, row in facts}
            | set(self.known)
            | {row["effective_time"] for _, row in actions}
        )

    def _newest(
        self, rows: Iterable[dict[str, Any]], name: str, known: int
    ) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row["known_from"] <= known:
                held = found.get(row[name])
                if held is None or row["version"] > held["version"]:
                    found[row[name]] = row
        return [row for row in found.values() if row["status"] != "CANCELLED"]

    def held(self, listing: str, at: int, known: int) -> Held | None:
        """Return what a listing is called at `at`; None before it was listed."""
        question = (listing, at, known)
        if question not in self._answers:
            self._answers[question] = self._held(listing, at, known)
        return self._answers[question]

    def _held(self, listing: str, at: int, known: int) -> Held | None:
        mine = self._newest((row for one, row in self._facts if one == listing), "fact_id", known)
        mine.sort(key=lambda row: (row["valid_from"], KINDS.index(row["kind"])))
        if not mine or mine[0]["kind"] != "LIST":
            return None
        state: Held | None = None
        for day in sorted({row["valid_from"] for row in mine if row["valid_from"] <= at}):
            of_day = [row for row in mine if row["valid_from"] == day]
            if state is not None and any(row["kind"] in ENDS for row in of_day):
                return Held(state.raw_key, state.symbol, state.isin, state.series, ended=True)
            for row in of_day:
                names = row["kind"] in ("LIST", "RENAME", "SERIES_CHANGE")
                state = Held(
                    raw_key=row["raw_key"] if names or state is None else state.raw_key,
                    symbol=row["symbol"] if names or state is None else state.symbol,
                    isin=row["isin"] or (state.isin if state else ""),
                    series=row["series"] or (state.series if state else ""),
                    ended=False,
                )
        return state

    def factors(self, listing: str, at: int, known: int) -> tuple[float, float, float, int]:
        """Return C(t), its split part, S(t) and how many versions went into them."""
        mine = [row for one, row in self._actions if one == listing]
        price = share = Fraction(1)
        newest = [
            row
            for row in self._newest(mine, "action_id", known)
            if row["effective_time"] <= at and row["status"] != "NEEDS_TERMS"
        ]
        for day in {row["effective_time"] for row in newest}:
            paid, close = Fraction(0), Fraction(1)
            for row in newest:
                if row["effective_time"] != day:
                    continue
                new, old = row["ratio_numerator"], row["ratio_denominator"]
                if row["kind"] == "SPLIT":
                    share *= Fraction(new, old)
                    price *= Fraction(old, new)
                elif row["kind"] == "BONUS":
                    share *= Fraction(new + old, old)
                    price *= Fraction(old, new + old)
                else:
                    paid += Fraction(row["cash_amount"])
                    close = Fraction(row["reference_price"])
            price *= (close - paid) / close
        version = sum(row["effective_time"] <= at and row["known_from"] <= known for row in mine)
        return float(price), float(1 / share), float(share), version

    def meaning(self, raw_key: str, at: int, known: int) -> Meaning | None:
        """Return (status, listing, symbol, isin, series, factors...); None while unknown."""
        owner = self._owner(raw_key, at, known)
        if owner is not None:
            return self._told("LISTED", owner, self.held(owner, at, known), at, known)
        days = [day for day in self.instants if day <= at]
        for place in range(len(days) - 1, -1, -1):
            before = self._owner(raw_key, days[place], known)
            if before is None:
                continue
            after = self.held(before, days[place + 1] if place + 1 < len(days) else at, known)
            if after is not None and after.ended:
                return self._told("DELISTED", before, after, at, known)
            return ("NOT_LISTED", "")
        return ("NOT_LISTED", "") if self._heard(raw_key, known) <= at else None

    def _told(self, status: str, listing: str, held: Held | None, at: int, known: int) -> Meaning:
        assert held is not None
        factors = self.factors(listing, at, known)
        return (status, listing, held.symbol, held.isin, held.series, *factors)

    def _owner(self, raw_key: str, at: int, known: int) -> str | None:
        found = [
            listing
            for listing in self.listings
            if (held := self.held(listing, at, known))
            and held.raw_key == raw_key
            and not held.ended
        ]
        assert len(found) < 2, f"{raw_key} names {found} at {at} known {known}"
        return found[0] if found else None

    def _heard(self, raw_key: str, known: int) -> float:
        """Return when anything about the key was known first; never when later than `known`."""
        for one in self.known:
            if one <= known and any(self._owner(raw_key, at, one) for at in self.instants):
                return float(one)
        return float("inf")
