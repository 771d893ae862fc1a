"""What backfills did: entries in `ops.backfill_run`, never changed; the newest is a run's state.

A run is recorded before it does anything and after every day, so whatever ends it, what is done
and what is not can be read. `Book.add` is the one place that every start, day, end and failure of
a run passes.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import secrets
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import AlwaysTrue

from asknown.contracts.catalog import contract
from asknown.contracts.tables import lake_table
from asknown.errors import AsknownError, UsageError
from asknown.settings import CHECKOUT, Settings
from asknown.storage.iceberg import lake

TABLE = "ops.backfill_run"
TOPICS = ("raw.trade", "raw.quote", "normalized.trade", "normalized.quote", "analytics.bar")
PLANNED, APPLYING, APPLIED, FAILED = "planned", "applying", "applied", "failed"
VERIFIED, PUBLISHING, PUBLISHED = "verified", "publishing", "published"
ATTEMPTS = 20
PAUSE_S = 0.25
Detail = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a run is for: days [first, end), UTC, why, and by which knowledge."""

    run_id: str
    first: date
    end: date
    reason: str
    cause: str
    knowledge: str

    def overlaps(self, other: Asked) -> bool:
        """Tell whether both have a day in common."""
        return self.first < other.end and other.first < self.end


@dataclass(frozen=True)
class Entry:
    """One step of a run."""

    number: int
    at: datetime
    step: str
    status: str
    code_version: str
    detail: Detail = field(repr=False)


@dataclass(frozen=True)
class Run:
    """A run with its entries, oldest first."""

    asked: Asked
    entries: tuple[Entry, ...]

    @property
    def status(self) -> str:
        """Return the state after the newest entry."""
        return self.entries[-1].status

    @property
    def days(self) -> dict[date, int]:
        """Return the days of the plan with their rows of bronze."""
        return {date.fromisoformat(d): n for d, n in self.entries[0].detail["days"].items()}

    @property
    def applied(self) -> dict[date, Detail]:
        """Return what is recorded of each day that is done."""
        return self._of_days(APPLIED)

    @property
    def published(self) -> dict[date, Detail]:
        """Return what is recorded of each day that ClickHouse has."""
        return self._of_days(PUBLISHED)

    @property
    def begun(self) -> frozenset[date]:
        """Return the days that a job was started for, whatever became of it."""
        named = (e.detail.get("days", ()) for e in self.entries if e.step == APPLYING)
        return frozenset(date.fromisoformat(day) for days in named for day in days)

    @property
    def failed_while(self) -> str:
        """Return what the newest entry says was being done when it failed; '' when it did not."""
        return str(self.entries[-1].detail.get("during", "")) if self.status == FAILED else ""

    def _of_days(self, step: str) -> dict[date, Detail]:
        return {
            date.fromisoformat(e.detail["day"]): e.detail
            for e in self.entries
            if e.step == step and "day" in e.detail
        }


class Book:
    """The runs of one lake."""

    def __init__(self, config: Settings) -> None:
        self._config = config

    def runs(self, run_id: str = "") -> list[Run]:
        """Return the runs, oldest first; one only, when it is named."""
        chosen: Any = f"run_id = '{run_id}'" if run_id else AlwaysTrue()
        rows = lake(self._config).load_table(TABLE).scan(row_filter=chosen).to_arrow().to_pylist()
        found: dict[str, list[dict[str, Any]]] = {}
        for row in sorted(rows, key=lambda r: (r["recorded_at"], r["event_number"])):
            found.setdefault(row["run_id"], []).append(row)
        return [_run(entries) for entries in found.values()]

    def run(self, run_id: str) -> Run:
        """Return a run by its id.

        Raises `UsageError` ASKNOWN-BACKFILL-004 when there is none.
        """
        plain = run_id.replace("'", "")
        for run in self.runs(plain):
            return run
        known = [run.asked.run_id for run in self.runs()]
        near = difflib.get_close_matches(run_id, known, n=3, cutoff=0.3)
        raise UsageError(
            "ASKNOWN-BACKFILL-004",
            f"expected the id of a run, found {run_id!r}.",
            hint=f"{', '.join(near)}: `asknown backfill ls` shows all."
            if near
            else "asknown backfill ls",
        )

    def add(self, asked: Asked, step: str, status: str, detail: Detail) -> Run:
        """Append an entry to a run and return the run.

        Raises `AsknownError` ASKNOWN-BACKFILL-005 when others commit first again and again.
        """
        table = lake_table(TABLE)
        number = sum(len(run.entries) for run in self.runs(asked.run_id))
        row = _row(asked, number, step, status, detail)
        rows = pa.Table.from_pylist([row], schema=table.arrow_schema())
        for _ in range(ATTEMPTS):
            try:
                lake(self._config).load_table(TABLE).append(rows)
            except CommitFailedException:
                time.sleep(PAUSE_S)
                continue
            return self.run(asked.run_id)
        raise AsknownError(
            "ASKNOWN-BACKFILL-005",
            f"expected to record {step} of {asked.run_id}, found other commits in between,"
            f" {ATTEMPTS} times.",
            where=TABLE,
            hint=f"asknown backfill retry {asked.run_id}",
        )


def new_id() -> str:
    """Return an id for a run: when it was asked for, UTC, and a few digits for two at once."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def code_version() -> str:
    """Return the commit of this checkout, with '+' where it was changed; else the package's."""
    head = _git("rev-parse", "--short=12", "HEAD")
    if head:
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    try:
        return version("asknown")
    except PackageNotFoundError:
        return "unknown"


def _git(*arguments: str) -> str:
    line = ["git", "-C", str(CHECKOUT), *arguments]
    try:
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _row(asked: Asked, number: int, step: str, status: str, detail: Detail) -> dict[str, Any]:
    return {
        "run_id": asked.run_id,
        "event_number": number,
        "recorded_at": datetime.now(UTC).replace(tzinfo=None),
        "step": step,
        "status": status,
        "window_from": asked.first,
        "window_to": asked.end,
        "reason": asked.reason,
        "cause": asked.cause,
        "knowledge": asked.knowledge,
        "code_version": code_version(),
        "schema_versions": json.dumps(_schemas()),
        "feature_versions": "{}",
        "detail": json.dumps(detail, default=str),
    }


def _schemas() -> dict[str, str]:
    """Return a fingerprint of each contract that a run reads or writes."""
    return {topic: _fingerprint(contract(topic).avro) for topic in TOPICS}


def _fingerprint(avro: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(avro, sort_keys=True).encode()).hexdigest()[:12]


def _run(rows: list[dict[str, Any]]) -> Run:
    first = rows[0]
    asked = Asked(
        first["run_id"],
        first["window_from"],
        first["window_to"],
        first["reason"],
        first["cause"],
        first["knowledge"],
    )
    entries = (
        Entry(
            row["event_number"],
            row["recorded_at"],
            row["step"],
            row["status"],
            row["code_version"],
            json.loads(row["detail"]),
        )
        for row in rows
    )
    return Run(asked, tuple(entries))
