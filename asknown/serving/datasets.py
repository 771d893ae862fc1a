"""What the API may read: tables and columns on an allow-list, none of which a request names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

Row = dict[str, Any]


class Table(Protocol):
    """What an answer's columns are."""

    @property
    def name(self) -> str:
        """Return the noun of the dataset."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns of the response in their order."""

    @property
    def decimals(self) -> tuple[str, ...]:
        """Return the columns that are exact decimals."""


@dataclass(frozen=True)
class Answer:
    """A page: rows as dictionaries of Python values, what they rest on, the next page."""

    table: Table
    rows: list[Row]
    meta: dict[str, Any]
    next: str | None


@dataclass(frozen=True)
class Dataset:
    """One readable table.

    `columns` are (name in the response, SQL expression); `order` are the columns of the response
    that make a row unique and give the order of pages, with their ClickHouse types; `newest` picks
    one row among several versions of the same key. `prices` and `sizes` are what adjusting changes.
    """

    name: str
    table: str
    time: str
    columns: tuple[tuple[str, str], ...]
    order: tuple[tuple[str, str], ...]
    newest: str
    prices: tuple[str, ...]
    sizes: tuple[str, ...]
    max_range: timedelta
    filters: tuple[tuple[str, str], ...] = ()  # (column, ClickHouse type) fixed by the request
    cut: bool = False  # a row spans interval_seconds; where factors change within, there are two

    @property
    def decimals(self) -> tuple[str, ...]:
        """Return the columns that are exact decimals."""
        return (*self.prices, *self.sizes)

    @property
    def time_name(self) -> str:
        """Return the column of the response that holds the time."""
        return next(name for name, expression in self.columns if expression == self.time)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns of the response in their order."""
        return tuple(name for name, _ in self.columns)


def _same(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names)


_ID = _same("entity_id", "event_time")
_FACTORS = _same("price_factor", "split_factor", "share_factor", "factor_version")
_ORIGIN = _same("ingest_time", "source", "event_id")
_PLACE = _same("trade_date", "session_phase")
_SYMBOL = (("symbol", "raw_symbol"), ("venue", "venue"))
# Within a millisecond the source's own sequence decides; rows without one come first.
_SEQUENCE = (("sequence", "coalesce(sequence, -1)"),)
_TICK_ORDER = (
    ("entity_id", "String"),
    ("event_time", "DateTime64(3, 'UTC')"),
    ("sequence", "Int64"),
    ("event_id", "String"),
)
_OHLC = ("open", "high", "low", "close")

TRADE = Dataset(
    name="trade",
    table="silver.trade",
    time="event_time",
    columns=(
        *_ID,
        *_SEQUENCE,
        *_SYMBOL,
        *_same("isin", "price", "size"),
        *_PLACE,
        *_FACTORS,
        *_ORIGIN,
    ),
    order=_TICK_ORDER,
    newest="kafka_offset",
    prices=("price",),
    sizes=("size",),
    max_range=timedelta(days=31),
)

QUOTE = Dataset(
    name="quote",
    table="silver.quote",
    time="event_time",
    columns=(
        *_ID,
        *_SEQUENCE,
        *_SYMBOL,
        *_same("isin", "bid_price", "bid_size", "ask_price", "ask_size"),
        *_PLACE,
        *_FACTORS,
        *_ORIGIN,
    ),
    order=_TICK_ORDER,
    newest="kafka_offset",
    prices=("bid_price", "ask_price"),
    sizes=("bid_size", "ask_size"),
    max_range=timedelta(days=31),
)

_BAR_HEAD = _same("entity_id", "bar_start", "factor_version", "interval_seconds", "price_type")

BAR = Dataset(
    name="bar",
    table="gold.bar",
    time="bar_start",
    columns=(
        *_BAR_HEAD,
        *_SYMBOL,
        ("trade_date", "trade_date"),
        *_same(*_OHLC, "volume", "vwap", "event_count"),
        *_FACTORS[:3],
        ("revision", "revision"),
        *_ORIGIN,
    ),
    order=(
        ("entity_id", "String"),
        ("bar_start", "DateTime64(3, 'UTC')"),
        ("factor_version", "Int32"),
    ),
    newest="(revision, kafka_offset)",
    prices=(*_OHLC, "vwap"),
    sizes=("volume",),
    max_range=timedelta(days=366),
    filters=(("interval_seconds", "Int32"), ("price_type", "String")),
    cut=True,
)

# Daily bars are the source's own: official prices, which trades alone do not give.
DAILY_BAR = Dataset(
    name="daily_bar",
    table="silver.bar",
    time="event_time",
    columns=(
        ("entity_id", "entity_id"),
        ("bar_start", "event_time"),
        ("event_id", "event_id"),
        ("interval_seconds", "interval_seconds"),
        ("price_type", "'trade'"),
        *_SYMBOL,
        ("trade_date", "trade_date"),
        *_same(*_OHLC, "volume"),
        *_FACTORS,
        *_ORIGIN[:2],
    ),
    order=(
        ("entity_id", "String"),
        ("bar_start", "DateTime64(3, 'UTC')"),
        ("event_id", "String"),
    ),
    newest="kafka_offset",
    prices=_OHLC,
    sizes=("volume",),
    max_range=timedelta(days=366 * 100),
    filters=(("interval_seconds", "Int32"),),
)

EVERY = (TRADE, QUOTE, DAILY_BAR, BAR)
INTERVALS = {"1s": 1, "1m": 60, "1d": 86_400}
