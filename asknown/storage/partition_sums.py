"""Counts and checksums of a day of a table, the same for what streamed and what was recomputed.

A row's text is the contract's columns in their order, each as DuckDB writes it (decimals with all
their digits, times to the microsecond, doubles so that they read back equal), with 0x1F between
them and 0x1E for null. The checksum is the sum of the lower 64 bits of its MD5 over all rows,
modulo 2^64: it does not depend on the order of the rows, nor on how they are cut into files.

Left out is what says how a row was made, not what it says: its Kafka coordinates; the flags that
look back at the rows before (`OUT_OF_ORDER`, `UNEXPLAINED_GAP`), before which a healed record now
stands; of bars the revision and the id that holds it, and all revisions but the newest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from pyiceberg.table import Table

from asknown.contracts.catalog import Contract, contract
from asknown.contracts.render import clickhouse_key
from asknown.quality.reasons import Reason
from asknown.settings import Settings
from asknown.storage.heal import query
from asknown.storage.iceberg import lake
from asknown.storage.lake_rows import reader

# The tables that a backfill replaces, each with its topic and the tables of bronze behind it.
REBUILT = {
    "silver.trade": ("normalized.trade", ("bronze.trade",)),
    "silver.quote": ("normalized.quote", ("bronze.quote",)),
    "gold.bar": ("analytics.bar", ("bronze.trade", "bronze.quote")),
}
LOOKING_BACK = (Reason.OUT_OF_ORDER, Reason.UNEXPLAINED_GAP)
MEMORY = "1GB"
DAY = timedelta(days=1)
_BETWEEN, _NULL = 0x1F, 0x1E
_REVISED = ("event_id", "revision")

Database = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Sum:
    """How many rows a day has, and their checksum as 16 hexadecimal digits."""

    rows: int
    checksum: str


def sum_of_day(table: str, day: date, config: Settings) -> Sum:
    """Return the sum of a day of a table of the lake."""
    return sum_of(config, lake(config).load_table(table), contract_of(table), day)


def sum_of(config: Settings, table: Table, c: Contract, day: date) -> Sum:
    """Return the sum of a day of a table that has the columns of a contract."""
    with database(config) as found:
        rows = f"({_read(found, table, c, day)})"
        text = query("verify/checksum.sql", canonical=_canonical(c), rows=rows)
        counted, hashed = found.sql(text).fetchall()[0]
    return Sum(int(counted), f"{int(hashed):016x}")


def keep(found: Database, table: Table, c: Contract, day: date, name: str) -> None:
    """Make a table in `found` of a day's rows as they are compared."""
    found.execute(f"CREATE OR REPLACE TABLE {name} AS {_read(found, table, c, day)}")


def _read(found: Database, table: Table, c: Contract, day: date) -> str:
    """Return the query of a day's rows as they are compared; it can be run once."""
    names = tuple(f.name for f in c.envelope + c.payload)
    scan = table.scan(row_filter=of_day(day), selected_fields=names)
    found.register("rows_of_day", reader(scan))
    parts = {"columns": ", ".join(map(_shown, compared(c))), "rows": "rows_of_day"}
    if _REVISED[1] in names:
        return query("verify/newest.sql", grain=", ".join(grain(c)), **parts)
    return query("verify/plain.sql", **parts)


def compared(c: Contract) -> tuple[str, ...]:
    """Return the columns of a contract that are compared."""
    names = [f.name for f in c.envelope + c.payload]
    left_out = _REVISED if _REVISED[1] in names else ()
    return tuple(name for name in names if name not in left_out)


def grain(c: Contract) -> tuple[str, ...]:
    """Return the columns that name a row: the id of its event, or which bar it is."""
    keys = clickhouse_key(c)[1]
    if _REVISED[1] not in keys:
        return ("event_id",)
    return tuple(name for name in keys if name != _REVISED[1])


def contract_of(table: str) -> Contract:
    """Return the contract of a table that a backfill replaces."""
    return contract(REBUILT[table][0])


def of_day(day: date) -> str:
    """Return the filter of a day's rows, as PyIceberg and SQL read it."""
    return f"event_time >= '{day}T00:00:00' AND event_time < '{day + DAY}T00:00:00'"


@contextmanager
def database(config: Settings) -> Iterator[Database]:
    """Open a database of bounded memory, on UTC; what does not fit goes to the data folder."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="sums-", dir=config.data_dir) as folder:
        options: Any = {"memory_limit": MEMORY, "temp_directory": folder, "threads": "2"}
        found = duckdb.connect(str(Path(folder) / "sums.duckdb"), config=options)
        try:
            found.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
            yield found
        finally:
            found.close()


def _shown(name: str) -> str:
    if name != "quality_flags":
        return f'"{name}"'
    out = ", ".join(f"'{reason.value}'" for reason in LOOKING_BACK)
    flags = f"LIST_FILTER(STRING_SPLIT({name}, ','), lambda flag: flag NOT IN ({out}))"
    return f"NULLIF(ARRAY_TO_STRING({flags}, ','), '') AS {name}"


def _canonical(c: Contract) -> str:
    texts = (f'COALESCE(CAST("{n}" AS VARCHAR), CHR({_NULL}))' for n in compared(c))
    return f"CONCAT_WS(CHR({_BETWEEN}), {', '.join(texts)})"
