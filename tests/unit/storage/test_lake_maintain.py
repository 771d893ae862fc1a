"""Maintenance of a lake that others write to: no row is lost, doubled or brought back."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pyarrow.parquet as pq
import pytest
from pyiceberg.table import Table

from asknown.contracts.catalog import contract
from asknown.errors import AsknownError
from asknown.settings import CHECKOUT, Settings
from asknown.storage import iceberg, lake_compact, lake_orphans
from asknown.storage.lake_compact import REPLACED, REWRITTEN, Policy, groups, rewrite
from asknown.storage.lake_expire import CHECKPOINT, expire, flink_snapshot
from asknown.storage.lake_layout import properties, settle, sort_columns
from asknown.storage.lake_maintain import Plan, chosen, contents, maintain
from tests.unit.storage.lake_tables import (
    DAY,
    FIRST,
    TABLE,
    append_as_flink,
    as_arrow,
    files,
    fill,
    ids,
    lake_in,
    settings_of,
    trades,
    whole,
)

COLUMNS = ("entity_id", "event_time")
ALWAYS_OLD = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """Return the settings of a lake with one empty table."""
    return lake_in(tmp_path)


def only(table: Table, policy: Policy = Policy()) -> list[lake_compact.Group]:  # noqa: B008
    """Return what would be rewritten of a table as it is now."""
    return groups(table.refresh(), policy)


def test_compaction_keeps_every_row_and_sorts_them_into_one_file_a_day(lake: Settings):
    table = fill(lake, commits=5)
    before = whole(lake)
    outcomes = [rewrite(table, group, COLUMNS).outcome for group in only(table)]
    assert outcomes == [REWRITTEN, REWRITTEN]
    assert whole(lake) == before
    assert iceberg.count(TABLE, lake) == before.rows
    assert str(table.current_snapshot().summary.operation.value) == "replace"  # type: ignore[union-attr]
    paths = [path.removeprefix("file://") for path in files(table)]
    assert len(paths) == 2
    for path in paths:
        rows = pq.read_table(path, columns=list(COLUMNS)).to_pylist()
        assert rows == sorted(rows, key=lambda row: tuple(row.values()))


def test_compaction_of_too_few_files_or_of_large_ones_does_nothing(lake: Settings):
    table = fill(lake, commits=3)
    assert only(table) == []
    assert only(table, Policy(min_files=2, target_bytes=1_000)) == []
    assert len(only(table, Policy(min_files=2))) == 2


def test_compaction_cuts_a_day_into_files_of_the_target(lake: Settings):
    table = fill(lake, commits=8)
    found = only(table, Policy(target_rows=6, min_files=2))
    assert all(group.rows <= 6 for group in found)
    assert len(found) == 8


def test_rows_appended_while_a_group_is_rewritten_stay(lake: Settings, monkeypatch):
    table = fill(lake, commits=5)
    expected = set(ids(lake))
    late = trades(1000, 4)
    write = lake_compact.write

    def write_and_append(*arguments):
        append_as_flink(iceberg.lake(lake).load_table(TABLE), late, 99)
        return write(*arguments)

    monkeypatch.setattr(lake_compact, "write", write_and_append)
    assert rewrite(table, only(table)[0], COLUMNS).outcome == REWRITTEN
    assert ids(lake) == sorted(expected | {row["event_id"] for row in late})


def test_a_partition_that_is_replaced_meanwhile_is_left_to_the_other(lake: Settings, monkeypatch):
    table = fill(lake, commits=5)
    group = only(table)[0]
    kept = {row["event_id"] for row in trades(0, 30) if int(row["event_id"][1:]) % 2}
    new = [row for row in trades(1000, 4) if int(row["event_id"][1:]) % 2 == 0]
    write = lake_compact.write

    def write_and_replace(*arguments):
        other = iceberg.lake(lake).load_table(TABLE)
        day = f"event_time >= '{FIRST:%Y-%m-%dT%H:%M:%S}'"
        other.overwrite(as_arrow(new), f"{day} AND event_time < '{FIRST + DAY:%Y-%m-%dT%H:%M:%S}'")
        return write(*arguments)

    monkeypatch.setattr(lake_compact, "write", write_and_replace)
    assert rewrite(table, group, COLUMNS).outcome == REPLACED
    assert ids(lake) == sorted(kept | {row["event_id"] for row in new})
    assert not [path for path in stored(table) if "maintain-" in path]


def stored(table: Table) -> list[str]:
    """Return the paths of the data files in a table's folder."""
    folder = Path(table.location().removeprefix("file://"), "data")
    return [str(path) for path in folder.rglob("*.parquet")]


