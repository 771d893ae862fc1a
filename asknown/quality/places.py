"""Which lanes name each record of one partition of a raw topic, by its offset.

Offsets of a partition are dense, so a small array for each stretch of them is all that is kept:
ten bytes an offset, and nothing for a stretch that is settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asknown.quality.ledger import DOUBLED, LANES, LOST, UNKNOWN, Gap, Ledger, runs

RAW = "raw"
_ROWS = (RAW, *LANES)
STRETCH = 4096  # offsets

Numbers = npt.NDArray[np.int64]


class Places:
    """The records of one partition. Not for use by several threads at once."""

    def __init__(self, topic: str, partition: int) -> None:
        """Begin with no record."""
        self.topic = topic
        self.partition = partition
        self._counts: Counter[str] = Counter()
        self._stretches: dict[int, npt.NDArray[np.int16]] = {}

    def add(self, lane: str, offsets: Sequence[int] | Numbers, change: int = 1) -> None:
        """Count records into a lane, or `raw` for what was read; -1 takes them out again."""
        every = np.sort(np.asarray(offsets, dtype=np.int64))
        if not every.size:
            return
        row = _ROWS.index(lane)
        numbers, begins = np.unique(every // STRETCH, return_index=True)
        for number, own in zip(numbers, np.split(every, begins[1:]), strict=True):
            counts = np.bincount(own - number * STRETCH, minlength=STRETCH) * change
            self._stretch(int(number))[row] += counts.astype(np.int16)
        self._counts[lane] += change * len(every)

    @property
    def ledger(self) -> Ledger:
        """Return the counts of all that was ever added."""
        return Ledger(*(self._counts[name] for name in _ROWS))

    @property
    def held(self) -> int:
        """Return for how many stretches there is an array."""
        return len(self._stretches)

    def counts(self, first: int, end: int) -> Ledger:
        """Return the counts of the offsets from `first` up to `end`, of what is not settled."""
        total = np.zeros(len(_ROWS), dtype=np.int64)
        for number, rows in self._stretches.items():
            begin = number * STRETCH
            total += rows[:, max(0, first - begin) : max(0, end - begin)].sum(axis=1)
        return Ledger(*(int(count) for count in total))

    def gaps(self, end: int | None = None) -> list[Gap]:
        """Return, up to an offset, the records that are not in exactly one lane, in order."""
        found: dict[str, list[int]] = {LOST: [], DOUBLED: [], UNKNOWN: []}
        for number in sorted(self._stretches):
            rows, begin = self._stretches[number], number * STRETCH
            balance = _balance(rows)
            if end is not None:
                balance = balance[: max(0, end - begin)]
            for place in np.flatnonzero(balance):
                fault = LOST if balance[place] > 0 else DOUBLED if rows[0, place] else UNKNOWN
                found[fault].append(begin + int(place))
        return sorted(
            self._gap(span, fault) for fault, offsets in found.items() for span in runs(offsets)
        )

    def settle(self, end: int) -> None:
        """Forget the stretches before an offset in which every record is in exactly one lane.

        What comes for them afterwards is counted as a change: a record that moves from one lane
        to another leaves no trace, a second copy is one too many.
        """
        for number in [n for n in self._stretches if (n + 1) * STRETCH <= end]:
            if not _balance(self._stretches[number]).any():
                del self._stretches[number]

    def _gap(self, span: tuple[int, int], fault: str) -> Gap:
        return Gap(self.topic, self.partition, *span, fault, span[1] - span[0] + 1)

    def _stretch(self, number: int) -> npt.NDArray[np.int16]:
        if number not in self._stretches:
            self._stretches[number] = np.zeros((len(_ROWS), STRETCH), dtype=np.int16)
        return self._stretches[number]


def _balance(rows: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return for each offset raw - accounted."""
    balance: npt.NDArray[np.int16] = rows[0] - rows[1:].sum(axis=0, dtype=np.int16)
    return balance
