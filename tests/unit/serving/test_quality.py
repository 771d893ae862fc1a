"""Measurements, freshness and monitors: the endpoints, and the commands over them."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from asknown.errors import ExitCode
from asknown.reference.calendars import day_schedules
from asknown.reference.moments import moment
from asknown.settings import Settings
from tests.unit.serving.conftest import INGESTED, NOW, Command, insert, tick
from tests.unit.serving.market import at

MINUTE = timedelta(minutes=1)
LAST = at("2024-10-28T04:00:00")  # a minute of a session: 15 minutes after the open
STEADY, BROKEN = "steady", "broken"


def window(source: str, start: datetime, **values: float) -> list[dict[str, Any]]:
    """Return one row for each value; `mean__price` is the metric mean of the column price."""
    rows = []
    for name, value in values.items():
        metric, _, column = name.partition("__")
        rows.append(
            {
                "event_id": f"trade|{source}|{metric}|{column}|{start.isoformat()}",
                "event_time": start,
                "ingest_time": start + MINUTE,
                "source": "derive",
                "schema_version": 1,
                "entity_id": f"trade|{source}",
                "dataset": "trade",
                "measured_source": source,
                "metric": metric,
                "measured_column": column or None,
                "interval_seconds": 60,
                "window_start": start,
                "value": value,
                "records": round(values["records"]),
                "kafka_partition": 0,
                "kafka_offset": 0,
            }
        )
    return rows


def usual(source: str, start: datetime, number: int) -> list[dict[str, Any]]:
    return window(
        source,
        start,
        records=500 + number % 7,
        flagged_share=0.01,
        order_violation_share=0.0,
        null_share__isin=0.0,
        mean__price=100 + number % 3,
        stddev__price=12.0,
    )


def history(source: str) -> list[dict[str, Any]]:
    """Return the same minute of eleven sessions, and the ten minutes before the newest."""
    sessions = day_schedules("XSIM", at("2024-10-11").date(), at("2024-10-25").date())
    starts = [moment(day.regular[0]) + 15 * MINUTE for day in sessions]
    starts += [LAST - n * MINUTE for n in range(1, 11)]
    return [row for n, start in enumerate(starts) for row in usual(source, start, n)]


@pytest.fixture(scope="session")
def measured(filled: Settings) -> Settings:
    """Add the measurements of a steady source, of one that broke, and what lanes hold."""
    broken = {"flagged_share": 0.5, "order_violation_share": 0.4, "null_share__isin": 0.9}
    rows = history(STEADY) + usual(STEADY, LAST, 3) + history(BROKEN)
    rows += window(BROKEN, LAST, records=9, mean__price=9, stddev__price=0.1, **broken)
    rows += window(BROKEN, LAST + 2 * MINUTE, records=40, **broken)
    insert(filled, "gold.quality", rows)
    trade = tick("e_steady", "STEADY", LAST, 1, price=Decimal(100), size=Decimal(1))
    insert(filled, "silver.trade", [{**trade, "source": STEADY, "raw_partition": 1}])
    lanes = {"late": 10, "duplicate": 5, "quarantine": 20}
    for number, (lane, count) in enumerate(lanes.items()):
        own = [aside(1000 * (number + 1) + n) for n in range(count)]
        insert(filled, f"ops.{lane}_event", [*own, aside(7, topic="raw.bar", source="")])
    return filled


def aside(offset: int, topic: str = "raw.trade", source: str = "test") -> dict[str, Any]:
    return {
        "event_id": f"{topic}:0:{offset}",
        "event_time": INGESTED,
        "ingest_time": INGESTED,
        "source": source,
        "schema_version": 1,
        "entity_id": f"{topic}:0:{offset}",
        "topic": topic,
        "partition": 0,
        "offset": offset,
        "stage": "normalize",
        "reason": "ANY",
        "raw_event_id": None,
        "raw_key": None,
        "kafka_partition": 0,
        "kafka_offset": offset,
    }


def get(api: TestClient, path: str, **query: Any) -> Any:
    answer = api.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_measurements_are_chosen_by_dataset_source_metric_and_time(
    api: TestClient, measured: Settings
) -> None:
    query = {"dataset": "trade", "source": STEADY, "metric": "mean"}
    rows = get(api, "/v1/quality", **query, start=LAST.isoformat())["data"]
    assert rows == [
        {
            "dataset": "trade",
            "source": STEADY,
            "metric": "mean",
            "column": "price",
            "window_start": "2024-10-28T04:00:00.000Z",
            "interval_seconds": 60,
            "value": 100.0,
            "records": 503,
            "ingest_time": "2024-10-28T04:01:00.000Z",
            "event_id": f"trade|{STEADY}|mean|price|{LAST.isoformat()}",
        }
    ]
    before = get(api, "/v1/quality", **query, start="2024-10-28", end=LAST.isoformat())["data"]
    assert len(before) == 10


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_of_measurements_equal_the_whole(
    api: TestClient, measured: Settings, limit: int
) -> None:
    query: dict[str, Any] = {"source": STEADY, "start": "2024-10-28T03:55:00Z"}
    whole = get(api, "/v1/quality", **query)["data"]
    found, following = [], None
    while True:
        more = {"next": following} if following else {}
        body = get(api, "/v1/quality", **query, limit=limit, **more)
        found += body["data"]
        following = body["next"]
        if following is None:
            break
    assert found == whole
    assert [r["window_start"] for r in found] == sorted(r["window_start"] for r in found)


def test_measurements_come_as_csv_and_arrow(api: TestClient, measured: Settings) -> None:
    query = {"source": STEADY, "metric": "records", "start": "2024-10-28"}
    rows = get(api, "/v1/quality", **query)["data"]
    text = api.get("/v1/quality", params=query, headers={"accept": "text/csv"}).text
    assert [float(r["value"]) for r in csv.DictReader(io.StringIO(text))] == [
        r["value"] for r in rows
    ]
    for path, more in (("", query), ("/freshness", {}), ("/monitors", {})):
        accept = {"accept": "application/vnd.apache.arrow.stream"}
        answer = api.get(f"/v1/quality{path}", params=more, headers=accept)
        assert pa.ipc.open_stream(answer.content).read_all().num_rows > 0


def test_measurement_not_known_yet_is_not_shown(api: TestClient, measured: Settings) -> None:
    query = {"source": STEADY, "metric": "records", "start": LAST.isoformat()}
    assert not get(api, "/v1/quality", **query, known_at="2024-10-28T04:00:30Z")["data"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"start": "2024-10-28", "end": "2024-10-27"}, "end"),
        ({"symbols": "ACME"}, "symbols"),
        ({"next": "else"}, "next"),
    ],
)
def test_parameter_of_measurements_that_cannot_be_used_is_named(
    api: TestClient, query: dict[str, str], parameter: str
) -> None:
    answer = api.get("/v1/quality", params=query)
    assert answer.status_code in (400, 422)
    assert parameter in answer.json()["detail"]


@pytest.mark.parametrize(
    ("moment_", "verdict", "open_age"),
    [
        ("2024-10-28T04:02:00Z", "FRESH", 96),
        ("2024-10-28T04:10:00Z", "STALE", 576),
        ("2024-10-18T12:00:00Z", "STALE", 18_000),  # after the close of the day of the 18th
    ],
)
def test_freshness_counts_open_time_of_the_venue(
    api: TestClient, measured: Settings, moment_: str, verdict: str, open_age: float
) -> None:
    query = {"dataset": "normalized.trade", "source": "test", "at": moment_}
    (row,) = get(api, "/v1/quality/freshness", **query)["data"]
    assert (row["verdict"], row["venue"], row["freshness_seconds"]) == (verdict, "XSIM", 180)
    assert row["open_age_seconds"] == pytest.approx(open_age, abs=25)


def test_freshness_is_as_of_the_newest_event_where_no_time_is_named(
    api: TestClient, measured: Settings
) -> None:
    body = get(api, "/v1/quality/freshness")
    newest = max(row["last_event_time"] for row in body["data"])
    assert body["meta"]["at"] == newest
    assert body["meta"]["known_at"].startswith(f"{NOW:%Y-%m-%d}")
    assert {row["dataset"] for row in body["data"]} >= {"normalized.trade", "analytics.bar"}


def test_datasets_tell_what_is_promised_and_whether_it_is_kept(
    api: TestClient, measured: Settings
) -> None:
    found = {d["dataset"]: d for d in get(api, "/v1/datasets")["data"]}
    assert found["trade"]["sla"]["freshness_seconds"] == 180
    assert found["trade"]["freshness"][0]["verdict"] == "FRESH"
    assert found["bar"]["freshness"][0]["verdict"] == "STALE"


def monitors(api: TestClient, **query: Any) -> dict[tuple[str, str | None], Any]:
    rows = get(api, "/v1/quality/monitors", **query)["data"]
    return {(r["monitor"], r["column"]): r for r in rows}


def test_steady_source_breaches_nothing(api: TestClient, measured: Settings) -> None:
    found = monitors(api, source=STEADY, at="2024-10-28T04:01:00Z")
    assert {key for key, row in found.items() if row["breached"]} == set()
    assert set(found) == {
        ("volume", None),
        ("mean_shift", "price"),
        ("spread_shift", "price"),
        ("null_share", "isin"),
        ("flagged_share", None),
        ("order_violation_share", None),
        ("duplicate_share", None),
        ("late_share", None),
    }
    assert found["volume", None]["reference"] == 502


def test_source_without_a_calendar_is_compared_with_the_days_it_had(
    api: TestClient, measured: Settings
) -> None:
    found = monitors(api, source=BROKEN, at="2024-10-28T04:01:00Z")
    assert found["volume", None]["reference"] == 502


def test_broken_source_breaches_what_broke(api: TestClient, measured: Settings) -> None:
    found = monitors(api, source=BROKEN, at="2024-10-28T04:01:00Z")
    assert {key for key, row in found.items() if row["breached"]} == {
        ("volume", None),
        ("null_share", "isin"),
        ("flagged_share", None),
        ("order_violation_share", None),
    }
    assert ("mean_shift", "price") not in found  # of nine records no mean is trusted


def test_window_that_is_not_over_is_not_judged(api: TestClient, measured: Settings) -> None:
    for moment_, start in (("04:02:59", "04:00:00"), ("04:03:00", "04:02:00")):
        found = monitors(api, source=BROKEN, at=f"2024-10-28T{moment_}Z")
        assert found["flagged_share", None]["window_start"] == f"2024-10-28T{start}.000Z"


def test_shares_of_the_lanes_are_of_all_that_arrived(api: TestClient, measured: Settings) -> None:
    found = monitors(api, dataset="trade")
    passed = 250  # with what a later correction and other instruments repeat: one by coordinates
    late, copies = found["late_share", None], found["duplicate_share", None]
    assert late["value"] == pytest.approx(10 / (35 + passed), rel=0.05)
    assert copies["value"] == pytest.approx(5 / (35 + passed), rel=0.05)
    assert (late["breached"], copies["breached"]) == (True, False)
    whole = found["completeness", None]
    assert whole["value"] == pytest.approx(passed / (30 + passed), rel=0.05)
    assert (whole["reference"], whole["breached"]) == (0.98, True)


def test_command_freshness_exits_with_3_when_something_is_stale(
    command: Command, measured: Settings
) -> None:
    asked = ("freshness", "trade", "--source", "test", "--at")
    code, out, _ = command(*asked, "2024-10-28T04:02:00")
    assert code == ExitCode.OK
    assert "FRESH" in out
    assert "XSIM" in out
    code, out, _ = command(*asked, "2024-10-28T04:10:00", "-o", "json")
    assert code == ExitCode.CHECK_FAILED
    found = json.loads(out)
    assert found["datasets"][0]["verdict"] == "STALE"
    assert found["at"] == "2024-10-28T04:10:00.000Z"
    assert found["wall_time"]


def test_command_quality_exits_with_3_when_a_monitor_is_beyond_its_limit(
    command: Command, measured: Settings
) -> None:
    at_ = ("--at", "2024-10-28T04:01:00")
    code, out, _ = command("quality", "trade", "--source", STEADY, *at_, "--measurements")
    assert code == ExitCode.OK
    assert "order_violation_share" in out
    assert "stddev" in out
    code, out, _ = command("quality", "--source", BROKEN, *at_, "-o", "json")
    assert code == ExitCode.CHECK_FAILED
    breached = [row["monitor"] for row in json.loads(out)["monitors"] if row["breached"]]
    assert "null_share" in breached
