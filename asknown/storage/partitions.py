"""Days of a table that a backfill should have replaced: find those it had no rows for.

An overwrite replaces the partitions it has rows of. A day whose records, by other knowledge, all
mean nothing has none, and would keep the rows of the knowledge before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, timedelta

from pyiceberg.exceptions import CommitFailedException

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.storage.iceberg import count_between, lake

EPOCH = date(1970, 1, 1)
ATTEMPTS = 5
DAY = timedelta(days=1)

Window = tuple[date, date]
Files = Mapping[date, frozenset[str]]


def files_by_day(table: str, window: Window, config: Settings | None = None) -> Files:
    """Return the addresses of the files of each day of a table that is cut by day."""
    found: dict[date, set[str]] = defaultdict(set)
    for task in lake(config).load_table(table).scan(row_filter=_between(*window)).plan_files():
        found[day_of(task.file.partition[0])].add(task.file.file_path)
    return {day: frozenset(paths) for day, paths in found.items()}


def drop_days_without_rows(
    table: str,
    bronze: Collection[str],
    window: Window,
    before: Files,
    config: Settings | None = None,
) -> list[date]:
    """Empty the days that a run over `window` has left as they were, and return them.

    `before` are the files as they were when the run began. A day is emptied when bronze has
    records of it and no file has come since: the run has read them, and none of them is a row.
    """
    now = files_by_day(table, window, config)
    emptied = []
    for day, paths in sorted(before.items()):
        untouched = bool(paths & now.get(day, frozenset()))
        if untouched and now[day] <= paths and _has_records(bronze, day, config):
            _delete(table, day, config)
            emptied.append(day)
    return emptied


def _has_records(bronze: Collection[str], day: date, config: Settings | None) -> bool:
    return any(count_between(table, day, day + DAY, config) for table in bronze)


def _delete(table: str, day: date, config: Settings | None) -> None:
    """Delete a day; the lake job may commit to the same table at any moment."""
    for _ in range(ATTEMPTS):
        try:
            return lake(config).load_table(table).delete(_between(day, day + DAY))
        except CommitFailedException:
            continue
    raise AsknownError(
        "ASKNOWN-BACKFILL-003",
        f"expected to empty {day} of {table}, found other commits in between, {ATTEMPTS} times.",
        hint="run the backfill again.",
    )


def _between(first: date, end: date) -> str:
    return f"event_time >= '{first}T00:00:00' AND event_time < '{end}T00:00:00'"


def day_of(value: object) -> date:
    """Return a partition's day: days since 1970, or a date, by PyIceberg's version."""
    return value if isinstance(value, date) else EPOCH + timedelta(days=int(str(value)))
