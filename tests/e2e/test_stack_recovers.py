"""The stack starts, answers, is idempotent, and every killed process comes back by itself."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

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


def test_doctor_of_a_running_stack_passes_every_check(stack: Any) -> None:
    checks = stack.json("doctor", check=False)
    assert [check for check in checks if not check["ok"]] == []


@pytest.mark.parametrize(
    "service", ["registry", "postgres", "clickhouse", "kafka", "loader", "api", "taskmanager-1"]
)
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
    assert [answer.status_code for answer in refused] == [403, 403, 403, 403]
