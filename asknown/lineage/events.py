"""Tell what runs as OpenLineage events: to a file of the stack, and to a server if one is named.

Events never stop a job: what could not be told is said to whoever submitted it. The id of a run is
the one Flink gave the job, so that an event can be found from the web UI.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid4

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
)
from openlineage.client.facet_v2 import (
    DatasetFacet,
    column_lineage_dataset,
    error_message_run,
    job_type_job,
    schema_dataset,
)
from openlineage.client.transport import Transport
from openlineage.client.transport.file import FileConfig, FileTransport
from openlineage.client.transport.http import HttpConfig, HttpTransport

from asknown.contracts.catalog import Field, contracts
from asknown.contracts.tables import lake_tables
from asknown.lineage.graph import Edge, lineage
from asknown.settings import Settings

PRODUCER = "https://asknown.invalid/jobs"  # the specification wants an address, and we have none
NAMESPACE = "asknown"
LAKE = "lake"  # the job that copies every topic into its table
IN_THE_LAKE = ("backfill", "research")  # jobs that read and write tables, not topics
State = Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL"]
Note = Callable[[str], None]


@dataclass
class Told:
    """A run to tell of: `job_id` as Flink has it, nothing as long as it has none."""

    job: str
    job_id: str
    batch: bool


class Events:
    """Where events go: `<data_dir>/lineage/events.ndjson`, and `ASKNOWN_OPENLINEAGE_URL`."""

    def __init__(self, config: Settings, note: Note = lambda _: None) -> None:
        self._config = config
        self._note = note
        self.path = config.data_dir / "lineage" / "events.ndjson"

    def tell(self, run: Told, state: State, error: str = "", *, at: datetime | None = None) -> None:
        """Tell that a run started, goes on, is complete, failed or was given up; `at`, or now."""
        try:
            event = self._event(run, RunState[state], error, at or datetime.now(UTC))
        except OSError as problem:  # the file of the lineage is not there
            self._note(f"no lineage of {run.job}: {problem}")
            return
        for transport in self._transports():
            try:
                OpenLineageClient(transport=transport).emit(event)
            except Exception as problem:  # a collector's trouble is not the job's
                self._note(f"an event of {run.job} was not told to {transport.kind}: {problem}")

    def _transports(self) -> list[Transport]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        found: list[Transport] = [FileTransport(FileConfig(str(self.path), append=True))]
        if self._config.openlineage_url:
            options = {"total": 0}  # somebody waits for the command
            found.append(HttpTransport(HttpConfig(self._config.openlineage_url, retry=options)))
        return found

    def _event(self, run: Told, state: RunState, error: str, at: datetime) -> RunEvent:
        processing = "BATCH" if run.batch else "STREAMING"
        kind = job_type_job.JobTypeJobFacet(processing, "FLINK", "JOB", producer=PRODUCER)
        inputs, outputs = datasets(run.job, self._config)
        identity = uuid4()
        with suppress(ValueError):
            identity = UUID(run.job_id)
        failure = error_message_run.ErrorMessageRunFacet(error, "Java", producer=PRODUCER)
        return RunEvent(
            eventType=state,
            eventTime=at.isoformat(),
            producer=PRODUCER,
            run=Run(str(identity), {"errorMessage": failure} if error else {}),
            job=Job(NAMESPACE, run.job, {"jobType": kind}),
            inputs=inputs,
            outputs=outputs,
        )


def datasets(job: str, config: Settings) -> tuple[list[InputDataset], list[OutputDataset]]:
    """Return what a job reads and writes, where that is, and which columns are made of which."""
    if job == LAKE:
        kafka, lake = (_Store(config, lake=one) for one in (False, True))
        return [kafka.read(t) for t in contracts()], [lake.written(t, ()) for t in contracts()]
    store = _Store(config, lake=job in IN_THE_LAKE)
    read, written = lineage().of_job(job)
    by_target = {
        one: [e for e in lineage().edges if e.job == job and e.target.dataset == one]
        for one in written
    }
    return [store.read(one) for one in read], [
        store.written(one, edges) for one, edges in by_target.items()
    ]


class _Store:
    """Names of datasets as the specification has them: of Kafka's topics, or of tables."""

    def __init__(self, config: Settings, *, lake: bool) -> None:
        broker = f"kafka://{config.bootstrap_servers.partition(',')[0]}"
        self._lake = lake
        self._namespace = config.warehouse_uri if lake else broker

    def read(self, dataset: str) -> InputDataset:
        """Return a dataset that is read."""
        return InputDataset(self._namespace, self._name(dataset))

    def written(self, dataset: str, edges: Sequence[Edge]) -> OutputDataset:
        """Return a dataset that is written, with its columns and what they are made of."""
        columns = [
            schema_dataset.SchemaDatasetFacetFields(f.name, f.type.kind, f.doc or None)
            for f in _fields(dataset)
        ]
        facets: dict[str, DatasetFacet] = {
            "schema": schema_dataset.SchemaDatasetFacet(fields=columns, producer=PRODUCER),
            "columnLineage": self._columns(edges),
        }
        return OutputDataset(self._namespace, self._name(dataset), facets=facets)

    def _columns(self, edges: Sequence[Edge]) -> column_lineage_dataset.ColumnLineageDatasetFacet:
        made: dict[str, list[column_lineage_dataset.InputField]] = {}
        whole = []
        for edge in edges:
            if not edge.source.column:
                continue  # declared between datasets only
            if edge.target.column:
                made.setdefault(edge.target.column, []).append(self._field(edge))
            else:
                whole.append(self._field(edge))
        return column_lineage_dataset.ColumnLineageDatasetFacet(
            fields={name: column_lineage_dataset.Fields(used) for name, used in made.items()},
            dataset=whole,
            producer=PRODUCER,
        )

    def _field(self, edge: Edge) -> column_lineage_dataset.InputField:
        kind = {"kept": "IDENTITY", "computed": "TRANSFORMATION", "operator": "TRANSFORMATION"}
        how = (
            column_lineage_dataset.Transformation("INDIRECT", "FILTER")
            if edge.how == "deciding"
            else column_lineage_dataset.Transformation("DIRECT", kind[edge.how])
        )
        name = self._name(edge.source.dataset)
        return column_lineage_dataset.InputField(self._namespace, name, edge.source.column, [how])

    def _name(self, dataset: str) -> str:
        if self._lake and dataset in contracts():
            return contracts()[dataset].topic.table
        return dataset


def _fields(dataset: str) -> Sequence[Field]:
    known = contracts()
    if dataset in known:
        return [*known[dataset].envelope, *known[dataset].payload]
    return list(lake_tables()[dataset].fields)
