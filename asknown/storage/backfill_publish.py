"""Publish the days of a run into ClickHouse, one after the other, and record each that is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asknown.errors import AsknownError, UsageError
from asknown.settings import Settings
from asknown.storage import level
from asknown.storage.backfill_book import FAILED, PUBLISHED, PUBLISHING, Book, Run
from asknown.storage.partition_sums import REBUILT
from asknown.storage.publish import frontiers, publish_day

TOPICS = tuple(topic for topic, _ in REBUILT.values())


@dataclass(frozen=True)
class Voice:
    """How long to wait for the lake, in seconds, and whom to tell."""

    wait_s: float
    note: Callable[[str], None] = lambda _: None


def publish(config: Settings, run: Run, voice: Voice) -> Run:
    """Publish what is not published yet.

    Raises `UsageError` ASKNOWN-BACKFILL-012 while days of the run are not applied, and whatever
    keeps it from being done, after a `failed` entry that says so.
    """
    asked, book = run.asked, Book(config)
    _require_applied(run)
    todo = [day for day in run.days if day not in run.published]
    try:
        book.add(asked, PUBLISHING, PUBLISHING, {"days": [str(day) for day in todo]})
        reached = frontiers(config, REBUILT)
        level.wait(config, TOPICS, voice.wait_s)
        for number, day in enumerate(todo, start=1):
            tables = {}
            for table in REBUILT:
                done = publish_day(config, table, day, reached[table])
                tables[table] = {"rows": done.rows, "removed": done.removed}
            book.add(asked, PUBLISHED, PUBLISHING, {"day": str(day), "tables": tables})
            said = ", ".join(f"{name} {one['rows']:,}" for name, one in tables.items())
            voice.note(f"  {day} published ({number} of {len(todo)}): {said} rows")
    except BaseException as error:
        _failed(book, run, error, voice)
        raise
    return book.add(asked, PUBLISHED, PUBLISHED, {"days_done": len(run.days)})


def _require_applied(run: Run) -> None:
    left = [day for day in run.days if day not in run.applied]
    if left:
        raise UsageError(
            "ASKNOWN-BACKFILL-012",
            f"expected all days of run {run.asked.run_id} to be applied, found {len(left)} that are"
            f" not, {left[0]} first.",
            hint=f"asknown backfill retry {run.asked.run_id}",
        )


def _failed(book: Book, run: Run, error: BaseException, voice: Voice) -> None:
    detail = {"during": "publish", "error": str(error) or type(error).__name__}
    try:
        book.add(run.asked, FAILED, FAILED, detail)
    except AsknownError as second:
        voice.note(f"  the failure could not be recorded: {second}")
