"""Maintain the lake's tables: compact, forget, clean up; and say what they consist of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from asknown.contracts.catalog import contracts
from asknown.contracts.tables import lake_tables
from asknown.errors import UsageError
from asknown.settings import Settings
from asknown.storage import lake_compact, lake_expire, lake_orphans
from asknown.storage.iceberg import lake
from asknown.storage.lake_compact import REWRITTEN, Policy
from asknown.storage.lake_layout import sort_columns

Note = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to do: `keep` snapshots at least, and all younger than `older_than`.

    Files that no snapshot names are deleted from an age of `orphan_age` on.
    """

    keep: int = 20
    older_than: timedelta = timedelta(days=1)
    orphan_age: timedelta = timedelta(days=1)
    policy: Policy = field(default_factory=Policy)
    dry_run: bool = False


@dataclass
class Maintained:
    """What was done to a table, or would be; bytes are those of the files that were joined."""

    table: str
    groups: int = 0
    files_before: int = 0
    files_after: int = 0
    rows: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    skipped: dict[str, int] = field(default_factory=dict)  # groups by why they stayed
    snapshots: int = 0
    files_deleted: int = 0
    orphans: int = 0
    orphan_bytes: int = 0

    def document(self) -> dict[str, Any]:
        """Return it as names and values."""
        return asdict(self)


@dataclass(frozen=True)
class Contents:
    """What a table consists of."""

    table: str
    partitions: int
    files: int
    small: int
    rows: int
    bytes: int
    median_bytes: int
    snapshots: int
    flink_checkpoint: int | None
    sorted_by: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return it as names and values."""
        return asdict(self)


def orders() -> dict[str, tuple[str, ...]]:
    """Return the name of each table of the contracts, and by what its files are sorted."""
    fed = {c.topic.table: sort_columns(c) for c in contracts().values()}
    return fed | {t.name: t.sort_by for t in lake_tables().values()}


def chosen(name: str | None) -> list[str]:
    """Return the tables whose name begins with `name`; all without one.

    Raises `UsageError` ASKNOWN-LAKE-005 when there is none.
    """
    found = [table for table in orders() if table.startswith(name or "")]
    if not found:
        raise UsageError(
            "ASKNOWN-LAKE-005",
            f"expected a table of the lake, or the beginning of its name, was {name!r}.",
            hint=f"use one of: {', '.join(orders())}.",
        )
    return found


def contents(config: Settings, names: Sequence[str]) -> Iterator[Contents]:
    """Yield what each table consists of; a table that is not there is left out."""
    for name, table in _tables(lake(config), names):
        files = [task.file for task in table.scan().plan_files()]
        sizes = [file.file_size_in_bytes for file in files]
        last = lake_expire.flink_snapshot(table.metadata)
        mark = last.summary[lake_expire.CHECKPOINT] if last and last.summary else None
        names_of = table.schema().find_column_name
        yield Contents(
            table=name,
            partitions=len({repr(file.partition) for file in files}),
            files=len(files),
            small=sum(Policy().is_small(file) for file in files),
            rows=sum(file.record_count for file in files),
            bytes=sum(sizes),
            median_bytes=round(median(sizes)) if sizes else 0,
            snapshots=len(table.metadata.snapshots),
            flink_checkpoint=None if mark is None else int(mark),
            sorted_by=tuple(names_of(f.source_id) or "" for f in table.sort_order().fields),
        )


def maintain(
    config: Settings, names: Sequence[str], plan: Plan, note: Note = lambda _: None
) -> Iterator[Maintained]:
    """Maintain tables one after the other, safe beside jobs that write them.

    Raises `AsknownError` ASKNOWN-LAKE-006 when a rewritten file has not the rows of those it was
    made of, and ASKNOWN-LAKE-007 when a commit never comes first.
    """
    columns = orders()
    streams = {c.topic.table for c in contracts().values()}
    for name, table in _tables(lake(config), names):
        done = Maintained(name)
        _compact(table, columns[name], plan, done, note)
        _forget(table, plan, done)
        found = lake_orphans.orphans(
            table, plan.orphan_age, datetime.now(UTC), fed_by_stream=name in streams
        )
        done.orphans, done.orphan_bytes = len(found), sum(one.bytes for one in found)
        if not plan.dry_run:
            lake_orphans.remove(table, found)
        yield done


def _compact(
    table: Table, columns: Sequence[str], plan: Plan, done: Maintained, note: Note
) -> None:
    for group in lake_compact.groups(table, plan.policy):
        done.groups += 1
        if plan.dry_run:
            _add(done, group, bytes_after=0)
            continue
        result = lake_compact.rewrite(table, group, columns)
        if result.outcome == REWRITTEN:
            _add(done, group, result.bytes)
        else:
            done.skipped[result.outcome] = done.skipped.get(result.outcome, 0) + 1
        note(
            f"{done.table} {group.partition}: {len(group.tasks)} files, {group.rows:,} rows,"
            f" {result.outcome}"
        )


def _add(done: Maintained, group: lake_compact.Group, bytes_after: int) -> None:
    done.files_before += len(group.tasks)
    done.files_after += 1
    done.rows += group.rows
    done.bytes_before += group.bytes
    done.bytes_after += bytes_after


def _forget(table: Table, plan: Plan, done: Maintained) -> None:
    before = datetime.now(UTC) - plan.older_than
    if plan.dry_run:
        done.snapshots = len(lake_expire.expirable(table.refresh().metadata, plan.keep, before))
        return
    result = lake_expire.expire(table, plan.keep, before)
    done.snapshots, done.files_deleted = result.snapshots, len(result.files)


def _tables(catalog: Catalog, names: Sequence[str]) -> Iterator[tuple[str, Table]]:
    for name in names:
        try:
            yield name, catalog.load_table(name)
        except NoSuchTableError:
            continue
