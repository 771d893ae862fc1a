"""Identity, actions, factors and restatements over a real ClickHouse."""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from tests.unit.serving.test_api import get, problem

RESOLVE = "/v1/instruments/resolve"
ACTIONS, FACTORS = "/v1/corporate-actions", "/v1/adjustment-factors"


def resolved(api: TestClient, symbol: str, **more: Any) -> str | None:
    data = get(api, RESOLVE, symbol=symbol, **more)["data"]
    assert data["status"] == "RESOLVED"
    listing: str | None = data["entity_id"]
    return listing


@pytest.mark.parametrize(
    ("asked", "listing"),
    [
        ({"symbol": "ACME"}, "e_acme"),
        ({"symbol": "ACME.XSIM"}, "e_acme"),
        ({"symbol": "X:ACME"}, "e_acme"),
        ({"symbol": "US0000000AC1"}, "e_acme"),
        ({"symbol": "US0000000AC1", "id_type": "isin"}, "e_acme"),
        ({"symbol": "X:ACME", "id_type": "raw_key"}, "e_acme"),
        ({"symbol": "TWIN", "venue": "XNYS"}, "e_twin_y"),
        ({"symbol": "TWIN.XSIM", "id_type": "symbol"}, "e_twin"),
        ({"symbol": "TWIN", "venue": "XSIM", "series": ""}, "e_twin"),
    ],
)
def test_identifier_of_each_kind_names_its_listing(
    api: TestClient, asked: dict[str, str], listing: str
) -> None:
    assert resolved(api, **asked) == listing


@pytest.mark.parametrize(
    ("symbol", "on", "listing"),
    [
        ("OLD", "2024-02-01", "e_pear"),
        ("OLD", "2024-06-02", "e_pear"),
        ("OLD", "2024-06-02T23:59:59.999Z", "e_pear"),
        ("OLD", "2024-07-01T00:00:00Z", "e_nova"),
        ("OLD", "2024-10-01", "e_nova"),
        ("PEAR", "2024-06-03", "e_pear"),
    ],
)
def test_recycled_symbol_names_the_listing_of_its_date(
    api: TestClient, symbol: str, on: str, listing: str
) -> None:
    assert resolved(api, symbol, on=on) == listing


def test_symbol_given_up_is_closed_with_its_former_listing(api: TestClient) -> None:
    for symbol, on, former in (("OLD", "2024-06-10", "e_pear"), ("GONE", "2024-09-01", "e_gone")):
        data = get(api, RESOLVE, symbol=symbol, on=on)["data"]
        assert (data["status"], data["entity_id"]) == ("CLOSED", None)
        assert [c["entity_id"] for c in data["candidates"]] == [former]
        assert data["candidates"][0]["valid_to"] is not None


def test_symbol_is_unknown_before_it_was_learnt(api: TestClient) -> None:
    assert resolved(api, "TARDY", on="2024-03-02") == "e_tardy"
    early = problem(api, 404, RESOLVE, symbol="TARDY", on="2024-03-02", known_at="2024-03-31")
    assert early["data"]["status"] == "UNKNOWN"
    assert resolved(api, "OLD", on="2024-06-10", known_at="2024-06-01") == "e_pear"


def test_unknown_symbol_names_the_nearest(api: TestClient) -> None:
    body = problem(api, 404, RESOLVE, symbol="TARDI")
    assert body["hint"].startswith("nearest: TARDY")
    assert body["data"] == {
        "status": "UNKNOWN",
        "symbol": "TARDI",
        "entity_id": None,
        "candidates": [],
    }
    assert problem(api, 404, RESOLVE, symbol="ACME", id_type="isin")["data"]["status"] == "UNKNOWN"


def test_symbol_of_two_venues_is_ambiguous_with_its_candidates(api: TestClient) -> None:
    body = problem(api, 409, RESOLVE, symbol="TWIN")
    assert (body["data"]["status"], body["code"]) == ("AMBIGUOUS", "ASKNOWN-API-003")
    assert [c["venue"] for c in body["data"]["candidates"]] == ["XSIM", "XNYS"]


def test_two_owners_of_a_symbol_are_a_conflict_that_names_both_records(api: TestClient) -> None:
    body = problem(api, 409, RESOLVE, symbol="CLASH")
    assert (body["data"]["status"], body["code"]) == ("CONFLICT", "ASKNOWN-API-004")
    for record in ("raw-e_clash_a-2024-01-02", "raw-e_clash_b-2024-05-10"):
        assert record in body["detail"]
    assert resolved(api, "CLASH", on="2024-05-01") == "e_clash_a"
    assert resolved(api, "X:CLASH") == "e_clash_a"
    assert problem(api, 409, "/v1/trades", symbols="CLASH", start="2024-10-18")["data"]


