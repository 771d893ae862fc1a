"""Forget old snapshots of a table, and delete the files that only they had.

The lake job's committer finds out what it has committed by walking from the newest snapshot to its
ancestors, until one says so (`flink.max-committed-checkpoint-id`). When the walk breaks off before,
a restored job commits its last checkpoint again and doubles its rows. So everything from the newest
snapshot down to the last one of a streaming job is kept, however old it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot, ancestors_of

from asknown.errors import AsknownError

ATTEMPTS = 10
CHECKPOINT = "flink.max-committed-checkpoint-id"
END_OF_INPUT = 2**63 - 1  # the checkpoint of a batch job, which is never restored


@dataclass(frozen=True)
class Expiry:
    """How many snapshots were forgotten and which files of theirs nothing else has."""

    snapshots: int = 0
    files: tuple[str, ...] = ()


def flink_snapshot(metadata: TableMetadata) -> Snapshot | None:
    """Return the newest snapshot that a streaming job has committed; None without one."""
    for snapshot in ancestors_of(metadata.current_snapshot(), metadata):
        if _is_of_a_stream(snapshot):
            return snapshot
    return None


def expirable(metadata: TableMetadata, keep: int, before: datetime) -> list[int]:
    """Return the ids of snapshots from before a time that nobody needs.

    Kept are the newest `keep`, branches and tags, and all from the newest one down to the last one
    of a streaming job. Times are UTC.
    """
    needed = {ref.snapshot_id for ref in metadata.refs.values()}
    chain = list(ancestors_of(metadata.current_snapshot(), metadata))
    needed |= {snapshot.snapshot_id for snapshot in chain[:keep]}
    if any(_is_of_a_stream(snapshot) for snapshot in chain):
        for snapshot in chain:
            needed.add(snapshot.snapshot_id)
            if _is_of_a_stream(snapshot):
                break
    limit = before.timestamp() * 1000
    return [
        snapshot.snapshot_id
        for snapshot in metadata.snapshots
        if snapshot.timestamp_ms < limit and snapshot.snapshot_id not in needed
    ]


def expire(table: Table, keep: int, before: datetime) -> Expiry:
    """Forget what is expirable, then delete its files; `table` is refreshed.

    Killed between the two, it leaves files that nothing names, for the orphans' step. Raises
    `AsknownError` ASKNOWN-LAKE-007 when other writers are first too often.
    """
    for _ in range(ATTEMPTS):
        table.refresh()
        chosen = expirable(table.metadata, keep, before)
        if not chosen:
            return Expiry()
        gone = set(chosen)
        theirs = [s for s in table.metadata.snapshots if s.snapshot_id in gone]
        manifests = _manifests(table, theirs)
        try:
            table.maintenance.expire_snapshots().by_ids(chosen).commit()
        except CommitFailedException:
            continue
        table.refresh()
        unnamed = _unnamed(table, theirs, manifests)
        for path in unnamed:
            table.io.delete(path)
        return Expiry(len(chosen), tuple(unnamed))
    raise AsknownError(
        "ASKNOWN-LAKE-007",
        f"expected to forget snapshots within {ATTEMPTS} attempts, found another writer first"
        " each time.",
        where=".".join(table.name()),
        hint="run `asknown lake maintain` again.",
    )


def _unnamed(
    table: Table, theirs: Iterable[Snapshot], manifests: dict[str, ManifestFile]
) -> list[str]:
    """Return files of forgotten snapshots that no snapshot has any more, data first.

    Only files that were committed once are among them: what an open checkpoint has written is in
    no manifest.
    """
    kept = _manifests(table, table.metadata.snapshots)
    live = data_files(table, kept.values())
    only = [one for path, one in manifests.items() if path not in kept]
    data = {
        entry.data_file.file_path
        for one in only
        for entry in one.fetch_manifest_entry(table.io, discard_deleted=False)
    }
    lists = [snapshot.manifest_list for snapshot in theirs]
    return [*sorted(data - live), *sorted(one.manifest_path for one in only), *lists]


def _manifests(table: Table, snapshots: Iterable[Snapshot]) -> dict[str, ManifestFile]:
    return {one.manifest_path: one for s in snapshots for one in s.manifests(table.io)}


def data_files(table: Table, manifests: Iterable[ManifestFile]) -> set[str]:
    """Return the addresses of the files that manifests hold."""
    return {
        entry.data_file.file_path
        for one in manifests
        for entry in one.fetch_manifest_entry(table.io, discard_deleted=True)
    }


def manifests_of(table: Table) -> dict[str, ManifestFile]:
    """Return by address the manifests of all snapshots that a table still has."""
    return _manifests(table, table.metadata.snapshots)


def _is_of_a_stream(snapshot: Snapshot) -> bool:
    found = snapshot.summary[CHECKPOINT] if snapshot.summary else None
    return found is not None and int(found) < END_OF_INPUT
