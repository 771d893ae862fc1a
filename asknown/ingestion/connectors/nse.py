"""NSE's reference files as raw records: symbol changes, listings, corporate actions.

1. `symbol_changes`     symbolchange.csv    a RENAME for each line, junk too: the job refuses it
2. `listings`           EQUITY_L.csv        a LIST for each line, under the symbol of its first day
3. `corporate_actions`  CF-CA-equities.csv  one record for each action of a purpose
4. `api_actions`        the same from /api/corporates-corporateActions

The files show the state of their download, not of their dates: a row of 2013 carries the symbol,
the ISIN and the face value of today (DOMAIN.md fact 1). So a symbol is resolved as of the download
(extra `symbol_as_of`), and FACE VALUE stays in `extra` and prices nothing. Nothing is dropped: a
row becomes records, or a problem with its file and line.

The event time of a record is when it was known: `Download.known_at`, else the start of its day at
the exchange, marked `known_from_estimated`. Event ids do not depend on it, so a row that was
loaded before keeps the knowledge of its first time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from asknown.errors import UsageError
from asknown.ingestion.connectors.nse_files import (
    ActionRow,
    Download,
    Read,
    action_row,
    day_of,
    documents,
    records,
    table,
    unusable,
)
from asknown.ingestion.decimals import fits
from asknown.ingestion.event import Event, event_id
from asknown.reference import calendars
from asknown.reference.actions import ActionKind, ActionStatus
from asknown.reference.isin import is_valid, security_of
from asknown.reference.purpose import PARSER_VERSION, ParsedAction, parse, subscription_price

SOURCE = "nse"
VENUE = "XNSE"
EQUITY = "EQ"
_CURRENCY = "INR"
_FIRST_SERIAL = "01"

# One security moves between these series, so they are no part of its key. A symbol in any other
# one (E1 partly paid, N1 a debenture, W1 a warrant, GB a gold bond) is another security.
_SHARE_SERIES = frozenset({"EQ", "BE", "BZ", "BL", "SM", "ST", "SZ", "RR", "RT", "IV", "ID", "IT"})

_LISTING_COLUMNS = ("SYMBOL", "SERIES", "DATE OF LISTING", "ISIN NUMBER")
_CSV_COLUMNS = {
    "symbol": "SYMBOL",
    "series": "SERIES",
    "isin": "ISIN",
    "purpose": "PURPOSE",
    "ex": "EX-DATE",
    "record": "RECORD DATE",
    "closure": "BOOK CLOSURE START DATE",
    "announced": "BROADCAST DATE",
}
_API_COLUMNS = {
    "symbol": "symbol",
    "series": "series",
    "isin": "isin",
    "purpose": "subject",
    "ex": "exDate",
    "record": "recDate",
    "closure": "bcStartDate",
    "announced": "caBroadcastDate",
}

FaceValues = Callable[[str, date], Decimal | None]


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller knows beside the feed; without it nothing is filled in.

    `isins` gives today's ISIN of a symbol (EQUITY_L.csv has it). The CSV file has none: without
    them an action gets its id from the symbol, and another one from the API's answer, or from a
    download after the company was renamed. `face_value` gives the face value of
    a symbol of today that was in force before a date, from a complete history of splits.
    """

    isins: Mapping[str, str] = field(default_factory=dict)
    face_value: FaceValues = lambda _symbol, _day: None


def raw_key(symbol: str, series: str = EQUITY) -> str:
    """Return the source's own key of a symbol; only another security's series is part of it."""
    segment = EQUITY if series in _SHARE_SERIES or not series else series
    return f"NSE:{segment}:{symbol}"


def symbol_changes(download: Download) -> Read:
    """Return a RENAME for each line `name,old,new,date`; the date is the new symbol's first day.

    The name may be missing, empty or have commas in it. A header is no row.
    """
    rows = records(download)
    return _read(_rename(download, *row) for row in rows if not _is_header(row[1]))


def listings(download: Download, changes: Iterable[Event] = ()) -> Read:
    """Return a LIST for each line of EQUITY_L.csv.

    The file has today's symbol beside the first day of the listing. `changes`, the events of
    `symbol_changes`, take it back to the symbol of that day; without them it is left as it is.
    """
    back: dict[str, list[tuple[date, str]]] = defaultdict(list)
    for change in changes:
        payload = change.payload
        back[payload["symbol"]].append((payload["valid_from"], payload["previous_symbol"]))
    rows = table(download, _LISTING_COLUMNS)
    return _read(_listing(download, where, cells, back) for where, cells in rows)


