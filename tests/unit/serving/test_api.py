"""The API over a real ClickHouse."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from asknown.serving.main import create_app
from asknown.settings import Settings

ACME = {"symbols": "ACME", "start": "2024-10-18", "end": "2024-10-29"}


def get(api: TestClient, path: str, **parameters: Any) -> dict[str, Any]:
    answer = api.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def problem(api: TestClient, status: int, path: str, **parameters: Any) -> dict[str, Any]:
    answer = api.get(path, params=parameters)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["code"].startswith("ASKNOWN-")
    return body


def closes(body: dict[str, Any]) -> list[str]:
    return [row["close"] for row in body["data"]]


def test_trades_come_in_order_with_decimals_as_strings(api: TestClient) -> None:
    body = get(api, "/v1/trades", **ACME)
    rows = body["data"]
    assert len(rows) == 250
    assert rows == sorted(rows, key=lambda r: (r["event_time"], r["sequence"]))
    assert rows[0]["price"] == "99.5"  # the correction, once
    assert rows[1]["size"] == "10"
    assert rows[1]["event_time"] == "2024-10-18T04:00:00.000Z"
    assert body["meta"]["adjust"] == "raw"
    assert body["meta"]["complete"] is True
    assert body["meta"]["as_of"] == "2024-10-30T00:00:00.000Z"
    assert body["next"] is None


def test_trades_known_at_an_earlier_moment_leave_later_knowledge_out(api: TestClient) -> None:
    before = get(api, "/v1/trades", **ACME, known_at="2024-10-29")["data"]
    # The first one was corrected since: its old version may be merged away, the new one unknown.
    assert len(before) in (249, 250)
    assert {row["ingest_time"] for row in before} == {"2024-10-28T12:00:00.000Z"}
    assert "99.5" not in {row["price"] for row in before}
    assert get(api, "/v1/trades", **ACME, known_at="2024-10-28")["data"] == []


@pytest.mark.parametrize("limit", [1, 7, 49, 250, 10_000])
def test_pages_put_together_equal_the_whole(api: TestClient, limit: int) -> None:
    whole = get(api, "/v1/trades", **ACME)["data"]
    rows: list[dict[str, Any]] = []
    body: dict[str, Any] = {"next": ""}
    while body["next"] is not None:
        more = {"next": body["next"]} if body["next"] else {}
        body = get(api, "/v1/trades", **ACME, limit=limit, **more)
        assert len(body["data"]) <= limit
        assert body["meta"]["complete"] == (body["next"] is None)
        rows += body["data"]
    assert rows == whole


def test_pages_are_linked_in_a_header(api: TestClient) -> None:
    first = api.get("/v1/trades", params={**ACME, "limit": 200})
    assert 'rel="next"' in first.headers["link"]
    url = first.headers["link"].partition(">")[0].removeprefix("<")
    assert len(api.get(url).json()["data"]) == 50


def test_cursor_with_other_parameters_is_refused(api: TestClient) -> None:
    cursor = get(api, "/v1/trades", **ACME, limit=1)["next"]
    other = {**ACME, "adjust": "all", "next": cursor}
    assert "same parameters" in problem(api, 400, "/v1/trades", **other)["detail"]
    assert problem(api, 400, "/v1/quotes", **ACME, next=cursor)["code"] == "ASKNOWN-API-001"
    assert problem(api, 400, "/v1/trades", **ACME, next="x" * 50)["code"] == "ASKNOWN-API-001"


@pytest.mark.parametrize(
    ("adjust", "expected"),
    [
        ("raw", ["100", "50", "50", "49"]),
        ("split", ["50", "50", "50", "49"]),
        ("dividend", ["98", "49", "49", "49"]),
        ("all", ["49", "49", "49", "49"]),
    ],
)
def test_daily_bars_adjusted_are_continuous(
    api: TestClient, adjust: str, expected: list[str]
) -> None:
    body = get(api, "/v1/bars", **ACME, interval="1d", adjust=adjust)
    assert closes(body) == expected
    volumes = ["2000", "1000", "1000", "1000"] if adjust in ("split", "all") else ["1000"] * 4
    assert [row["volume"] for row in body["data"]] == volumes
    basis = body["meta"]["factor_basis"][0]
    assert (basis["price_factor"], basis["factor_version"]) == (0.49, 2)


def test_factors_not_in_force_or_not_known_are_not_used(api: TestClient) -> None:
    # Ingested on the 28th: seen from then on, with the factors known at each moment.
    late = get(api, "/v1/bars", **ACME, interval="1d", adjust="all", known_at="2024-10-31")
    assert closes(late) == ["49"] * 4  # the split of December is announced, not in force
    basis = get(api, "/v1/trades", **ACME, known_at="2024-10-22")["meta"]["factor_basis"][0]
    assert (basis["price_factor"], basis["share_factor"]) == (0.5, 2.0)


@pytest.mark.parametrize(
    ("known_at", "adjust", "expected", "sizes"),
    [
        ("2024-10-23", "raw", ["100", "50"], ["10", "10"]),
        ("2024-10-23", "all", ["100", "50"], ["10", "10"]),  # nobody knew of the split
        ("2024-10-31", "raw", ["100", "50", "50"], ["10", "10", "10"]),
        ("2024-10-31", "all", ["50", "50", "50"], ["20", "10", "10"]),
        ("2024-10-31", "split", ["50", "50", "50"], ["20", "10", "10"]),
        ("2024-10-31", "dividend", ["100", "50", "50"], ["10", "10", "10"]),
    ],
)
def test_split_learnt_late_adjusts_by_the_knowledge_asked_for(
    api: TestClient, known_at: str, adjust: str, expected: list[str], sizes: list[str]
) -> None:
    span = {"symbols": "LATE", "start": "2024-10-18", "end": "2024-10-26"}
    rows = get(api, "/v1/trades", **span, known_at=known_at, adjust=adjust)["data"]
    # The second trade is stored with the factors that were known then: without the split.
    assert [row["price"] for row in rows] == expected
    assert [row["size"] for row in rows] == sizes


def test_adjusted_rows_carry_the_factors_they_were_adjusted_with(api: TestClient) -> None:
    span = {"symbols": "LATE", "start": "2024-10-18", "end": "2024-10-26"}
    raw = get(api, "/v1/trades", **span)["data"]
    adjusted = get(api, "/v1/trades", **span, adjust="all")["data"]
    assert [row["price_factor"] for row in raw] == [1.0, 1.0, 0.5]
    assert [row["price_factor"] for row in adjusted] == [1.0, 0.5, 0.5]


def test_adjusted_price_stays_a_decimal_of_eight_places(api: TestClient) -> None:
    rows = get(api, "/v1/trades", **ACME, adjust="all")["data"]
    assert rows[1]["price"] == str(Decimal("100.01") * Decimal("0.49"))
    assert rows[1]["price_factor"] == 1.0  # what was in force then


def test_bars_of_each_interval_and_side_are_apart(api: TestClient) -> None:
    minute = get(api, "/v1/bars", **ACME)["data"]
    assert [(r["interval_seconds"], r["price_type"], r["revision"]) for r in minute] == [
        (60, "trade", 1)
    ]
    assert minute[0]["close"] == "101"
    known = get(api, "/v1/bars", **ACME, known_at="2024-10-29")["data"]
    assert [(r["close"], r["revision"]) for r in known] == [("100.5", 0)]
    bid = get(api, "/v1/bars", **ACME, interval="1s", price_type="bid", adjust="all")["data"]
    assert (bid[0]["vwap"], bid[0]["volume"], bid[0]["open"]) == (None, "0", "49.245")


@pytest.mark.parametrize(
    ("known_at", "revisions"),
    [("2024-10-28T12:00:00Z", [0, 0, 0]), ("2024-10-29T12:00:00Z", [0, 1, 0]), (None, [0, 2, 0])],
)
def test_bar_is_the_newest_revision_that_was_known_on_pages_of_any_size(
    api: TestClient, known_at: str | None, revisions: list[int]
) -> None:
    asked = {"entity_ids": "e_nova", "start": "2024-10-18", "end": "2024-10-19"}
    asked |= {} if known_at is None else {"known_at": known_at}
    whole = get(api, "/v1/bars", **asked)["data"]
    assert [row["revision"] for row in whole] == revisions
    assert [row["event_count"] for row in whole] == [2 + revision for revision in revisions]

    paged, following = [], {}
    while True:
        page = get(api, "/v1/bars", **asked, limit=1, **following)
        paged += page["data"]
        if not page["next"]:
            break
        following = {"next": page["next"]}
    assert paged == whole


def test_quotes_are_adjusted_on_both_sides(api: TestClient) -> None:
    row = get(api, "/v1/quotes", **ACME, adjust="split")["data"][0]
    assert (row["bid_price"], row["bid_size"]) == ("49.95", "6")
    assert (row["ask_price"], row["ask_size"]) == ("50.05", "8")


def test_symbol_reused_by_another_company_is_read_as_of_its_date(api: TestClient) -> None:
    whole = {"symbols": "OLD", "start": "2024-10-18", "end": "2024-10-19"}
    assert {r["entity_id"] for r in get(api, "/v1/trades", **whole)["data"]} == {"e_nova"}
    before = get(api, "/v1/trades", **whole, symbol_as_of="2024-03-01")["data"]
    assert [(r["entity_id"], r["symbol"]) for r in before] == [("e_pear", "PEAR")]
    gap = problem(api, 404, "/v1/trades", **whole, symbol_as_of="2024-06-10")
    assert "no listing" in gap["detail"]


def test_history_of_a_renamed_company_is_one(api: TestClient) -> None:
    whole = {"start": "2024-10-01", "end": "2024-10-20"}
    assert len(get(api, "/v1/trades", symbols="PEAR", **whole)["data"]) == 1
    whole["start"] = "2024-09-30"
    by_id = get(api, "/v1/trades", entity_ids="e_pear", **whole)["data"]
    assert [r["symbol"] for r in by_id] == ["PEAR"]


def test_symbol_of_two_venues_must_be_named_more_closely(api: TestClient) -> None:
    both = problem(api, 409, "/v1/trades", symbols="TWIN", start="2024-10-18")
    assert "TWIN.XNYS" in both["detail"]
    body = get(api, "/v1/trades", symbols="TWIN.XNYS", start="2024-10-18")
    assert body["meta"]["factor_basis"][0]["entity_id"] == "e_twin_y"


def test_unknown_symbol_is_a_problem_with_the_nearest(api: TestClient) -> None:
    body = problem(api, 404, "/v1/trades", symbols="ACNE", start="2024-10-18")
    assert body["hint"].startswith("nearest: ACME")
    assert body["title"] == "Not Found"
    assert body["instance"] == "/v1/trades"


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"start": "yesterday"}, "query.start"),
        ({"start": "2024-10-28T03:45:00"}, "query.start"),
        ({"limit": 0}, "query.limit"),
        ({"limit": 10_001}, "query.limit"),
        ({"adjust": "splits"}, "query.adjust"),
        ({"end": "2024-10-17"}, "query.end"),
        ({"end": "2025-10-17"}, "query.end"),
        ({"known_at": "2030-01-01"}, "query.known_at"),
        ({"symbols": ""}, "query.symbols"),
        ({"symbols": ",".join(f"S{n}" for n in range(101))}, "query.symbols"),
        ({"symbol": "ACME"}, "query.symbol"),
        ({"interval": "5m"}, "query.interval"),
    ],
)
def test_bad_parameter_is_named_with_what_was_expected(
    api: TestClient, changed: dict[str, Any], pointer: str
) -> None:
    body = problem(api, 422, "/v1/trades", **{**ACME, **changed})
    assert pointer in [error["pointer"] for error in body["errors"]]
    assert all(error["expected"] for error in body["errors"])


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "{x:String}", "ACME') UNION SELECT", "\\", "a\x00b", "💥", "%27"]
)
def test_hostile_symbols_are_only_unknown(api: TestClient, text: str) -> None:
    for field, path in (("symbols", "/v1/trades"), ("entity_ids", "/v1/bars")):
        answer = api.get(path, params={field: text, "start": "2024-10-18"})
        assert answer.status_code in (404, 422), answer.text
    assert api.get("/v1/instruments/resolve", params={"symbol": text}).status_code == 404


def test_csv_and_arrow_hold_the_same_rows_as_json(api: TestClient) -> None:
    rows = get(api, "/v1/trades", **ACME, limit=9)["data"]
    query = {**ACME, "limit": 9}
    text = api.get("/v1/trades", params=query, headers={"accept": "text/csv"})
    assert text.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(text.text)))
    assert [r["price"] for r in table] == [r["price"] for r in rows]
    assert "next" in text.headers["link"]
    arrow = "application/vnd.apache.arrow.stream"
    answer = api.get("/v1/trades", params=query, headers={"accept": arrow})
    found = pa.ipc.open_stream(answer.content).read_all()
    assert [Decimal(r["price"]) for r in rows] == found["price"].to_pylist()
    assert found.schema.field("event_time").type == pa.timestamp("ms", tz="UTC")
    assert found.schema.metadata[b"next"]


def test_arrow_without_rows_has_the_same_schema(api: TestClient) -> None:
    headers = {"accept": "application/vnd.apache.arrow.stream"}
    schemas = [
        pa.ipc.open_stream(api.get("/v1/bars", params=p, headers=headers).content).schema
        for p in (ACME, {**ACME, "start": "2024-10-28"})
    ]
    assert schemas[0].remove_metadata() == schemas[1].remove_metadata()


def test_accept_of_nothing_offered_is_a_problem(api: TestClient) -> None:
    answer = api.get("/v1/trades", params=ACME, headers={"accept": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (406, "ASKNOWN-API-406")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2", 404), ("POST", "/", 405)])
def test_other_paths_and_methods_are_problems(
    api: TestClient, method: str, path: str, status: int
) -> None:
    answer = api.request(method, path)
    assert answer.status_code == status
    assert answer.json()["code"] == f"ASKNOWN-API-{status}"


def test_health_metrics_datasets_and_page_tell_the_state(api: TestClient) -> None:
    health = get(api, "/healthz")
    assert health["status"] == "ok"
    assert health["data"]["trade"]["age_seconds"] == 216_000
    datasets = {d["dataset"]: d for d in get(api, "/v1/datasets")["data"]}
    assert datasets["trade"]["rows"] >= 253
    assert "price" in datasets["trade"]["columns"]
    metrics = api.get("/metrics").text
    assert 'asknown_api_data_age_seconds{dataset="trade"} 216000.0' in metrics
    assert 'asknown_api_requests_total{route="/healthz",status="200"}' in metrics
    page = api.get("/")
    assert "answering" in page.text
    assert "/v1/datasets" in page.text


def test_openapi_describes_every_endpoint_with_examples(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    paths = document["paths"]
    assert {"/v1/trades", "/v1/quotes", "/v1/bars", "/v1/instruments/resolve"} <= set(paths)
    read = {"/v1/instruments", "/v1/corporate-actions", "/v1/adjustment-factors"}
    assert read | {"/v1/restatements", "/v1/instruments/{entity_id}/history"} <= set(paths)
    for path in ("/v1/trades", "/v1/quotes", "/v1/bars"):
        operation = paths[path]["get"]
        assert {"symbols", "known_at", "adjust"} <= {p["name"] for p in operation["parameters"]}
        example = operation["responses"]["200"]["content"]["application/json"]["example"]
        assert example["data"][0]["entity_id"]
        assert "application/problem+json" in operation["responses"]["422"]["content"]


def test_reference_page_names_every_path_and_loads_nothing_from_elsewhere(api: TestClient) -> None:
    page = api.get("/docs").text
    for path in api.get("/openapi.json").json()["paths"]:
        assert f"GET {path}" in page
    assert "known_at" in page
    assert "http://" not in page
    assert "<script" not in page


def test_api_without_clickhouse_answers_503_and_says_so(config: Settings) -> None:
    nowhere = config.model_copy(update={"clickhouse_port": 1})
    with TestClient(create_app(nowhere), raise_server_exceptions=False) as api:
        body = problem(api, 503, "/v1/trades", **ACME)
        assert body["hint"]
        health = api.get("/healthz")
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        assert "not answering" in api.get("/").text
        assert "asknown_api_clickhouse_up 0.0" in api.get("/metrics").text
