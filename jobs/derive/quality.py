"""Measure normalized records: per source and minute of event time, one row a measurement.

One aggregation per dataset, over all sources at once, then one row for each thing measured. What is
measured, and in which unit: docs/quality.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from asknown.contracts.catalog import contract
from asknown.contracts.render import quote
from asknown.quality.reasons import Reason
from jobs.runtime.tables import Tables

OUTPUT = "analytics.quality"
# A square of a DECIMAL(18, 8) has at most 20 digits before the point; a million of them add up.
_SQUARE = "DECIMAL(38, 12)"


@dataclass(frozen=True)
class Measured:
    """Columns of a dataset whose missing values are counted, and whose values are described."""

    optional: tuple[str, ...]
    numbers: tuple[str, ...]


_IDENTITY = ("isin", "venue", "trade_date")
MEASURED: Mapping[str, Measured] = {
    "normalized.trade": Measured((*_IDENTITY, "sequence"), ("price", "size")),
    "normalized.quote": Measured(
        (*_IDENTITY, "sequence", "bid_size", "ask_size"),
        ("bid_price", "bid_size", "ask_price", "ask_size"),
    ),
    "normalized.bar": Measured(_IDENTITY, ("close", "volume")),
}


def build(tables: Tables) -> str:
    """Return the view of all measurements of the normalized datasets that `tables` holds."""
    return tables.union("analytics_quality", [_of(tables, t) for t in tables if t in MEASURED])


def _of(tables: Tables, topic: str) -> str:
    dataset, measured = topic.partition(".")[2], MEASURED[topic]
    names = dict.fromkeys((*measured.optional, *measured.numbers))
    readings = tables.view(
        f"quality_reading_{dataset}",
        "quality/reading.sql",
        normalized=tables[topic],
        late=tables.late,
        order_violation=Reason.OUT_OF_ORDER,
        columns=", ".join(quote(name) for name in names),
    )
    texts = {f.name for f in contract(topic).payload if f.type.kind == "string"}
    minutes = tables.view(
        f"quality_minute_{dataset}",
        "quality/minute.sql",
        readings=readings,
        aggregates=",\n    ".join(_aggregates(measured, texts)),
    )
    return tables.view(
        f"quality_{dataset}",
        "quality/measurement.sql",
        dataset=dataset,
        minutes=minutes,
        measurements=f"ARRAY[{', '.join(_measurements(measured))}]",
    )


def _aggregates(measured: Measured, texts: set[str]) -> list[str]:
    """Return the aggregates of the columns: how many there are, and their moments."""
    counted = []
    for name in dict.fromkeys((*measured.optional, *measured.numbers)):
        # An empty text says as little as none.
        value = f"NULLIF({quote(name)}, '')" if name in texts else quote(name)
        counted.append(f"COUNT({value}) AS `{name}_count`")
    moments = [
        part
        for name in measured.numbers
        for part in (
            f"SUM({quote(name)}) AS `{name}_sum`",
            f"SUM(CAST({quote(name)} * {quote(name)} AS {_SQUARE})) AS `{name}_square_sum`",
            f"MIN({quote(name)}) AS `{name}_min`",
            f"MAX({quote(name)}) AS `{name}_max`",
        )
    ]
    return counted + moments


def _measurements(measured: Measured) -> list[str]:
    """Return the rows made of a minute: metric, column, value, records it was computed from."""
    records = "CAST(records AS DOUBLE)"
    rows = [
        _row("records", None, records),
        _row("flagged_share", None, f"CAST(flagged AS DOUBLE) / {records}"),
        _row("order_violation_share", None, f"CAST(order_violations AS DOUBLE) / {records}"),
        _row("delay_mean", None, f"CAST(delay_sum AS DOUBLE) / {records}"),
        _row("delay_max", None, "CAST(delay_max AS DOUBLE)"),
    ]
    rows += [
        _row("null_share", name, f"CAST(records - `{name}_count` AS DOUBLE) / {records}")
        for name in measured.optional
    ]
    for name in measured.numbers:
        count = f"`{name}_count`"
        number = f"NULLIF(CAST({count} AS DOUBLE), 0)"
        mean = f"CAST(`{name}_sum` AS DOUBLE) / {number}"
        variance = f"CAST(`{name}_square_sum` AS DOUBLE) / {number} - ({mean}) * ({mean})"
        deviation = f"SQRT(CASE WHEN {variance} > 0 THEN {variance} ELSE 0 END)"
        # A column without any value has no deviation either.
        deviation = f"CASE WHEN {count} > 0 THEN {deviation} END"
        rows += [
            _row("mean", name, mean, count),
            _row("stddev", name, deviation, count),
            _row("min", name, f"CAST(`{name}_min` AS DOUBLE)", count),
            _row("max", name, f"CAST(`{name}_max` AS DOUBLE)", count),
        ]
    return rows


def _row(metric: str, column: str | None, value: str, records: str = "records") -> str:
    name = "NULL" if column is None else f"'{column}'"
    return f"ROW(CAST('{metric}' AS STRING), CAST({name} AS STRING), {value}, {records})"