def test_a_group_whose_rows_cannot_be_read_back_is_refused(lake: Settings, monkeypatch):
    table = fill(lake, commits=5)
    before, paths = whole(lake), sorted(files(table))
    write = lake_compact.write
    monkeypatch.setattr(
        lake_compact, "write", lambda t, rows, *more: write(t, rows.slice(1), *more)
    )
    with pytest.raises(AsknownError, match="ASKNOWN-LAKE-006"):
        rewrite(table, only(table)[0], COLUMNS)
    assert (whole(lake), sorted(files(table))) == (before, paths)
    assert not [path for path in stored(table) if "maintain-" in path]


def test_files_older_than_the_cut_of_the_table_are_left_alone(lake: Settings):
    table = fill(lake, commits=5)
    with table.update_spec() as update:
        update.add_field("entity_id", "bucket[2]")
    assert only(table) == []
    assert len(ids(lake)) == 30


def test_maintenance_beside_a_writer_loses_and_doubles_nothing(lake: Settings):
    fill(lake, commits=4)
    commits = 10

    def go_on() -> None:
        for number in range(4, commits):
            table = iceberg.lake(lake).load_table(TABLE)
            append_as_flink(table, trades(number * 6, 6), number + 1)
            time.sleep(0.5)

    plan = Plan(keep=1, older_than=timedelta(0), policy=Policy(min_files=2))
    writer = Thread(target=go_on)
    writer.start()
    rounds = []
    while writer.is_alive():
        rounds += maintain(lake, [TABLE], plan)
    writer.join()
    rounds += maintain(lake, [TABLE], plan)
    assert sum(one.files_before for one in rounds) > 0
    assert sum(one.snapshots for one in rounds) > 0
    assert ids(lake) == [f"t{number:08d}" for number in range(commits * 6)]
    last = flink_snapshot(iceberg.lake(lake).load_table(TABLE).metadata)
    assert last is not None and last.summary is not None
    assert last.summary[CHECKPOINT] == str(commits)


# ------------------------------------------------------------------ snapshots and orphans


def test_expiry_keeps_all_down_to_the_last_snapshot_of_the_stream(lake: Settings):
    table = fill(lake, commits=6)
    checkpoint = table.current_snapshot()
    for number in range(3):  # what others commit behind it says nothing of checkpoints
        table.append(as_arrow(trades(1000 + number, 1)))
    result = expire(table, 1, ALWAYS_OLD)
    assert result.snapshots == 5
    kept = table.refresh().metadata.snapshots
    assert len(kept) == 4
    last = flink_snapshot(table.metadata)
    assert last is not None and last.snapshot_id == checkpoint.snapshot_id  # type: ignore[union-attr]
    walk, at = [], table.current_snapshot()
    while at is not None:  # as Iceberg's committer does
        walk.append(at.snapshot_id)
        at = table.snapshot_by_id(at.parent_snapshot_id) if at.parent_snapshot_id else None
    assert checkpoint.snapshot_id in walk  # type: ignore[union-attr]


def test_expiry_does_not_take_a_batch_job_for_the_stream(lake: Settings):
    table = fill(lake, commits=4)
    marks = {CHECKPOINT: str(2**63 - 1), "flink.job-id": "batch"}
    table.append(as_arrow(trades(1000, 1)), snapshot_properties=marks)
    expire(table, 1, ALWAYS_OLD)
    last = flink_snapshot(table.refresh().metadata)
    assert last is not None and last.summary is not None
    assert last.summary[CHECKPOINT] == "4"


def test_expiry_keeps_what_is_young_and_what_has_a_name(lake: Settings):
    table = fill(lake, commits=6)
    first = table.metadata.snapshots[0].snapshot_id
    table.manage_snapshots().create_tag(first, "kept").commit()
    assert expire(table, 1, datetime.now(UTC) - timedelta(hours=1)).snapshots == 0
    assert expire(table, 2, ALWAYS_OLD).snapshots == 3
    assert first in {snapshot.snapshot_id for snapshot in table.refresh().metadata.snapshots}
    assert table.scan(snapshot_id=first).count() == 6


def test_files_of_forgotten_snapshots_are_deleted_and_no_others(lake: Settings):
    table = fill(lake, commits=5)
    before = whole(lake)
    for group in only(table):
        rewrite(table, group, COLUMNS)
    append_as_flink(table.refresh(), trades(1000, 2), 6)
    expire(table, 1, ALWAYS_OLD)
    assert sorted(f"file://{path}" for path in stored(table)) == sorted(files(table))
    assert whole(lake).rows == before.rows + 2


def test_an_orphan_goes_only_when_it_is_old_by_the_stream_s_last_commit(lake: Settings):
    table = fill(lake, commits=2)
    folder = Path(table.location().removeprefix("file://"), "data")
    old, open_one = folder / "old.parquet", folder / "of-an-open-checkpoint.parquet"
    for path in (old, open_one):
        path.write_bytes(b"x")
    now, week = datetime.now(UTC), timedelta(days=7)
    os.utime(old, (0, (now - week).timestamp()))
    age = timedelta(days=1)

    def found(at: datetime, *, fed: bool) -> list[str]:
        return [one.path for one in lake_orphans.orphans(table, age, at, fed_by_stream=fed)]

    assert found(now, fed=True) == [str(old)]
    # the job is down for a week: what its checkpoint holds is as old as its last commit, not older
    assert found(now + week, fed=True) == [str(old)]
    assert str(open_one) in found(now + week, fed=False)
    lake_orphans.remove(table, lake_orphans.orphans(table, age, now, fed_by_stream=True))
    assert not old.exists()
    assert open_one.exists()
    assert len(ids(lake)) == 12