def test_delisted_company_is_read_by_its_symbol_and_a_given_up_one_is_not(api: TestClient) -> None:
    body = get(api, "/v1/trades", symbols="GONE", start="2024-10-18")
    assert body["meta"]["factor_basis"][0]["status"] == "DELISTED"
    refused = problem(
        api, 404, "/v1/trades", symbols="OLD", start="2024-10-18", symbol_as_of="2024-06-10"
    )
    assert refused["data"]["candidates"][0]["entity_id"] == "e_pear"


def test_instruments_are_searched_by_prefix_venue_and_date(api: TestClient) -> None:
    def found(**query: Any) -> list[tuple[str, str]]:
        rows = get(api, "/v1/instruments", **query)["data"]
        return [(row["symbol"], row["entity_id"]) for row in rows]

    assert found(prefix="OL") == [("OLD", "e_nova")]
    assert found(prefix="OL", on="2024-03-01") == [("OLD", "e_pear")]
    assert found(prefix="OL", all=True) == [("OLD", "e_nova"), ("OLD", "e_pear")]
    assert found(venue="XNYS") == [("TWIN", "e_twin_y")]
    assert ("GONE", "e_gone") not in found()
    assert ("TARDY", "e_tardy") not in found(on="2024-03-10", known_at="2024-03-20")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/instruments", {"all": True}),
        ("/v1/instruments/e_acme/history", {"all": True}),
        (ACTIONS, {"symbols": "ACME,LATE", "all": True}),
        (FACTORS, {"start": "2024-10-01", "end": "2024-11-01", "all": True}),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_facts_put_together_equal_the_whole(
    api: TestClient, path: str, query: dict[str, Any], limit: int
) -> None:
    whole = get(api, path, **query)["data"]
    assert len(whole) > limit
    rows: list[dict[str, Any]] = []
    body: dict[str, Any] = {"next": ""}
    while body["next"] is not None:
        more = {"next": body["next"]} if body["next"] else {}
        body = get(api, path, **query, limit=limit, **more)
        rows += body["data"]
    assert rows == whole
    other = {**query, "all": False, "next": get(api, path, **query, limit=1)["next"]}
    assert problem(api, 400, path, **other)["code"] == "ASKNOWN-API-001"


def test_instrument_is_told_as_it_was_and_as_it_was_known(api: TestClient) -> None:
    now = get(api, "/v1/instruments/e_acme")["data"]
    assert (now["price_factor"], now["status"], now["valid_to"]) == (
        0.49,
        "LISTED",
        "2024-12-02T00:00:00.000Z",
    )
    then = get(api, "/v1/instruments/e_acme", on="2024-11-01", known_at="2024-10-20")["data"]
    assert (then["price_factor"], then["valid_to"], then["known_to"]) == (0.5, None, None)
    assert get(api, "/v1/instruments/e_pear", on="2024-02-01")["data"]["symbol"] == "OLD"
    assert get(api, "/v1/instruments/e_pear")["data"]["symbol"] == "PEAR"
    assert (
        "not listed yet" in problem(api, 404, "/v1/instruments/e_acme", on="2023-01-01")["detail"]
    )
    for nobody in ("e_nobody", "' OR 1=1 --", "{x:String}", "💥"):
        problem(api, 404, f"/v1/instruments/{nobody}")
    problem(api, 404, "/v1/instruments/e_tardy", known_at="2024-03-20")


def test_history_holds_what_is_believed_and_with_all_what_was(api: TestClient) -> None:
    def factors(**query: Any) -> list[tuple[str, float, bool]]:
        rows = get(api, "/v1/instruments/e_late/history", **query)["data"]
        return [(r["valid_from"][:10], r["price_factor"], r["known_to"] is None) for r in rows]

    assert factors() == [("2024-01-02", 1.0, True), ("2024-10-21", 0.5, True)]
    assert factors(known_at="2024-10-23") == [("2024-01-02", 1.0, True)]
    assert factors(known_at="2024-10-23", all=True) == [("2024-01-02", 1.0, True)]
    assert factors(all=True) == [
        ("2024-01-02", 1.0, False),
        ("2024-01-02", 1.0, True),
        ("2024-10-21", 0.5, True),
    ]
    pear = get(api, "/v1/instruments/e_pear/history")["data"]
    assert [(r["raw_key"], r["symbol"]) for r in pear] == [("X:OLD", "OLD"), ("X:PEAR", "PEAR")]


