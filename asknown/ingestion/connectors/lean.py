"""Market records of a folder in LEAN's data format: forex ticks and daily equity bars.

Conventions (DOMAIN.md section 2.2): a tick's first field counts milliseconds since midnight in the
folder's forex zone; equity prices are the currency's unit x 10,000; a daily bar's event time is the
start of its session.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

from asknown.ingestion.connectors.lean_files import (
    FOREX_ZONE,
    LeanFile,
    forex_zone,
    lines,
    midnight_ms,
    milliseconds,
    open_folder,
    parse_day,
)
from asknown.ingestion.decimals import fits, take
from asknown.ingestion.event import Delivery, Event
from asknown.reference import calendars

SOURCE = "lean"
HEARTBEAT_MS = 60_000
SESSION_SECONDS = 86_400
_PRICE_EXPONENT = -4  # prices are x 10,000
_BAR_FIELDS = ("open", "high", "low", "close")


def records(
    root: Path, chosen: frozenset[str] | None = None, time_zone: str = FOREX_ZONE
) -> list[Delivery]:
    """Return every tick and every daily bar of the folder in the order of their event time.

    `time_zone` is the zone of the forex files' midnight. Raises `UsageError` for a folder or a
    file that is not what the format says; nothing has been sent then.
    """
    zone = forex_zone(time_zone)
    folder = open_folder(root, chosen)
    found = [one for file in folder.ticks for one in ticks(file, zone)]
    found += [one for file in folder.daily for one in daily_bars(file)]
    return sorted(found, key=lambda one: one.clock_ms)


def forex_key(market: str, symbol: str) -> str:
    """Return the raw key of a currency pair."""
    return f"{market.upper()}:FX:{symbol}"


def ticks(file: LeanFile, zone: ZoneInfo) -> Iterator[Delivery]:
    """Yield the quotes of a tick file; `sequence` is the line number."""
    day = file.day
    if day is None:
        return
    start = midnight_ms(day, zone)
    for number, cells in lines(file.path, 3):
        at_ms = start + milliseconds(file.path, number, cells[0])
        extra = {"market": file.market, "date": day.isoformat(), "time": cells[0]}
        extra |= {f"field_{at}": cell for at, cell in enumerate(cells[3:], start=4)}
        payload = {
            "source_system": SOURCE,
            "symbol": file.symbol,
            "bid_price": take(extra, "bid_price", cells[1]),
            "bid_size": None,
            "ask_price": take(extra, "ask_price", cells[2]),
            "ask_size": None,
            "sequence": number,
            "event_time_ns": None,
            "extra": extra,
        }
        yield Delivery(
            at_ms,
            Event(
                topic="raw.quote",
                source=SOURCE,
                natural_key=("quote", file.market, file.symbol, day.isoformat(), str(number)),
                event_time_ms=at_ms,
                entity_id=forex_key(file.market, file.symbol),
                payload=payload,
            ),
        )


def daily_bars(file: LeanFile) -> Iterator[Delivery]:
    """Yield the daily bars of an equity file, prices in the currency's unit."""
    prefix, venue = file.equity_venue
    for number, cells in lines(file.path, 6):
        day = parse_day(file.path, number, cells[0])
        extra = {"market": file.market, "time": cells[0], "price_scale": "10000"}
        prices = {
            name: _price(extra, name, cell)
            for name, cell in zip(_BAR_FIELDS, cells[1:5], strict=True)
        }
        event = Event(
            topic="raw.bar",
            source=SOURCE,
            natural_key=("bar", file.market, file.symbol, day.isoformat()),
            event_time_ms=calendars.session_open(venue, day),
            entity_id=f"{prefix}:EQ:{file.symbol}",
            payload={
                "source_system": SOURCE,
                "symbol": file.symbol,
                "interval_seconds": SESSION_SECONDS,
                **prices,
                "volume": take(extra, "volume", cells[5]),
                "extra": extra,
            },
        )
        yield Delivery(event.event_time_ms, event)


def _price(extra: dict[str, str], name: str, text: str) -> Decimal | None:
    """Return a price in the currency's unit; keep the text when it is none."""
    try:
        value = Decimal(text).scaleb(_PRICE_EXPONENT)
    except InvalidOperation:
        extra[name] = text
        return None
    if fits(value):
        return value
    extra[name] = text
    return None
