"""Join features to events as they were known at each event: nothing that was learnt later."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from asknown.errors import AsknownError, ExitCode
from asknown.research.asking import bad
from asknown.research.daily import closes
from asknown.research.result import Result
from asknown.research.tables import TIME
from asknown.settings import CHECKOUT

SQL = CHECKOUT / "sql"
_MICROSECONDS = pa.timestamp("us", tz="UTC")
_NEVER = 2**62  # microseconds
_SHOWN = 3


class LookAheadError(AsknownError):
    """Report rows that were not known yet when they were used."""


def asof_join(  # noqa: PLR0913  # the parts of one join
    events: Any,
    features: Any,
    on: str = "event_time",
    by: str = "entity_id",
    known: str = "known_from",
    *,
    venue: str | None = None,
) -> pa.Table:
    """Return events with the value of each feature that was known at the event's own time.

    Of what was known (`known` <= `on`), believed then (before `known_to`, where there is one) and
    whose session had ended, the latest session day counts. Ask features with `revisions=True`, so
    that what was superseded since is there to be found. Each feature gives three columns: its name,
    and that with `_trade_date` and `_known_from`. Where nothing was known they are null.

    Sessions end at `close_time`; where features have none, at the close of `venue`.
    Raises UsageError ASKNOWN-RESEARCH-001 for tables that lack a column.
    """
    left, right = arrow(events), arrow(features)
    _require("events", left, (on, by))
    _require("features", right, (by, known, "trade_date", "value"))
    at = _micros("events", left, on)
    facts = _facts(right, by, known, venue)
    with closing(duckdb.connect()) as database:
        for name, places in _by_feature(right):
            moments = {"place": range(left.num_rows), "series": left.column(by), "at": at}
            chosen = _places(database, facts.take(places), pa.table(moments))
            if name in left.column_names:
                raise bad("events", f"no column {name!r} beside the feature's", name)
            for column, suffix in (("value", ""), ("trade_date", "_trade_date"), (known, _KNOWN)):
                left = left.append_column(name + suffix, right.column(column).take(chosen))
    return left


_KNOWN = "_known_from"


def check_known(rows: Any, on: str = "event_time", known: str = "known_from") -> None:
    """Raise LookAheadError ASKNOWN-RESEARCH-008 for rows used before they were known.

    Rows of which nothing was known (null) used nothing.
    """
    table = arrow(rows)
    _require("rows", table, (on, known))
    at, since = (table.column(name).cast(_MICROSECONDS, safe=False) for name in (on, known))
    early = table.filter(pc.fill_null(pc.greater(since, at), False))
    if early.num_rows:
        shown = early.select([on, known]).slice(0, _SHOWN).to_pylist()
        pairs = "; ".join(f"{row[on]} used what was known from {row[known]}" for row in shown)
        raise LookAheadError(
            "ASKNOWN-RESEARCH-008",
            f"expected every row to use what was known by {on}, found {early.num_rows} of"
            f" {table.num_rows} that did not: {pairs}.",
            hint="asof_join(events, features), or ask with known_at.",
            exit_code=ExitCode.CHECK_FAILED,
        )


def arrow(rows: Any) -> pa.Table:
    """Return a result, an Arrow table, a Pandas or a Polars frame as an Arrow table."""
    if isinstance(rows, Result):
        return rows.to_arrow()
    if isinstance(rows, pa.Table):
        return rows
    if hasattr(rows, "columns") and hasattr(rows, "index"):
        return pa.Table.from_pandas(rows, preserve_index=False)
    return pa.table(rows)


def _facts(features: pa.Table, by: str, known: str, venue: str | None) -> pa.Table:
    since = _micros("features", features, known)
    if "close_time" in features.column_names:
        ends = _micros("features", features, "close_time")
    elif venue is not None:
        days = features.column("trade_date").to_pylist()
        found = closes(venue, sorted(set(days)))
        ends = pa.array([found[day] for day in days], pa.int64()).cast(TIME)
        ends = ends.cast(_MICROSECONDS).cast(pa.int64())
    else:
        raise bad("features", "a column close_time, or venue=, whose sessions end", "neither")
    until: Any = pa.array([_NEVER] * features.num_rows, pa.int64())
    if "known_to" in features.column_names:
        until = features.column("known_to").cast(_MICROSECONDS, safe=False).cast(pa.int64())
    return pa.table(
        {
            "series": features.column(by),
            "available": pc.max_element_wise(since, ends),
            "withdrawn": pc.fill_null(until, _NEVER),
            "trade_day": features.column("trade_date").cast(pa.date32()).cast(pa.int32()),
            "known": since,
            "place": pa.array(range(features.num_rows), pa.int64()),
        }
    )


def _by_feature(features: pa.Table) -> list[tuple[str, Any]]:
    """Return the name of each feature and where its rows are; `value` where they have no name."""
    if "feature_name" not in features.column_names:
        return [("value", pa.array(range(features.num_rows), pa.int64()))]
    names = features.column("feature_name")
    found = sorted(names.unique().to_pylist())
    return [(name, pc.indices_nonzero(pc.equal(names, name))) for name in found]


def _places(database: duckdb.DuckDBPyConnection, facts: pa.Table, events: pa.Table) -> Any:
    """Return for each event which row is to be used."""
    database.register("facts", facts)
    database.register("events", events)
    best = (SQL / "library/asof_best.sql").read_text(encoding="utf-8")
    database.execute(f"CREATE OR REPLACE TEMP TABLE best AS {best}")
    join = (SQL / "library/asof_join.sql").read_text(encoding="utf-8")
    found = database.sql(join).to_arrow_table()
    return found.column("place").combine_chunks()


def _micros(what: str, table: pa.Table, name: str) -> Any:
    column = table.column(name)
    if not pa.types.is_timestamp(column.type):
        raise bad(what, f"times in {name}", str(column.type))
    if column.null_count:
        raise bad(what, f"a time in every row of {name}", f"{column.null_count} nulls")
    return column.cast(_MICROSECONDS, safe=False).cast(pa.int64())


def _require(what: str, table: pa.Table, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise bad(what, f"a column {missing[0]!r}", ", ".join(table.column_names))
