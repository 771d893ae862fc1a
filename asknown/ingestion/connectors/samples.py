"""Daily bars of five companies, 2000-2013, that ship with bokeh-sampledata.

The file is read as text from the installed package, so prices stay exact. Its prices and volumes
are as traded; `Adj Close` is kept in `extra` and compared with in the demo. GOOG's rows are class A
shares, which carried that symbol until 2014. Origin: Quandl WIKI Prices, public domain.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from asknown.errors import UsageError
from asknown.ingestion.connectors.selection import check_chosen
from asknown.ingestion.decimals import take
from asknown.ingestion.event import Delivery, Event
from asknown.reference import calendars
from asknown.reference.actions import Action, ActionKind, DividendMethod
from asknown.reference.bundle import ReferenceBundle
from asknown.reference.symbology import FactKind, SecurityFact, listing_id

SOURCE = "samples"
TOPIC = "raw.bar"
SESSION_SECONDS = 86_400
WEEK_MS = 7 * SESSION_SECONDS * 1000  # a heartbeat a week is enough for bars of a day
FACTS = Path(calendars.__file__).parent / "facts" / "sample_companies.yaml"
_TYPED = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One row of the file, texts unchanged."""

    ticker: str
    day: date
    open: str
    high: str
    low: str
    close: str
    volume: str
    adj_close: str


def rows() -> list[SampleRow]:
    """Return every row of the sample, by ticker, then date.

    Raises `UsageError` ASKNOWN-INGEST-030 when the package is not installed.
    """
    try:
        packed = resources.files("bokeh_sampledata").joinpath("_data", "stocks.csv.gz").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise UsageError(
            "ASKNOWN-INGEST-030",
            f"expected the package bokeh-sampledata with its stocks, found: {error}.",
            hint="make setup",
        ) from error
    lines = gzip.decompress(packed).decode("utf-8").splitlines()
    return [
        SampleRow(cells[0], date.fromisoformat(cells[1]), *cells[2:])
        for cells in csv.reader(lines[1:])
    ]


def bars(chosen: frozenset[str] | None = None) -> list[Delivery]:
    """Return the daily bars as deliveries in the order of their sessions.

    `chosen` keeps only these tickers. Raises `UsageError` ASKNOWN-INGEST-031 for one the sample
    does not have.
    """
    found = rows()
    check_chosen(chosen, {row.ticker for row in found})
    venues = {symbol: company["venue"] for symbol, company in _companies().items()}
    deliveries = [
        _delivery(row, venues[row.ticker])
        for row in found
        if chosen is None or row.ticker in chosen
    ]
    return sorted(deliveries, key=lambda one: one.clock_ms)


def reference() -> ReferenceBundle:
    """Return the listings of the five companies and their splits and dividends of the period.

    The facts table names no announcement times, so each fact is taken to be known from the start
    of its day on, and each dividend is measured against the close of its ex-date, as the origin of
    the sample does (EX_CLOSE).
    """
    closes = {(row.ticker, row.day): row.close for row in rows()}
    facts: list[SecurityFact] = []
    actions: list[Action] = []
    for symbol, company in _companies().items():
        fact = _listing(symbol, company)
        facts.append(fact)
        actions += _actions(fact, company, closes)
    first = {fact.listing_id: _companies()[fact.symbol]["first_trade_date"] for fact in facts}
    return ReferenceBundle(SOURCE, tuple(facts), tuple(actions), first)


def raw_key(venue: str, symbol: str) -> str:
    """Return the key the source gives a company."""
    return f"{venue}:EQ:{symbol}"


def _companies() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(FACTS.read_text(encoding="utf-8"))
    companies: dict[str, Any] = document["companies"]
    return companies


def _delivery(row: SampleRow, venue: str) -> Delivery:
    extra = {"date": row.day.isoformat(), "adj_close": row.adj_close}
    typed = {name: take(extra, name, getattr(row, name)) for name in _TYPED}
    event = Event(
        topic=TOPIC,
        source=SOURCE,
        natural_key=("bar", venue, row.ticker, row.day.isoformat()),
        event_time_ms=calendars.session_open(venue, row.day),
        entity_id=raw_key(venue, row.ticker),
        payload={
            "source_system": "bokeh-sampledata",
            "symbol": row.ticker,
            "interval_seconds": SESSION_SECONDS,
            **typed,
            "extra": extra,
        },
    )
    return Delivery(event.event_time_ms, event)


def _listing(symbol: str, company: dict[str, Any]) -> SecurityFact:
    venue, since = company["venue"], company["table_from"]
    starts = calendars.day_start(venue, since)
    return SecurityFact(
        kind=FactKind.LIST,
        listing_id=listing_id(venue, symbol, company["first_trade_date"], "EQ"),
        raw_key=raw_key(venue, symbol),
        symbol=symbol,
        venue=venue,
        valid_from=starts,
        known_from=starts,
        first_date=since,
        isin=company["isin"],
    )


def _actions(
    fact: SecurityFact, company: dict[str, Any], closes: dict[tuple[str, date], str]
) -> Iterator[Action]:
    for split in company.get("splits", ()):
        new, old = (int(one) for one in split["ratio"].split(":"))
        yield _action(fact, ActionKind.SPLIT, split["ex_date"], ratio=(new, old))
    for dividend in company.get("dividends", ()):
        day = dividend["ex_date"]
        close = Decimal(closes[fact.symbol, day])
        for name, kind in (
            ("amount", ActionKind.CASH_DIVIDEND),
            ("special", ActionKind.SPECIAL_DIVIDEND),
        ):
            if name in dividend:
                yield _action(fact, kind, day, cash=(Decimal(dividend[name]), close))


def _action(
    fact: SecurityFact,
    kind: ActionKind,
    day: date,
    *,
    ratio: tuple[int, int] | None = None,
    cash: tuple[Decimal, Decimal] | None = None,
) -> Action:
    starts = calendars.day_start(fact.venue, day)
    return Action(
        action_id=f"{SOURCE}:{fact.symbol}:{kind.lower()}:{day.isoformat()}",
        listing_id=fact.listing_id,
        kind=kind,
        ex_date=day,
        valid_from=starts,
        known_from=starts,
        ratio_numerator=ratio[0] if ratio else None,
        ratio_denominator=ratio[1] if ratio else None,
        cash_amount=cash[0] if cash else None,
        currency="USD" if cash else None,
        method=DividendMethod.EX_CLOSE if cash else None,
        reference_price=cash[1] if cash else None,
    )
