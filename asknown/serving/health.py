"""How the API and its store are: reachability, age of data, what the datasets cover."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asknown.errors import AsknownError
from asknown.reference.moments import iso
from asknown.serving.datasets import EVERY, Dataset
from asknown.serving.store import Store

_KEEP_SECONDS = 5.0


@dataclass(frozen=True)
class Coverage:
    """What a dataset holds; times are None when it is empty."""

    dataset: Dataset
    rows: int
    first: datetime | None
    last: datetime | None
    newest: datetime | None  # by ingest time

    def as_json(self, now: datetime) -> dict[str, Any]:
        """Return the coverage as the API shows it; the age counts from the newest ingestion."""
        age = None if self.newest is None else round((now - self.newest).total_seconds(), 3)
        return {
            "rows": self.rows,
            "first_time": _iso(self.first),
            "last_time": _iso(self.last),
            "newest_ingest_time": _iso(self.newest),
            "age_seconds": age,
        }


class Health:
    """Ask the store how it is, at most once in a few seconds."""

    def __init__(self, store: Store) -> None:
        """Keep the store to ask."""
        self._store = store
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._found: list[Coverage] = []

    def coverage(self) -> list[Coverage]:
        """Return what each dataset holds.

        Raises UnreachableError when ClickHouse does not answer.
        """
        with self._lock:
            if time.monotonic() - self._asked > _KEEP_SECONDS:
                self._found = [self._of(dataset) for dataset in EVERY]
                self._asked = time.monotonic()
            return self._found

    def report(self, now: datetime) -> tuple[bool, dict[str, Any]]:
        """Return whether the store answers, and the body of /healthz."""
        try:
            began = time.monotonic()
            self._store.query("SELECT 1", {})
            latency = time.monotonic() - began
            data = {c.dataset.name: c.as_json(now) for c in self.coverage()}
        except AsknownError as error:
            store = {"reachable": False, "detail": error.message, "hint": error.hint}
            return False, {"status": "unavailable", "time": iso(now), "clickhouse": store}
        store = {"reachable": True, "latency_ms": round(latency * 1000, 2)}
        return True, {"status": "ok", "time": iso(now), "clickhouse": store, "data": data}

    def _of(self, dataset: Dataset) -> Coverage:
        time_, table = dataset.time, dataset.table  # of the allow-list, never of a request
        sql = f"SELECT count(), min({time_}), max({time_}), max(ingest_time) FROM {table}"  # noqa: S608
        rows, first, last, newest = self._store.query(sql, {})[0]
        if not rows:
            return Coverage(dataset, 0, None, None, None)
        return Coverage(dataset, int(rows), first, last, newest)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
