"""Send recorded events as if they happened now, on the clock of the record.

A replay owns the stack's clock: the heartbeats of every market topic and of the raw reference
topics carry the replay's time, one round for each `heartbeat_every_ms` of it, and two rounds behind
the last event close every window. Wall-clock heartbeats among events of 2014 would make them late.
Before the first event the reference job is given the time to say what is known by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from asknown.errors import UsageError
from asknown.ingestion.event import Delivery, Event, Poison, Settle
from asknown.ingestion.reference_load import REFERENCE_TOPICS

MARKET_TOPICS = ("raw.trade", "raw.quote", "raw.bar")
CLOCK_TOPICS = (*MARKET_TOPICS, *REFERENCE_TOPICS)
CLOSING_MS = 120_000


class Sink(Protocol):
    """What a replay needs of a `Gateway`."""

    sent: int
    heartbeats: int

    def publish(self, event: Event) -> str:
        """Send an event; return its id."""

    def publish_bytes(self, poison: Poison) -> None:
        """Send bytes as they are."""

    def heartbeat(self, topics: Iterable[str], at_ms: int) -> None:
        """Write a heartbeat into every partition of `topics`."""

    def flush(self) -> None:
        """Wait until everything is written."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a replay runs and how often it tells the time.

    `speed` is replay seconds per wall second; None sends as fast as the broker takes it.
    `settle_seconds` is the wall time of a `Settle`.
    """

    speed: float | None = None
    heartbeat_every_ms: int = 1000
    settle_seconds: float = 5.0
    closing_ms: int = CLOSING_MS

    @property
    def beat_ms(self) -> int:
        """Replay time between rounds of heartbeats: at most ten rounds a second of wall time."""
        return max(self.heartbeat_every_ms, int((self.speed or 0) * 100))

    def __post_init__(self) -> None:
        if self.speed is not None and not self.speed > 0:
            raise UsageError(
                "ASKNOWN-INGEST-010",
                f"expected a speed above 0, found {self.speed:g}.",
                hint="use --speed 1 for real time, or leave it out for as fast as possible.",
            )


@dataclass(frozen=True, slots=True)
class Summary:
    """What a replay has sent; times are UTC milliseconds of its own clock."""

    sent: int
    heartbeats: int
    seconds: float
    first_ms: int | None
    last_ms: int | None
    closed_ms: int | None
    followed: bool | None = None  # whether the reference job was there; None: nobody asked


class _Clock:
    """The replay's time against the wall's."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._start: tuple[float, int] | None = None

    def wait_until(self, at_ms: int) -> None:
        """Sleep until the replay's clock reads `at_ms`; return at once without a speed."""
        if self._speed is None:
            return
        now = time.monotonic()
        if self._start is None:
            self._start = (now, at_ms)
        due = self._start[0] + (at_ms - self._start[1]) / 1000 / self._speed
        if due > now:
            time.sleep(due - now)


class Replay:
    """One run: deliveries in the order of their clock, heartbeats in between."""

    def __init__(
        self, gateway: Sink, pace: Pace, follow: Callable[[int], bool] | None = None
    ) -> None:
        self._gateway = gateway
        self._pace = pace
        self._follow = follow
        self._followed: bool | None = None
        self._clock = _Clock(pace.speed)
        self._beat: int | None = None
        self._first: int | None = None
        self._last: int | None = None

    def run(self, deliveries: Iterable[Delivery | Settle]) -> Summary:
        """Send everything, close the windows, flush; return what was sent."""
        started = time.monotonic()
        sent, heartbeats = self._gateway.sent, self._gateway.heartbeats
        for delivery in deliveries:
            self._advance(delivery.clock_ms)
            if isinstance(delivery, Settle):
                self._settle(delivery.clock_ms)
            elif isinstance(delivery.item, Event):
                self._gateway.publish(delivery.item)
            else:
                self._gateway.publish_bytes(delivery.item)
        closed = self._close()
        return Summary(
            sent=self._gateway.sent - sent,
            heartbeats=self._gateway.heartbeats - heartbeats,
            seconds=round(time.monotonic() - started, 3),
            first_ms=self._first,
            last_ms=self._last,
            closed_ms=closed,
            followed=self._followed,
        )

    def _advance(self, at_ms: int) -> None:
        """Move the clock to `at_ms`, with the heartbeats that fall due on the way.

        A heartbeat says what the clock has reached, never what lies ahead. In real time a silent
        stretch gets all of its heartbeats; at full speed the last one says as much.
        """
        every = self._pace.beat_ms
        if self._beat is None:
            self._open(at_ms)
            self._beat = at_ms // every * every
            self._clock.wait_until(at_ms)
        while self._beat + every <= at_ms:
            step = every if self._pace.speed is not None else (at_ms - self._beat) // every * every
            self._beat += step
            self._clock.wait_until(self._beat)
            self._gateway.heartbeat(CLOCK_TOPICS, self._beat)
        self._clock.wait_until(at_ms)
        self._last = at_ms if self._last is None else max(self._last, at_ms)

    def _open(self, at_ms: int) -> None:
        self._first = at_ms
        if self._follow is not None:
            self._gateway.heartbeat(REFERENCE_TOPICS, at_ms - 1)
            self._gateway.flush()
            self._followed = self._follow(at_ms - 1)

    def _settle(self, at_ms: int) -> None:
        self._gateway.heartbeat(CLOCK_TOPICS, at_ms)
        self._gateway.flush()
        if self._pace.settle_seconds > 0:
            time.sleep(self._pace.settle_seconds)

    def _close(self) -> int | None:
        self._gateway.flush()
        if self._last is None:
            return None
        closed = self._last + self._pace.closing_ms
        # A job hands a heartbeat on only when time has passed it: the last round stays behind, so
        # that the one before it is what closes the windows of the next job.
        for at_ms in (closed - self._pace.closing_ms // 4, closed):
            self._gateway.heartbeat(CLOCK_TOPICS, at_ms)
        self._gateway.flush()
        return closed


def replay(
    gateway: Sink,
    deliveries: Iterable[Delivery | Settle],
    pace: Pace | None = None,
    follow: Callable[[int], bool] | None = None,
) -> Summary:
    """Send `deliveries` (ascending clock) through `gateway` at `pace`; return a summary.

    `follow` waits until the reference job has come to a time, and says whether it has.
    """
    return Replay(gateway, pace or Pace(), follow).run(deliveries)
