"""Run a pipeline over rows: the same build(), in a stream and in a batch, on a local Flink."""

from __future__ import annotations

import datetime as dt
import gc
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from asknown.contracts.catalog import HEARTBEAT, contract
from asknown.contracts.render import quote
from jobs.runtime import environment, files
from jobs.runtime.run import RunConfig
from jobs.runtime.tables import BEHIND_WATERMARK, NEVER_LATE, Tables

DISORDER_MS = 9_000  # less than the bound of every topic in topics.yaml
Row = dict[str, Any]
Build = Callable[[Tables], Mapping[str, str]]


class Mode(StrEnum):
    """How Flink runs the query."""

    STREAMING = "STREAMING"
    BATCH = "BATCH"


@dataclass(frozen=True)
class Harness:
    """Feed rows to `build` and return what it wrote, by topic."""

    build: Build
    folder: Path
    mode: Mode
    parallelism: int = 1
    shuffle_seed: int | None = None

    def run(self, inputs: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
        """Run to the end of the input; coordinates are given to the rows in the order passed."""
        with nothing_collected():
            return self._run(inputs)

    def _run(self, inputs: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
        work = Path(tempfile.mkdtemp(prefix=f"{self.mode}-", dir=self.folder))
        env = self._environment()
        views = {
            topic: files.source_table(
                env, topic, self._write(work, topic, rows), streaming=self.mode is Mode.STREAMING
            )
            for topic, rows in inputs.items()
        }
        late = BEHIND_WATERMARK if self.mode is Mode.STREAMING else NEVER_LATE
        outputs = self.build(Tables(env, views, late=late))
        statements = env.create_statement_set()
        for topic, view in outputs.items():
            sink = files.sink_table(env, topic, work / f"out-{topic}")
            c = contract(topic)
            columns = ", ".join(quote(f.name) for f in c.envelope + c.payload)
            statements.add_insert_sql(f"INSERT INTO `{sink}` SELECT {columns} FROM `{view}`")
        statements.execute().wait()
        return {topic: _read(work / f"out-{topic}", topic) for topic in outputs}

    def _environment(self) -> Any:
        extra = {
            **environment.without_cluster(),
            # One attempt: a broken query must fail the test, not loop.
            "restart-strategy.type": "none",
        }
        if self.mode is Mode.BATCH:
            return environment.bounded("test", self.parallelism, **extra)
        run = RunConfig.from_args("normalize", ["--width", str(self.parallelism)])
        return environment.streaming(run, **extra)

    def _write(self, work: Path, topic: str, rows: Sequence[Row]) -> Path:
        folder = work / f"in-{topic}"
        folder.mkdir(parents=True)
        numbered = [{"kafka_partition": 0, "kafka_offset": n} | row for n, row in enumerate(rows)]
        if contract(topic).topic.clock == "event_time":
            numbered = self._arrival(numbered)
        lines = "".join(f"{json.dumps(_flat(row))}\n" for row in numbered)
        (folder / "rows.json").write_text(lines)
        return folder

    def _arrival(self, rows: list[Row]) -> list[Row]:
        """Return rows as they arrive: by time, or with a seed in disorder within the bound."""
        chance = random.Random(self.shuffle_seed)
        bound = 0 if self.shuffle_seed is None else DISORDER_MS

        def arrival(row: Row) -> dt.datetime:
            at = dt.datetime.fromisoformat(row["event_time"])
            return at + dt.timedelta(milliseconds=chance.uniform(0, bound))

        return sorted(rows, key=arrival)


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Keep Java objects from being let go by another thread while a query is planned.

    Each thread of Python has one in the JVM, and Flink's planner keeps what it knows by thread.
    A collection in another thread, and pytest-xdist has one, may take the connection of this one,
    so that the next call is planned where nothing is known. Seen once, and not reproduced:
    "NullPointerException: metadataHandlerProvider".
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _flat(row: Row) -> Row:
    """Return a row as tables have it: the payload's columns beside the envelope's."""
    return {k: v for k, v in row.items() if k != "payload"} | (row.get("payload") or {})


def _read(folder: Path, topic: str) -> list[Row]:
    """Return the rows as records have them: the payload in its own record, null in a heartbeat."""
    names = {f.name for f in contract(topic).payload}
    rows: list[Row] = []
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.name.startswith("."):
            continue
        for line in file.read_text().splitlines():
            flat = json.loads(line, parse_float=str)
            payload = {k: v for k, v in flat.items() if k in names}
            envelope = {k: v for k, v in flat.items() if k not in names}
            rows.append(envelope | {"payload": None if flat["source"] == HEARTBEAT else payload})
    return rows


def as_set(rows: Iterable[Row]) -> Counter[str]:
    """Return rows as a multiset that does not depend on their order."""
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def utc(ms: int) -> str:
    """Return epoch milliseconds as the harness writes times."""
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
