"""Checksums of rows that do not depend on their order, nor on which store they were read from.

A row's hash is taken over its values in a canonical form; the sum of all hashes, modulo 2**64, is
the checksum. So parts can be added up, a row that is there twice counts twice, and two stores can
be compared that write their rows in different orders and their types in different ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.table import Table

from asknown.storage.lake_rows import reader

_MODULUS = 1 << 64
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER")
Rows = Any  # a pa.Table, or a pa.RecordBatchReader, which is read to its end


@dataclass(frozen=True)
class Checksum:
    """How many rows there are, and the sum of their hashes; `+` joins the rows of two parts."""

    rows: int = 0
    value: int = 0

    def __add__(self, other: Checksum) -> Checksum:
        return Checksum(self.rows + other.rows, (self.value + other.value) % _MODULUS)

    def __str__(self) -> str:
        return f"{self.value:016x}/{self.rows}"


def algorithm() -> str:
    """Return what made a checksum; only those of one algorithm can be compared.

    DuckDB keeps its hash function within a version, so keep this beside a checksum that is stored.
    """
    return f"duckdb-{duckdb.__version__}"


def of_rows(rows: Rows, columns: Sequence[str]) -> Checksum:
    """Return the checksum of Arrow rows over some columns, whatever their order."""
    return of_groups(rows, columns).get((), Checksum())


def of_groups(
    rows: Rows, columns: Sequence[str], by: Sequence[str] = ()
) -> dict[tuple[Any, ...], Checksum]:
    """Return the checksum of each group of Arrow rows.

    `by` are SQL expressions of DuckDB over the columns, such as `CAST(event_time AS DATE)`.
    """
    with closing(_database()) as database:
        database.register("arrived", rows)
        return of_relation(database, "arrived", columns, by)


def of_files(paths: Iterable[str], columns: Sequence[str]) -> Checksum:
    """Return the checksum of Parquet files, given by their paths, read by DuckDB itself."""
    files = list(paths)
    if not files:
        return Checksum()
    with closing(_database()) as database:
        database.read_parquet(files).create_view("arrived")
        return of_relation(database, "arrived", columns).get((), Checksum())


def of_table(
    table: Table,
    columns: Sequence[str],
    chosen: str | BooleanExpression = AlwaysTrue(),  # noqa: B008  # has no state
    by: Sequence[str] = (),
) -> dict[tuple[Any, ...], Checksum]:
    """Return the checksum of each group of an Iceberg table's rows, read as one snapshot."""
    scan = table.scan(row_filter=chosen, selected_fields=tuple(columns))
    return of_groups(reader(scan), columns, by)


def of_relation(
    database: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Sequence[str],
    by: Sequence[str] = (),
) -> dict[tuple[Any, ...], Checksum]:
    """Return the checksum of each group of a view or table that `database` knows."""
    values = ", ".join(canonical(_types(database, relation), columns))
    groups = "".join(f"{one}, " for one in by)
    # hashed twice: the first hash of many columns ends in an XOR, which would let sums cancel out
    question = (
        f"SELECT {groups}COUNT(*), CAST(SUM(HASH(HASH({values}))) % {_MODULUS} AS UBIGINT)"  # noqa: S608  # columns of contracts
        f" FROM {relation}{' GROUP BY ALL' if by else ''}"
    )
    found = database.sql(question).fetchall()
    return {
        tuple(group): Checksum(int(count), int(value)) for *group, count, value in found if count
    }


def canonical(types: Mapping[str, str], columns: Sequence[str]) -> list[str]:
    """Return SQL for the canonical form of columns, in the order of their names.

    Times are microseconds since 1970 UTC, whole numbers are 64 bits wide, decimals 38 digits of
    the scale they have; strings are their bytes; a map is its pairs in the order of their keys,
    and empty when missing.
    """
    return [_canonical(f'"{name}"', types[name]) for name in sorted(columns)]


def _canonical(column: str, kind: str) -> str:
    if kind.startswith("MAP("):
        pairs = f"list_sort(map_entries(COALESCE({column}, MAP())))"
        return f"CAST({pairs} AS VARCHAR)"
    if kind.startswith("TIMESTAMP WITH"):
        return f"epoch_us({column})"
    if kind.startswith("TIMESTAMP"):
        return f"epoch_us(CAST({column} AS TIMESTAMP))"
    if kind.startswith("DECIMAL("):
        return f"CAST({column} AS DECIMAL(38, {kind.rpartition(',')[2].strip(' )')}))"
    if kind in _WHOLE:
        return f"CAST({column} AS BIGINT)"
    if kind in ("FLOAT", "DOUBLE"):
        return f"CAST({column} AS DOUBLE) + 0.0"  # of the two zeros one
    if kind == "VARCHAR" or kind.startswith("ENUM("):
        return f"encode(CAST({column} AS VARCHAR))"
    return column


def _types(database: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    found = database.sql(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608  # a name of ours
    return {name: str(kind) for name, kind in zip(found.columns, found.types, strict=True)}


def _database() -> duckdb.DuckDBPyConnection:
    return _shared().cursor()  # views belong to a cursor; beginning a database each time is slow


@lru_cache(maxsize=1)
def _shared() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    database.execute("SET GLOBAL TimeZone = 'UTC'; SET GLOBAL preserve_insertion_order = false")
    return database
