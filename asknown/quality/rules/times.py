"""Checks of the times of one record; never against the wall clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asknown.quality.rules.check import Check, Columns, Record, value

KAFKA_TIME = "kafka_time"  # when the broker took the record: there behind Kafka, not before it


def time_sql(columns: Columns, name: str) -> str:
    """Return a time as the contracts have it; the broker's has a zone in a live table."""
    column = columns.sql(name)
    return f"CAST({column} AS TIMESTAMP(3))" if name == KAFKA_TIME else column


def instant(text: str) -> datetime:
    """Return the instant of `YYYY-MM-DD hh:mm:ss` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class NotBefore(Check):
    """Refuse times before an instant; the text is `YYYY-MM-DD hh:mm:ss` in UTC."""

    name: str
    instant: str

    @property
    def compares(self) -> frozenset[str]:
        """Return the column."""
        return frozenset({self.name})

    def sql(self, columns: Columns) -> str:
        """Return `column < TIMESTAMP '...'`."""
        return f"{columns.sql(self.name)} < TIMESTAMP '{self.instant}'"

    def violated(self, record: Record) -> bool:
        """Tell whether the time lies before the instant."""
        return bool(value(record, self.name) < instant(self.instant))

    def words(self) -> str:
        """Return the bound."""
        return f"{self.name} not before {self.instant}"


@dataclass(frozen=True)
class Before(Check):
    """Refuse times from an instant on."""

    name: str
    instant: str

    @property
    def compares(self) -> frozenset[str]:
        """Return the column."""
        return frozenset({self.name})

    def sql(self, columns: Columns) -> str:
        """Return `column >= TIMESTAMP '...'`."""
        return f"{columns.sql(self.name)} >= TIMESTAMP '{self.instant}'"

    def violated(self, record: Record) -> bool:
        """Tell whether the time does not lie before the instant."""
        return bool(value(record, self.name) >= instant(self.instant))

    def words(self) -> str:
        """Return the bound."""
        return f"{self.name} before {self.instant}"


@dataclass(frozen=True)
class NotAhead(Check):
    """Refuse times more than `minutes` ahead of another column of the same record.

    A missing reference that is `optional` holds nothing back.
    """

    name: str
    reference: str
    minutes: int
    optional: bool = False

    @property
    def compares(self) -> frozenset[str]:
        """Return both times."""
        return frozenset({self.name} if self.optional else {self.name, self.reference})

    def sql(self, columns: Columns) -> str:
        """Return `column > reference + INTERVAL 'n' MINUTE`."""
        limit = f"{time_sql(columns, self.reference)} + INTERVAL '{self.minutes}' MINUTE"
        return f"{columns.sql(self.name)} > {limit}"

    def violated(self, record: Record) -> bool:
        """Tell whether the time is too far ahead."""
        reference = value(record, self.reference)
        if self.optional and reference is None:
            return False
        return bool(value(record, self.name) > reference + timedelta(minutes=self.minutes))

    def words(self) -> str:
        """Return the limit."""
        return f"{self.name} at most {self.minutes} minutes ahead of {self.reference}"


@dataclass(frozen=True)
class Stale(Check):
    """Notice a source that is behind: the time lies `minutes` or more after what it belongs to.

    Above `hours` it is no source that is behind but history that is being loaded.
    """

    name: str
    behind: str
    minutes: int
    hours: int

    @property
    def compares(self) -> frozenset[str]:
        """Return both times."""
        return frozenset({self.name, self.behind})

    def sql(self, columns: Columns) -> str:
        """Return that the time lies between the two limits."""
        late, source = columns.sql(self.name), columns.sql(self.behind)
        return (
            f"{late} > {source} + INTERVAL '{self.minutes}' MINUTE "
            f"AND {late} <= {source} + INTERVAL '{self.hours}' HOUR"
        )

    def violated(self, record: Record) -> bool:
        """Tell whether the time lies between the two limits."""
        late = value(record, self.name) - value(record, self.behind)
        return bool(timedelta(minutes=self.minutes) < late <= timedelta(hours=self.hours))

    def words(self) -> str:
        """Return the limits."""
        return (
            f"{self.name} at most {self.minutes} minutes after {self.behind} "
            f"(or more than {self.hours} hours: history)"
        )
