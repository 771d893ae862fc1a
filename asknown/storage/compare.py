"""Compare silver and gold with what bronze gives when it is computed again, day by day.

A bounded job writes its rows into tables of a folder (`jobs/backfill`, `--out`); here their count
and checksum are held against those of the lake. Nothing in the lake changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from asknown.contracts.catalog import Contract, contract
from asknown.settings import Settings
from asknown.storage.checksum import Checksum, of_relation
from asknown.storage.heal import BARS, connect, query, rows_between
from asknown.storage.heal_fates import rows_of_run

COMPUTED = ("normalized.trade", "normalized.quote", BARS)
RAW = ("raw.trade", "raw.quote")
_DAY = timedelta(days=1)
# A bar that was revised has another number and with it another id; what it says has to be the same.
_NUMBERED = ("event_id", "revision", "ingest_time")


@dataclass(frozen=True)
class Comparison:
    """One day of a table: what bronze gives, and what the lake has."""

    table: str
    day: date
    expected: Checksum
    found: Checksum

    @property
    def same(self) -> bool:
        """Tell whether the rows are the same."""
        return self.expected == self.found

    def document(self) -> dict[str, Any]:
        """Return it as names and values."""
        return {
            "table": self.table,
            "day": self.day,
            "expected_rows": self.expected.rows,
            "found_rows": self.found.rows,
            "expected_checksum": f"{self.expected.value:016x}",
            "found_checksum": f"{self.found.value:016x}",
            "same": self.same,
        }


def days(first: date, end: date) -> Iterator[date]:
    """Yield the days [first, end)."""
    for number in range((end - first).days):
        yield first + _DAY * number


def hours(day: date) -> str:
    """Return the argument by which the bounded job computes one day: spans in UTC milliseconds."""
    start, end = _span(day)
    return ";".join(f"{topic}={start}-{end}" for topic in RAW)


def compare(
    config: Settings, folder: Path, day: date, topics: Sequence[str] = COMPUTED
) -> Iterator[Comparison]:
    """Hold the job's rows of a day, in tables of the folder, against the lake's, table by table."""
    for topic in topics:
        c = contract(topic)
        names = columns(c)
        with closing(connect()) as database:
            database.register(
                "stored", rows_between(config, topic, (*names, *_grain(c)), [_span(day)])
            )
            rows_of_run(database, c, folder)
            made = topic.replace(".", "_")
            yield Comparison(
                c.topic.table,
                day,
                _checksum(database, c, made, names),
                _checksum(database, c, "stored", names),
            )


def columns(c: Contract) -> list[str]:
    """Return what has to be equal: all but where a row lay in Kafka, and a bar's numbering."""
    left_out = _NUMBERED if c.topic.name == BARS else ()
    return [f.name for f in (*c.envelope, *c.payload) if f.name not in left_out]


def _grain(c: Contract) -> tuple[str, ...]:
    return ("revision",) if c.topic.name == BARS else ()


def _checksum(database: Any, c: Contract, relation: str, names: Sequence[str]) -> Checksum:
    if c.topic.name == BARS:
        newest = query("recover/newest_bar.sql", bars=relation)
        database.execute(f"CREATE VIEW newest_{relation} AS {newest}")
        relation = f"newest_{relation}"
    found: Mapping[tuple[Any, ...], Checksum] = of_relation(database, relation, names)
    return found.get((), Checksum())


def _span(day: date) -> tuple[int, int]:
    start = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
    return start, start + 86_400_000
