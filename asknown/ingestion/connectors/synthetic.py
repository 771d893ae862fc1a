"""A seeded session of trades with everything that goes wrong in a feed, and the right answer.

1. originals: sorted event times over the session, popularity by Zipf's law, prices by a walk;
   a few percent of them arrive late within the tolerated disorder
2. duplicates: the same bytes again, while the first can still be remembered
3. late: sent together after a pause in which every partition's clock has passed far beyond them
4. refused: keys nobody knows, not listed yet, delisted, renamed away; prices and sizes that are
   none; bytes that are no record
Sorted by the moment of delivery they are the session; what each must become is its ledger.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from asknown.errors import UsageError
from asknown.ingestion.connectors import synthetic_market as market
from asknown.ingestion.connectors.poison import KINDS, Donor, PoisonKind
from asknown.ingestion.decimals import take
from asknown.ingestion.event import Delivery, Event, Poison, Settle, envelope
from asknown.ingestion.gateway import Encoder
from asknown.ingestion.session_ledger import Expected, Outcome
from asknown.reference.bundle import ReferenceBundle

TOPIC = "raw.trade"
LEAST_EVENTS = 1000
_EVENTS_PER_SECOND = 200
_LEAST_SPAN_MS = 600_000
_DISORDER_MS = 9_000  # the contract tolerates 10 s
_REPEAT_WITHIN_MS = 9_500
_SETTLE_AT = 0.7  # of the span; late events lie in its first part, minutes behind
_LATE_BEFORE = 0.3
_LATE_SEQUENCE = 1_000_000_000
_TICK = 5  # paise

# Thousandths of all records.
_DUPLICATES = 10
_LATE = 3
_POISON = 2
_INVALID = 3
_UNRESOLVED = 3
_DISORDERED = 50

_INVALID_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("price", "-12.50", "PRICE_OUT_OF_RANGE"),
    ("price", "NaN", "FIELD_MISSING"),
    ("price", "0", "PRICE_OUT_OF_RANGE"),
    ("price", "1e30", "FIELD_MISSING"),
    ("size", "-7", "SIZE_OUT_OF_RANGE"),
    ("size", "lots", "FIELD_MISSING"),
)
_UNRESOLVED_KEYS: tuple[tuple[str, str], ...] = (
    *((symbol, "UNKNOWN_SYMBOL") for symbol in market.UNKNOWN),
    (market.LISTED_LATER, "NOT_LISTED"),
    (market.RENAMED_FROM, "NOT_LISTED"),
    (market.DELISTED, "AFTER_DELISTING"),
)


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """How many records, and which of all possible sessions."""

    events: int
    seed: int

    def __post_init__(self) -> None:
        if self.events < LEAST_EVENTS:
            raise UsageError(
                "ASKNOWN-INGEST-020",
                f"expected at least {LEAST_EVENTS} events, found {self.events}: "
                "a session needs some of every kind.",
                hint=f"asknown ingest synthetic --events {LEAST_EVENTS}",
            )

    @property
    def span_ms(self) -> int:
        """Length of the session in event time: whole minutes, at most the venue's day."""
        wanted = self.events * 1000 // _EVENTS_PER_SECOND // 60_000 * 60_000
        return min(max(wanted, _LEAST_SPAN_MS), market.CLOSE_MS - market.OPEN_MS)

    def share(self, thousandths: int) -> int:
        """Return how many of the records that share is, at least eight."""
        return max(8, self.events * thousandths // 1000)


@dataclass(frozen=True, slots=True)
class Session:
    """Everything to send in order, and what must become of each record."""

    spec: SessionSpec
    split: market.Split
    deliveries: list[Delivery | Settle]
    expected: list[Expected]


@dataclass(frozen=True, slots=True)
class _Planned:
    clock_ms: int
    item: Event | Poison
    expected: Expected


@dataclass(slots=True)
class _Walk:
    """Price of one symbol, in paise, from trade to trade; and the count of its trades."""

    paise: int
    sequence: int = 0

    def next_price(self, dice: random.Random) -> int:
        self.paise = max(1_000, self.paise + _TICK * dice.choice((-2, -1, -1, 0, 1, 1, 2)))
        return self.paise


@dataclass(slots=True)
class _Maker:
    """Makes the records of one session; all chance comes from one seeded generator."""

    spec: SessionSpec
    encoder: Callable[[str], Encoder]
    dice: random.Random = field(init=False)
    split: market.Split = field(init=False)
    walks: dict[str, _Walk] = field(init=False)
    weights: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(f"asknown-synthetic-{self.spec.seed}")  # noqa: S311  # repeatable, no secret
        self.split = market.split_of(self.spec.span_ms)
        self.walks = {
            symbol: _Walk(self.dice.randrange(5_000, 300_000, _TICK)) for symbol in market.SYMBOLS
        }
        self.weights = list(accumulate(1 / rank for rank in range(1, len(market.SYMBOLS) + 1)))

    def symbol(self) -> str:
        """Draw a symbol by Zipf's law."""
        drawn = self.dice.random() * self.weights[-1]
        return market.SYMBOLS[min(bisect_right(self.weights, drawn), len(market.SYMBOLS) - 1)]

    def moments(self, count: int, share: float = 1.0) -> list[int]:
        """Draw `count` event times, ascending, from the first `share` of the session."""
        span = int(self.spec.span_ms * share)
        return sorted(market.OPEN_MS + self.dice.randrange(span) for _ in range(count))

    def trade(self, symbol: str, at_ms: int, sequence: int, clock_ms: int) -> tuple[Event, int]:
        """Return a sound trade of `symbol` and its price in paise."""
        walk = self.walks.get(symbol) or _Walk(10_000)
        paise = walk.next_price(self.dice)
        if symbol == market.SPLIT_SYMBOL and at_ms >= self.split.at_ms:
            paise = max(_TICK, int(paise / self.split.ratio) // _TICK * _TICK)
        lots = self.dice.randrange(1, 500)
        event = self.event(symbol, at_ms, sequence, {"price": _text(paise), "size": str(lots)})
        return replace(event, ingest_time_ms=clock_ms), paise

    def event(self, symbol: str, at_ms: int, sequence: int, texts: dict[str, str]) -> Event:
        """Return a trade from the texts of a source; what fits no type stays in `extra`."""
        extra = {"venue": market.VENUE}
        payload = {
            "source_system": "SIM",
            "symbol": symbol,
            "price": take(extra, "price", texts["price"]),
            "size": take(extra, "size", texts["size"]),
            "sequence": sequence,
            "event_time_ns": at_ms * 1_000_000 + self.dice.randrange(1_000_000),
            "extra": extra,
        }
        return Event(
            topic=TOPIC,
            source=market.SOURCE,
            natural_key=(str(self.spec.seed), symbol, str(sequence)),
            event_time_ms=at_ms,
            entity_id=market.raw_key(symbol),
            payload=payload,
            ingest_time_ms=at_ms,
        )

    def accepted(self, event: Event, outcome: Outcome) -> Expected:
        """Return the ledger row of a sound trade."""
        symbol = str(event.payload["symbol"])
        price, split, share, version = self.split.factors(symbol, event.event_time_ms)
        return Expected.of_event(
            event,
            outcome,
            reason=_REASONS.get(outcome, ""),
            listing_id=market.listing_of(symbol),
            factors=(price, split, share, version),
        )

    def originals(self, count: int) -> Iterator[_Planned]:
        """Make sound trades; some are delivered up to nine seconds after their event time."""
        for at_ms in self.moments(count):
            symbol = self.symbol()
            walk = self.walks[symbol]
            walk.sequence += 1
            delayed = self.dice.randrange(1000) < _DISORDERED
            clock = at_ms + (self.dice.randrange(50, _DISORDER_MS) if delayed else 0)
            event, _ = self.trade(symbol, at_ms, walk.sequence, clock)
            yield _Planned(clock, event, self.accepted(event, Outcome.NORMALIZED))

    def duplicates(self, originals: list[_Planned], count: int) -> Iterator[_Planned]:
        """Deliver some originals again, before any watermark can have passed them."""
        for first in self.dice.sample(originals, count):
            last = first.expected.event_time_ms + _REPEAT_WITHIN_MS
            clock = self.dice.randrange(first.clock_ms + 1, last)
            yield replace(
                first,
                clock_ms=clock,
                expected=replace(
                    first.expected, outcome=Outcome.DUPLICATE, reason=_REASONS[Outcome.DUPLICATE]
                ),
            )

    def late(self, count: int) -> Iterator[_Planned]:
        """Make sound trades of the session's first part, to be sent behind the pause."""
        settle = self.settle_ms
        for number, at_ms in enumerate(self.moments(count, _LATE_BEFORE)):
            event, _ = self.trade(self.symbol(), at_ms, _LATE_SEQUENCE + number, settle)
            yield _Planned(settle, event, self.accepted(event, Outcome.LATE))

    def invalid(self, count: int) -> Iterator[_Planned]:
        """Make trades with a price or a size that is none."""
        for number, at_ms in enumerate(self.moments(count)):
            name, text, reason = _INVALID_FIELDS[number % len(_INVALID_FIELDS)]
            texts = {"price": "100.00", "size": "1", name: text}
            event = self.event(self.symbol(), at_ms, -1 - number, texts)
            yield _Planned(at_ms, event, Expected.refused(event, reason))

    def unresolved(self, count: int) -> Iterator[_Planned]:
        """Make trades under keys that mean no listing at that moment."""
        for number, at_ms in enumerate(self.moments(count)):
            symbol, reason = _UNRESOLVED_KEYS[number % len(_UNRESOLVED_KEYS)]
            event, _ = self.trade(symbol, at_ms, number, at_ms)
            yield _Planned(at_ms, event, Expected.refused(event, reason))

    def poison(self, count: int) -> Iterator[_Planned]:
        """Make bytes that are no trade, of each kind in turn."""
        for number, at_ms in enumerate(self.moments(count)):
            kind = KINDS[number % len(KINDS)]
            key = f"poison-{number}"
            item = Poison(TOPIC, key, kind.make(self._donor(at_ms, number), self.dice))
            yield _Planned(at_ms, item, _poisoned(key, kind))

    def _donor(self, at_ms: int, number: int) -> Donor:
        symbol = self.symbol()
        event, _ = self.trade(symbol, at_ms, -1_000_000 - number, at_ms)
        quote = replace(event, topic="raw.quote", payload=_QUOTE)
        return Donor(
            trade=self.encoder(TOPIC)(envelope(event, at_ms)),
            raw_key=event.entity_id,
            quote=self.encoder("raw.quote")(envelope(quote, at_ms)),
        )

    @property
    def settle_ms(self) -> int:
        """When the late events are sent."""
        return market.OPEN_MS + int(self.spec.span_ms * _SETTLE_AT)


_REASONS = {Outcome.LATE: "LATE_BEYOND_WATERMARK", Outcome.DUPLICATE: "DUPLICATE"}
_QUOTE: dict[str, Any] = {
    "source_system": "SIM",
    "symbol": "WRONG-TOPIC",
    "bid_price": None,
    "bid_size": None,
    "ask_price": None,
    "ask_size": None,
    "sequence": None,
    "event_time_ns": None,
    "extra": {},
}


def generate(spec: SessionSpec, encoder: Callable[[str], Encoder]) -> Session:
    """Return the session of `spec`; `encoder` gives the framed Avro encoder of a topic.

    The same spec yields the same records, poison included, as long as the registry keeps its ids.
    """
    maker = _Maker(spec, encoder)
    shares = [spec.share(one) for one in (_DUPLICATES, _LATE, _INVALID, _UNRESOLVED, _POISON)]
    duplicates, late, invalid, unresolved, poison = shares
    originals = list(maker.originals(spec.events - sum(shares)))
    planned = [
        *originals,
        *maker.duplicates(originals, duplicates),
        *maker.invalid(invalid),
        *maker.unresolved(unresolved),
        *maker.poison(poison),
    ]
    planned.sort(key=lambda one: one.clock_ms)
    before = [one for one in planned if one.clock_ms <= maker.settle_ms]
    behind = list(maker.late(late))
    ordered = [*before, *behind, *planned[len(before) :]]
    deliveries: list[Delivery | Settle] = [Delivery(one.clock_ms, one.item) for one in ordered]
    deliveries.insert(len(before), Settle(maker.settle_ms))
    expected = [
        replace(one.expected, index=index, clock_ms=one.clock_ms)
        for index, one in enumerate(ordered)
    ]
    return Session(spec, maker.split, deliveries, expected)


def reference(spec: SessionSpec) -> ReferenceBundle:
    """Return the reference data the session of `spec` needs; it depends on its length alone."""
    return market.reference(market.split_of(spec.span_ms))


def _poisoned(key: str, kind: PoisonKind) -> Expected:
    return Expected(
        topic=TOPIC,
        key=key,
        outcome=Outcome.QUARANTINED,
        reason=kind.reason,
        poison=kind.name,
    )


def _text(paise: int) -> str:
    return f"{paise // 100}.{paise % 100:02d}"
