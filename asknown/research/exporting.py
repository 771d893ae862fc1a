"""Write an answer to a file, with a manifest from which the same rows can be had again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from asknown import VERSION
from asknown.errors import AsknownError, ExitCode, UsageError
from asknown.research.asking import asked
from asknown.research.connection import Connection, connect
from asknown.research.result import Result
from asknown.settings import CHECKOUT

CHECKSUM = CHECKOUT / "sql" / "library/checksum.sql"
SUFFIX = ".manifest.json"
FORMAT_VERSION = 1
_MODULUS = 2**64


class DiffersError(AsknownError):
    """Report that the rows of a manifest are not those that were exported."""


@dataclass
class Checksum:
    """Rows so far: how many, and a sum over them that does not depend on their order."""

    rows: int = 0
    total: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch."""
        table = pa.Table.from_batches([batch])
        names = {f"c{place}": _exact(column) for place, column in enumerate(table.columns)}
        sql = Template(CHECKSUM.read_text(encoding="utf-8"))
        with closing(duckdb.connect()) as database:
            database.register("answer", pa.table(names))
            (found,) = database.sql(sql.substitute(columns=_text(names))).fetchall()
        self.rows += found[0]
        self.total = (self.total + int(found[1])) % _MODULUS

    def __str__(self) -> str:
        return f"{self.total:016x}"


def _exact(column: Any) -> Any:
    """Return a column whose texts tell every value apart: times and doubles by their bits."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        wide = pa.int32() if pa.types.is_date32(column.type) else pa.int64()
        return column.cast(wide)
    if pa.types.is_floating(column.type):
        doubles = column.cast(pa.float64()).combine_chunks()
        return doubles.view(pa.int64())
    return column


def _text(names: dict[str, Any]) -> str:
    """Return the expression of a row's text: of each value its length and itself, - for null."""
    parts = [f"CAST({name} AS VARCHAR)" for name in names]
    return " || ".join(f"COALESCE(LENGTH({one}) || ':' || {one}, '-')" for one in parts)


def export(result: Result, path: Path, *, manifest: bool = True) -> Path:
    """Write the rows of a result; return the manifest's path, or the file's own without one.

    Raises UsageError ASKNOWN-RESEARCH-010 for a kind of file that is not known.
    """
    checksum = _write(result, path)
    if not manifest:
        return path
    document = _document(result, path, checksum)
    written = path.with_name(path.name + SUFFIX)
    written.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return written


def _document(result: Result, path: Path, checksum: Checksum) -> dict[str, Any]:
    return {
        "manifest": FORMAT_VERSION,
        "file": path.name,
        "rows": checksum.rows,
        "checksum": str(checksum),
        "ask": {**result.ask.document(), "known_at": result.meta["known_at"]},
        "meta": result.meta,
        "columns": {field.name: str(field.type) for field in result.schema},
        "library_version": VERSION,
    }


def read(path: Path) -> dict[str, Any]:
    """Return a manifest. Raises UsageError ASKNOWN-RESEARCH-011 for a file that is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["manifest"] != FORMAT_VERSION:
            raise ValueError(f"a manifest of version {found['manifest']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "ASKNOWN-RESEARCH-011",
            f"expected a manifest of version {FORMAT_VERSION}, found: {error}.",
            where=str(path),
            hint="asknown export TABLE writes one beside its file.",
        ) from None
    document: dict[str, Any] = found
    return document


def again(
    manifest: dict[str, Any], connection: Connection | None = None, to: Path | None = None
) -> Checksum:
    """Ask the question of a manifest again, from the states it names, and compare.

    With `to`, write the rows there; a file that would differ is not left behind. Raises
    DiffersError ASKNOWN-RESEARCH-012 when the rows differ, AsknownError ASKNOWN-RESEARCH-003 when a
    state was expired.
    """
    place = manifest["meta"]["from"]
    connection = connection or connect(None if place == "lake" else place)
    result = connection.ask(asked(manifest["ask"], manifest["meta"]["snapshots"]))

    def require(found: Checksum) -> None:
        if (found.rows, str(found)) != (manifest["rows"], manifest["checksum"]):
            raise DiffersError(
                "ASKNOWN-RESEARCH-012",
                f"expected {manifest['rows']} rows of checksum {manifest['checksum']}, found"
                f" {found.rows} of {found}.",
                where=manifest["file"],
                hint="what the states held was changed, or other versions read them: the manifest"
                f" was written by {manifest['library_version']}.",
                exit_code=ExitCode.CHECK_FAILED,
            )

    if to is not None:
        return _write(result, to, require)
    found = Checksum()
    for batch in result.batches():
        found.add(batch)
    require(found)
    return found


def _write(
    result: Result, path: Path, require: Callable[[Checksum], None] = lambda found: None
) -> Checksum:
    """Write the rows beside the file and put them in its place when all are there and right."""
    open_ = _WRITERS.get(path.suffix)
    if open_ is None:
        raise UsageError(
            "ASKNOWN-RESEARCH-010",
            f"expected a file that ends in {', '.join(_WRITERS)}, found {path.name!r}.",
            hint="the ending says which kind of file is written.",
        )
    part = path.with_name(path.name + ".part")
    checksum = Checksum()
    try:
        with open_(part, result.schema) as writer:
            for batch in _counted(result, checksum):
                writer.write_batch(batch)
        require(checksum)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return checksum


def _counted(result: Result, checksum: Checksum) -> Iterator[pa.RecordBatch]:
    for batch in result.batches():
        checksum.add(batch)
        yield batch


def _parquet(path: Path, schema: pa.Schema) -> Any:
    return pa.parquet.ParquetWriter(path, schema, compression="zstd")


def _ipc(path: Path, schema: pa.Schema) -> Any:
    return pa.ipc.new_file(str(path), schema)


def _csv(path: Path, schema: pa.Schema) -> Any:
    return pa.csv.CSVWriter(str(path), schema)


_WRITERS: dict[str, Callable[[Path, pa.Schema], Any]] = {
    ".parquet": _parquet,
    ".arrow": _ipc,
    ".csv": _csv,
}
FORMATS = tuple(suffix.removeprefix(".") for suffix in _WRITERS)
