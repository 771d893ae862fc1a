"""Reference data of a folder in LEAN's data format: map files, factor files, forex pairs.

A factor row holds for all days up to and including its date, so between two rows lies an ex-date:
the next session. The ratio of two rows' split factors is a split, the ratio of their price factors
a dividend measured against the first row's reference price (PREV_CLOSE). A map row's date is the
last day of its ticker, so the next ticker begins on the day after. Neither file says when a thing
was announced: it is taken to be known from the start of its day on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from asknown.errors import UsageError
from asknown.ingestion.connectors.lean import SOURCE, forex_key
from asknown.ingestion.connectors.lean_files import (
    FactorRow,
    LeanFile,
    LeanFolder,
    MapRow,
    factor_rows,
    lines,
    map_rows,
    open_folder,
    parse_day,
)
from asknown.reference import calendars
from asknown.reference.actions import Action, ActionKind, DividendMethod
from asknown.reference.bundle import ReferenceBundle
from asknown.reference.symbology import FactKind, SecurityFact, listing_id

FOR_EVER = date(2050, 12, 31)
_LARGEST_TERM = 1000
_CURRENCY = {"XNSE": "INR"}
_TOLERANCE = Fraction(2, 10**7)  # the files round price factors to seven decimals
_SEARCH_DAYS = 30


def reference(root: Path, chosen: frozenset[str] | None = None) -> ReferenceBundle:
    """Return the listings, renames and actions that the folder's files amount to.

    Raises `UsageError` for files that are not what the format says.
    """
    folder = open_folder(root, chosen)
    facts: list[SecurityFact] = list(_forex(folder))
    actions: list[Action] = []
    for (market, symbol), file in sorted(_equities(folder).items()):
        of_symbol = _equity(folder, file, symbol)
        facts += of_symbol
        actions += [
            action
            for one in folder.factors
            if (one.market, one.symbol) == (market, symbol)
            for action in actions_of(one, of_symbol[0])
        ]
    return ReferenceBundle(SOURCE, tuple(facts), tuple(actions))


def facts_of(rows: list[MapRow], prefix: str, venue: str) -> list[SecurityFact]:
    """Return LIST, RENAME and DELIST facts of a map file, the oldest first.

    The first row is the listing itself; each later row ends its ticker, the last one the listing,
    unless it ends in 2050.
    """
    listed, tickers = rows[0], rows[1:] or [MapRow(FOR_EVER, rows[0].ticker)]
    identity = listing_id(venue, tickers[0].ticker, listed.last, "EQ")
    starts = [listed.last, *(row.last + timedelta(days=1) for row in tickers)]
    facts = []
    for at, row in enumerate(tickers):
        kind = FactKind.RENAME if at else FactKind.LIST
        facts.append(_fact(kind, identity, f"{prefix}:EQ:{row.ticker}", venue, starts[at]))
    if tickers[-1].last < FOR_EVER:
        key = f"{prefix}:EQ:{tickers[-1].ticker}"
        facts.append(_fact(FactKind.DELIST, identity, key, venue, starts[-1]))
    return facts


def actions_of(file: LeanFile, fact: SecurityFact) -> Iterator[Action]:
    """Yield the splits and dividends between the rows of a factor file."""
    for before, after in pairwise(factor_rows(file.path)):
        if before.price <= 0 or before.split <= 0 or after.price <= 0 or after.split <= 0:
            raise UsageError(
                "ASKNOWN-INGEST-045",
                f"expected factors above 0, found {before}.",
                where=str(file.path),
                hint="fetch the file again, or leave its symbol out with --symbols.",
            )
        split = Fraction(before.split) / Fraction(after.split)
        price = Fraction(before.price) / Fraction(after.price)
        if split != 1:
            yield _split(fact, before.last, split, file)
        if price != 1:
            yield _dividend(fact, before, price)


def _split(fact: SecurityFact, last: date, ratio: Fraction, file: LeanFile) -> Action:
    """Return the split whose price factor is `ratio`: old shares over new ones."""
    terms = ratio.limit_denominator(_LARGEST_TERM)
    if abs(terms / ratio - 1) > _TOLERANCE or not terms:
        raise UsageError(
            "ASKNOWN-INGEST-046",
            f"expected a split of whole shares, found a factor of {float(ratio):.8f}.",
            where=f"{file.path} {last}",
            hint="correct the factor file; a factor is never guessed.",
        )
    return _action(
        fact,
        ActionKind.SPLIT,
        last,
        ratio_numerator=terms.denominator,
        ratio_denominator=terms.numerator,
    )


def _dividend(fact: SecurityFact, row: FactorRow, ratio: Fraction) -> Action:
    """Return the dividend whose price factor is `ratio`, to the fewest decimals that give it."""
    paid = Fraction(row.reference) * (1 - ratio)
    amount = Decimal(0)
    for places in range(2, 9):
        amount = Decimal(round(paid * 10**places)).scaleb(-places)
        factor = 1 - Fraction(amount) / Fraction(row.reference) if row.reference else Fraction(0)
        if abs(factor - ratio) <= _TOLERANCE:
            break
    return _action(
        fact,
        ActionKind.CASH_DIVIDEND,
        row.last,
        cash_amount=amount,
        currency=_CURRENCY.get(fact.venue),
        method=DividendMethod.PREV_CLOSE,
        reference_price=row.reference,
    )


def _action(fact: SecurityFact, kind: ActionKind, last: date, **terms: object) -> Action:
    ex_date = _next_session(fact.venue, last)
    starts = calendars.day_start(fact.venue, ex_date)
    return Action(
        action_id=f"{SOURCE}:{fact.raw_key}:{kind.lower()}:{ex_date.isoformat()}",
        listing_id=fact.listing_id,
        kind=kind,
        ex_date=ex_date,
        valid_from=starts,
        known_from=starts,
        **terms,  # type: ignore[arg-type]  # the two callers above name fields of Action
    )


def _next_session(venue: str, last: date) -> date:
    first = last + timedelta(days=1)
    return calendars.day_schedules(venue, first, last + timedelta(days=_SEARCH_DAYS))[0].date


def _equities(folder: LeanFolder) -> dict[tuple[str, str], LeanFile]:
    """Return one file of each equity; any will do to name its market."""
    files = (*folder.daily, *folder.factors, *folder.maps)
    return {(one.market, one.symbol): one for one in files}


def _equity(folder: LeanFolder, file: LeanFile, symbol: str) -> list[SecurityFact]:
    prefix, venue = file.equity_venue
    for one in folder.maps:
        if (one.market, one.symbol) == (file.market, symbol):
            return facts_of(map_rows(one.path), prefix, venue)
    return facts_of([MapRow(_first_day(folder, file, symbol), symbol)], prefix, venue)


def _first_day(folder: LeanFolder, file: LeanFile, symbol: str) -> date:
    """Return the first day any file has of an equity without a map file."""
    days = []
    for one in (*folder.daily, *folder.factors):
        if (one.market, one.symbol) == (file.market, symbol):
            number, cells = next(lines(one.path, 4))
            days.append(parse_day(one.path, number, cells[0]))
    return min(days)


def _forex(folder: LeanFolder) -> Iterator[SecurityFact]:
    """Yield a listing for each pair, from the first midnight of its ticks in any zone we read."""
    firsts: dict[tuple[str, str], date] = {}
    for file in folder.ticks:
        if file.day is not None:
            key = (file.market, file.symbol)
            firsts[key] = min(file.day, firsts.get(key, file.day))
    for (market, symbol), day in sorted(firsts.items()):
        starts = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
        yield SecurityFact(
            kind=FactKind.LIST,
            listing_id=listing_id("XFXS", symbol, day, "FX"),
            raw_key=forex_key(market, symbol),
            symbol=symbol,
            venue="XFXS",
            valid_from=starts,
            known_from=starts,
            first_date=day,
            security_class="FX",
        )


def _fact(kind: FactKind, identity: str, raw_key: str, venue: str, day: date) -> SecurityFact:
    starts = calendars.day_start(venue, day)
    return SecurityFact(
        kind=kind,
        listing_id=identity,
        raw_key=raw_key,
        symbol=raw_key.rpartition(":")[2],
        venue=venue,
        valid_from=starts,
        known_from=starts,
        first_date=day,
    )
