"""Which tables research reads, and under which names: those of the API, and gold's own.

A test holds the columns beside the API's, so that an answer is the same from either.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

INTERVALS = {"1s": 1, "1m": 60, "1d": 86_400}
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Source:
    """One readable table of the lake.

    `columns` are those of an answer, `names` what the table calls some of them. `key` makes a row
    unique and gives the order; of rows with one key counts the last by `newest`, read downwards
    where it begins with a minus. `window` is how much time is read at once. A table with
    `bitemporal` rows is read by [known_from, known_to), else by `ingest_time`.
    """

    name: str
    table: str
    time: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    newest: tuple[str, ...]
    names: tuple[tuple[str, str], ...] = ()
    prices: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    window: timedelta | None = None
    bitemporal: bool = False
    cut: bool = False  # a row spans interval_seconds; where factors change within, there are two

    @property
    def decimals(self) -> tuple[str, ...]:
        """Return the columns that are adjusted."""
        return (*self.prices, *self.sizes)

    def stored(self, column: str) -> str:
        """Return what the table calls a column of the answer."""
        return dict(self.names).get(column, column)


_FACTORS = ("price_factor", "split_factor", "share_factor", "factor_version")
_KNOWN = ("known_from", "known_to")
_OHLC = ("open", "high", "low", "close")
_SYMBOL = (("symbol", "raw_symbol"),)

TRADE = Source(
    name="trade",
    table="silver.trade",
    time="event_time",
    columns=(
        *("entity_id", "event_time", "sequence", "symbol", "venue", "isin", "price", "size"),
        *("trade_date", "session_phase", *_FACTORS, "ingest_time", "source", "event_id"),
    ),
    key=("entity_id", "event_time", "sequence", "event_id"),
    newest=("kafka_offset",),
    names=_SYMBOL,
    prices=("price",),
    sizes=("size",),
    window=7 * DAY,
)

BAR = Source(
    name="bar",
    table="gold.bar",
    time="bar_start",
    columns=(
        *("entity_id", "bar_start", "factor_version", "interval_seconds", "price_type"),
        *("symbol", "venue", "trade_date", *_OHLC, "volume", "vwap", "event_count"),
        *(*_FACTORS[:3], "revision", "ingest_time", "source", "event_id"),
    ),
    key=("entity_id", "bar_start", "factor_version"),
    newest=("revision", "kafka_offset"),
    names=_SYMBOL,
    prices=(*_OHLC, "vwap"),
    sizes=("volume",),
    window=31 * DAY,
    cut=True,
)

# What a source itself says of a day.
SOURCE_DAY = Source(
    name="daily_bar",
    table="silver.bar",
    time="bar_start",
    columns=(
        *("entity_id", "bar_start", "event_id", "interval_seconds", "price_type", "symbol"),
        *("venue", "trade_date", *_OHLC, "volume", *_FACTORS, "ingest_time", "source"),
    ),
    key=("entity_id", "bar_start", "event_id"),
    newest=("kafka_offset",),
    names=(*_SYMBOL, ("bar_start", "event_time")),
    prices=_OHLC,
    sizes=("volume",),
)

# What the platform computed of a day; where it holds one, it stands for what sources say of it.
COMPUTED_DAY = Source(
    name="daily_bar",
    table="gold.daily_bar",
    time="trade_date",
    columns=(
        *("entity_id", "symbol", "venue", "trade_date", *_OHLC, "volume", "price_factor"),
        *("split_factor", "share_factor", "factor_version", "source", *_KNOWN),
    ),
    key=("entity_id", "trade_date", "known_from"),
    newest=("-known_to",),
    names=(("split_factor", "split_price_factor"),),
    prices=_OHLC,
    sizes=("volume",),
    bitemporal=True,
)

FEATURE = Source(
    name="feature",
    table="gold.feature",
    time="trade_date",
    columns=(
        *("feature_name", "feature_version", "entity_id", "trade_date", "value", "observations"),
        *_KNOWN,
    ),
    key=("feature_name", "feature_version", "entity_id", "trade_date", "known_from"),
    newest=("-known_to",),
    bitemporal=True,
)

UNIVERSE = Source(
    name="universe_member",
    table="gold.universe_member",
    time="valid_from",
    columns=("universe", "entity_id", "symbol", "valid_from", "valid_to", *_KNOWN),
    key=("universe", "entity_id", "valid_from", "known_from"),
    newest=("-known_to",),
    bitemporal=True,
)

ACTION = Source(
    name="corporate_action",
    table="silver.corporate_action",
    time="ex_date",
    columns=(
        *("entity_id", "action_id", "version", "kind", "status", "symbol", "isin", "venue"),
        *("ex_date", "effective_time", "announce_date", "record_date", "pay_date"),
        *("ratio_numerator", "ratio_denominator", "cash_amount", "currency"),
        *("subscription_price", "distributed_value", "method", "reference_price"),
        *("purpose", "known_from", "source", "event_id"),
    ),
    key=("entity_id", "ex_date", "action_id", "version"),
    newest=("kafka_offset",),
)

HISTORY = Source(
    name="instrument_history",
    table="silver.entity_history",
    time="valid_from",
    columns=(
        *("listing_id", "raw_key", "symbol", "venue", "isin", "status", "valid_from"),
        *("valid_to", *_KNOWN, *_FACTORS),
    ),
    key=("raw_key", "valid_from", "known_from"),
    newest=("kafka_offset",),
    bitemporal=True,
)

IDENTIFIER = Source(
    name="identifier",
    table="silver.identifier_map",
    time="valid_from",
    columns=(
        *("listing_id", "id_type", "id_value", "venue", "series", "valid_from", "valid_to"),
        *(*_KNOWN, "reason", "link", "raw_event_id"),
    ),
    key=("id_type", "id_value", "listing_id", "valid_from", "known_from"),
    newest=("kafka_offset",),
    bitemporal=True,
)
