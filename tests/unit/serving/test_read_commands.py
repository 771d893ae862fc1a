"""`asknown symbol` and `asknown actions` over the API of a real ClickHouse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asknown.errors import ExitCode
from tests.unit.serving.conftest import Command


def document(command: Command, *arguments: str) -> Any:
    code, out, err = command(*arguments, "-o", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_symbol_resolve_tells_the_listing_of_a_date(command: Command) -> None:
    for on, listing in (("2024-02-01", "e_pear"), ("2024-07-01T00:00:00", "e_nova")):
        found = document(command, "symbol", "resolve", "OLD", "--on", on)
        assert (found["status"], found["entity_id"]) == ("RESOLVED", listing)
    code, out, err = command("symbol", "resolve", "TWIN", "--venue", "XNYS")
    assert (code, err) == (0, "")
    assert "RESOLVED" in out
    assert "e_twin_y" in out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["TWIN"], "AMBIGUOUS", "e_twin_y"),
        (["CLASH"], "CONFLICT", "raw-e_clash_b-2024-05-10"),
        (["ACNE"], "UNKNOWN", "nearest: ACME"),
        (["TARDY", "--on", "2024-03-02", "--known-at", "2024-03-05"], "UNKNOWN", "TARDY"),
        (["ACME", "--id-type", "isin"], "UNKNOWN", "ACME"),
    ],
)
def test_symbol_resolve_that_names_no_single_listing_exits_with_three(
    command: Command, arguments: list[str], status: str, said: str
) -> None:
    code, out, err = command("symbol", "resolve", *arguments, "-o", "json")
    assert code == ExitCode.CHECK_FAILED
    assert json.loads(out)["status"] == status
    assert said in err
    assert err.count("\n") == 1


def test_symbol_resolve_of_a_closed_symbol_shows_the_former_listing(command: Command) -> None:
    code, out, err = command("symbol", "resolve", "GONE")
    assert (code, err) == (ExitCode.CHECK_FAILED, "")
    assert "CLOSED" in out
    assert "e_gone" in out


def test_symbol_history_shows_every_bearer(command: Command) -> None:
    rows = document(command, "symbol", "history", "OLD")["history"]
    assert [(row["entity_id"], row["symbol"]) for row in rows] == [
        ("e_pear", "OLD"),
        ("e_pear", "PEAR"),
        ("e_nova", "OLD"),
    ]
    late = document(command, "symbol", "history", "X:LATE", "--known-at", "2024-10-23")["history"]
    assert [row["price_factor"] for row in late] == [1.0]
    assert len(document(command, "symbol", "history", "e_late", "--all")["history"]) == 3
    code, out, _ = command("symbol", "history", "ACME")
    assert code == 0
    assert "0.245" in out
    assert "2024-10-26T00:00:00Z" in out


def test_actions_come_with_exact_factors(command: Command) -> None:
    found = document(command, "actions", "ACME", "--factors", "--all", "--known-at", "2024-10-26")
    assert len(found["actions"]) == 4
    assert found["factors"][1]["price_numerator"] == "333333333333333333333333333333333331"
    code, out, _ = command("actions", "ACME", "--factors")
    assert code == 0
    for said in ("2:1", "49/50", "CANCELLED", "1 USD"):
        assert said in out
    assert document(command, "actions", "e_late", "--known-at", "2024-10-23")["actions"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["actions", "ACNE"], ExitCode.CHECK_FAILED, "nearest: ACME"),
        (["symbol", "history", "ACNE"], ExitCode.CHECK_FAILED, "nearest: ACME"),
        (["symbol", "history", "e_nobody"], ExitCode.CHECK_FAILED, "e_nobody"),
        (["symbol", "resolve", "A", "--known-at", "2190-01-01"], ExitCode.USAGE, "not after now"),
    ],
)
def test_command_that_finds_nothing_says_what_to_do(
    command: Command, arguments: list[str], code: ExitCode, said: str
) -> None:
    found, _, err = command(*arguments)
    assert found == code
    assert said in err
    assert err.startswith("ASKNOWN-API-")


def test_command_without_an_api_says_how_to_start_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASKNOWN_API_PORT", "1")
    for arguments in (("symbol", "resolve", "A"), ("symbol", "history", "A"), ("actions", "A")):
        code, out, err = command(*arguments)
        assert (code, out) == (ExitCode.UNREACHABLE, "")
        assert err.startswith("ASKNOWN-CLI-004")
        assert "asknown up" in err