def corporate_actions(download: Download, known: Known | None = None) -> Read:
    """Return the actions of the feed as a CSV file."""
    required = [_CSV_COLUMNS[name] for name in ("symbol", "series", "purpose", "ex")]
    return _actions(download, table(download, required), _CSV_COLUMNS, known or Known())


def api_actions(download: Download, known: Known | None = None) -> Read:
    """Return the actions of the feed as the API answers it."""
    return _actions(download, documents(download), _API_COLUMNS, known or Known())


Row = Callable[[], list[Event]]


def _read(rows: Iterable[Row]) -> Read:
    """Return the events of all rows, and the reports of those that none could be made of."""
    events: list[Event] = []
    problems: list[UsageError] = []
    for row in rows:
        try:
            events += row()
        except UsageError as problem:
            problems.append(problem)
    return Read(tuple(events), tuple(problems))


def _is_header(cells: list[str]) -> bool:
    return cells[-1].upper() in {"SM_APPLICABLE_FROM", "DATE OF CHANGE", "DATE"}


def _rename(download: Download, where: str, cells: list[str]) -> Row:
    def events() -> list[Event]:
        if len(cells) < 3 or not cells[-2] or not cells[-3]:
            raise unusable(where, "name, old symbol, new symbol, date", ",".join(cells))
        name, (old, new, text) = ",".join(cells[:-3]), cells[-3:]
        day = day_of(where, "date of change", text)
        terms = {"symbol": new, "kind": "RENAME", "previous_symbol": old, "valid_from": day}
        return [_security(download, day, terms, {"name": name} if name else {})]

    return events


def _listing(
    download: Download,
    where: str,
    cells: dict[str, str],
    back: Mapping[str, list[tuple[date, str]]],
) -> Row:
    def events() -> list[Event]:
        today, isin = cells.get("SYMBOL", ""), cells.get("ISIN NUMBER", "").strip("-")
        if not today:
            raise unusable(where, "a symbol", today)
        day = day_of(where, "date of listing", cells.get("DATE OF LISTING", ""))
        symbol = _first_symbol(today, day, back)
        extra = {
            name.lower().replace(" ", "_"): cell
            for name, cell in cells.items()
            if name not in _LISTING_COLUMNS and cell
        }
        if symbol != today:
            extra["symbol_today"] = today
        if isin and isin[9:11] != _FIRST_SERIAL:
            # A later serial number: the listing began under an ISIN that the file does not tell.
            extra["isin_as_of"] = "download"
        terms = {
            "symbol": symbol,
            "isin": isin or None,
            "series": cells.get("SERIES") or None,
            "kind": "LIST",
            "valid_from": day,
        }
        return [_security(download, day, terms, extra)]

    return events


def _first_symbol(today: str, listed: date, back: Mapping[str, list[tuple[date, str]]]) -> str:
    """Return the symbol a listing of `today` had on its first day, one rename back at a time.

    A rename up to the first day replaced a placeholder that never traded.
    """
    symbol, until = today, date.max
    while True:
        before = [one for one in back.get(symbol, ()) if listed < one[0] < until]
        before = [one for one in before if one[1] != symbol]
        if not before:
            return symbol
        until, symbol = max(before)


def _security(download: Download, day: date, terms: dict[str, Any], extra: dict[str, str]) -> Event:
    key = raw_key(terms["symbol"], terms.get("series") or EQUITY)
    previous = terms.get("previous_symbol") or ""
    at_ms = _known(download, day, extra)
    return Event(
        topic="raw.security",
        source=SOURCE,
        natural_key=("security", key, terms["kind"], day.isoformat(), previous),
        event_time_ms=at_ms,
        entity_id=key,
        payload={
            "source_system": SOURCE,
            "venue": VENUE,
            "security_class": key.split(":")[1],
            **terms,
            "extra": extra,
        },
    )


def _actions(
    download: Download,
    rows: Iterator[tuple[str, dict[str, str]]],
    columns: Mapping[str, str],
    known: Known,
) -> Read:
    def reader(where: str, cells: dict[str, str]) -> Row:
        return lambda: _events_of(download, action_row(where, cells, columns), known)

    return _read(reader(where, cells) for where, cells in rows)


