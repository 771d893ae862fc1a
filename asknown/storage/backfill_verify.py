"""Compare what the lake holds of some days with what a bounded job has just recomputed of them.

The job writes to a folder of its own, so nothing is changed by looking. A day is equal when its
count and its checksum are; where they are not, `differences` names the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from asknown.contracts.catalog import Contract
from asknown.settings import Settings
from asknown.storage.heal import query
from asknown.storage.iceberg import lake
from asknown.storage.job_tables import job_table
from asknown.storage.partition_sums import (
    REBUILT,
    Database,
    Sum,
    compared,
    contract_of,
    database,
    grain,
    keep,
    of_day,
    sum_of,
    sum_of_day,
)

NOTHING = Sum(0, f"{0:016x}")
SHOWN = 20


@dataclass(frozen=True)
class Finding:
    """A day of a table: what it should hold, and what it does."""

    table: str
    day: date
    expected: Sum
    found: Sum

    @property
    def equal(self) -> bool:
        """Tell whether they are the same rows."""
        return self.expected == self.found

    @property
    def place(self) -> str:
        """Return the partition as `plan --corrupted` takes it."""
        return f"{self.table}:{self.day}"


def compare(config: Settings, folder: Path, days: Iterable[date]) -> list[Finding]:
    """Return what each (table, day) should hold by the job's tables in `folder`, and does."""
    return [
        Finding(table, day, _expected(config, folder, table, day), sum_of_day(table, day, config))
        for day in days
        for table in REBUILT
    ]


def differences(
    config: Settings, folder: Path, table: str, day: date
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return how many rows are missing, extra or changed, and the first of them by grain.

    A row that is there twice is one extra. `changed` names the columns with both values.
    """
    c = contract_of(table)
    with database(config) as found:
        keep(found, lake(config).load_table(table), c, day, "held")
        _keep_expected(found, folder, c, day)
        text = _question(c)
        counted = f"SELECT kind, COUNT(*) FROM ({text}) GROUP BY ALL"  # noqa: S608  # a file of ours
        counts = {str(kind): int(n) for kind, n in found.sql(counted).fetchall()}
        first: Any = found.sql(f"{text} LIMIT {SHOWN}").to_arrow_table()
    return counts, first.to_pylist()


def knowledge_of_day(config: Settings, day: date) -> int | None:
    """Return by which moment's knowledge a backfill has made a day, UTC milliseconds.

    None for a day that says what each moment knew: the stream's, or one made as known.
    """
    for table in REBUILT:
        names = ("kafka_partition", "kafka_offset")
        scan = lake(config).load_table(table).scan(_restated(day), selected_fields=names, limit=1)
        for row in scan.to_arrow().to_pylist():
            return int(row["kafka_offset"])
    return None


def _restated(day: date) -> str:
    return f"kafka_partition = -1 AND kafka_offset >= 0 AND {of_day(day)}"


def _expected(config: Settings, folder: Path, table: str, day: date) -> Sum:
    c = contract_of(table)
    made = job_table(folder, c)
    return NOTHING if made is None else sum_of(config, made, c, day)


def _keep_expected(found: Database, folder: Path, c: Contract, day: date) -> None:
    made = job_table(folder, c)
    if made is not None:
        keep(found, made, c, day, "made")
    else:
        found.execute("CREATE TABLE made AS SELECT * FROM held WHERE FALSE")


def _question(c: Contract) -> str:
    keys = grain(c)
    rest = [name for name in compared(c) if name not in keys]
    differs = [f'wanted."{n}" IS DISTINCT FROM found."{n}"' for n in rest]
    texts = (
        f"""CASE WHEN {one} THEN '{n}: ' || COALESCE(CAST(wanted."{n}" AS VARCHAR), 'null')"""
        f""" || ' -> ' || COALESCE(CAST(found."{n}" AS VARCHAR), 'null') END"""
        for n, one in zip(rest, differs, strict=True)
    )
    return query(
        "verify/differences.sql",
        grain=", ".join(keys),
        matched=" AND ".join(f'wanted."{n}" = found."{n}"' for n in keys),
        shown=", ".join(f'COALESCE(wanted."{n}", found."{n}") AS "{n}"' for n in keys),
        changed=f"CONCAT_WS(', ', {', '.join(texts)})",
        differs=f"({' OR '.join(differs)})",
    )
