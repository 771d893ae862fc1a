"""Applying a run over a lake in a folder: what is recorded, what may happen meanwhile, retries."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from asknown.errors import AsknownError, UsageError
from asknown.settings import Settings
from asknown.storage import iceberg
from asknown.storage.backfill_apply import ATTEMPTS, Apply, Hands, pieces
from asknown.storage.backfill_book import APPLYING, TABLE, Book, Run
from asknown.storage.backfill_plan import of_corruption, of_days, plan, require_free
from tests.unit.storage.backfill_lake import (
    DAYS,
    PER_DAY,
    RAW,
    SILVER,
    TRADES,
    Job,
    fill,
    planned,
    raw,
    replace,
    trade,
)
from tests.unit.storage.lake_rows import append, settings_of


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    config = settings_of(tmp_path)
    fill(config)
    return config


def apply(config: Settings, run: Run, job: Any, settle: Any = lambda: None) -> Run:
    return Apply(config, run, Hands(job, settle)).run()


def partitions(config: Settings) -> dict[str, set[int]]:
    rows = iceberg.lake(config).load_table(SILVER).scan().to_arrow().to_pylist()
    found: dict[str, set[int]] = {}
    for row in rows:
        found.setdefault(str(row["event_time"].date()), set()).add(row["kafka_partition"])
    return found


def test_applied_day_is_recorded_with_rows_and_checksums_that_stay_equal(lake: Settings):
    done = apply(lake, planned(lake), Job(lake))

    assert done.status == "applied"
    assert list(done.applied) == list(DAYS[:2])
    for detail in done.applied.values():
        silver = detail["tables"][SILVER]
        assert silver["before"]["rows"] == silver["after"]["rows"] == PER_DAY
        assert silver["before"]["checksum"] == silver["after"]["checksum"] != "0" * 16
        assert silver["before"]["snapshot"] != silver["after"]["snapshot"]
    assert partitions(lake) == {str(d): {-1} if d in DAYS[:2] else {0} for d in DAYS}


def test_run_without_records_plans_no_day(lake: Settings):
    found = plan(lake, of_days(date(1999, 1, 1), date(1999, 2, 1)), "a test", "as-known")
    assert found.days == {}


def test_killed_run_goes_on_with_the_days_that_are_not_done(lake: Settings):
    run = planned(lake, of_corruption([f"{SILVER}:{day}" for day in (DAYS[0], DAYS[2])]))

    def killed(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(lake, run, Job(lake, killed))
    again = Job(lake)
    halfway = Book(lake).run(run.asked.run_id)
    assert (halfway.failed_while, list(halfway.applied)) == ("apply", [DAYS[0]])
    done = apply(lake, halfway, again)

    assert [first for first, _ in again.windows] == [DAYS[2]]
    assert list(done.applied) == [DAYS[0], DAYS[2]]
    assert iceberg.count(SILVER, lake) == PER_DAY * len(DAYS)


def test_row_that_the_lake_adds_meanwhile_is_read_once_more(lake: Settings):
    def arrives(number: int) -> None:
        if number == 1:
            append(lake, RAW, raw(DAYS[1], 7))
            append(lake, TRADES, trade(DAYS[1], 7))

    settled: list[int] = []
    job = Job(lake, arrives)
    done = apply(lake, planned(lake), job, lambda: settled.append(1))

    assert len(job.windows) == 2
    assert settled == [1]
    assert done.applied[DAYS[1]]["tables"][SILVER]["after"]["rows"] == PER_DAY + 1
    ids = iceberg.lake(lake).load_table(SILVER).scan().to_arrow()["event_id"].to_pylist()
    assert ids.count(f"{DAYS[1]}-7") == 1


def test_day_that_does_not_rest_is_an_error_that_names_it(lake: Settings):
    def arrives(number: int) -> None:
        append(lake, TRADES, trade(DAYS[1], 10 + number))

    job = Job(lake, arrives)
    with pytest.raises(AsknownError) as failed:
        apply(lake, planned(lake), job)
    assert failed.value.code == "ASKNOWN-BACKFILL-006"
    assert len(job.windows) == ATTEMPTS


def test_day_that_somebody_replaced_since_the_plan_is_refused(lake: Settings):
    run = planned(lake)
    replace(lake, SILVER, DAYS[1], [trade(DAYS[1], 5)], "somebody")
    job = Job(lake)

    with pytest.raises(AsknownError) as refused:
        apply(lake, run, job)
    assert refused.value.code == "ASKNOWN-BACKFILL-007"
    assert f"job somebody has replaced {DAYS[1]} of {SILVER}" in str(refused.value)
    assert job.windows == []
    assert Book(lake).run(run.asked.run_id).status == "failed"


def test_day_that_somebody_replaces_while_it_is_recomputed_is_an_error(lake: Settings):
    def replaces(_: int) -> None:
        replace(lake, SILVER, DAYS[1], [trade(DAYS[1], 5)], "")

    with pytest.raises(AsknownError) as refused:
        apply(lake, planned(lake), Job(lake, replaces))
    assert refused.value.code == "ASKNOWN-BACKFILL-007"
    assert "a writer without a job" in str(refused.value)


def test_rows_added_since_the_plan_and_days_outside_are_no_reason_to_refuse(lake: Settings):
    run = planned(lake)
    append(lake, TRADES, trade(DAYS[0], 1))
    replace(lake, SILVER, DAYS[3], [], "somebody")
    assert apply(lake, run, Job(lake)).status == "applied"


def test_failure_of_the_job_is_recorded_and_retry_finishes(lake: Settings):
    def full(_: int) -> None:
        raise AsknownError("ASKNOWN-JOB-006", "backfill failed: No space left on device")

    run = planned(lake)
    before = partitions(lake)
    with pytest.raises(AsknownError):
        apply(lake, run, Job(lake, full))
    failed = Book(lake).run(run.asked.run_id)
    assert "No space left" in failed.entries[-1].detail["error"]
    assert partitions(lake) == before
    assert apply(lake, failed, Job(lake)).status == "applied"


def test_overlapping_run_is_refused_while_another_is_applying(lake: Settings):
    run = planned(lake)
    Book(lake).add(run.asked, APPLYING, APPLYING, {"days": []})
    other = plan(lake, of_days(DAYS[1], DAYS[3]), "a test", "as-known")
    beside = plan(lake, of_days(DAYS[2], DAYS[3]), "a test", "as-known")

    with pytest.raises(UsageError) as refused:
        require_free(Book(lake).runs(), other.asked, lambda: "")
    assert run.asked.run_id in str(refused.value)
    assert f"backfill retry {run.asked.run_id}" in refused.value.hint
    with pytest.raises(UsageError) as refused:
        require_free(Book(lake).runs(), other.asked, lambda: run.asked.run_id)
    assert f"backfill show {run.asked.run_id}" in refused.value.hint
    require_free(Book(lake).runs(), beside.asked, lambda: "")


def test_entry_is_recorded_though_another_writer_commits_first(
    lake: Settings, monkeypatch: pytest.MonkeyPatch
):
    run = planned(lake)
    append_rows, first = Table.append, []

    def contended(self: Table, rows: Any, *more: Any, **named: Any) -> None:
        if not first:
            first.append(1)
            raise CommitFailedException("another writer")
        append_rows(self, rows, *more, **named)

    monkeypatch.setattr(Table, "append", contended)
    Book(lake).add(run.asked, APPLYING, APPLYING, {"days": []})
    assert [e.number for e in Book(lake).run(run.asked.run_id).entries] == [0, 1]
    assert iceberg.count(TABLE, lake) == 2


def test_unknown_run_is_a_usage_error_with_the_nearest(lake: Settings):
    run = planned(lake)
    with pytest.raises(UsageError) as refused:
        Book(lake).run(run.asked.run_id[:-1])
    assert run.asked.run_id in refused.value.hint


@pytest.mark.parametrize(
    ("apart", "most", "found"),
    [
        (False, 100, [[0, 1, 3]]),
        (True, 100, [[0, 1], [3]]),
        (False, 20, [[0, 1], [3]]),
        (False, 5, [[0], [1], [3]]),
    ],
)
def test_pieces_hold_days_in_a_row_up_to_a_number_of_rows(
    apart: bool, most: int, found: list[list[int]]
):
    days = {DAYS[n]: 10 for n in (0, 1, 3)}
    assert pieces(days, apart, most) == [[DAYS[n] for n in piece] for piece in found]
