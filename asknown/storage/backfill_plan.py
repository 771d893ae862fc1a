"""Plan a run: which days a cause has touched, what they hold, how long they take.

Everything is computed from bronze, so the earliest layer to be rebuilt is always silver: of each
day both its tables and `gold.bar`, which is made of them, and then ClickHouse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from asknown.errors import UsageError
from asknown.settings import Settings
from asknown.storage import heal
from asknown.storage.backfill_apply import PIECE_ROWS, pieces
from asknown.storage.backfill_book import APPLYING, FAILED, PLANNED, Asked, Book, Run, new_id
from asknown.storage.day_changes import snapshot_of
from asknown.storage.iceberg import lake
from asknown.storage.lake_rows import reader
from asknown.storage.partition_sums import REBUILT, database

BRONZE = ("bronze.trade", "bronze.quote")
RESTATEMENTS = "silver.restatement"
# Where no run has been applied yet: this machine's rate, with planning and submitting a job.
ROWS_PER_SECOND = 40_000.0
SECONDS_PER_JOB = 40.0
DAY = timedelta(days=1)
_FIRST, _LAST = date(1970, 1, 1), date(2200, 1, 1)

Span = tuple[date, date]


@dataclass(frozen=True)
class Cause:
    """Why a run is needed: a kind, in words what is behind it, and the days it has touched.

    `apart`: days between two of the spans are not touched. `named` goes with the plan.
    """

    kind: str
    spans: tuple[Span, ...]
    apart: bool = False
    named: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a run would do: `days` with their rows of bronze; `seconds` from what is said in basis.

    `late` are records of these days that wait to be healed.
    """

    asked: Asked
    cause: Cause
    days: Mapping[date, int]
    snapshots: Mapping[str, int | None]
    seconds: float
    basis: str

    @property
    def detail(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {
            "days": {str(day): rows for day, rows in self.days.items()},
            "apart": self.cause.apart,
            "snapshots": dict(self.snapshots),
            "estimated_seconds": round(self.seconds),
            "basis": self.basis,
            **self.cause.named,
        }


def of_days(first: date, end: date) -> Cause:
    """Return the cause of a window that somebody names."""
    return Cause("days", ((first, end),))


def of_rule(config: Settings, dataset: str) -> Cause:
    """Return the cause of a rule that was mended: every day of a dataset.

    Raises `UsageError` ASKNOWN-BACKFILL-008 for a dataset that is not rebuilt.
    """
    known = [name.partition(".")[2] for name in BRONZE]
    if dataset not in known:
        raise UsageError(
            "ASKNOWN-BACKFILL-008",
            f"expected a dataset ({', '.join(known)}), found {dataset!r}.",
            hint="asknown backfill plan --rule trade --why '...'",
        )
    days = data_days(config, [(_FIRST, _LAST)], (f"bronze.{dataset}",))
    return Cause("rule", _joined(days), apart=True, named={"rule": dataset})


def of_corruption(places: Sequence[str]) -> Cause:
    """Return the cause of partitions that do not hold what they should, each TABLE:DAY.

    Raises `UsageError` ASKNOWN-BACKFILL-009 for what names no partition that is rebuilt.
    """
    days = []
    for place in places:
        table, _, text = place.partition(":")
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
        if table not in REBUILT or day is None:
            raise UsageError(
                "ASKNOWN-BACKFILL-009",
                f"expected TABLE:DAY with a table of {', '.join(REBUILT)}, found {place!r}.",
                hint="asknown backfill plan --corrupted silver.trade:2024-10-28 --why '...'",
            )
        days.append(day)
    return Cause("corrupted", _joined(days), apart=True, named={"corrupted": list(places)})


def of_late(config: Settings) -> Cause:
    """Return the cause of late records that no heal has put into their place yet."""
    found = heal.plan(config)
    days = {hour.date() for _, hour, _ in found.groups}
    return Cause("late", _joined(days), apart=True, named={"late": found.records})


def of_restatement(config: Settings, wanted: str, runs: Iterable[Run]) -> Cause:
    """Return the cause of restatements: those of an entity, a key or an id; 'all' that are open.

    One is open until a run that names it was applied.
    """
    names = ("event_id", "entity_id", "raw_key", "old_listing_id", "new_listing_id")
    columns = (*names, "from_time", "to_time")
    table = lake(config).load_table(RESTATEMENTS)
    rows = table.scan(selected_fields=columns).to_arrow().to_pylist()
    done = {
        one
        for run in runs
        if run.status not in (PLANNED, APPLYING, FAILED)
        for one in run.entries[0].detail.get("restatements", ())
    }
    if wanted == "all":
        rows = [row for row in rows if row["event_id"] not in done]
    else:
        rows = [row for row in rows if wanted in (row[name] for name in names)]
    spans = tuple((row["from_time"].date(), _day_after(row["to_time"])) for row in rows)
    ids = sorted({row["event_id"] for row in rows})
    return Cause("restatement", spans, apart=True, named={"restatements": ids})


def plan(
    config: Settings, cause: Cause, reason: str, knowledge: str, run_id: str | None = None
) -> Plan:
    """Return the plan of a run for a cause; nothing is written."""
    days = data_days(config, cause.spans)
    ends = cause.spans if not days else ((min(days), max(days) + DAY),)
    first = min((a for a, _ in ends), default=_FIRST)
    end = max((b for _, b in ends), default=_FIRST + DAY)
    if cause.kind == "days":
        first, end = cause.spans[0]
    asked = Asked(run_id or new_id(), first, end, reason, cause.kind, knowledge)
    seconds, basis = _estimate(Book(config).runs(), days, cause.apart)
    catalog = lake(config)
    snapshots = {name: snapshot_of(catalog.load_table(name)) for name in REBUILT}
    return Plan(asked, cause, days, snapshots, seconds, basis)


def data_days(
    config: Settings, spans: Sequence[Span], tables: Sequence[str] = BRONZE
) -> dict[date, int]:
    """Return how many rows of bronze the days of some spans have; days without any are left out."""
    found: dict[date, int] = {}
    if not spans:
        return found
    chosen = " OR ".join(
        f"(event_time >= '{first}T00:00:00' AND event_time < '{end}T00:00:00')"
        for first, end in spans
    )
    for table in tables:
        scan = lake(config).load_table(table).scan(chosen, selected_fields=("event_time",))
        with database(config) as counting:
            counting.register("records", reader(scan))
            counted = "SELECT CAST(event_time AS DATE), COUNT(*) FROM records GROUP BY ALL"
            for day, rows in counting.sql(counted).fetchall():
                found[day] = found.get(day, 0) + rows
    return dict(sorted(found.items()))


def require_free(runs: Iterable[Run], asked: Asked, running: Callable[[], str]) -> None:
    """Refuse a run whose days another one is replacing.

    `running` returns the id of the run that is at work in some process, '' when none is.
    Raises `UsageError` ASKNOWN-BACKFILL-010 naming it.
    """
    for run in runs:
        other = run.asked
        if run.status != APPLYING or other.run_id == asked.run_id or not other.overlaps(asked):
            continue
        alive = running() == other.run_id
        raise UsageError(
            "ASKNOWN-BACKFILL-010",
            f"expected nobody to replace days of {asked.first} to {asked.end}, found run"
            f" {other.run_id} applying {other.first} to {other.end}"
            + ("." if alive else ", which was ended in the middle."),
            hint=f"asknown backfill show {other.run_id}"
            if alive
            else f"asknown backfill retry {other.run_id}",
        )


def _estimate(runs: Iterable[Run], days: Mapping[date, int], apart: bool) -> tuple[float, str]:
    done = [one for run in runs for one in run.applied.values()]
    rows, seconds = (sum(one[name] for one in done) for name in ("bronze_rows", "seconds"))
    if rows and seconds:
        rate = rows / seconds
        return sum(days.values()) / rate, f"{rate:,.0f} rows/s, as in {len(done)} days before"
    jobs = len(pieces(days, apart, PIECE_ROWS))
    basis = f"no run before: {ROWS_PER_SECOND:,.0f} rows/s and {SECONDS_PER_JOB:.0f} s a job"
    return sum(days.values()) / ROWS_PER_SECOND + jobs * SECONDS_PER_JOB, basis


def _joined(days: Iterable[date]) -> tuple[Span, ...]:
    """Return days as spans, neighbours joined."""
    spans: list[Span] = []
    for day in sorted(set(days)):
        if spans and spans[-1][1] == day:
            spans[-1] = (spans[-1][0], day + DAY)
        else:
            spans.append((day, day + DAY))
    return tuple(spans)


def _day_after(at: datetime) -> date:
    """Return the day behind a moment that is exclusive, UTC."""
    last = at.replace(tzinfo=UTC) - timedelta(milliseconds=1)
    return last.date() + DAY
