"""Derive bars from normalized trades and quotes, and measure the quality of all market data.

1. Take each event's price, with a key that sorts as (event_time, sequence).
2. Cut bars of one second; from them, bars of one minute.
3. Measure each minute of each source.
4. Set rows behind the watermark aside; a backfill puts them into their bars.

Assumes: input is resolved and without copies. State: the open windows, until the watermark passes
their end.
"""

from __future__ import annotations

from collections.abc import Mapping

from asknown.contracts.catalog import HEARTBEAT
from jobs.derive import quality
from jobs.normalize.lanes import unread
from jobs.runtime.tables import NEVER_LATE, Tables

# For each dataset: the kinds of price it has, where each comes from, and its size.
PRICES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "normalized.trade": (("trade", "price", "size"),),
    "normalized.quote": (
        ("bid", "bid_price", "0"),
        ("ask", "ask_price", "0"),
        ("mid", "(bid_price + ask_price) / 2", "0"),
    ),
}


def build(tables: Tables) -> dict[str, str]:
    """Return the view of each output topic, for the normalized datasets that `tables` holds."""
    bars: list[str] = []
    for topic in (t for t in tables if t in PRICES):
        # Each dataset's windows follow its own watermark: a quiet one cannot hold another back.
        dataset = topic.partition(".")[2]
        prices = [_prices(tables, topic, *price) for price in PRICES[topic]]
        seconds = tables.view(
            f"second_bar_{dataset}",
            "derive/second_bar.sql",
            prices=tables.union(f"prices_{dataset}", prices),
        )
        relabelled = tables.view(
            f"second_bar_relabelled_{dataset}",
            "derive/second_bar_relabelled.sql",
            second_bar=seconds,
        )
        minutes = tables.view(
            f"minute_bar_{dataset}", "derive/minute_bar.sql", second_bar=relabelled
        )
        bars += [_bar(tables, dataset, "1", seconds), _bar(tables, dataset, "60", minutes)]
    outputs = {
        "analytics.bar": tables.union("analytics_bar", bars),
        quality.OUTPUT: quality.build(tables),
    }
    if tables.late != NEVER_LATE:
        overdue = f"source <> '{HEARTBEAT}' AND {tables.late}"
        late = [
            unread(tables, topic, "'LATE_BEYOND_WATERMARK'", overdue, name="late")
            for topic in tables
            if topic in PRICES
        ]
        outputs["late.event"] = tables.union("late_event_of_derive", late)
    return outputs


def _prices(tables: Tables, topic: str, price_type: str, price: str, size: str) -> str:
    return tables.view(
        f"{price_type}_prices",
        "derive/prices.sql",
        normalized=tables[topic],
        price_type=price_type,
        price=price,
        size=size,
        late=tables.late,
    )


def _bar(tables: Tables, dataset: str, seconds: str, window_bar: str) -> str:
    return tables.view(
        f"bar_{dataset}_{seconds}",
        "derive/bar.sql",
        seconds=seconds,
        window_bar=window_bar,
    )
