"""Workload W1 as columns: what arrives, in which order, and what the right answer is.

1. A population of instruments, each with its change points (listing, a later fact; some of them
   re-mapped to another company or split in the middle of the file).
2. Arrivals: Zipf-distributed instruments at a fixed density in event time, some delivered twice,
   some out of order, some unreadable.
3. What an exact pipeline must make of each of them.

Nothing here knows Kafka, Avro or the jobs under test. Everything follows from the seed.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Bytes = NDArray[np.bytes_]

EVENTS_PER_SECOND = 10_000  # of event time: 5 M events are 500 s of market
SESSION_START_MS = int(datetime(2024, 10, 28, 3, 45, tzinfo=UTC).timestamp() * 1000)  # 09:15 IST
TRADE_DATE = date(2024, 10, 28)
SESSION_MS = 22_500_000  # 09:15 to 15:30
MAX_DISORDER_MS = 9_900  # the bound is 10,000; nothing may come close to being late
MAX_REDELIVERY_MS = 9_000
SCALE = 100_000_000  # prices and sizes are decimals with 8 places, kept here as integers
TICK = 5_000_000  # 0.05
DAY_MS = 86_400_000
VENUE = "XSIM"

POISON_KINDS = (
    "null_value",
    "empty",
    "one_byte",
    "wrong_magic",
    "unknown_schema",
    "truncated_body",
    "random_body",
    "other_schema",
)
UNIQUE, DUPLICATE, POISON = 0, 1, 2  # classes; POISON + k is the k-th kind of poison


@dataclass(frozen=True)
class W1:
    """Size and mixture of a run; the defaults are the workload as it is quoted."""

    events: int = 5_000_000
    entities: int = 5_000
    change_points: int = 2  # per instrument, at least 2
    partitions: int = 4
    seed: int = 20241028
    zipf: float = 1.05
    duplicates: float = 0.01
    disorder: float = 0.05
    poison: float = 0.002
    remapped: float = 0.02  # of the instruments
    split: float = 0.01

    def __post_init__(self) -> None:
        """Refuse sizes the fixed-width encoding or the session cannot hold."""
        if not 100 <= self.events <= SESSION_MS * EVENTS_PER_SECOND // 1000:
            raise ValueError(f"expected 100 to 225,000,000 events, found {self.events}")
        if not 10 <= self.entities < 1_000_000 or self.change_points < 2:
            raise ValueError(
                "expected 10 to 999,999 entities with 2 or more change points each, "
                f"found {self.entities} with {self.change_points}"
            )

    @property
    def span_ms(self) -> int:
        """Return the length of the file in event time."""
        return self.events * 1000 // EVENTS_PER_SECOND

    @property
    def end_ms(self) -> int:
        """Return the event time behind which only the closing heartbeat comes."""
        return SESSION_START_MS + self.span_ms


@dataclass(frozen=True)
class Population:
    """Instruments and their change points; `n` instruments times `k` change points.

    `keys` and `symbols` have shape (n,); everything else (n, k), ordered by effective time.
    """

    keys: Bytes
    symbols: Bytes
    effective_ms: Ints
    listing: Bytes
    isin: Bytes
    price_factor: Doubles
    split_factor: Doubles
    share_factor: Doubles
    factor_version: Ints


@dataclass(frozen=True)
class Arrivals:
    """Records in order of arrival; every column has shape (events,).

    `original` is the arrival whose bytes this record repeats (itself unless it is a duplicate),
    `change` the change point in force at its event time.
    """

    kind: NDArray[np.int8]
    original: Ints
    entity: Ints
    change: NDArray[np.int16]
    event_ms: Ints
    ingest_ms: Ints
    price: Ints
    size: Ints
    sequence: Ints
    event_id: Bytes


def listing_id(symbol: str, first_date: date) -> str:
    """Return the permanent id of a listing: a hash over venue, symbol, first date and class."""
    digest = hashlib.sha256(f"{VENUE}|{symbol}|{first_date.isoformat()}|EQ".encode()).digest()
    return "e_" + base64.b32encode(digest).decode().lower()[:16]


def population(w: W1) -> Population:
    """Draw the instruments: listing 30 days before, further facts the days before, or mid-file."""
    rng = np.random.default_rng([w.seed, 1])
    n, k = w.entities, w.change_points
    symbols = [f"S{number:06d}" for number in range(n)]
    effective = np.empty((n, k), np.int64)
    effective[:, 0] = SESSION_START_MS - max(30, k + 1) * DAY_MS
    effective[:, 1:] = SESSION_START_MS - DAY_MS * np.arange(k - 1, 0, -1)
    order = rng.permutation(n)
    n_remapped = max(1, round(n * w.remapped))
    remapped = order[:n_remapped]
    split = order[n_remapped : n_remapped + max(1, round(n * w.split))]
    moved = np.concatenate([remapped, split])
    effective[moved, -1] = SESSION_START_MS + rng.integers(
        w.span_ms * 3 // 10, w.span_ms * 7 // 10, len(moved)
    )

    price, splits, version = _factors(w, rng, remapped, split)
    born = date.fromordinal(TRADE_DATE.toordinal() - max(30, k + 1))
    listing = np.repeat(np.array([listing_id(s, born) for s in symbols], "S18")[:, None], k, 1)
    listing[remapped, -1] = [listing_id(symbols[e], TRADE_DATE) for e in remapped]
    isin = np.repeat(np.array([f"XS{e:09d}0" for e in range(n)], "S12")[:, None], k, 1)
    isin[moved, -1] = [f"XS{e:09d}1" for e in moved]
    return Population(
        keys=np.array([f"{VENUE}:EQ:{s}" for s in symbols], "S15"),
        symbols=np.array(symbols, "S7"),
        effective_ms=effective,
        listing=listing,
        isin=isin,
        price_factor=price,
        split_factor=splits,
        share_factor=1.0 / splits,
        factor_version=version,
    )


def _factors(
    w: W1, rng: np.random.Generator, remapped: Ints, split: Ints
) -> tuple[Doubles, Doubles, Ints]:
    """Return C, X and the factor version of each change point.

    Each later point is a dividend, or a 2:1 split; a re-mapped key starts again with a new listing.
    """
    n, k = w.entities, w.change_points
    dividend = 1.0 - rng.integers(1, 50, (n, k)) / 1000.0
    dividend[:, 0] = 1.0
    dividend[np.concatenate([remapped, split]), -1] = 1.0
    ratio = np.ones((n, k))
    ratio[split, -1] = 0.5
    price, splits = np.cumprod(dividend * ratio, axis=1), np.cumprod(ratio, axis=1)
    price[remapped, -1] = 1.0
    version = np.tile(np.arange(1, k + 1), (n, 1))
    version[remapped, -1] = 1
    return price, splits, version


def arrivals(w: W1, people: Population) -> Arrivals:
    """Draw the records; none of them is late for a bound of 10 s in its own partition.

    A record arrives at `arrival`; the newest event time of its partition is never ahead of that,
    and no event time lies more than MAX_DISORDER_MS behind it.
    """
    rng = np.random.default_rng([w.seed, 2])
    n = w.events
    number = np.arange(n, dtype=np.int64)
    arrival = SESSION_START_MS + number * 1000 // EVENTS_PER_SECOND
    kind = _classes(w, rng)
    shift = np.zeros(n, np.int64)
    displaced = (kind == UNIQUE) & (rng.random(n) < w.disorder / (1 - w.duplicates - w.poison))
    shift[displaced] = rng.integers(1, MAX_DISORDER_MS, int(displaced.sum()))
    np.minimum(shift, arrival - SESSION_START_MS, out=shift)
    original = _originals(rng, kind, shift)

    weights = np.arange(1, w.entities + 1, dtype=np.float64) ** -w.zipf
    cumulative = np.cumsum(weights / weights.sum())
    entity = np.minimum(np.searchsorted(cumulative, rng.random(n)), w.entities - 1)
    event_ms = arrival - shift
    base_ticks = rng.integers(1_000, 90_000, w.entities)
    ticks = base_ticks[entity] + rng.integers(-400, 401, n)  # 30.00 to 4,520.00
    size = rng.integers(25, 5_000, n) * SCALE
    entity, event_ms = entity[original], event_ms[original]
    return Arrivals(
        kind=kind,
        original=original,
        entity=entity,
        change=_change_in_force(people, entity, event_ms),
        event_ms=event_ms,
        ingest_ms=arrival[original] + 5,
        price=(ticks * TICK)[original],
        size=size[original],
        sequence=original + 2_000_000,
        event_id=_event_ids(w.seed, original),
    )


def _classes(w: W1, rng: np.random.Generator) -> NDArray[np.int8]:
    """Return the class of each arrival; the shares are exact and every kind of poison occurs."""
    kind = np.zeros(w.events, np.int8)
    n_duplicate = round(w.events * w.duplicates)
    n_poison = max(round(w.events * w.poison), len(POISON_KINDS))
    chosen = 1 + rng.permutation(w.events - 1)[: n_duplicate + n_poison]
    kind[chosen[:n_duplicate]] = DUPLICATE
    kind[chosen[n_duplicate:]] = POISON + np.arange(n_poison) % len(POISON_KINDS)
    return kind


def _originals(rng: np.random.Generator, kind: NDArray[np.int8], shift: Ints) -> Ints:
    """Return which arrival each record repeats: an earlier, undisplaced one within the bound."""
    original = np.arange(len(kind), dtype=np.int64)
    pending = np.flatnonzero(kind == DUPLICATE)
    reach = MAX_REDELIVERY_MS * EVENTS_PER_SECOND // 1000
    while len(pending):
        back = 1 + (rng.random(len(pending)) * np.minimum(pending, reach)).astype(np.int64)
        candidate = pending - back
        original[pending] = candidate
        # Arrival 0 is unique and undisplaced by construction, so there is always one to find.
        pending = pending[(kind[candidate] != UNIQUE) | (shift[candidate] > 0)]
    return original


def _change_in_force(people: Population, entity: Ints, event_ms: Ints) -> NDArray[np.int16]:
    """Return the index of the latest change point with effective time <= event time."""
    change = np.zeros(len(entity), np.int16)
    for later in range(1, people.effective_ms.shape[1]):
        change += people.effective_ms[entity, later] <= event_ms
    return change


_ALPHABET = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8
)


def _event_ids(seed: int, number: Ints) -> Bytes:
    """Return 16 base64url characters per record: a bijective 64-bit mix of its number, twice.

    Unique because the mix (splitmix64's finaliser) is a permutation of the 64-bit integers.
    """
    start = seed * 0x9E3779B97F4A7C15 % 2**64
    mixed = np.uint64(start) + number.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    again = mixed * np.uint64(0xD6E8FEB86659FD93)
    again ^= again >> np.uint64(32)
    characters = np.empty((len(number), 16), np.uint8)
    for at in range(11):  # 64 bits are 11 characters
        characters[:, at] = _ALPHABET[(mixed >> np.uint64(6 * at)) & np.uint64(63)]
    for at in range(11, 16):
        characters[:, at] = _ALPHABET[(again >> np.uint64(6 * (at - 11))) & np.uint64(63)]
    return characters.view("S16").ravel()
