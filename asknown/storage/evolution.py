"""Bring registry, lake and ClickHouse to the contracts of this checkout, together.

1. Every contract is judged before anything is written; one refusal stops all.
2. Tables first, versions last: whoever sees a new version finds its column everywhere. A migration
   that was interrupted is run again; each part does only what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from asknown.contracts.catalog import Contract, contracts
from asknown.contracts.evolution import Change, Standing, Step, Verdict, standing
from asknown.contracts.registry import RegistryClient
from asknown.contracts.render import BRONZE
from asknown.errors import AsknownError, ExitCode
from asknown.settings import Settings
from asknown.storage import clickhouse, iceberg

_NEW = (Verdict.FIRST, Verdict.COMPATIBLE)
_RAW = {"trade": "normalize", "quote": "normalize", "bar": "normalize"}
# Jobs that write a topic or read its payload; the lake copies all, the loader what ClickHouse has.
_JOBS = {
    "reference": ("reference",),
    "normalized": ("normalize", "derive"),
    "analytics": ("derive",),
}


@dataclass(frozen=True)
class TableStanding:
    """A table beside its contract; `changes` is None when there is no such table."""

    store: str
    topic: str
    table: str
    changes: tuple[Change, ...] | None

    @property
    def impossible(self) -> list[Change]:
        """Return what no migration can do."""
        return [c for c in self.changes or () if c.step in (Step.RETYPED, Step.REQUIRED)]

    @property
    def pending(self) -> list[Change]:
        """Return what a migration would do."""
        return [c for c in self.changes or () if c.possible]

    def document(self) -> dict[str, Any]:
        """Return the standing as names and values."""
        return {
            "store": self.store,
            "topic": self.topic,
            "table": self.table,
            "exists": self.changes is not None,
            "changes": [change.document() for change in self.changes or ()],
        }


def standings(client: RegistryClient, chosen: Iterable[Contract]) -> list[Standing]:
    """Return how each contract stands to the registered versions of its subject."""
    return [standing(c, client.registered(c.topic.subject)) for c in chosen]


def table_standings(config: Settings, chosen: Sequence[Contract]) -> Iterator[TableStanding]:
    """Return how the tables of the contracts stand to them, in the lake and in ClickHouse."""
    for c in chosen:
        found = iceberg.differences(c, config)
        yield TableStanding("iceberg", c.topic.name, c.topic.table, _fixed(found))
    with clickhouse.client("reader", settings=config) as connection:
        for c in chosen:
            if c.topic.namespace != BRONZE:
                found = clickhouse.differences(c, connection)
                yield TableStanding("clickhouse", c.topic.name, c.topic.table, _fixed(found))


def _fixed(changes: list[Change] | None) -> tuple[Change, ...] | None:
    return None if changes is None else tuple(changes)


def require_accepted(found: Iterable[Standing]) -> None:
    """Refuse everything when one contract is refused.

    Raises `AsknownError` ASKNOWN-SCHEMA-001, with the first field and how many there are.
    """
    refused = [(s, r) for s in found for r in s.refusals]
    if not refused:
        return
    first, why = refused[0]
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    raise AsknownError(
        "ASKNOWN-SCHEMA-001",
        f"expected {why.expected}, found {why.found}{more}; nothing was written.",
        where=f"{first.topic}.{why.field}",
        hint=f"{why.hint} `asknown schema check` shows every field.",
        exit_code=ExitCode.CHECK_FAILED,
    )


def register(
    client: RegistryClient, chosen: Sequence[Contract], found: Sequence[Standing]
) -> list[str]:
    """Register what is new and return one line per version; refused ones stop all before."""
    require_accepted(found)
    lines = []
    for c, stand in zip(chosen, found, strict=True):
        client.set_compatibility(c.topic.subject, c.topic.compatibility)
        if stand.verdict in _NEW:
            schema_id = client.register(c.topic.subject, c.avro)
            lines.append(f"registered {c.topic.subject} version {stand.version}, id {schema_id}")
    return lines


@dataclass(frozen=True)
class Migrated:
    """What a migration did, one line per change, and what has to be started anew to use it."""

    lines: tuple[str, ...]
    start_anew: tuple[str, ...]


def migrate(config: Settings) -> Migrated:
    """Bring registry, lake and ClickHouse to the contracts; nothing is dropped.

    Raises `AsknownError` ASKNOWN-SCHEMA-001 or -002, before anything is written, when a contract
    is refused or a table's column cannot become what is wanted.
    """
    chosen = list(contracts().values())
    with RegistryClient(config.registry_url) as client:
        found = standings(client, chosen)
        require_accepted(found)
        tables = list(table_standings(config, chosen))
        _require_possible(tables)
        lines = [f"iceberg: {line}" for line in iceberg.ensure_tables(config)]
        lines += [f"clickhouse: {line}" for line in clickhouse.migrate(config)]
        lines += [f"registry: {line}" for line in register(client, chosen, found)]
    changed = {s.topic for s in found if s.verdict is Verdict.COMPATIBLE}
    changed |= {t.topic for t in tables if any(c.step is not Step.DOCUMENTED for c in t.pending)}
    return Migrated(tuple(lines), tuple(jobs_of(changed)))


def _require_possible(tables: Iterable[TableStanding]) -> None:
    for table in tables:
        for change in table.impossible:
            raise AsknownError(
                "ASKNOWN-SCHEMA-002",
                f"expected column {change.name} of {table.store} {table.table} to become"
                f" {change.wanted}, found {change.found}; nothing was written.",
                where=f"{table.topic}.{change.name}",
                hint="give the contract's field another name.",
                exit_code=ExitCode.CHECK_FAILED,
            )


def jobs_of(topics: Iterable[str]) -> list[str]:
    """Return the jobs and processes that use the contracts, in the order to start them anew.

    Those that run with the old contract go on with it; a new column is filled, copied and served
    once these have been started with the new one: readers before writers.
    """
    names: set[str] = set()
    for topic in topics:
        layer, _, dataset = topic.partition(".")
        names.add("lake")
        if layer == "raw":
            names.add(_RAW.get(dataset, "reference"))
            continue
        names.update(("loader", *_jobs(layer, dataset)))
    order = ("lake", "loader", "derive", "normalize", "reference")
    return [name for name in order if name in names]


def _jobs(layer: str, dataset: str) -> tuple[str, ...]:
    if layer == "normalized" and dataset not in _RAW:
        return ("reference",)
    return _JOBS.get(layer, ("normalize",) if layer in ("quarantine", "late", "duplicate") else ())