def test_a_table_of_a_stream_that_never_committed_keeps_every_file(lake: Settings):
    table = iceberg.lake(lake).load_table(TABLE)
    path = Path(table.location().removeprefix("file://"), "data", "first.parquet")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    later = datetime.now(UTC) + timedelta(days=9)
    assert lake_orphans.orphans(table, timedelta(hours=1), later, fed_by_stream=True) == []
    assert len(lake_orphans.orphans(table, timedelta(hours=1), later, fed_by_stream=False)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file:///a/b", "/a/b"),
        ("file:/a/b", "/a/b"),
        ("s3://bucket/a", "s3a://bucket/a"),
        ("file:///a/day=2024-10-28/x%3A1.parquet", "/a/day=2024-10-28/x%3A1.parquet"),
    ],
)
def test_addresses_of_one_file_have_one_path(one: str, other: str):
    assert lake_orphans.path_of(one) == lake_orphans.path_of(other)


# ------------------------------------------------------------------------------- the command


def test_a_dry_run_changes_nothing_and_promises_what_is_then_done(lake: Settings):
    table = fill(lake, commits=5)
    paths, snapshots = sorted(files(table)), len(table.metadata.snapshots)
    plan = Plan(keep=1, older_than=timedelta(0))
    (promised,) = maintain(lake, [TABLE], Plan(keep=1, older_than=timedelta(0), dry_run=True))
    assert (sorted(files(table)), len(table.metadata.snapshots)) == (paths, snapshots)
    (done,) = maintain(lake, [TABLE], plan)
    assert (promised.files_before, promised.rows) == (done.files_before, done.rows) == (10, 30)
    assert 0 < done.bytes_after < done.bytes_before


def test_contents_say_of_what_a_table_consists(lake: Settings):
    fill(lake, commits=3)
    (found,) = contents(lake, [TABLE])
    assert (found.partitions, found.files, found.small, found.rows) == (2, 6, 6, 18)
    assert (found.snapshots, found.flink_checkpoint, found.sorted_by) == (3, 3, COLUMNS)


def test_a_table_that_nobody_knows_is_refused():
    assert chosen("silver.tr") == ["silver.trade"]
    with pytest.raises(AsknownError, match="ASKNOWN-LAKE-005"):
        chosen("copper")


def test_a_table_of_an_older_release_gets_order_and_properties_and_keeps_its_rows(lake: Settings):
    catalog = iceberg.lake(lake)
    new = catalog.load_table(TABLE)
    catalog.drop_table(TABLE)
    old = {"write.parquet.compression-codec": "zstd"}
    catalog.create_table(TABLE, new.schema(), partition_spec=new.spec(), properties=old)
    table = fill(lake, commits=2)
    count = len(properties(new.schema())) - len(old) - 1  # the format's version is not among them
    changes = settle(table.refresh(), sort_columns(contract("normalized.trade")))
    assert changes == [
        f"set {count} properties of {TABLE}",
        f"sorted {TABLE} by {', '.join(sort_columns(contract('normalized.trade')))}",
    ]
    assert len(ids(lake)) == 12
    assert settle(table.refresh(), COLUMNS) == []


@pytest.mark.parametrize("seed", range(3))
def test_maintenance_killed_at_any_moment_loses_and_doubles_nothing(
    lake: Settings, tmp_path: Path, seed: int
):
    table = fill(lake, commits=6)
    before = whole(lake)
    code = (
        "import sys; from pathlib import Path;"
        "from datetime import timedelta;"
        "from tests.unit.storage.lake_tables import settings_of;"
        "from asknown.storage.lake_maintain import Plan, maintain;"
        "from asknown.storage.lake_compact import Policy;"
        "config = settings_of(Path(sys.argv[1])); print('ready', flush=True);"
        "plan = Plan(keep=1, older_than=timedelta(0), policy=Policy(min_files=2, target_rows=6));"
        f"[list(maintain(config, ['{TABLE}'], plan)) for _ in range(50)]"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.05, 1.0))
        process.send_signal(signal.SIGKILL)
    assert whole(lake) == before
    assert settings_of(tmp_path).warehouse == lake.warehouse
    # However far the killed one came: what it left is joined, be it few files.
    policy = Policy(min_files=2)
    list(maintain(lake, [TABLE], Plan(keep=1, older_than=timedelta(0), policy=policy)))
    assert whole(lake) == before
    assert len(files(table)) == 2
