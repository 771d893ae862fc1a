"""Audits: questions to the lake whose right answer is no row.

An audit is a file of `sql/audits`, run by DuckDB. Most judge each row by itself, over one table in
slices of bounded size and over the small tables it is compared with, read whole. The ledger looks
each raw record up in the lanes (`asknown.storage.ledger_lake`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from string import Template
from typing import Any

import duckdb
import pyarrow as pa

from asknown.contracts.catalog import contract
from asknown.errors import UsageError
from asknown.settings import CHECKOUT, Settings
from asknown.storage import ledger_lake
from asknown.storage.iceberg import lake
from asknown.storage.lake_rows import reader

SQL = CHECKOUT / "sql"
SLICE = 1_000_000  # rows
SHOWN = 100  # offending rows that are kept to be shown
_FACTORS = ("price_factor", "split_factor", "share_factor", "factor_version")
_WRITTEN = ("kafka_partition", "kafka_offset")
_NORMALIZED = (
    *("raw_key", "entity_id", "isin", "venue", "event_time", *_FACTORS),
    *("raw_partition", "raw_offset", *_WRITTEN),
)
_BAR = (
    *("entity_id", "interval_seconds", "price_type", "event_time", "venue", *_FACTORS),
    *_WRITTEN,
)
_COMPARED: Mapping[str, tuple[str, ...]] = {
    "reference.entity_history": (
        *("raw_key", "listing_id", "isin", "venue", "status", *_FACTORS),
        *("valid_from", "valid_to", "known_from"),
    ),
    "replayed.event": ("topic", "partition", "offset", "raw_key", "event_time", "known_at"),
}


@dataclass(frozen=True)
class Audit:
    """One audit: which file asks, of which topic's table, reading which of its columns.

    Without columns it is the ledger of the topic, whose rows are ranges of offsets.
    """

    name: str
    file: str
    topic: str
    columns: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """Return the table that is audited."""
        return contract(self.topic).topic.table

    @property
    def sql(self) -> str:
        """Return the question."""
        text = (SQL / self.file).read_text(encoding="utf-8")
        return Template(text).substitute(table=self.table, **self.parts)


@dataclass(frozen=True)
class Verdict:
    """What an audit found: how many of how many rows, and the first of them."""

    audit: Audit
    rows: int
    offending: int
    shown: tuple[dict[str, Any], ...]

    @property
    def passed(self) -> bool:
        """Tell whether no row offends."""
        return self.offending == 0


AUDITS = (
    *(
        Audit(
            f"look_ahead_{dataset}",
            "audits/look_ahead.sql",
            f"normalized.{dataset}",
            _NORMALIZED,
            {"topic": f"raw.{dataset}"},
        )
        for dataset in ("trade", "quote", "bar")
    ),
    Audit("look_ahead_computed_bar", "audits/look_ahead_computed_bar.sql", "analytics.bar", _BAR),
    *(
        Audit(f"ledger_{topic.partition('.')[2]}", ledger_lake.GAPS, topic)
        for topic in ledger_lake.RAW_TOPICS
    ),
)


def chosen(name: str | None) -> tuple[Audit, ...]:
    """Return the audits whose name begins with `name`; all without one.

    Raises `UsageError` ASKNOWN-AUDIT-001 when there is none.
    """
    found = tuple(audit for audit in AUDITS if audit.name.startswith(name or ""))
    if not found:
        raise UsageError(
            "ASKNOWN-AUDIT-001",
            f"expected an audit, or the beginning of its name, was {name!r}.",
            hint=f"use one of: {', '.join(audit.name for audit in AUDITS)}.",
        )
    return found


def run(config: Settings, audits: Sequence[Audit]) -> Iterator[Verdict]:
    """Run audits over the lake as it is when each begins."""
    with closing(duckdb.connect()) as database:
        database.execute("SET TimeZone = 'UTC'")
        compared = _COMPARED if any(audit.columns for audit in audits) else {}
        for topic, columns in compared.items():
            _keep(database, topic, _reader(config, topic, columns).read_all())
        for audit in audits:
            if audit.columns:
                yield _judge(database, audit, _reader(config, audit.topic, audit.columns))
            else:
                yield _look_up(config, audit)


def _look_up(config: Settings, audit: Audit) -> Verdict:
    (found,) = ledger_lake.read(config, [audit.topic])
    shown = tuple(gap.document() for gap in found.gaps)
    return Verdict(audit, found.total().raw, sum(found.faults.values()), shown)


def _judge(database: duckdb.DuckDBPyConnection, audit: Audit, reader: Any) -> Verdict:
    rows, offending = 0, 0
    shown: list[dict[str, Any]] = []
    for piece in _slices(reader):
        rows += piece.num_rows
        _keep(database, audit.topic, piece)
        found: Any = database.sql(audit.sql).to_arrow_table()
        offending += found.num_rows
        shown += found.slice(0, SHOWN - len(shown)).to_pylist()
    return Verdict(audit, rows, offending, tuple(shown))


def _reader(config: Settings, topic: str, columns: tuple[str, ...]) -> Any:
    table = lake(config).load_table(contract(topic).topic.table)
    return reader(table.scan(selected_fields=columns))


def _slices(reader: Any) -> Iterator[Any]:
    """Yield the rows in tables of about SLICE rows."""
    held: list[Any] = []
    for batch in reader:
        held.append(batch)
        if sum(one.num_rows for one in held) >= SLICE:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _keep(database: duckdb.DuckDBPyConnection, topic: str, rows: Any) -> None:
    """Make rows the table of a topic, under its name in the lake."""
    name = contract(topic).topic.table
    database.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
    database.register("arrived", rows)
    database.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM arrived")  # noqa: S608  # a name of topics.yaml
    database.unregister("arrived")
