"""The conservation ledger: raw = normalized + duplicate + late + quarantined.

Every record of a raw topic ends in exactly one of four lanes, so the sum closes to the record. A
record that was brought back from quarantine, or healed, has changed its lane: it counts as what it
became.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

LANES = ("normalized", "duplicate", "late", "quarantined")
NORMALIZED, DUPLICATE = "NORMALIZED", "DUPLICATE"  # outcomes of a marker; others are reason codes

# What can be wrong with a record.
LOST, DOUBLED = "lost", "doubled"
UNKNOWN = "unknown"  # a lane names it, and nobody has it
KEPT_TWICE = "kept_twice"  # bronze has it more than once


@dataclass(frozen=True)
class Ledger:
    """Counts of one dataset, or of several added up. Unit: records."""

    raw: int = 0
    normalized: int = 0
    duplicate: int = 0
    late: int = 0
    quarantined: int = 0

    @property
    def accounted(self) -> int:
        """Return how many records have arrived in a lane."""
        return self.normalized + self.duplicate + self.late + self.quarantined

    @property
    def difference(self) -> int:
        """Return raw - accounted: above 0 records are on their way or lost, below 0 doubled."""
        return self.raw - self.accounted

    @property
    def closed(self) -> bool:
        """Tell whether every raw record is in exactly one lane."""
        return self.difference == 0

    def __add__(self, other: Ledger) -> Ledger:
        """Add two ledgers lane by lane."""
        return Ledger(
            self.raw + other.raw,
            self.normalized + other.normalized,
            self.duplicate + other.duplicate,
            self.late + other.late,
            self.quarantined + other.quarantined,
        )

    def document(self) -> dict[str, Any]:
        """Return the counts and what they come to, as JSON."""
        return {**vars(self), "difference": self.difference, "closed": self.closed}


@dataclass(frozen=True, order=True)
class Gap:
    """Neighbouring offsets of a raw topic whose records are not in exactly one lane.

    Heartbeats take offsets too and are in no lane, so `records` may be less than the width.
    """

    topic: str
    partition: int
    first: int
    last: int
    fault: str
    records: int

    @property
    def name(self) -> str:
        """Return the coordinates, e.g. `raw.trade[2]@1041-1043`."""
        span = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.topic}[{self.partition}]@{span}"

    def document(self) -> dict[str, Any]:
        """Return the gap as JSON."""
        return {**vars(self), "name": self.name}


def all_closed(ledgers: Iterable[Ledger]) -> bool:
    """Tell whether each ledger closes by itself; a sum could hide two opposite errors."""
    return all(ledger.closed for ledger in ledgers)


def runs(offsets: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of neighbouring numbers; they have to grow."""
    first = last = -2
    for offset in offsets:
        if offset != last + 1:
            if last >= 0:
                yield first, last
            first = offset
        last = offset
    if last >= 0:
        yield first, last
