"""A seeded session of trades with everything that goes wrong in a feed, and the right answer.

1. originals: sorted event times over the session, popularity by Zipf's law, prices by a walk;
   some of them arrive late within the tolerated disorder, in a storm some beyond it
2. duplicates: the same bytes again, while the first can still be remembered
3. late: sent together after a pause in which every partition's clock has passed far beyond them;
   in a storm also copies and unknown keys, and more than one such burst
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
from asknown.ingestion.connectors.synthetic_mix import USUAL, Burst, Mix
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
_ACROSS_MS = (10_000, 13_000)
_STRAGGLE_MS = (15_000, 300_000)
_LATE_SEQUENCE = 1_000_000_000
_LATE_UNRESOLVED = 2_000_000_000
_TICK = 5  # paise

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
    """How many records, which of all possible sessions, and how much goes wrong in it."""

    events: int
    seed: int
    mix: Mix = USUAL

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
        """Return how many of the records that share is: at least eight, if any."""
        return max(8, self.events * thousandths // 1000) if thousandths else 0


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

    def moments(self, count: int, since: float = 0.0, until: float = 1.0) -> list[int]:
        """Draw `count` event times, ascending, from a part of the session."""
        first, end = int(self.spec.span_ms * since), int(self.spec.span_ms * until)
        return sorted(market.OPEN_MS + self.dice.randrange(first, end) for _ in range(count))

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

    def accepted(self, event: Event) -> Expected:
        """Return the ledger row of a sound trade."""
        symbol = str(event.payload["symbol"])
        price, split, share, version = self.split.factors(symbol, event.event_time_ms)
        return Expected.of_event(
            event,
            Outcome.NORMALIZED,
            reason="",
            listing_id=market.listing_of(symbol),
            factors=(price, split, share, version),
        )

    def originals(self, count: int) -> Iterator[_Planned]:
        """Make sound trades; some are delivered up to nine seconds after their event time."""
        for at_ms in self.moments(count):
            symbol = self.symbol()
            delayed = self.dice.randrange(1000) < self.spec.mix.disordered
            clock = at_ms + (self.dice.randrange(50, _DISORDER_MS) if delayed else 0)
            yield self.sound(symbol, at_ms, clock)

    def stragglers(self, count: int) -> Iterator[_Planned]:
        """Make sound trades that come behind the tolerated disorder, amid the others."""
        for at_ms in self.moments(count):
            made = self.sound(self.symbol(), at_ms, at_ms + self.dice.randrange(*_STRAGGLE_MS))
            yield replace(made, expected=made.expected.late(_LATE, certain=False))

    def sound(self, symbol: str, at_ms: int, clock: int) -> _Planned:
        """Return the next sound trade of a symbol."""
        walk = self.walks[symbol]
        walk.sequence += 1
        event, _ = self.trade(symbol, at_ms, walk.sequence, clock)
        return _Planned(clock, event, self.accepted(event))

    def duplicates(self, originals: list[_Planned], count: int) -> Iterator[_Planned]:
        """Deliver some originals again, before any watermark can have passed them."""
        for first in self.dice.sample(originals, count):
            last = first.expected.event_time_ms + _REPEAT_WITHIN_MS
            yield _again(first, self.dice.randrange(first.clock_ms + 1, last))

    def across(self, originals: list[_Planned], count: int) -> Iterator[_Planned]:
        """Deliver some originals again, while the watermark passes them."""
        for first in self.dice.sample(originals, count):
            copy = _again(first, first.expected.event_time_ms + self.dice.randrange(*_ACROSS_MS))
            yield replace(copy, expected=copy.expected.late(_LATE, certain=False))

    def burst(self, burst: Burst, originals: list[_Planned], number: int) -> list[_Planned]:
        """Make what is sent behind the pause of the burst of that number, all of it late."""
        mix, share = self.spec.mix, self._share_of_burst
        new = list(self.late(burst, share(mix.late), number))
        copies = share(mix.late_copies)
        first, end = (int(self.spec.span_ms * x) for x in (burst.since, burst.until))
        known = [
            one
            for one in originals
            if first <= one.expected.event_time_ms - market.OPEN_MS < end and one.expected.certain
        ]
        repeated = self.dice.sample(new, min(copies // 2, len(new)))
        repeated += self.dice.sample(known, copies - len(repeated)) if copies else []
        strangers = self.unresolved(
            share(mix.late_unresolved), burst, _LATE_UNRESOLVED + number * self.spec.events
        )
        sent = [*new, *(_again(one, 0) for one in repeated), *strangers]
        clock = self.settle_ms(burst)
        return [replace(one, clock_ms=clock, expected=one.expected.late(_LATE)) for one in sent]

    def _share_of_burst(self, thousandths: int) -> int:
        return self.spec.share(thousandths) // len(self.spec.mix.bursts)

    def late(self, burst: Burst, count: int, number: int) -> Iterator[_Planned]:
        """Make sound trades of a part of the session that nobody has seen yet."""
        first, clock = _LATE_SEQUENCE + number * self.spec.events, self.settle_ms(burst)
        for sequence, at_ms in enumerate(self.moments(count, burst.since, burst.until), first):
            event, _ = self.trade(self.symbol(), at_ms, sequence, clock)
            yield _Planned(clock, event, self.accepted(event))

    def invalid(self, count: int) -> Iterator[_Planned]:
        """Make trades with a price or a size that is none."""
        for number, at_ms in enumerate(self.moments(count)):
            name, text, reason = _INVALID_FIELDS[number % len(_INVALID_FIELDS)]
            texts = {"price": "100.00", "size": "1", name: text}
            event = self.event(self.symbol(), at_ms, -1 - number, texts)
            yield _Planned(at_ms, event, Expected.refused(event, reason))

    def unresolved(
        self, count: int, part: Burst | None = None, first: int = 0
    ) -> Iterator[_Planned]:
        """Make trades under keys that mean no listing at that moment."""
        moments = self.moments(count, part.since, part.until) if part else self.moments(count)
        for number, at_ms in enumerate(moments):
            symbol, reason = _UNRESOLVED_KEYS[number % len(_UNRESOLVED_KEYS)]
            event, _ = self.trade(symbol, at_ms, first + number, at_ms)
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

    def settle_ms(self, burst: Burst) -> int:
        """Return when the late events of a burst are sent."""
        return market.OPEN_MS + int(self.spec.span_ms * burst.at)


_LATE = "LATE_BEYOND_WATERMARK"
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
    planned = _planned(maker)
    originals = [one for one in planned if one.expected.outcome is Outcome.NORMALIZED]
    planned.sort(key=lambda one: one.clock_ms)
    sent: list[_Planned | Settle] = []
    taken = 0
    for number, burst in enumerate(spec.mix.bursts):
        settle = maker.settle_ms(burst)
        end = bisect_right(planned, settle, key=lambda one: one.clock_ms)
        behind = maker.burst(burst, originals, number)
        sent += [*planned[taken:end], Settle(settle), *behind]
        taken = end
    sent += planned[taken:]
    deliveries = [
        one if isinstance(one, Settle) else Delivery(one.clock_ms, one.item) for one in sent
    ]
    rows = [one for one in sent if not isinstance(one, Settle)]
    expected = [
        replace(one.expected, index=index, clock_ms=one.clock_ms) for index, one in enumerate(rows)
    ]
    return Session(spec, maker.split, deliveries, expected)


def _planned(maker: _Maker) -> list[_Planned]:
    """Return everything that is not sent in a burst, in no order."""
    spec, mix = maker.spec, maker.spec.mix
    late = (mix.late, mix.late_copies, mix.late_unresolved)
    others = (mix.duplicates, mix.invalid, mix.unresolved, mix.poison, mix.stragglers, mix.across)
    aside = sum(spec.share(one) // len(mix.bursts) * len(mix.bursts) for one in late)
    aside += sum(spec.share(one) for one in others)
    originals = list(maker.originals(spec.events - aside))
    return [
        *originals,
        *maker.duplicates(originals, spec.share(mix.duplicates)),
        *maker.invalid(spec.share(mix.invalid)),
        *maker.unresolved(spec.share(mix.unresolved)),
        *maker.poison(spec.share(mix.poison)),
        *maker.stragglers(spec.share(mix.stragglers)),
        *maker.across(originals, spec.share(mix.across)),
    ]


def _again(first: _Planned, clock_ms: int) -> _Planned:
    """Return the same record once more."""
    repeated = replace(first.expected, outcome=Outcome.DUPLICATE, reason="DUPLICATE")
    return replace(first, clock_ms=clock_ms, expected=repeated)


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
