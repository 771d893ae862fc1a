"""The stack starts, answers, is idempotent, and every killed process comes back by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.stack.flink import FlinkRest
from asknown.stack.jobs import Submission, resume_point, submit
from tests.e2e.conftest import Stack, free_offset

VICTIMS = (
    *("registry", "postgres", "clickhouse", "redis", "kafka"),
    *("loader", "live", "api", "taskmanager-1"),
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_up_a_second_time_starts_nothing_and_succeeds(stack: Any) -> None:
    before = {s["name"]: s["pids"] for s in stack.json("status")["services"]}
    rows = stack.json("up")
    after = {s["name"]: s["pids"] for s in stack.json("status")["services"]}
    assert {row["state"] for row in rows if row["url"]} == {"ready"}
    assert after == before


def test_status_of_a_running_stack_is_healthy_with_two_taskmanagers(stack: Any) -> None:
    report = stack.json("status")
    assert report["healthy"]
    assert all(service["state"] == "ready" for service in report["services"])
    overview = httpx2.get(f"{stack.settings.flink_url}/overview").json()
    assert overview["taskmanagers"] == 2


def test_flink_of_a_user_who_sets_no_java_options_has_both_taskmanagers(tmp_path: Path) -> None:
    config = Settings(port_offset=free_offset(), data_dir=tmp_path)
    users = Stack(config, java_options="")
    try:
        (row,) = users.json("up", "--only", "flink")
        assert (row["name"], row["state"]) == ("flink", "ready")
        with FlinkRest(config.flink_url) as rest:
            assert rest.overview()["taskmanagers"] == 2
    finally:
        users.run("down")


def test_doctor_of_a_running_stack_passes_every_check(stack: Any) -> None:
    checks = stack.json("doctor", check=False)
    assert [check for check in checks if not check["ok"]] == []


@pytest.mark.parametrize("service", VICTIMS)
def test_killed_process_comes_back_by_itself(stack: Any, eventually: Any, service: str) -> None:
    killed = stack.kill(service)
    eventually(
        lambda: stack.pids(service) and stack.pids(service) != killed,
        within=60,
        what=f"{service} to be started again",
    )
    owner = "flink" if service.startswith("taskmanager") else service
    stack.wait_ready(owner, within=90)
    assert stack.pids(service) != killed


def test_killed_registry_knows_every_schema_it_has_answered(stack: Any) -> None:
    url = stack.settings.registry_url
    headers = {"content-type": "application/vnd.schemaregistry.v1+json"}
    schema = '{"type": "record", "name": "Kept", "fields": [{"name": "a", "type": "int"}]}'
    answer = httpx2.post(
        f"{url}/subjects/kept-value/versions", json={"schema": schema}, headers=headers
    )
    stack.kill("registry")
    stack.wait_ready("registry")
    found = httpx2.get(f"{url}/schemas/ids/{answer.json()['id']}").json()
    assert found["schema"] == schema


def test_clickhouse_reader_may_not_write_and_nobody_comes_without_password(stack: Any) -> None:
    from asknown.stack.secrets import secret

    url = stack.settings.clickhouse_url
    reader = {
        "X-ClickHouse-User": stack.settings.clickhouse_reader,
        "X-ClickHouse-Key": secret("clickhouse_reader", stack.settings),
    }
    refused = [
        httpx2.post(url, headers=reader, content="CREATE TABLE silver.x (a Int8) ENGINE = Memory"),
        httpx2.post(url, headers=reader, content="SELECT * FROM file('x.csv', 'CSV', 'a String')"),
        httpx2.post(url, content="SELECT count() FROM silver.trade"),
        httpx2.post(url, headers={**reader, "X-ClickHouse-Key": "wrong"}, content="SELECT 1"),
    ]
    codes = [answer.headers["X-ClickHouse-Exception-Code"] for answer in refused]
    assert codes == ["497", "497", "497", "516"]


JOB = """
from pyflink.table import EnvironmentSettings, TableEnvironment
import jobs

tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
tables.get_config().set("pipeline.name", "ticker")
tables.execute_sql(
    "CREATE TABLE ticks (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '10')"
)
tables.execute_sql("CREATE TABLE nowhere (n BIGINT) WITH ('connector' = 'blackhole')")
tables.execute_sql("INSERT INTO nowhere SELECT {expression} FROM ticks")
"""


def job_folder(tmp_path: Path, expression: str) -> Path:
    folder = tmp_path / "ticker"
    folder.mkdir()
    (folder / "main.py").write_text(JOB.format(expression=expression))
    return tmp_path


def completed(stack: Any, job_id: str) -> int:
    with FlinkRest(stack.settings.flink_url) as rest:
        return int(rest.checkpoints(job_id)["counts"]["completed"])


def test_job_outlives_its_taskmanager_and_is_missed_after_its_jobmanager(
    stack: Any, eventually: Any, tmp_path: Path
) -> None:
    folder = job_folder(tmp_path, "n")
    started = submit(Submission("ticker", folder=folder), stack.settings)
    assert (started.state, started.checkpoint_seconds is not None) == ("RUNNING", True)
    before = completed(stack, started.job_id)
    stack.kill(stack.working_taskmanager())
    eventually(
        lambda: completed(stack, started.job_id) > before + 5, 60, "checkpoints after the kill"
    )
    (row,) = stack.json("job", "ls")
    assert row["checkpoints"] > before + 5
    assert 0 <= row["checkpoint_age_s"] < 60

    stack.kill("jobmanager")
    stack.wait_ready("flink", within=90)
    status = stack.run("status", check=False)
    assert status.returncode == 3
    assert "Next: asknown job submit ticker" in status.stdout
    newest = resume_point(stack.settings, "ticker")
    assert f"{started.job_id}/chk-" in newest
    again = submit(Submission("ticker", folder=folder, restore=newest), stack.settings)
    assert again.job_id != started.job_id
    saved = stack.json("job", "stop", "ticker")["savepoint"]
    assert Path(saved.removeprefix("file:"), "_metadata").exists()
    assert resume_point(stack.settings, "ticker") == saved
    assert stack.json("status")["healthy"]


def test_job_that_fails_is_cancelled_and_explained_in_a_few_lines(
    stack: Any, tmp_path: Path
) -> None:
    folder = job_folder(tmp_path, "n / (n - n)")
    with pytest.raises(AsknownError) as caught:
        submit(Submission("ticker", folder=folder), stack.settings)
    lines = str(caught.value).splitlines()
    assert any("ArithmeticException: / by zero" in line for line in lines)
    assert len(lines) <= 10
    assert not any("\tat " in line for line in lines)
    assert stack.json("job", "ls") == []


def test_job_that_cannot_be_planned_names_our_line(stack: Any, tmp_path: Path) -> None:
    folder = job_folder(tmp_path, "no_such_column")
    with pytest.raises(AsknownError) as caught:
        submit(Submission("ticker", folder=folder), stack.settings)
    assert "main.py:" in caught.value.message
    assert "no_such_column" in caught.value.message
