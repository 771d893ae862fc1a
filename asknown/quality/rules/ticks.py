"""The check of tick sizes: a price is a multiple of the smallest step its venue allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from asknown.quality.rules.check import Check, Columns, Record, joined, number_sql, value
from asknown.quality.rules.times import instant

FILE = "ticks.yaml"
_PREFIX = re.compile(r"[A-Z0-9:.-]+")  # nothing that LIKE reads as more than itself


@dataclass(frozen=True)
class Band:
    """The tick of prices below a bound; None is the band without one."""

    below: Decimal | None
    tick: Decimal


@dataclass(frozen=True)
class Ticks:
    """The ticks of all keys with a prefix, from a day (UTC) on and before another."""

    prefix: str
    first: str
    end: str
    bands: tuple[Band, ...]

    def condition_sql(self, columns: Columns) -> str:
        """Return whether these ticks are the record's."""
        time = columns.sql("event_time")
        return (
            f"{columns.sql('entity_id')} LIKE '{self.prefix}%' "
            f"AND {time} >= TIMESTAMP '{self.first}' AND {time} < TIMESTAMP '{self.end}'"
        )

    def tick_sql(self, price: str) -> str:
        """Return the tick of a price."""
        *bounded, last = self.bands
        if not bounded:
            return number_sql(last.tick)
        cases = " ".join(
            f"WHEN {price} < {number_sql(band.below or 0)} THEN {number_sql(band.tick)}"
            for band in bounded
        )
        return f"CASE {cases} ELSE {number_sql(last.tick)} END"

    def of(self, record: Record) -> bool:
        """Tell whether these ticks are the record's."""
        time: datetime = record["event_time"]
        return str(record["entity_id"]).startswith(self.prefix) and (
            instant(self.first) <= time < instant(self.end)
        )

    def tick(self, price: Decimal) -> Decimal:
        """Return the tick of a price."""
        return next(b.tick for b in self.bands if b.below is None or price < b.below)


@dataclass(frozen=True)
class OnTick(Check):
    """Keep prices on the tick of their venue; a venue whose ticks are not known is not judged."""

    names: tuple[str, ...]
    ticks: tuple[Ticks, ...]

    @property
    def compares(self) -> frozenset[str]:
        """Return the prices, and what names their venue and time."""
        return frozenset({*self.names, "entity_id", "event_time"})

    def sql(self, columns: Columns) -> str:
        """Return that a price leaves a remainder, for each venue."""
        conditions = []
        for ticks in self.ticks:
            prices = [columns.sql(name) for name in self.names]
            off = " OR ".join(f"OFF_TICK({p}, {ticks.tick_sql(p)})" for p in prices)
            conditions.append(f"({ticks.condition_sql(columns)} AND ({off}))")
        return " OR ".join(conditions) or "FALSE"

    def violated(self, record: Record) -> bool:
        """Tell whether a price leaves a remainder."""
        prices = [value(record, name) for name in self.names]
        return any(
            price % ticks.tick(price) != 0
            for ticks in self.ticks
            if ticks.of(record)
            for price in prices
        )

    def words(self) -> str:
        """Return the names, and where the sizes are."""
        return f"{joined(self.names)} a multiple of the venue's tick ({FILE})"


def load(folder: Path, dataset: str) -> tuple[Ticks, ...]:
    """Read the ticks that hold for a dataset.

    Raises `ValueError` for what cannot be read.
    """
    document = yaml.safe_load((folder / FILE).read_text(encoding="utf-8"))
    return tuple(
        _ticks(entry) for entry in document["ticks"] if dataset in entry.get("datasets", [dataset])
    )


def _ticks(entry: Mapping[str, Any]) -> Ticks:
    unknown = set(entry) - {"prefix", "datasets", "from", "to", "sizes", "source"}
    sizes = entry["sizes"]
    if unknown or not _PREFIX.fullmatch(entry["prefix"]) or not entry["source"]:
        raise ValueError(f"unknown keys, an odd prefix or no source: {entry}")
    bands = tuple(
        Band(Decimal(size["below"]) if "below" in size else None, Decimal(size["tick"]))
        for size in sizes
    )
    bounds = [band.below for band in bands[:-1]]
    if bands[-1].below is not None or None in bounds or any(band.tick <= 0 for band in bands):
        raise ValueError(f"only the last size has no bound: {entry}")
    return Ticks(entry["prefix"], _day(entry["from"]), _day(entry["to"]), bands)


def _day(day: date) -> str:
    return f"{day.isoformat()} 00:00:00"
