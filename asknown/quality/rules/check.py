"""What every kind of check has in common: SQL, Python, words, and the columns it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

PAYLOAD = "payload."
DECIMAL = "DECIMAL(18, 8)"  # the columns' own type: a wider literal would leave Flink's fast path
SCALE = 8

# A record nested as on the wire: prices are Decimal, times aware datetimes. What a job knows of it
# beside (kafka_time, price_factor, what came before) stands next to the envelope.
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Columns:
    """Address the columns of a record in SQL; an empty payload means a flattened table.

    `names` says how a column is reached that is not called by its own name there.
    """

    payload: str
    names: Mapping[str, str] = field(default_factory=dict)

    def sql(self, name: str) -> str:
        """Return the SQL expression of a column such as `payload.price`."""
        if name in self.names:
            return self.names[name]
        if not name.startswith(PAYLOAD):
            return f"`{name}`"
        column = f"`{name.removeprefix(PAYLOAD)}`"
        return f"`{self.payload}`.{column}" if self.payload else column


class Check(ABC):
    """One kind of check."""

    @property
    def requires(self) -> frozenset[str]:
        """Return the columns that are certainly there once the check has passed."""
        return frozenset()

    @property
    def compares(self) -> frozenset[str]:
        """Return the columns that must be there before the check can be asked."""
        return frozenset()

    @property
    def found(self) -> tuple[str, ...]:
        """Return the numbers that say what was wrong."""
        return ()

    @property
    def remembers(self) -> bool:
        """Tell whether the check needs what came before the record."""
        return False

    @abstractmethod
    def sql(self, columns: Columns) -> str:
        """Return an SQL condition that is true when the check is violated."""

    @abstractmethod
    def violated(self, record: Record) -> bool:
        """Tell whether a record violates the check."""

    @abstractmethod
    def words(self) -> str:
        """Return what the check asks for, in words."""


def value(record: Record, name: str) -> Any:
    """Return a column of a nested record; None when it, or its payload, is missing."""
    if name.startswith(PAYLOAD):
        return (record.get("payload") or {}).get(name.removeprefix(PAYLOAD))
    return record.get(name)


def number_sql(bound: Decimal | int) -> str:
    """Return a literal of the type that prices and sizes have."""
    return f"CAST({bound} AS {DECIMAL})"


def text_sql(text: str) -> str:
    """Return a literal of a text."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def joined(words: Iterable[str], last: str = "and") -> str:
    """Return `a, b and c`."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end
