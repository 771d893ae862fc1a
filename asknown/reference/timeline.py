"""From the facts about a listing to its intervals: what it is called when.

Each fact sets what it names and leaves the rest as it was; facts of one instant count together.
DELIST and MERGE end the listing. Intervals are half open, in UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

import msgspec

from asknown.errors import UsageError
from asknown.reference.factors import Factors
from asknown.reference.option_terms import adjusted
from asknown.reference.records import FOR_EVER
from asknown.reference.symbology import FactKind

# What went ex of an underlying: when, its factors, which action, extraordinary dividend.
Terms = tuple[int, Factors, str, Decimal]
ENDS = frozenset({FactKind.DELIST, FactKind.MERGE})
_ORDER = {kind: at for at, kind in enumerate(FactKind)}


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One version of one fact, with the listing it was found to belong to."""

    fact_id: str
    version: int
    kind: FactKind
    listing_id: str
    raw_key: str
    symbol: str
    valid_from: int
    known_from: int
    event_id: str
    cancelled: bool = False
    series: str = ""
    isin: str = ""
    security_class: str = ""
    issuer: str = ""
    successor_id: str = ""
    underlying_id: str = ""
    strike: Decimal | None = None
    lot_size: Decimal | None = None


class Interval(msgspec.Struct, frozen=True, gc=False):
    """A stretch of a listing's life in which nothing about its identity changes."""

    start: int
    end: int
    raw_key: str
    symbol: str
    series: str
    isin: str
    security_class: str
    issuer: str
    strike: Decimal | None
    lot_size: Decimal | None
    began_by: tuple[FactKind, ...]  # of all facts of its first day
    ended_by: FactKind | None
    event_id: str
    successor_id: str = ""

    @property
    def delisted(self) -> bool:
        """Tell whether the listing itself ends with it."""
        return self.ended_by in ENDS


def in_force(facts: Iterable[Fact]) -> list[Fact]:
    """Return the newest version of each fact that is not taken back, in order of its instant."""
    newest: dict[str, Fact] = {}
    for fact in facts:
        held = newest.get(fact.fact_id)
        if held is None or fact.version > held.version:
            newest[fact.fact_id] = fact
    kept = [fact for fact in newest.values() if not fact.cancelled]
    return sorted(kept, key=lambda fact: (fact.valid_from, _ORDER[fact.kind], fact.fact_id))


def intervals(facts: Iterable[Fact], terms: Sequence[Terms] = ()) -> list[Interval]:
    """Return the intervals of one listing, in order; empty while nothing says it was listed.

    `terms` are what went ex of the underlying: the exchange
    changes strike and lot of a contract on that day, unless a fact of that day says how.
    """
    known = in_force(facts)
    if not known or known[0].kind is not FactKind.LIST:
        return []
    found: list[Interval] = []
    for at, of_day in _days(known, terms):
        before = found[-1] if found else None
        if before is not None:
            found[-1] = _ended(before, at, of_day)
            if found[-1].delisted:
                break
        found.append(_begun(before, at, of_day))
    return [one for one in found if one.start < one.end]


def _days(known: Sequence[Fact], terms: Sequence[Terms]) -> Iterator[tuple[int, list[Fact]]]:
    days = {at: list(facts) for at, facts in groupby(known, key=lambda fact: fact.valid_from)}
    first = known[0]
    strike, lot = first.strike, first.lot_size
    for at in sorted({*days, *(one[0] for one in terms if one[0] > first.valid_from)}):
        of_day = days.get(at, [])
        told = [_last(of_day, name, None) for name in ("strike", "lot_size")]
        if any(told):
            strike, lot = told[0] or strike, told[1] or lot
        elif strike is not None and lot is not None:
            for when, factors, event_id, dividend in terms:
                due = when == at
                changed = _followed((strike, lot), factors, dividend) if due else None
                if changed is not None:
                    strike, lot = changed
                    of_day = [*of_day, _terms_change(first, at, changed, event_id)]
        if of_day:
            yield at, of_day


def _followed(
    terms: tuple[Decimal, Decimal], factors: Factors, dividend: Decimal
) -> tuple[Decimal, Decimal] | None:
    """Return strike and lot after the underlying's action; None where the rule leaves nothing.

    Then only the exchange can say what became of the contract.
    """
    try:
        return adjusted(*terms, factors, dividend)
    except UsageError:
        return None


def _terms_change(first: Fact, at: int, terms: tuple[Decimal, Decimal], event_id: str) -> Fact:
    return msgspec.structs.replace(
        first,
        fact_id=f"{event_id}|terms",
        kind=FactKind.TERMS_CHANGE,
        valid_from=at,
        event_id=event_id,
        strike=terms[0],
        lot_size=terms[1],
        isin="",
        series="",
    )


def _ended(interval: Interval, at: int, by: Sequence[Fact]) -> Interval:
    end = next((fact for fact in by if fact.kind in ENDS), None)
    return msgspec.structs.replace(
        interval,
        end=at,
        ended_by=end.kind if end else by[0].kind,
        successor_id=end.successor_id if end else "",
    )


def _begun(before: Interval | None, at: int, of_day: Sequence[Fact]) -> Interval:
    first = of_day[0]
    named = [
        f for f in of_day if f.kind in (FactKind.LIST, FactKind.RENAME, FactKind.SERIES_CHANGE)
    ]
    name = named[-1] if named else None
    return Interval(
        start=at,
        end=FOR_EVER,
        raw_key=name.raw_key if name else (before.raw_key if before else first.raw_key),
        symbol=name.symbol if name else (before.symbol if before else first.symbol),
        series=_last(of_day, "series", before.series if before else ""),
        isin=_last(of_day, "isin", before.isin if before else ""),
        security_class=before.security_class if before else first.security_class,
        issuer=_last(of_day, "issuer", before.issuer if before else ""),
        strike=_last(of_day, "strike", before.strike if before else None),
        lot_size=_last(of_day, "lot_size", before.lot_size if before else None),
        began_by=tuple(fact.kind for fact in of_day),
        ended_by=None,
        event_id=first.event_id,
    )


def _last(facts: Sequence[Fact], name: str, otherwise: Any) -> Any:
    found = [value for fact in facts if (value := getattr(fact, name))]
    return found[-1] if found else otherwise


def covering(found: Iterable[Interval], raw_key: str, at: int) -> Interval | None:
    """Return the interval in which `raw_key` names the listing at `at`."""
    for one in found:
        if one.raw_key == raw_key and one.start <= at < one.end:
            return one
    return None
