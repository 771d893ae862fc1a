"""What has happened to days of a table since a snapshot: who added to them, who replaced them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from pyiceberg.manifest import ManifestContent, ManifestEntryStatus
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot

from asknown.storage.partitions import day_of

JOB = "flink.job-id"  # Iceberg's sink for Flink says in the snapshot which job wrote it


@dataclass(frozen=True)
class Change:
    """One snapshot: the days it added rows to, those it took files away from, and who made it."""

    snapshot: int
    job: str
    added: frozenset[date]
    removed: frozenset[date]


def snapshot_of(table: Table) -> int | None:
    """Return the id of the newest snapshot; None for a table that was never written to."""
    found = table.current_snapshot()
    return None if found is None else found.snapshot_id


def changes_since(
    table: Table, snapshot: int | None, days: Collection[date]
) -> list[Change] | None:
    """Return what was committed to `days` after a snapshot, oldest first.

    None when the snapshot is not in the history any more: it was expired, or rolled back. A
    compaction leaves the rows as they are, so it is no change.
    """
    found: list[Change] = []
    for one in _newest_first(table):
        if one.snapshot_id == snapshot:
            return found[::-1]
        summary = one.summary
        if summary is not None and summary.operation is not Operation.REPLACE:
            change = _change(table, one, frozenset(days))
            if change.added or change.removed:
                found.append(change)
    return found[::-1] if snapshot is None else None


def _newest_first(table: Table) -> Iterator[Snapshot]:
    one = table.current_snapshot()
    while one is not None:
        yield one
        parent = one.parent_snapshot_id
        one = None if parent is None else table.snapshot_by_id(parent)


def _change(table: Table, one: Snapshot, days: frozenset[date]) -> Change:
    added, removed = set(), set()
    for manifest in one.manifests(table.io):
        if manifest.added_snapshot_id != one.snapshot_id:
            continue
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
            if entry.snapshot_id != one.snapshot_id:
                continue
            day = day_of(entry.data_file.partition[0])
            if entry.status == ManifestEntryStatus.DELETED or (
                manifest.content == ManifestContent.DELETES
            ):
                removed.add(day)
            elif entry.status == ManifestEntryStatus.ADDED:
                added.add(day)
    job = str(one.summary[JOB] or "") if one.summary is not None else ""
    return Change(one.snapshot_id, job, days & added, days & removed)
