"""Words for pipeline tests: trade("RELIANCE", at=T0), listed("RELIANCE"), split("RELIANCE")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.pipelines.harness import Row, utc

# 2024-10-28, a Monday on which NSE traded; 09:30 in Mumbai.
T0 = 1_730_088_000_000
SECOND = 1_000
MINUTE = 60_000
HOUR = 3_600_000
DAY = 86_400_000


def trade(symbol: str, *, at: int, price: str = "100", size: str = "10", **more: Any) -> Row:
    """Return a raw trade; `more` overrides envelope and payload fields and coordinates."""
    payload = {"source_system": "SIM", "symbol": symbol, "price": price, "size": size}
    return _record(symbol, at, payload, more)


def quote(symbol: str, *, at: int, bid: str, ask: str, **more: Any) -> Row:
    """Return a raw quote."""
    payload = {"source_system": "SIM", "symbol": symbol, "bid_price": bid, "ask_price": ask}
    return _record(symbol, at, payload | {"bid_size": "1", "ask_size": "1"}, more)


def _record(symbol: str, at: int, payload: Row, more: Row) -> Row:
    envelope = {
        "event_id": f"{symbol}@{at}/{payload.get('price', payload.get('bid_price'))}",
        "event_time": utc(at),
        "ingest_time": utc(at),
        "source": "test",
        "schema_version": 1,
        "entity_id": f"SIM:EQ:{symbol}",
        "kafka_time": utc(at),
    }
    own = envelope | {k: v for k, v in more.items() if k in envelope or k.startswith("kafka_")}
    inner = payload | {k: v for k, v in more.items() if k not in own}
    return own | {"payload": inner | {"extra": {}}}


def poison(reason: str, *, at: int) -> Row:
    """Return a record that could not be decoded.

    It has an event time only because a file source's watermark wants one of every row; what the
    Kafka source makes of such records is shown by the end-to-end tests.
    """
    return {
        "event_time": utc(at),
        "decode_error": reason,
        "message_bytes": "AAEC",
        "kafka_time": utc(at),
    }


@dataclass(frozen=True)
class Factors:
    """Cumulative factors from listing, and the version of that knowledge."""

    price: float = 1.0
    split: float = 1.0
    share: float = 1.0
    version: int = 0


def change(
    symbol: str,
    *,
    at: int,
    status: str = "LISTED",
    listing: str = "",
    factors: Factors = Factors(),
) -> Row:
    """Return a change point: from `at` on, this is what `symbol` means."""
    key = f"SIM:EQ:{symbol}"
    return {
        "event_id": f"{key}|{at}",
        "event_time": utc(at),
        "ingest_time": utc(at),
        "source": "reference",
        "schema_version": 1,
        "entity_id": key,
        "payload": {
            "raw_key": key,
            "effective_time": utc(at),
            "listing_id": listing or f"e_{symbol.lower()}",
            "isin": f"IN{symbol}",
            "symbol": symbol,
            "venue": "XSIM",
            "status": status,
            "price_factor": factors.price,
            "split_factor": factors.split,
            "share_factor": factors.share,
            "factor_version": factors.version,
            "known_from": utc(at),
        },
        "kafka_time": utc(at),
    }


def listed(symbol: str, **more: Any) -> Row:
    """Return the change point that lists `symbol`, a day before T0."""
    return change(symbol, at=T0 - DAY, **more)
