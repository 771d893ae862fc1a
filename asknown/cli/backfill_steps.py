"""The steps of `asknown backfill` that need the stack: jobs, locks, and what they leave behind."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asknown.cli.output import Output
from asknown.errors import AsknownError, UsageError
from asknown.reference.records import FOR_EVER
from asknown.settings import Settings

if TYPE_CHECKING:
    from asknown.storage.backfill_book import Run
    from asknown.storage.backfill_verify import Finding

MARKERS = "ops.replayed_event"
AS_KNOWN, AS_OF_NOW = "as-known", "as-of-now"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JOB = "backfill"
WAIT_S = 120.0
_END_S = 60.0
_ENDED = ("FINISHED", "CANCELED", "FAILED", "SUSPENDED")


def moment_of(knowledge: str) -> int | None:
    """Return the moment of knowledge in UTC milliseconds; None for that of each row's own time.

    Raises `UsageError` ASKNOWN-BACKFILL-002 for anything but as-known, as-of-now and a time, of
    1970 or later.
    """
    if knowledge == AS_KNOWN:
        return None
    if knowledge == AS_OF_NOW:
        return FOR_EVER - 1  # nothing that is believed today ends before
    try:
        at = datetime.fromisoformat(knowledge)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at < EPOCH:
        raise UsageError(
            "ASKNOWN-BACKFILL-002",
            f"expected as-known, as-of-now or a time with its zone, found {knowledge!r}.",
            hint="--knowledge as-of-now, or --knowledge 2024-10-29T12:00:00Z",
        )
    return int(at.timestamp() * 1000)


def apply(config: Settings, printer: Output, run: Run) -> Run:
    """Apply what is left of a run, alone; return it as it is recorded then."""
    from asknown.storage import backfill_apply, backfill_plan, heal, level
    from asknown.storage.backfill_book import Book

    book = Book(config)
    backfill_plan.require_free(book.runs(), run.asked, lambda: running(config))
    known_at = moment_of(run.asked.knowledge)

    def execute(first: date, end: date) -> str:
        arguments = ["--run", run.asked.run_id, *_arguments(config, (first, end), known_at)]
        return _submit(config, printer, arguments)

    hands = backfill_apply.Hands(
        execute, lambda: _level(config, level.wait, heal.READ), printer.line
    )
    with alone(config, run.asked.run_id):
        _end_leftover(config, printer, run.asked.run_id)
        return backfill_apply.Apply(config, book.run(run.asked.run_id), hands).run()


def publish(config: Settings, printer: Output, run: Run) -> Run:
    """Publish what is left of a run, alone; return it as it is recorded then."""
    from asknown.storage.backfill_book import Book
    from asknown.storage.backfill_publish import Voice
    from asknown.storage.backfill_publish import publish as publish_days

    with alone(config, run.asked.run_id):
        now = Book(config).run(run.asked.run_id)
        return publish_days(config, now, Voice(WAIT_S, printer.line))


def recompute(
    config: Settings, printer: Output, days: Sequence[date], look: Callable[[Path, list[date]], Any]
) -> list[Any]:
    """Recompute days beside the lake, piece by piece, and return what `look` finds in each.

    Each day is recomputed by the knowledge by which the lake holds it.
    """
    from asknown.stack.paths import Paths
    from asknown.storage.backfill_verify import knowledge_of_day

    root = Paths.of(config).data / JOB
    root.mkdir(parents=True, exist_ok=True)
    found = []
    for known_at, piece in _by_knowledge(config, days, knowledge_of_day):
        folder = Path(tempfile.mkdtemp(prefix="verify-", dir=root))
        try:
            window = (piece[0], piece[-1] + (date(1970, 1, 2) - date(1970, 1, 1)))
            out = ["--out", str(folder), *_arguments(config, window, known_at)]
            _submit(config, printer, out)
            found.append(look(folder, piece))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def verify(config: Settings, printer: Output, days: Sequence[date]) -> list[Finding]:
    """Return of each day and table what it should hold and what it does."""
    from asknown.storage.backfill_verify import compare

    parts = recompute(config, printer, days, lambda folder, piece: compare(config, folder, piece))
    return [finding for part in parts for finding in part]


@contextmanager
def alone(config: Settings, run_id: str) -> Iterator[None]:
    """Let one process at a time change the lake by a run; a killed one holds nothing.

    Raises `UsageError` ASKNOWN-BACKFILL-013 naming the run that is at work.
    """
    path = _lock(config)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = path.read_text() or "another run"
            raise UsageError(
                "ASKNOWN-BACKFILL-013",
                f"expected no other backfill at work, found {other}.",
                where=str(path),
                hint=f"asknown backfill show {other}",
            ) from None
        file.truncate(0)
        file.write(run_id)
        file.flush()
        yield


def running(config: Settings) -> str:
    """Return the id of the run that a living process is at work on; '' when none is."""
    path = _lock(config)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return path.read_text()
    return ""


def _lock(config: Settings) -> Path:
    folder = config.data_dir / JOB
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "lock"


def _by_knowledge(
    config: Settings, days: Sequence[date], knowledge_of: Callable[[Settings, date], int | None]
) -> Iterator[tuple[int | None, list[date]]]:
    """Yield days in a row that are held by one knowledge, at most a few at once."""
    from asknown.storage.backfill_apply import pieces
    from asknown.storage.backfill_plan import data_days

    known = {day: knowledge_of(config, day) for day in days}
    for one in sorted({*known.values()}, key=str):
        mine = {day for day in days if known[day] == one}
        rows = {
            day: n
            for first in sorted(mine)
            for day, n in data_days(config, [(first, _next(first))]).items()
        }
        missing = dict.fromkeys(mine - rows.keys(), 0)
        for piece in pieces({**rows, **missing}, apart=True):
            yield one, piece


def _next(day: date) -> date:
    return date.fromordinal(day.toordinal() + 1)


def _arguments(config: Settings, window: tuple[date, date], known_at: int | None) -> list[str]:
    from asknown.storage.iceberg import count_between

    arguments = ["--first-day", str(window[0]), "--end-day", str(window[1])]
    if known_at is not None:
        return [*arguments, "--known-at", str(known_at)]
    replayed = count_between(MARKERS, *window, config)
    return [*arguments, "--replayed"] if replayed else arguments


def _submit(config: Settings, printer: Output, arguments: Sequence[str]) -> str:
    from asknown.stack.flink import free_width
    from asknown.stack.jobs import Submission, submit

    width = free_width(config)
    run = Submission(name=JOB, arguments=tuple(arguments), batch=True, parallelism=width)
    return submit(run, config, note=lambda text: printer.line(f"  {text}")).job_id


def _level(config: Settings, wait: Callable[..., Any], topics: Sequence[str]) -> None:
    wait(config, topics, WAIT_S)


def _end_leftover(config: Settings, printer: Output, run_id: str) -> None:
    """Cancel the job that a killed process of this run has left, and wait until it has ended."""
    from asknown.stack.flink import FlinkRest
    from asknown.stack.jobs import submitted

    record = submitted(config).get(JOB, {})
    if run_id not in record.get("arguments", ()):
        return
    job = str(record["job_id"])
    with FlinkRest(config.flink_url) as rest:
        if job not in {row["jid"] for row in rest.jobs() if row["state"] not in _ENDED}:
            return
        printer.line(f"  cancelling job {job}, which a killed command has left")
        rest.cancel(job)
        deadline = time.monotonic() + _END_S
        while rest.job(job)["state"] not in _ENDED:
            if time.monotonic() > deadline:
                raise AsknownError(
                    "ASKNOWN-BACKFILL-014",
                    f"expected job {job} to end within {_END_S:.0f} s, found it"
                    f" {rest.job(job)['state']}.",
                    where=rest.url,
                    hint=f"asknown job cancel {job}; then asknown backfill retry {run_id}",
                )
            time.sleep(0.5)
