"""Adjust columns of Arrow by the rule of `asknown.reference.adjusting`, many rows at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from asknown.reference.adjusting import (
    UNADJUSTED,
    Adjust,
    Factors,
    Stretch,
    Timeline,
    ratios,
    scaled,
)
from asknown.reference.moments import milliseconds
from asknown.research.sources import Source
from asknown.research.tables import DECIMAL

_FACTORS = ("price", "split", "share")
# Of a product of two decimals: 38 digits of a price and 37 of a ratio, 30 of them behind the point.
_WIDE, _RATIO = pa.decimal256(38, 8), pa.decimal256(37, 30)
_LEAST, _MOST = 1e-13, 1e6  # ratios outside have digits that _RATIO cannot hold
Lines = Mapping[str, Timeline[Any]]


def adjust_table(
    table: pa.Table, source: Source, adjust: Adjust, lines: Lines, known_at: datetime
) -> pa.Table:
    """Return rows adjusted as seen from `known_at` and by its knowledge.

    Factors become those a row was adjusted with, of its own time by that knowledge; its
    factor_version stays.
    """
    if adjust is Adjust.RAW or table.num_rows == 0:
        return table
    listings = table.column("entity_id").to_pylist()
    then = _factors(table, source, lines, listings)
    basis = {listing: line.factors(known_at) for listing, line in lines.items()}
    told = [(listing, factors) for listing, factors in zip(listings, then, strict=True)]
    known = {one: ratios(adjust, one[1], basis[one[0]]) for one in set(told)}
    columns: dict[str, Any] = {name: table.column(name) for name in table.column_names}
    for name in _FACTORS:
        columns[f"{name}_factor"] = pa.array([getattr(f, name) for f in then], pa.float64())
    for place, names in enumerate((source.prices, source.sizes)):
        by = [known[one][place] for one in told]
        for name in names:
            columns[name] = scaled_column(columns[name], by)
    return pa.table(columns)


def scaled_column(values: Any, by: list[float]) -> Any:
    """Return decimals, each times its ratio, as `scaled` does it one by one."""
    if all(ratio == 1.0 for ratio in by):
        return values
    if not all(_LEAST <= ratio <= _MOST for ratio in set(by)):
        found = zip(values.to_pylist(), by, strict=True)
        return pa.array([None if v is None else scaled(v, ratio) for v, ratio in found], DECIMAL)
    distinct = {ratio: number for number, ratio in enumerate(dict.fromkeys(by))}
    held = pa.array([Decimal(repr(ratio)) for ratio in distinct], _RATIO)
    wide = held.take(pa.array([distinct[ratio] for ratio in by], pa.int32()))
    product = pc.multiply(pc.cast(values, _WIDE), wide)
    return pc.cast(pc.round(product, ndigits=8, round_mode="half_to_even"), DECIMAL)


def _factors(table: pa.Table, source: Source, lines: Lines, listings: list[str]) -> list[Factors]:
    """Return the factors of each row's own time."""
    starts = table.column(source.time).cast(pa.int64()).to_numpy()
    names = np.array(listings, dtype=object)
    found: list[Factors] = [UNADJUSTED] * len(listings)
    for listing in dict.fromkeys(listings):
        (rows,) = np.nonzero(names == listing)
        line = lines[listing]
        begun = np.array([milliseconds(point.valid_from) for point in line.points])
        places = np.searchsorted(begun, starts[rows], side="right")
        by_place = {int(place): _at(line, int(place)) for place in set(places.tolist())}
        for row, place in zip(rows.tolist(), places.tolist(), strict=True):
            found[row] = by_place[place]
        if source.cut:
            _take_parts(table, line, rows, starts, found)
    return found


def _take_parts(table: pa.Table, line: Any, rows: Any, starts: Any, found: list[Factors]) -> None:
    """Put the factors of their part into rows within which the factors changed."""
    begun = np.array([milliseconds(point.valid_from) for point in line.points])
    seconds = table.column("interval_seconds").to_numpy()[rows]
    first = np.searchsorted(begun, starts[rows], side="right")
    last = np.searchsorted(begun, starts[rows] + seconds * 1000, side="left")
    for row in rows[first < last].tolist():
        stored = Factors(*(table.column(f"{name}_factor")[row].as_py() for name in _FACTORS))
        start = datetime.fromtimestamp(int(starts[row]) / 1000, UTC)
        span = timedelta(seconds=table.column("interval_seconds")[row].as_py())
        found[row] = line.factors_of_part(start, start + span, stored)


def _at(line: Timeline[Stretch], place: int) -> Factors:
    return line.points[place - 1].factors if place else UNADJUSTED