def test_actions_come_in_their_newest_version_known(api: TestClient) -> None:
    def found(**query: Any) -> list[tuple[str, int, str, str]]:
        rows = get(api, ACTIONS, symbols="ACME", **query)["data"]
        return [(r["action_id"], r["version"], r["status"], r["ex_date"]) for r in rows]

    split = ("split", 1, "CONFIRMED", "2024-10-21")
    assert found() == [
        split,
        ("dividend", 2, "AMENDED", "2024-10-26"),
        ("special", 2, "CANCELLED", "2024-10-28"),
    ]
    assert found(known_at="2024-10-20") == [
        split,
        ("special", 1, "ANNOUNCED", "2024-10-28"),
        ("dividend", 1, "ANNOUNCED", "2024-11-20"),
    ]
    assert len(found(all=True)) == 5
    # the ex-date was moved away from November: the older version must not come back
    assert found(start="2024-11-01", end="2024-12-01") == []
    assert found(start="2024-10-21", end="2024-10-22") == [split]
    rows = get(api, ACTIONS, entity_ids="e_acme", start="2024-10-26", end="2024-10-27")["data"]
    assert (rows[0]["cash_amount"], rows[0]["ratio_numerator"]) == ("1", None)


def test_factors_are_exact_and_follow_the_knowledge_asked_for(api: TestClient) -> None:
    before = get(api, FACTORS, symbols="ACME", known_at="2024-10-26")["data"]
    after = get(api, FACTORS, symbols="ACME")["data"]
    third = ("333333333333333333333333333333333331", "1000000000000000000000000000000000000")
    assert (before[1]["price_numerator"], before[1]["price_denominator"]) == third
    assert (after[1]["price_numerator"], after[1]["price_denominator"]) == ("49", "50")
    assert (after[0]["price_factor"], after[0]["share_factor"]) == (0.5, 2.0)
    assert (after[1]["reference_price"], after[1]["reference_date"]) == ("50.5", "2024-10-25")
    every = get(api, FACTORS, symbols="ACME", all=True)["data"]
    assert [row["known_to"] for row in every] == [None, "2024-10-27T00:00:00.000Z", None]
    assert get(api, FACTORS, symbols="LATE", known_at="2024-10-23")["data"] == []


def test_restatement_is_found_by_listing_and_by_time(api: TestClient) -> None:
    rows = get(api, "/v1/restatements", symbols="LATE")["data"]
    assert [(r["from_time"][:10], r["to_time"][:10], r["reason"]) for r in rows] == [
        ("2024-10-21", "2024-10-24", "ACTION")
    ]
    assert get(api, "/v1/restatements", start="2024-10-23", end="2024-10-25")["data"] == rows
    assert get(api, "/v1/restatements", start="2024-10-24")["data"] == []
    assert get(api, "/v1/restatements", symbols="LATE", known_at="2024-10-23")["data"] == []
    assert get(api, "/v1/restatements", symbols="ACME")["data"] == []


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        (RESOLVE, {}, "query.symbol"),
        (RESOLVE, {"symbol": "A", "id_type": "cusip"}, "query.id_type"),
        (RESOLVE, {"symbol": "A", "on": "soon"}, "query.on"),
        (RESOLVE, {"symbol": "A", "known_at": "2030-01-01"}, "query.known_at"),
        (ACTIONS, {}, "query.symbols"),
        (ACTIONS, {"start": "2020-01-01", "end": "2024-01-01"}, "query.symbols"),
        (ACTIONS, {"symbols": "ACME", "start": "2024-02-01", "end": "2024-01-01"}, "query.end"),
        (FACTORS, {"symbols": "ACME", "adjust": "all"}, "query.adjust"),
        ("/v1/restatements", {"end": "2024-01-01"}, "query.symbols"),
        ("/v1/instruments", {"limit": 0}, "query.limit"),
    ],
)
def test_bad_parameter_of_a_question_is_named(
    api: TestClient, path: str, query: dict[str, Any], pointer: str
) -> None:
    body = problem(api, 422, path, **query)
    assert pointer in [error["pointer"] for error in body["errors"]]


def test_facts_in_csv_and_arrow_hold_the_same_rows_as_json(api: TestClient) -> None:
    for path, query in (
        (ACTIONS, {"symbols": "ACME", "all": True}),
        (FACTORS, {"symbols": "ACME", "all": True}),
        ("/v1/restatements", {"symbols": "LATE"}),
        ("/v1/instruments", {"all": True}),
        ("/v1/instruments/e_acme/history", {"all": True}),
    ):
        rows = get(api, path, **query)["data"]
        text = api.get(path, params=query, headers={"accept": "text/csv"}).text
        assert [list(row) for row in csv.DictReader(io.StringIO(text))] == [list(r) for r in rows]
        headers = {"accept": "application/vnd.apache.arrow.stream"}
        content = api.get(path, params=query, headers=headers).content
        assert pa.ipc.open_stream(content).read_all().num_rows == len(rows)


def test_date_without_a_time_is_that_day_at_the_exchange(api: TestClient) -> None:
    body = get(api, RESOLVE, symbol="ACME", on="2024-06-03")
    assert body["meta"]["on"] == "2024-06-03T12:00:00.000Z"