def _events_of(download: Download, row: ActionRow, known: Known) -> list[Event]:
    """Return a record for each action of a row; a meeting alone is an OTHER without terms."""
    parsed = parse(row.purpose).actions or (ParsedAction(ActionKind.OTHER, row.purpose),)
    return [_event(download, row, (number, one), known) for number, one in enumerate(parsed, 1)]


def _event(
    download: Download, row: ActionRow, numbered: tuple[int, ParsedAction], known: Known
) -> Event:
    number, action = numbered
    isin = row.isin or known.isins.get(row.symbol, "")
    price = _price(action, row, known)
    extra = _extra(row, action)
    at_ms = _known(download, row.ex_date, extra)
    who = (_security_of(row, isin), row.series, row.ex_date.isoformat(), row.purpose)
    return Event(
        topic="raw.corporate_action",
        source=SOURCE,
        natural_key=("corporate_action", *who, str(number)),
        event_time_ms=at_ms,
        entity_id=raw_key(row.symbol, row.series),
        payload={
            "source_system": SOURCE,
            "symbol": row.symbol,
            "venue": VENUE,
            "isin": isin or None,
            "action_id": _action_id(row, action, isin),
            "version": download.version,
            "kind": action.kind.value,
            "status": _status(action, price).value,
            "ex_date": row.ex_date,
            "record_date": row.record_date,
            "announce_date": row.announce_date,
            "ratio_numerator": action.ratio_numerator,
            "ratio_denominator": action.ratio_denominator,
            "cash_amount": _fitting(action.cash_amount),
            "currency": _CURRENCY if action.cash_amount is not None or price else None,
            "subscription_price": price,
            "purpose": row.purpose,
            "extra": extra,
        },
    )


def _price(action: ParsedAction, row: ActionRow, known: Known) -> Decimal | None:
    """Return the price of a rights share; the feed's FACE VALUE is today's and takes no part."""
    if action.kind is not ActionKind.RIGHTS:
        return None
    return _fitting(subscription_price(action, known.face_value(row.symbol, row.ex_date)))


def _status(action: ParsedAction, price: Decimal | None) -> ActionStatus:
    amount = action.cash_amount
    unpriced = action.kind is ActionKind.RIGHTS and price is None
    if action.flags or unpriced or (amount is not None and not fits(amount)):
        return ActionStatus.NEEDS_TERMS
    return ActionStatus.CONFIRMED


def _fitting(value: Decimal | None) -> Decimal | None:
    """Return an amount the contract can carry; the purpose keeps the words of any other."""
    return value if value is not None and fits(value) else None


def _extra(row: ActionRow, action: ParsedAction) -> dict[str, str]:
    extra = dict(row.extra)
    extra["symbol_as_of"] = "download"
    extra["part"] = action.text
    extra["parser_version"] = str(PARSER_VERSION)
    if action.flags:
        extra["flags"] = ",".join(sorted(action.flags))
    for name in ("premium", "face_value_from", "face_value_to"):
        value = getattr(action, name)
        if value is not None:
            extra[name] = str(value)
    return extra


def _action_id(row: ActionRow, action: ParsedAction, isin: str) -> str:
    """Return an id without the ex-date in it, which may be amended (DOMAIN.md section 2.5).

    It is a hash of the security, the kind, the terms and the announcement: its date, or the
    record date, or the first day of the closure. Only a row without all of them has its ex-date
    in it, for two equal dividends of one year are two.
    """
    batch = row.announce_date or row.record_date or row.closure_date or row.ex_date
    numbers = (action.cash_amount, action.subscription_price, action.premium)
    terms = [_security_of(row, isin), action.kind.value, batch.isoformat()]
    terms += [str(one) for one in (action.ratio_numerator, action.ratio_denominator)]
    terms += ["" if one is None else format(one.normalize(), "f") for one in numbers]
    if action.flags or action.kind is ActionKind.OTHER:
        terms.append(action.text.casefold())
    return f"nse:{event_id(SOURCE, tuple(terms))}"


def _security_of(row: ActionRow, isin: str) -> str:
    """Return what names the security in ids: an ISIN without its serial number, else the symbol."""
    return security_of(isin) if is_valid(isin) else row.symbol


def _known(download: Download, day: date, extra: dict[str, str]) -> int:
    """Return the event time of a row; mark one that nobody wrote down."""
    if download.known_at is not None:
        return download.known_at
    extra["known_from_estimated"] = "true"
    return calendars.day_start(VENUE, day)
