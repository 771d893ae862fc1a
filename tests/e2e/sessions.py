"""Synthetic sessions on one clock: each on a day of its own, behind all that came before.

A session of the generator always falls on one day. A later one is the same session moved by whole
days; its reference data are those of the venue plus one more split, in the middle of that day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from threading import Event as Flag
from threading import Thread
from typing import Any

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.ingestion.clock import ClockReader, follower
from asknown.ingestion.connectors import synthetic_market as market
from asknown.ingestion.connectors.synthetic import Session, SessionSpec, generate
from asknown.ingestion.event import Delivery, Event, Settle
from asknown.ingestion.gateway import Gateway
from asknown.ingestion.reference_load import REFERENCE_TOPICS, events_of, load
from asknown.ingestion.replay import Pace, replay
from asknown.ingestion.session_ledger import Expected
from asknown.reference.actions import Action, ActionKind
from asknown.settings import Settings

DAY_MS = 86_400_000
# Open ones, all of them; behind the first four come the tests of reference data, then storms, and
# at the end a backfill and the care of the lake.
DAYS = (
    *(date(2024, 10, day) for day in (28, 29, 30, 31)),
    *(date(2024, 11, day) for day in (11, 12, 13, 14, 18, 19)),
)
RATIO = Fraction(2, 1)
Factors = tuple[float, float, float, int]


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the venue; the first one is the generator's own."""

    number: int

    @property
    def date(self) -> date:
        """Return the date."""
        return DAYS[self.number]

    @property
    def shift_ms(self) -> int:
        """Return how far a session of this day lies behind the generator's."""
        return (self.date - market.SESSION_DATE).days * DAY_MS

    @property
    def split_symbol(self) -> str:
        """Return which symbol splits on this day."""
        return market.SYMBOLS[2 + self.number] if self.number else market.SPLIT_SYMBOL


def load_reference(config: Settings, spec: SessionSpec) -> None:
    """Load the venue and the splits of all days; what is there already is not sent again."""
    split = market.split_of(spec.span_ms)
    bundle = market.reference(split)
    further = tuple(_split(day, split.at_ms) for day in map(Day, range(1, len(DAYS))))
    whole = replace(bundle, actions=(*bundle.actions, *further))
    with (
        RegistryClient(config.registry_url) as registry,
        Gateway(config, codec=AvroCodec(registry)) as gateway,
        ClockReader(config, AvroCodec(registry).decode) as reader,
    ):
        present = {k: v for topic in REFERENCE_TOPICS for k, v in reader.held(topic).items()}
        load(gateway, events_of(whole), present)


def moved(session: Session, day: Day) -> Session:
    """Return `session` on another day: other times, other keys of poison, other factors."""
    if not day.number:
        return session
    by = day.shift_ms
    return replace(
        session,
        deliveries=[_moved_delivery(one, by) for one in session.deliveries],
        expected=[_moved_row(row, day, session.split.at_ms) for row in session.expected],
    )


def expected_factors(symbol: str, day: Day, at_ms: int, split_ms: int) -> Factors:
    """Return the factors of a trade at `at_ms` of `day`, when every day's split is at one hour."""
    for number in range(1, day.number + 1):
        if symbol == Day(number).split_symbol:
            over = number < day.number or at_ms >= split_ms + day.shift_ms
            return (0.5, 0.5, 2.0, 1) if over else (1.0, 1.0, 1.0, 0)
    return (0.2, 0.2, 5.0, 1) if symbol == market.SPLIT_SYMBOL else (1.0, 1.0, 1.0, 0)


class Sender:
    """Sends a session from a thread of its own, and knows how far it is.

    `codec` makes the encoder of its records, `prepare` may change them before they are sent.
    """

    def __init__(
        self,
        config: Settings,
        spec: SessionSpec,
        day: Day,
        pace: Pace,
        codec: Callable[[RegistryClient], AvroCodec] = AvroCodec,
        prepare: Callable[[Session], Session] = lambda session: session,
    ) -> None:
        self._config, self._pace, self._codec = config, pace, codec
        self._failure: BaseException | None = None
        self._stop = Flag()
        self.sent = 0
        with RegistryClient(config.registry_url) as registry:
            self.session = prepare(moved(generate(spec, codec(registry).encoder), day))
        self._thread = Thread(target=self._run, name="session")

    def __enter__(self) -> Sender:
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and wait for the thread."""
        self._stop.set()
        self._thread.join()

    @property
    def expected(self) -> Sequence[Expected]:
        """Return the ledger of the session."""
        return self.session.expected

    def done(self) -> bool:
        """Tell whether everything is sent; raise what kept it from being sent."""
        if self._failure is not None:
            raise AssertionError("the session could not be sent") from self._failure
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with (
                RegistryClient(self._config.registry_url) as registry,
                Gateway(self._config, codec=self._codec(registry)) as gateway,
            ):
                wait = follower(self._config, AvroCodec(registry).decode, 60)
                replay(gateway, self._deliveries(), self._pace, wait)
        except BaseException as error:
            self._failure = error

    def _deliveries(self) -> Iterator[Delivery | Settle]:
        for delivery in self.session.deliveries:
            if self._stop.is_set():
                return
            yield delivery
            self.sent += 1


def _split(day: Day, split_ms: int) -> Action:
    symbol = day.split_symbol
    return Action(
        action_id=f"{market.SOURCE}:{symbol}:split",
        listing_id=market.listing_of(symbol),
        kind=ActionKind.SPLIT,
        ex_date=day.date,
        valid_from=split_ms + day.shift_ms,
        known_from=market.instant(market.LISTED_ON),
        ratio_numerator=RATIO.numerator,
        ratio_denominator=RATIO.denominator,
    )


def _moved_delivery(one: Delivery | Settle, by: int) -> Delivery | Settle:
    if isinstance(one, Settle):
        return Settle(one.clock_ms + by)
    item = one.item
    if isinstance(item, Event):
        seen = item.ingest_time_ms
        payload: Mapping[str, Any] = item.payload
        nanoseconds = payload["event_time_ns"] + by * 1_000_000
        return Delivery(
            one.clock_ms + by,
            replace(
                item,
                event_time_ms=item.event_time_ms + by,
                ingest_time_ms=None if seen is None else seen + by,
                payload={**payload, "event_time_ns": nanoseconds},
            ),
        )
    return Delivery(one.clock_ms + by, item)


def _moved_row(row: Expected, day: Day, split_ms: int) -> Expected:
    moved_row = replace(row, clock_ms=row.clock_ms + day.shift_ms)
    if not row.event_id:
        return moved_row
    at_ms = row.event_time_ms + day.shift_ms
    moved_row = replace(moved_row, event_time_ms=at_ms)
    if not row.listing_id:
        return moved_row
    price, split, share, version = expected_factors(row.symbol, day, at_ms, split_ms)
    return replace(
        moved_row,
        price_factor=price,
        split_factor=split,
        share_factor=share,
        factor_version=version,
    )
