"""Checks that look at what came before a record of the same key, and the memory they need.

In a job the memory is the aggregate KEY_HISTORY (infra/flink-cluster), in the one pass that also
places the record; `KeyHistory` is the same in Python. Both know nothing of the order within a
millisecond, so a stream and a batch remember the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

from asknown.quality.rules.check import SCALE, Check, Columns, Record, joined, value

# What the memory says of the rows before a record.
PRIOR_OFFSET = "prior_offset"
PRIOR_TIME = "prior_time"
PRIOR_PRICE = "prior_price"
PRIOR_FACTOR = "prior_factor"
PRIOR = (PRIOR_OFFSET, PRIOR_TIME, PRIOR_PRICE, PRIOR_FACTOR)
FACTOR = "price_factor"
OFFSET = "kafka_offset"
_NO_PRICE = "CAST(NULL AS DOUBLE)"


@dataclass(frozen=True)
class Monotonic(Check):
    """Notice disorder: the record before this one, by event time, came after it.

    One straggler flags the record that follows it in time, not all that overtook it.
    """

    name: str = "event_time"

    @property
    def remembers(self) -> bool:
        """Return that it does."""
        return True

    def sql(self, columns: Columns) -> str:
        """Return `prior_offset > kafka_offset`."""
        return f"{columns.sql(PRIOR_OFFSET)} > {columns.sql(OFFSET)}"

    def violated(self, record: Record) -> bool:
        """Tell whether the record before it came after it."""
        prior = record.get(PRIOR_OFFSET)
        return prior is not None and prior > record[OFFSET]

    def words(self) -> str:
        """Return the order that is asked for."""
        return f"records of a key in the order of their {self.name}"


@dataclass(frozen=True)
class Gap(Check):
    """Notice a price that no action explains.

    The price and the key's previous one differ by more than `percent`, as they are and without the
    factors of their times, and the previous one is at most `days` old. Both, because an action
    that is learnt late changes the factor where the price does not move: nothing is to explain
    there. `price` is one column, or two of which the middle is taken; `previous` is what is kept
    for the next record. With `only` (a column and a value) other records neither are asked nor
    kept.
    """

    price: tuple[str, ...]
    previous: tuple[str, ...]
    percent: int
    days: int
    only: tuple[str, int] | None = None

    @property
    def compares(self) -> frozenset[str]:
        """Return the columns of the prices."""
        only = {self.only[0]} if self.only else set()
        return frozenset({*self.price, *self.previous, *only, "event_time"})

    @property
    def remembers(self) -> bool:
        """Return that it does."""
        return True

    def previous_sql(self, columns: Columns) -> str:
        """Return the price that is kept; one column goes as it is, so that it is shipped once."""
        price = columns.sql(self.previous[0])
        if len(self.previous) > 1:
            price = _price_sql(columns, self.previous)
        return f"CASE WHEN {self._only_sql(columns)} THEN {price} END" if self.only else price

    def previous_of(self, record: Record) -> float | None:
        """Return the price that is kept of a record."""
        return _price(record, self.previous) if self._asked(record) else None

    def sql(self, columns: Columns) -> str:
        """Return that the price lies outside the band around the previous one."""
        now = _price_sql(columns, self.price)
        prior = columns.sql(PRIOR_PRICE)
        level = f"{now} * {columns.sql(PRIOR_FACTOR)}"  # multiplied: no division by nothing
        expected = f"{prior} * {columns.sql(FACTOR)}"
        only = f" AND {self._only_sql(columns)}" if self.only else ""
        return (
            f"{self._outside_sql(now, prior)} AND {self._outside_sql(level, expected)} AND "
            f"{columns.sql('event_time')} <= {columns.sql(PRIOR_TIME)} "
            f"+ INTERVAL '{self.days}' DAY{only}"
        )

    def violated(self, record: Record) -> bool:
        """Tell whether the price lies outside the band around the previous one."""
        prior, then = record.get(PRIOR_PRICE), record.get(PRIOR_TIME)
        before, factor = record.get(PRIOR_FACTOR), record.get(FACTOR)
        now = _price(record, self.price)
        if now is None or prior is None or then is None or before is None or factor is None:
            return False
        if not self._asked(record) or record["event_time"] > then + timedelta(days=self.days):
            return False
        return self._outside(now, prior) and self._outside(now * before, prior * factor)

    def _outside_sql(self, price: str, expected: str) -> str:
        above, below = f"{expected} * {self._above!r}E0", f"{expected} * {self._below!r}E0"
        return f"({price} > {above} OR {price} < {below})"

    def _outside(self, price: float, expected: float) -> bool:
        return price > expected * self._above or price < expected * self._below

    def words(self) -> str:
        """Return the band."""
        return (
            f"{_named(self.price)} within {self.percent} % of the key's previous "
            f"{_named(self.previous)}, as it was or without their factors, if that is at most "
            f"{self.days} days old"
        )

    @property
    def _above(self) -> float:
        return (100 + self.percent) / 100

    @property
    def _below(self) -> float:
        return (100 - self.percent) / 100

    def _only_sql(self, columns: Columns) -> str:
        name, wanted = self.only or ("", 0)
        return f"{columns.sql(name)} = {wanted}"

    def _asked(self, record: Record) -> bool:
        return self.only is None or value(record, self.only[0]) == self.only[1]


def previous_sql(gap: Gap | None, columns: Columns) -> str:
    """Return the price that KEY_HISTORY keeps of a row."""
    return gap.previous_sql(columns) if gap else _NO_PRICE


class KeyHistory:
    """Remembers the rows of one key. Rows come by event time, those of one millisecond together.

    A row without `event_id` is a change point: what the key means from then on (`price_factor`,
    `listing_id`). A key that comes to mean another listing forgets its price.
    """

    def __init__(self, gap: Gap | None = None) -> None:
        self._gap = gap
        self._factor: float | None = None
        self._listing: str | None = None
        self._offset: int | None = None
        self._price: tuple[datetime, float, float] | None = None

    def take(self, rows: Sequence[Record]) -> list[dict[str, Any]]:
        """Take all rows of one event time; return the records among them with their memory."""
        for change in (row for row in rows if row.get("event_id") is None):
            self._factor = change.get(FACTOR)
            if change.get("listing_id") != self._listing:
                self._listing, self._price = change.get("listing_id"), None
        records = [row for row in rows if row.get("event_id") is not None]
        last = self._price or (None, None, None)
        prior = dict(zip(PRIOR, (self._offset, *last), strict=True))
        known = [{**record, **prior, FACTOR: self._factor} for record in records]
        self._keep(records)
        return known

    def _keep(self, records: Sequence[Record]) -> None:
        if not records:
            return
        first: dict[str, int] = {}  # of the copies of an event the one that came first
        for record in records:
            offset = record[OFFSET]
            first[record["event_id"]] = min(first.get(record["event_id"], offset), offset)
        self._offset = max(first.values())
        if self._gap is None or self._factor is None:
            return
        for record in sorted(records, key=itemgetter(OFFSET), reverse=True):
            price = self._gap.previous_of(record)
            if price is not None:
                self._price = (record["event_time"], price, self._factor)
                return


def with_history(rows: Iterable[Record], gap: Gap | None) -> list[dict[str, Any]]:
    """Return the records of one key, in any order, with what was remembered at each."""
    history = KeyHistory(gap)
    ordered = sorted(rows, key=itemgetter("event_time"))
    return [
        record
        for _, peers in groupby(ordered, key=itemgetter("event_time"))
        for record in history.take(list(peers))
    ]


def _price_sql(columns: Columns, names: tuple[str, ...]) -> str:
    numbers = [f"CAST({columns.sql(name)} AS DOUBLE)" for name in names]
    return numbers[0] if len(numbers) == 1 else f"(({numbers[0]} + {numbers[1]}) / 2)"


def _price(record: Record, names: tuple[str, ...]) -> float | None:
    found = [value(record, name) for name in names]
    if None in found:
        return None
    numbers = [_double(one) for one in found]
    return numbers[0] if len(numbers) == 1 else (numbers[0] + numbers[1]) / 2


def _double(number: Decimal) -> float:
    """Return the double that Flink and DuckDB make of a decimal."""
    return float(int(number.scaleb(SCALE))) / 10.0**SCALE


def _named(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"middle of {joined(names)}"
