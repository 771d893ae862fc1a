"""An answer: rows that are read when they are wanted, and what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from asknown.research.asking import Ask

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_SHOWN = 5


@dataclass(frozen=True)
class Result:
    """Rows of one question.

    `meta` says what they were computed from: knowledge, adjustment, factors, the states of the
    tables. Batches are read as they are asked for, each time from the same states; `order` is how
    a whole table is sorted. Times are UTC, prices decimals in the currency of the venue.
    """

    ask: Ask
    schema: pa.Schema
    meta: dict[str, Any]
    order: tuple[str, ...]
    read: Callable[[], Iterator[pa.Table]]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Iterate over the rows, a window of time after the other, without holding them all."""
        for table in self.read():
            rows = table.select(self.schema.names).cast(self.schema)
            yield from rows.combine_chunks().to_batches()

    def to_arrow(self) -> pa.Table:
        """Return all rows, sorted by instrument and time."""
        table = pa.Table.from_batches(self.batches(), self.schema)
        if not self.order:  # that of its files
            return table
        return table.sort_by([(name, "ascending") for name in self.order])

    def to_pandas(self, *, exact: bool = False) -> pd.DataFrame:
        """Return all rows as a data frame; decimals become floats unless they are kept `exact`."""
        table = self.to_arrow()
        if not exact:
            for place, field in enumerate(table.schema):
                if pa.types.is_decimal(field.type):
                    values = pc.cast(table.column(place), pa.float64())
                    table = table.set_column(place, field.name, values)
        frame: pd.DataFrame = table.to_pandas()
        return frame

    def to_polars(self) -> pl.DataFrame:
        """Return all rows as a Polars frame.

        Raises UsageError ASKNOWN-RESEARCH-004 when Polars is not installed.
        """
        from asknown.research.optional import polars

        frame: pl.DataFrame = polars().from_arrow(self.to_arrow())
        return frame

    def export(self, path: str | Path, *, manifest: bool = True) -> Path:
        """Write the rows to a .parquet, .arrow or .csv file; return its manifest's path.

        Without a manifest, return the file's own. Raises UsageError ASKNOWN-RESEARCH-010 for a
        file of another kind.
        """
        from asknown.research.exporting import export

        return export(self, Path(path), manifest=manifest)

    def __repr__(self) -> str:
        of = self.meta.get("adjust", "raw")
        first = next(self.batches(), None)
        head = "no rows" if first is None else str(first.slice(0, _SHOWN).to_pandas())
        known = self.meta["known_at"]
        return f"<{self.ask.dataset} known at {known}, {of}; {len(self.schema)} columns>\n{head}"
