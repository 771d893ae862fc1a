"""What the stores must hold after a synthetic session, computed from its ledger alone.

Nothing here is shared with the jobs: plain Python integers in units of 1e-8, so sums are exact and
no rounding of one side can hide an error of the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from asknown.ingestion.decimals import UNIT
from asknown.ingestion.session_ledger import Expected, Outcome


@dataclass(frozen=True, slots=True)
class ExpectedBar:
    """One trade bar; prices and volume in units of 1e-8, notional (sum of price * size) of 1e-16.

    Left-closed and labelled by `start_ms` (UTC milliseconds). Open and close go by
    (event_time, sequence). VWAP is `notional / volume` in units of 1e-8, None without volume.
    `ingest_ms` is when the last of its trades was seen first; `revision` counts from 0.
    """

    listing_id: str
    interval_seconds: int
    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    notional: int
    event_count: int
    price_factor: float
    split_factor: float
    share_factor: float
    factor_version: int
    ingest_ms: int
    revision: int = 0

    @property
    def vwap(self) -> int | None:
        """Volume-weighted average price in units of 1e-8, halves rounded up; exact otherwise."""
        if not self.volume:
            return None
        return (2 * self.notional + self.volume) // (2 * self.volume)


def normalized(rows: Iterable[Expected], kept_late: frozenset[str] = frozenset()) -> list[Expected]:
    """Return the records that must be in normalized.trade, each event_id once.

    `kept_late` are the event_ids of late records that a run judged on time. A running job finds
    every late record of a session late; one that reads a backlog, or has just been restored, starts
    with a fresh watermark and may not. What is on time is never late.
    """
    found: dict[str, Expected] = {}
    for row in rows:
        if row.outcome is Outcome.NORMALIZED or (is_healable(row) and row.event_id in kept_late):
            found[row.event_id] = row
    return list(found.values())


def is_healable(row: Expected) -> bool:
    """Tell whether a late record becomes a normalized one when it is healed."""
    return row.outcome is Outcome.LATE and row.healed is Outcome.NORMALIZED


def revised(
    rows: Sequence[Expected], interval_seconds: int, healed: frozenset[str]
) -> list[ExpectedBar]:
    """Return the trade bars of one interval that must be in analytics.bar once all is healed.

    `healed` are the event_ids of the records that a run found late and that were healed then. A bar
    of which one is a part is there twice: as it was (revision 0) and with it (revision 1); once, as
    revision 0, when nothing else is part of it. All other bars are there as they were.
    """
    every = frozenset(row.event_id for row in rows if is_healable(row))
    length = interval_seconds * 1000
    touched = {
        (row.listing_id, row.event_time_ms // length * length)
        for row in rows
        if is_healable(row) and row.event_id in healed
    }
    before = bars(rows, interval_seconds, every - healed)
    known = {(bar.listing_id, bar.start_ms) for bar in before}
    after = [
        replace(bar, revision=int((bar.listing_id, bar.start_ms) in known))
        for bar in bars(rows, interval_seconds, every)
        if (bar.listing_id, bar.start_ms) in touched
    ]
    return before + after


def bars(
    rows: Iterable[Expected],
    interval_seconds: int,
    kept_late: frozenset[str] = frozenset(),
) -> list[ExpectedBar]:
    """Return the trade bars of one interval that must be in analytics.bar.

    Ordered by (listing_id, start). One bar never spans two sets of factors: the session's split
    falls on a whole minute.
    """
    length = interval_seconds * 1000
    windows: dict[tuple[str, int], list[Expected]] = defaultdict(list)
    for row in normalized(rows, kept_late):
        windows[row.listing_id, row.event_time_ms // length * length].append(row)
    return [
        _bar(listing, interval_seconds, start, trades)
        for (listing, start), trades in sorted(windows.items())
    ]


def scaled(row: Expected) -> tuple[int, int]:
    """Return price and size of a normalized record in units of 1e-8."""
    if row.price is None or row.size is None:
        raise ValueError(f"record {row.index} of the ledger is {row.outcome}, without a price")
    return int(row.price * UNIT), int(row.size * UNIT)


def _bar(listing: str, interval_seconds: int, start: int, trades: list[Expected]) -> ExpectedBar:
    ordered = sorted(trades, key=lambda row: (row.event_time_ms, row.sequence or 0))
    priced = [scaled(row) for row in ordered]
    prices = [price for price, _ in priced]
    last = ordered[-1]
    return ExpectedBar(
        listing_id=listing,
        interval_seconds=interval_seconds,
        start_ms=start,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum(size for _, size in priced),
        notional=sum(price * size for price, size in priced),
        event_count=len(priced),
        price_factor=last.price_factor or 1.0,
        split_factor=last.split_factor or 1.0,
        share_factor=last.share_factor or 1.0,
        factor_version=last.factor_version or 0,
        ingest_ms=max(row.clock_ms for row in ordered),
    )
