"""Read tables of the lake, each in the state it had when it was first read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table

from asknown.errors import AsknownError, UsageError
from asknown.reference.moments import FOR_EVER
from asknown.research.sources import Source
from asknown.research.where import EVERY, at_most, every

TIME = pa.timestamp("ms", tz="UTC")
DECIMAL = pa.decimal128(38, 8)
_EVER = FOR_EVER.date()
_CONSTANT = {"price_type": "trade"}  # of tables that hold no other


class Tables:
    """The tables of one answer. `snapshots` are the states read so far; None was empty."""

    def __init__(self, catalog: Catalog, snapshots: Mapping[str, int | None]) -> None:
        """Keep the catalog and the states that are asked for by number."""
        self._catalog = catalog
        self._opened: dict[str, Table] = {}
        self.snapshots: dict[str, int | None] = dict(snapshots)
        self.schemas: dict[str, int] = {}

    def open(self, name: str) -> Table:
        """Return a table, pinned to a state.

        Raises UsageError ASKNOWN-RESEARCH-002 for a table the lake does not have, AsknownError
        ASKNOWN-RESEARCH-003 for a state that was expired.
        """
        if name in self._opened:
            return self._opened[name]
        try:
            table = self._catalog.load_table(name)
        except NoSuchTableError as error:
            raise UsageError(
                "ASKNOWN-RESEARCH-002",
                f"expected a table of the lake, found {name!r}.",
                hint="`asknown up` makes the tables; connect() reads those of ASKNOWN_WAREHOUSE.",
            ) from error
        current = table.current_snapshot()
        wanted = self.snapshots.setdefault(name, current.snapshot_id if current else None)
        found = None if wanted is None else table.snapshot_by_id(wanted)
        if wanted is not None and found is None:
            raise expired(name, wanted)
        self.schemas[name] = (
            table.schema().schema_id
            if found is None or found.schema_id is None
            else found.schema_id
        )
        self._opened[name] = table
        return table

    def read(
        self,
        name: str,
        where: BooleanExpression = EVERY,
        columns: Sequence[str] = ("*",),
    ) -> pa.Table:
        """Return rows of a table as the lake has them; of a table without a state, none."""
        table = self.open(name)
        snapshot = self.snapshots[name]
        fields = tuple(columns)
        if snapshot is None:
            scan = table.scan(selected_fields=fields)
            return scan.projection().as_arrow().empty_table()
        return table.scan(where, fields, snapshot_id=snapshot).to_arrow()

    def rows(self, source: Source, known_at: datetime, where: BooleanExpression) -> pa.Table:
        """Return the rows of a source that had been learnt by a moment, one per key, in order.

        Bitemporal rows come with all that was superseded by then, too.
        """
        learnt = "known_from" if source.bitemporal else _learnt(source)
        limit = at_most(learnt, naive(known_at).isoformat())
        held = set(self.open(source.table).schema().column_names)
        needed = (*source.columns, *(column.removeprefix("-") for column in source.newest))
        names = [name for name in dict.fromkeys(map(source.stored, needed)) if name in held]
        found = self.read(source.table, every(where, limit), names)
        return newest(served(found, source), source.key, source.newest).select(source.columns)


def _learnt(source: Source) -> str:
    return "known_from" if "known_from" in source.columns else "ingest_time"


def expired(name: str, snapshot: int) -> AsknownError:
    """Return the error for a state that is not there any more."""
    return AsknownError(
        "ASKNOWN-RESEARCH-003",
        f"expected snapshot {snapshot} of {name}, found it expired: the lake keeps states for a"
        " while only.",
        where=name,
        hint="ask again without the manifest: known_at gives the same rows unless a backfill"
        " replaced them.",
    )


def served(table: pa.Table, source: Source) -> pa.Table:
    """Return rows under the names and with the types of an answer; other columns as they are."""
    called = {stored: name for name, stored in source.names}
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        columns[called.get(name, name)] = column.cast(_type(column.type), safe=False)
    for name in source.columns:
        if name not in columns:
            columns[name] = pa.array([_CONSTANT[name]] * table.num_rows, pa.string())
    if "sequence" in columns:  # rows without one come first
        columns["sequence"] = pc.fill_null(columns["sequence"], -1)
    return pa.table(columns)


def _type(found: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(found):
        return TIME
    if pa.types.is_decimal(found):
        return DECIMAL
    return pa.string() if pa.types.is_large_string(found) else found


def newest(table: pa.Table, key: Sequence[str], order: Sequence[str]) -> pa.Table:
    """Return the last row of each key by `order`, sorted by the key; `-name` turns an order."""
    keys = [(name, "ascending") for name in key]
    for name in order:
        turned = name.startswith("-")
        keys.append((name.removeprefix("-"), "ascending" if turned else "descending"))
    ordered = table.take(pc.sort_indices(table, keys)).combine_chunks()
    if ordered.num_rows < 2:
        return ordered
    same = [
        pc.equal(
            ordered.column(name)[1:].combine_chunks(), ordered.column(name)[:-1].combine_chunks()
        )
        for name in key
    ]
    repeated = reduce(pc.and_, same)
    first = pa.chunked_array([pa.array([True]), pc.invert(repeated)])
    return ordered.filter(first)


def believed(table: pa.Table, known_at: datetime, *, superseded: bool = False) -> pa.Table:
    """Return bitemporal rows as they were believed; ends that lay ahead are null.

    With `superseded` come those that were believed once.
    """
    open_ended = pc.greater(table.column("known_to"), pa.scalar(known_at, TIME))
    if not superseded:
        table, open_ended = table.filter(open_ended), pa.scalar(True)
    ends = pc.if_else(open_ended, pa.scalar(None, TIME), table.column("known_to"))
    return _replaced(table, "known_to", ends)


def open_ends(table: pa.Table, name: str) -> pa.Table:
    """Return rows whose ends of validity are null where they are open."""
    column = table.column(name)
    limit: Any = _EVER if pa.types.is_date(column.type) else FOR_EVER
    ends = pc.if_else(pc.less(column, pa.scalar(limit, column.type)), column, None)
    return _replaced(table, name, ends)


def _replaced(table: pa.Table, name: str, column: Any) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, name, column)


def naive(moment: datetime) -> datetime:
    """Return a time as the lake has it: UTC, without saying so."""
    return moment.replace(tzinfo=None)
