"""Delete files in a table's folder that no snapshot names.

A file that nothing names may be one that is going to be named: of a checkpoint that is open, of a
compaction that has not committed, of a job that is stopped and will be restored. The first two are
young. The third was written after the last snapshot of its job, however long ago that is; so the
age is counted back from that snapshot, not from now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from pyarrow.fs import FileSelector, FileSystem, FileType
from pyiceberg.table import Table

from asknown.storage.lake_expire import data_files, flink_snapshot, manifests_of

LEAST_AGE = timedelta(hours=1)
_FOLDERS = ("data", "metadata")


@dataclass(frozen=True)
class Orphan:
    """A file that nothing names: its path in the file system, and its bytes."""

    path: str
    bytes: int


def orphans(table: Table, age: timedelta, now: datetime, *, fed_by_stream: bool) -> list[Orphan]:
    """Return the files in a table's folder that are older than `age` and that nothing names.

    Of a table that a stream feeds, `age` before the last snapshot of the stream, and none while
    there is no such snapshot. The folder is listed before the names are read, so whatever is
    committed meanwhile counts as named.
    """
    limit = now
    if fed_by_stream:
        last = flink_snapshot(table.metadata)
        if last is None:
            return []
        limit = min(now, datetime.fromtimestamp(last.timestamp_ms / 1000, UTC))
    old = _older(table, limit - age)
    table.refresh()
    named = _named(table)
    return [one for one in old if one.path not in named]


def remove(table: Table, found: list[Orphan]) -> None:
    """Delete files."""
    system, _ = FileSystem.from_uri(table.location())
    for one in found:
        system.delete_file(one.path)


def _older(table: Table, limit: datetime) -> list[Orphan]:
    system, root = FileSystem.from_uri(table.location())
    found = []
    for folder in _FOLDERS:
        selector = FileSelector(f"{root}/{folder}", allow_not_found=True, recursive=True)
        for one in system.get_file_info(selector):
            if one.type is FileType.File and one.mtime is not None and one.mtime < limit:
                found.append(Orphan(one.path, one.size))
    return sorted(found, key=lambda one: one.path)


def _named(table: Table) -> set[str]:
    metadata = table.metadata
    manifests = manifests_of(table)
    named = {table.metadata_location, *manifests, *data_files(table, manifests.values())}
    named |= {entry.metadata_file for entry in metadata.metadata_log}
    named |= {snapshot.manifest_list for snapshot in metadata.snapshots}
    named |= {one.statistics_path for one in metadata.statistics}
    named |= {one.statistics_path for one in metadata.partition_statistics}
    return {path_of(one) for one in named}


def path_of(address: str) -> str:
    """Return the path of an address as the file system has it: writers spell `file:` differently.

    `file:///a`, `file:/a` and `/a` are the same; so are `s3://bucket/a` and `s3a://bucket/a`.
    """
    parts = urlsplit(address)
    return f"{parts.netloc}{parts.path}"
