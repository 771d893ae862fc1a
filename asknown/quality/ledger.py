"""The conservation ledger: raw = normalized + duplicate + late + quarantined.

Every record of a raw topic ends in exactly one of four lanes, so the sum closes to the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LANES = ("normalized", "duplicate", "late", "quarantined")


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


def all_closed(ledgers: Iterable[Ledger]) -> bool:
    """Tell whether each ledger closes by itself; a sum could hide two opposite errors."""
    return all(ledger.closed for ledger in ledgers)
