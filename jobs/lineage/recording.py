"""Build the pipeline of each job over empty sources, and write down where its columns come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pyflink.datastream import DataStream
from pyflink.table import TableEnvironment

from asknown.features.definitions import definitions
from jobs.derive import pipeline as derive
from jobs.lineage.origins import NOTHING, Origin, Origins, Traced, Walk
from jobs.normalize import pipeline as normalize
from jobs.normalize import sessions
from jobs.reference import pipeline as reference
from jobs.research import pipeline as research
from jobs.runtime import environment, files
from jobs.runtime.run import MARKET_DATASETS, RunConfig
from jobs.runtime.tables import BEHIND_WATERMARK, NEVER_LATE, Tables

Record = dict[str, Any]
Build = Callable[[Tables], Mapping[str, str]]
CALENDAR = sessions.render({"XNYS": sessions.open_days("XNYS", date(2024, 1, 1))})

# Each job with the datasets it reads and what builds its views. A backfill and a heal build those
# of normalize and derive; the lake job copies every topic as it is.
JOBS: Mapping[str, tuple[tuple[str, ...], Build]] = {
    "reference": ((*reference.RAW, reference.CLOSES), reference.build),
    "normalize": (
        (*(f"raw.{one}" for one in MARKET_DATASETS), normalize.CHANGES),
        lambda tables: normalize.build(tables, CALENDAR),
    ),
    "derive": (tuple(f"normalized.{one}" for one in MARKET_DATASETS), derive.build),
    "research": (
        (research.BARS, research.HISTORY),
        lambda tables: research.build(tables, definitions()),
    ),
}
BOUNDED = ("research",)


class Recorded(Tables):
    """Tables that know what went into the operators that SQL cannot see through.

    An operator in Python may use all it was given, and everything given to one before it: so its
    output comes from all columns of these.
    """

    def __init__(self, env: TableEnvironment, names: Mapping[str, str], late: str) -> None:
        super().__init__(env, names, late=late)
        self.walk = Walk(env, lambda source: self._fed.get(source))
        self._given = NOTHING
        self._fed: dict[str, Origins] = {}

    def to_stream(self, name: str) -> DataStream:
        """Return the rows of a view as a stream, and note what they are made of."""
        traced = self.walk.of_view(name)[1]
        self._given |= NOTHING.union(traced.deciding, *traced.columns)
        return super().to_stream(name)

    def from_stream(self, name: str, stream: DataStream) -> str:
        """Create a view of what an operator hands on, and note what it was given."""
        view = super().from_stream(name, stream)
        self._fed[self.walk.source_of(view)] = self._given
        return view


def record(job: str, folder: Path) -> dict[str, Record]:
    """Return of each output of a job where its columns come from."""
    topics, build = JOBS[job]
    env = environment_of(job)
    sources = {topic: _source(env, topic, folder, streaming=job not in BOUNDED) for topic in topics}
    tables = Recorded(env, sources, NEVER_LATE if job in BOUNDED else BEHIND_WATERMARK)
    outputs = build(tables)
    datasets = {view: topic for topic, view in sources.items()}
    return {topic: _record(datasets, *tables.walk.of_view(view)) for topic, view in outputs.items()}


def environment_of(job: str) -> TableEnvironment:
    """Return an environment in which a job can be planned, without a cluster."""
    options = environment.without_cluster()
    if job in BOUNDED:
        return environment.bounded(job, 1, **options)
    return environment.streaming(RunConfig.from_args(job, []), **options)


def _source(env: TableEnvironment, topic: str, folder: Path, *, streaming: bool) -> str:
    empty = folder / topic
    empty.mkdir(parents=True, exist_ok=True)
    return files.source_table(env, topic, empty, streaming=streaming)


def _record(datasets: Mapping[str, str], names: list[str], traced: Traced) -> Record:
    """Return one output: its columns, or all of them at once where an operator made them."""
    made = {name: _texts(datasets, one) for name, one in zip(names, traced.columns, strict=True)}
    deciding = _texts(datasets, traced.deciding)
    distinct = {tuple(origins) for origins in made.values() if origins}
    if len(distinct) == 1:
        return {"whole": sorted({*distinct.pop(), *deciding})}
    return {"columns": made, "deciding": deciding}


def _texts(datasets: Mapping[str, str], origins: Origins) -> list[str]:
    """Return origins as `= dataset.column` where the value is kept, and as `~ ...` where not."""
    computed = {(one.source, one.column) for one in origins if not one.kept}
    return sorted({_text(datasets, one, computed) for one in origins}, key=lambda text: text[2:])


def _text(datasets: Mapping[str, str], one: Origin, computed: set[tuple[str, str]]) -> str:
    sign = "~" if (one.source, one.column) in computed else "="
    return f"{sign} {datasets[one.source]}.{one.column}"
