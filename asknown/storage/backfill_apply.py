"""Replace the days of a run, one piece after the other, and record each that is done.

A piece is some days in a row, recomputed by one bounded job that replaces each (table, day) in one
commit. Its bronze rows are bounded, so memory is, whatever the window. The job is handed in: this
module knows what has to hold around it.

- What the plan saw is still there: nobody has replaced a day of it since.
- Between the snapshot before the job and the job's own commit nobody else has touched the days.
  Rows that the lake job has added in between were read from bronze too late and are gone from the
  table, so the days are computed once more. A foreign overwrite is an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.storage.backfill_book import APPLIED, APPLYING, FAILED, Book, Run
from asknown.storage.day_changes import Change, changes_since, snapshot_of
from asknown.storage.iceberg import lake
from asknown.storage.partition_sums import REBUILT, sum_of_day
from asknown.storage.partitions import drop_days_without_rows, files_by_day

PIECE_ROWS = 5_000_000  # bronze rows that one job recomputes, unless a single day has more
ATTEMPTS = 3  # of a piece to which the lake job adds while it is recomputed
DAY = timedelta(days=1)

Note = Callable[[str], None]
Execute = Callable[[date, date], str]  # recompute days [first, end), return the job's id
Table = dict[str, Any]


@dataclass(frozen=True)
class Hands:
    """What applying needs from outside: the job, a wait until the lake is level, a voice."""

    execute: Execute
    settle: Callable[[], None] = lambda: None
    note: Note = lambda _: None


def pieces(days: Mapping[date, int], apart: bool, most: int = PIECE_ROWS) -> list[list[date]]:
    """Return the days in pieces of at most `most` rows of bronze, each piece days in a row.

    `apart`: days between two of them may have data of their own, so only neighbours are joined.
    """
    found: list[list[date]] = []
    held = 0
    for day, rows in sorted(days.items()):
        joined = found and (not apart or day == found[-1][-1] + DAY) and held + rows <= most
        if joined:
            found[-1].append(day)
            held += rows
        else:
            found.append([day])
            held = rows
    return found


class Apply:
    """One applying of a run; days that are recorded as done are left alone."""

    def __init__(self, config: Settings, run: Run, hands: Hands) -> None:
        self._config, self._hands = config, hands
        self._book = Book(config)
        self._run, self._asked = run, run.asked

    def run(self) -> Run:
        """Apply what is not done yet.

        Raises whatever keeps it from being done, after a `failed` entry that says so.
        """
        days = {d: n for d, n in self._run.days.items() if d not in self._run.applied}
        try:
            self._require_unchanged(d for d in days if d not in self._run.begun)
            plan = self._run.entries[0].detail
            for piece in pieces(days, bool(plan.get("apart"))):
                self._piece(piece)
        except BaseException as error:
            self._failed(error)
            raise
        finished = self._book.run(self._asked.run_id)
        detail = {"days_done": len(finished.applied)}
        return self._book.add(self._asked, APPLIED, APPLIED, detail)

    def _piece(self, days: list[date]) -> None:
        before = {day: self._sums(day) for day in days}
        for attempt in range(1, ATTEMPTS + 1):
            named = {"days": [str(day) for day in days], "attempt": attempt}
            self._book.add(self._asked, APPLYING, APPLYING, named)
            if self._replaced(days, before):
                return
            self._hands.note(f"  rows came to {_named(days)} meanwhile: once more")
            self._hands.settle()
        raise AsknownError(
            "ASKNOWN-BACKFILL-006",
            f"expected {_named(days)} to rest while they are recomputed, found rows added to them"
            f" {ATTEMPTS} times.",
            hint=f"once their session is over: asknown backfill retry {self._asked.run_id}",
        )

    def _replaced(self, days: list[date], before: Mapping[date, Mapping[str, Table]]) -> bool:
        """Run the job once; False when rows that came meanwhile are not in what it wrote."""
        window = (days[0], days[-1] + DAY)
        snapshots = {name: snapshot_of(self._load(name)) for name in REBUILT}
        files = {name: files_by_day(name, window, self._config) for name in REBUILT}
        began = time.monotonic()
        job = self._hands.execute(*window)
        seconds = time.monotonic() - began
        if self._added_under(job, days, snapshots):
            return False
        for name, (_, bronze) in REBUILT.items():
            mine = {day: paths for day, paths in files[name].items() if day in days}
            drop_days_without_rows(name, bronze, window, mine, self._config)
        rows = max(1, sum(self._run.days[day] for day in days))
        for day in days:
            own = self._run.days[day]
            self._record(day, before[day], job, seconds * own / rows)
        return True

    def _record(self, day: date, before: Mapping[str, Table], job: str, seconds: float) -> None:
        after = self._sums(day)
        tables = {name: {"before": before[name], "after": after[name]} for name in REBUILT}
        detail = {
            "day": str(day),
            "job": job,
            "seconds": round(seconds, 1),
            "bronze_rows": self._run.days[day],
            "tables": tables,
        }
        run = self._book.add(self._asked, APPLIED, APPLYING, detail)
        said = ", ".join(f"{name} {one['rows']:,}" for name, one in after.items())
        self._hands.note(f"  {day} done ({len(run.applied)} of {len(self._run.days)}): {said} rows")

    def _sums(self, day: date) -> dict[str, Table]:
        found = {}
        for name in REBUILT:
            one = sum_of_day(name, day, self._config)
            snapshot = snapshot_of(self._load(name))
            found[name] = {"rows": one.rows, "checksum": one.checksum, "snapshot": snapshot}
        return found

    def _added_under(
        self, job: str, days: Sequence[date], snapshots: Mapping[str, int | None]
    ) -> bool:
        """Tell whether rows were added to `days` before the job's own commit to them."""
        lost = False
        for name in REBUILT:
            changes = changes_since(self._load(name), snapshots[name], days) or []
            for change in changes:
                if change.job != job and change.removed:
                    raise self._foreign(name, change)
            own = [n for n, change in enumerate(changes) if change.job == job]
            until = changes[: own[-1]] if own else []
            lost = lost or any(change.job != job for change in until)
        return lost

    def _require_unchanged(self, days: Iterable[date]) -> None:
        """Refuse days that somebody has replaced since the plan; added rows are read anyway."""
        chosen = list(days)
        planned: Mapping[str, int | None] = self._run.entries[0].detail["snapshots"]
        for name in REBUILT if chosen else ():
            changes = changes_since(self._load(name), planned[name], chosen)
            if changes is None:
                raise self._changed(f"the snapshot {planned[name]} of {name} is gone")
            for change in changes:
                if change.removed:
                    raise self._foreign(name, change)

    def _foreign(self, name: str, change: Change) -> AsknownError:
        by = f"job {change.job}" if change.job else "a writer without a job"
        return self._changed(
            f"{by} has replaced {_named(sorted(change.removed))} of {name}"
            f" in snapshot {change.snapshot}"
        )

    def _changed(self, what: str) -> AsknownError:
        a = self._asked
        return AsknownError(
            "ASKNOWN-BACKFILL-007",
            f"expected the days of run {a.run_id} as they were when it was planned, found that"
            f" {what}.",
            hint=f"asknown backfill verify --from {a.first} --to {a.end}; then plan again:"
            f" asknown backfill plan --from {a.first} --to {a.end} --knowledge {a.knowledge}"
            f' --why "..."',
        )

    def _failed(self, error: BaseException) -> None:
        detail = {"during": "apply", "error": str(error) or type(error).__name__}
        try:
            self._book.add(self._asked, FAILED, FAILED, detail)
        except Exception as second:  # a full disk: the error that led here is the one to see
            self._hands.note(f"  the failure could not be recorded: {second}")

    def _load(self, name: str) -> Any:
        return lake(self._config).load_table(name)


def _named(days: Sequence[date]) -> str:
    return str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}"
