"""Flink's client, played by a script: how long it is waited for, and what a batch asks of Flink."""

from __future__ import annotations

from pathlib import Path

import pytest

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.stack.jobs import Submission, _flink_run, _remember, command, forget, resume_point
from asknown.stack.paths import Paths
from jobs.backfill.run import Run
from jobs.runtime.run import RunConfig

JOB_ID = "0123456789abcdef0123456789abcdef"
MAIN = Path("main.py")


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    """Return settings of a stack whose client needs a second."""
    config = Settings(data_dir=tmp_path)
    client = Paths.of(config).flink / "home" / "bin" / "flink"
    client.parent.mkdir(parents=True)
    client.write_text(f"sleep 1\necho Job has been submitted with JobID {JOB_ID}\n")
    Paths.of(config).logs.mkdir(parents=True)
    return config


def test_batch_is_waited_for_however_long_it_takes(config: Settings) -> None:
    job = Submission(name="backfill", batch=True, timeout=0.1)
    assert _flink_run(job, MAIN, config, lambda _: None) == JOB_ID


def test_live_job_that_is_not_submitted_in_time_is_given_up(config: Settings) -> None:
    job = Submission(name="normalize", timeout=0.1)
    with pytest.raises(AsknownError, match="has not ended"):
        _flink_run(job, MAIN, config, lambda _: None)


def test_batch_ends_after_some_failures_and_a_live_job_never(config: Settings) -> None:
    batch = command(Submission(name="backfill", batch=True), MAIN, config)
    assert "-Drestart-strategy.type=fixed-delay" in batch
    live = command(Submission(name="normalize"), MAIN, config)
    assert not [part for part in live if part.startswith("-Drestart-strategy")]


def test_program_is_told_its_width_by_a_name_that_flinks_client_does_not_take(
    config: Settings,
) -> None:
    line = command(Submission(name="backfill", batch=True, parallelism=2), MAIN, config)
    assert line[line.index("-p") + 1] == "2"
    program = line[line.index("-pyfs") + 2 :]
    assert program == ["--width", "2"]
    assert Run.from_args(program).parallelism == 2
    assert RunConfig.from_args("normalize", program).parallelism == 2


def checkpoint(config: Settings, job_id: str, number: int, *, complete: bool = True) -> str:
    folder = Paths.of(config).checkpoints / job_id / f"chk-{number}"
    folder.mkdir(parents=True)
    if complete:
        (folder / "_metadata").touch()
    return f"file://{folder}"


def test_job_that_never_ran_has_nothing_to_go_on_from(config: Settings) -> None:
    assert resume_point(config, "normalize") == ""
    _remember(config, Submission(name="normalize"), JOB_ID)
    assert resume_point(config, "normalize") == ""


def test_job_goes_on_from_its_newest_complete_checkpoint(config: Settings) -> None:
    _remember(config, Submission(name="normalize"), JOB_ID)
    checkpoint(config, JOB_ID, 9)
    tenth = checkpoint(config, JOB_ID, 10)
    checkpoint(config, JOB_ID, 11, complete=False)
    assert resume_point(config, "normalize") == tenth


def test_stopped_job_goes_on_from_its_savepoint_not_from_the_checkpoint_before_it(
    config: Settings,
) -> None:
    _remember(config, Submission(name="normalize"), JOB_ID)
    checkpoint(config, JOB_ID, 9)
    forget(config, "normalize", savepoint="file:/savepoint")
    assert resume_point(config, "normalize") == "file:/savepoint"


def test_job_that_ended_before_its_first_checkpoint_goes_on_where_it_had_begun(
    config: Settings,
) -> None:
    _remember(config, Submission(name="normalize", restore="file:/savepoint"), JOB_ID)
    assert resume_point(config, "normalize") == "file:/savepoint"
    checkpoint(config, JOB_ID, 1, complete=False)
    assert resume_point(config, "normalize") == "file:/savepoint"
    first = checkpoint(config, JOB_ID, 2)
    assert resume_point(config, "normalize") == first
