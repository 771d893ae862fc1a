"""Compact the small files of a table's partitions, beside writers that go on.

A group of files of one partition is read, sorted and written as one file; then one commit takes the
old ones out and the new one in. What makes that safe:

1. The commit names the files that it replaces. It is refused when one of them is not in the newest
   snapshot any more: a backfill has replaced the partition, and its rows are not brought back.
   What others have appended meanwhile is in files that are not named, so it stays.
2. Before the commit the new file is read again, and count and checksum must be those of the rows
   of the old ones.
3. Killed before the commit, it leaves a file that nothing names, which the orphans' step removes;
   killed after it, it is done.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update.snapshot import _OverwriteFiles

from asknown.errors import AsknownError
from asknown.storage.checksum import Checksum, of_rows
from asknown.storage.lake_layout import TARGET_BYTES
from asknown.storage.lake_parquet import write

ATTEMPTS = 2  # of ten commits each: PyIceberg tries again by itself
REWRITTEN, REPLACED, CONTENDED = "rewritten", "replaced meanwhile", "others were first"
SUMMARY = {"asknown.maintain": "compaction"}
Rows = Any  # a pa.Table


@dataclass(frozen=True)
class Policy:
    """Which files are small, and how many of them are worth a rewrite.

    A group ends at `target_bytes` or `target_rows`; it is rewritten when it is full, or when it has
    `min_files`.
    """

    target_bytes: int = TARGET_BYTES
    target_rows: int = 2_000_000
    min_files: int = 4

    def is_small(self, file: DataFile) -> bool:
        """Tell whether a file is worth to be joined with others: less than three quarters."""
        return (
            file.file_size_in_bytes * 4 < self.target_bytes * 3
            and file.record_count * 4 < self.target_rows * 3
        )


@dataclass(frozen=True)
class Group:
    """Files of one partition that become one."""

    partition: str  # as its folder is called, such as event_time_day=2024-10-28
    tasks: tuple[FileScanTask, ...]

    @property
    def files(self) -> list[DataFile]:
        """Return the files."""
        return [task.file for task in self.tasks]

    @property
    def rows(self) -> int:
        """Return how many rows they have, as their manifests say."""
        return sum(file.record_count for file in self.files)

    @property
    def bytes(self) -> int:
        """Return how large they are."""
        return sum(file.file_size_in_bytes for file in self.files)


@dataclass(frozen=True)
class Rewrite:
    """What became of a group: `outcome` says whether it was rewritten, or why not."""

    group: Group
    outcome: str
    bytes: int = 0
    checksum: Checksum = Checksum()


class _Replace(_OverwriteFiles):
    """An overwrite that changes no row: PyIceberg has its validation, but no name for it.

    Each attempt looks the replaced files up in the snapshot that it is committed upon, which is all
    that has to hold; the rows of others, wherever they are, are not touched.
    """

    def _summary(self, snapshot_properties: dict[str, str] = SUMMARY) -> Summary:
        found = super()._summary(SUMMARY | snapshot_properties)
        return Summary(Operation.REPLACE, **found.additional_properties)

    def _validate_concurrency(self) -> None:
        """Leave it to `_validate_required_deletes`, which each attempt runs anew."""


def groups(table: Table, policy: Policy) -> list[Group]:
    """Return what would be rewritten, in the order of the partitions.

    Files that were cut by an older spec are left alone, and so are those with deletes of rows.
    """
    by_partition: dict[str, list[FileScanTask]] = defaultdict(list)
    spec, schema = table.spec(), table.schema()
    for task in table.scan().plan_files():
        plain = task.file.spec_id == spec.spec_id and not task.delete_files
        if plain and policy.is_small(task.file):
            by_partition[spec.partition_to_path(task.file.partition, schema)].append(task)
    return [
        Group(partition, pack)
        for partition, tasks in sorted(by_partition.items())
        for pack in _packs(tasks, policy)
    ]


def _packs(tasks: Sequence[FileScanTask], policy: Policy) -> Iterator[tuple[FileScanTask, ...]]:
    """Yield the groups of a partition's files that are worth it, files of neighbours together."""
    held: list[FileScanTask] = []
    size = rows = 0
    for task in sorted(tasks, key=lambda task: task.file.file_path):
        full = (
            size + task.file.file_size_in_bytes > policy.target_bytes
            or rows + task.file.record_count > policy.target_rows
        )
        if held and full:
            if len(held) > 1:
                yield tuple(held)
            held, size, rows = [], 0, 0
        held.append(task)
        size, rows = size + task.file.file_size_in_bytes, rows + task.file.record_count
    if len(held) >= max(2, policy.min_files):
        yield tuple(held)


def rewrite(table: Table, group: Group, columns: Sequence[str]) -> Rewrite:
    """Replace a group's files by one with the same rows, sorted by `columns`.

    `table` is refreshed. Raises `AsknownError` ASKNOWN-LAKE-006 when what was written is not what
    was read; the table is then as it was.
    """
    rows = _read(table, group.tasks)
    expected = _checksum(rows, group.rows, f"{'.'.join(table.name())} {group.partition}")
    order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in columns])
    path = f"{group.partition}/maintain-{uuid.uuid4()}.parquet"
    partition = group.files[0].partition
    written = write(table, rows.take(order), path, partition)
    del rows, order
    try:
        again = _read(table, [FileScanTask(written)])
        found = of_rows(again, again.column_names)
        if found != expected:
            raise _differs(f"{'.'.join(table.name())} {group.partition}", expected, found)
        outcome = _commit(table, group.files, written)
    except AsknownError:
        table.io.delete(written.file_path)
        raise
    if outcome != REWRITTEN:
        table.io.delete(written.file_path)
        return Rewrite(group, outcome)
    return Rewrite(group, outcome, written.file_size_in_bytes, expected)


def _commit(table: Table, old: Sequence[DataFile], new: DataFile) -> str:
    """Commit the exchange and say what became of it; other writers are waited for and kept."""
    for _ in range(ATTEMPTS):
        table.refresh()
        transaction = table.transaction()
        replace = _Replace(Operation.OVERWRITE, transaction, table.io)
        for file in old:
            replace.delete_data_file(file)
        replace.append_data_file(new)
        try:
            replace.commit()
            transaction.commit_transaction()
        except ValidationException:
            return REPLACED
        except CommitFailedException:
            continue
        return REWRITTEN
    return CONTENDED


def _read(table: Table, tasks: Sequence[FileScanTask]) -> Rows:
    scan = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue())
    return scan.to_table(tasks)


def _checksum(rows: Rows, promised: int, where: str) -> Checksum:
    found = of_rows(rows, rows.column_names)
    if found.rows != promised:
        raise _differs(where, Checksum(promised), found)
    return found


def _differs(where: str, expected: Checksum, found: Checksum) -> AsknownError:
    return AsknownError(
        "ASKNOWN-LAKE-006",
        f"expected the same rows before and after, {expected}, found {found}; nothing was changed.",
        where=where,
        hint="run `asknown lake maintain` again; when it stays so, a file is damaged: "
        "recompute the partition with `asknown backfill apply`.",
    )
