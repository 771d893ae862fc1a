"""What is told of runs: to a file, and to a server that may not answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from asknown.contracts.catalog import contracts
from asknown.lineage.events import Events, Told
from asknown.settings import Settings

JOB_ID = "4be5db0ae1acf619dd0f9a6e0f6c54c0"


def told(config: Settings) -> list[dict[str, Any]]:
    """Return the events in the file."""
    lines = (config.data_dir / "lineage" / "events.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def collector() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the address of a server, and what it has been sent."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            received.append(json.loads(self.rfile.read(length)))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()


def test_run_is_told_with_what_it_reads_writes_and_how_columns_are_made(tmp_path: Path):
    config = Settings(data_dir=tmp_path)
    Events(config).tell(Told("normalize", JOB_ID, batch=False), "START")
    (event,) = told(config)
    assert event["eventType"] == "START"
    assert UUID(event["run"]["runId"]).hex == JOB_ID
    assert event["job"]["name"] == "normalize"
    assert event["job"]["facets"]["jobType"]["processingType"] == "STREAMING"
    assert {one["name"] for one in event["inputs"]} == {
        *("raw.trade", "raw.quote", "raw.bar"),
        "reference.entity_change",
    }
    trade = next(one for one in event["outputs"] if one["name"] == "normalized.trade")
    assert trade["namespace"] == f"kafka://{config.bootstrap_servers}"
    c = contracts()["normalized.trade"]
    columns = [one["name"] for one in trade["facets"]["schema"]["fields"]]
    assert columns == [f.name for f in (*c.envelope, *c.payload)]
    price = trade["facets"]["columnLineage"]["fields"]["price"]["inputFields"]
    assert [(one["name"], one["field"]) for one in price] == [("raw.trade", "price")]
    assert price[0]["transformations"][0]["subtype"] == "IDENTITY"


@pytest.mark.parametrize("job", ["reference", "derive", "lake", "research", "backfill"])
def test_every_job_has_inputs_and_outputs(tmp_path: Path, job: str):
    config = Settings(data_dir=tmp_path)
    Events(config).tell(Told(job, JOB_ID, batch=True), "COMPLETE")
    (event,) = told(config)
    assert event["inputs"] and event["outputs"]


def test_batch_run_over_the_lake_names_tables(tmp_path: Path):
    config = Settings(data_dir=tmp_path)
    Events(config).tell(Told("research", JOB_ID, batch=True), "COMPLETE")
    (event,) = told(config)
    assert {one["name"] for one in event["inputs"]} == {"silver.bar", "silver.entity_history"}
    assert {one["namespace"] for one in event["outputs"]} == {config.warehouse_uri}


def test_events_of_runs_follow_each_other_in_the_file(tmp_path: Path):
    config = Settings(data_dir=tmp_path)
    events, run = Events(config), Told("derive", JOB_ID, batch=False)
    for state in ("START", "RUNNING", "ABORT"):
        events.tell(run, state)
    assert [one["eventType"] for one in told(config)] == ["START", "RUNNING", "ABORT"]


def test_failure_before_flink_gave_an_id_is_told_with_its_message(tmp_path: Path):
    config = Settings(data_dir=tmp_path)
    Events(config).tell(Told("derive", "", batch=False), "FAIL", "no such table")
    (event,) = told(config)
    assert event["run"]["facets"]["errorMessage"]["message"] == "no such table"
    assert UUID(event["run"]["runId"]).version == 4


def test_server_is_told_what_the_file_has(
    tmp_path: Path, collector: tuple[str, list[dict[str, Any]]]
):
    address, received = collector
    config = Settings(data_dir=tmp_path, openlineage_url=address)
    Events(config).tell(Told("derive", JOB_ID, batch=False), "START")
    assert received == told(config)


def test_server_that_does_not_answer_is_said_and_stops_nothing(tmp_path: Path):
    config = Settings(data_dir=tmp_path, openlineage_url="http://127.0.0.1:9")
    notes: list[str] = []
    Events(config, notes.append).tell(Told("derive", JOB_ID, batch=False), "START")
    assert len(told(config)) == 1
    (note,) = notes
    assert "not told to http" in note
