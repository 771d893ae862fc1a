"""Every reason can be asked for: what it means, which rules give it, what to do next."""

from __future__ import annotations

import json

import pytest

from asknown.cli.main import run
from asknown.errors import UsageError
from asknown.quality.explain import FLAGGED, everything, explain
from asknown.quality.reasons import Reason
from asknown.quality.rules import Severity


def test_a_reason_of_a_rule_names_file_number_severity_and_words():
    found = explain("off_tick")
    assert [(rule.file, rule.severity) for rule in found.rules] == [
        ("schemas/quality/quote.yaml", Severity.FLAG),
        ("schemas/quality/trade.yaml", Severity.FLAG),
    ]
    assert found.rules[0].number > 0 and "tick" in found.rules[0].words
    assert found.goes_to == (FLAGGED,)


@pytest.mark.parametrize(
    ("reason", "lane"),
    [
        ("DUPLICATE", "duplicate.event"),
        ("LATE_BEYOND_WATERMARK", "late.event"),
        ("PRICE_OUT_OF_RANGE", "quarantine.event"),
        ("UNKNOWN_SYMBOL", "quarantine.event"),
    ],
)
def test_a_reason_says_where_its_records_are(reason: str, lane: str):
    assert explain(reason).goes_to == (lane,)


def test_every_reason_says_where_and_what_next():
    assert [one.reason for one in everything()] == list(Reason)
    assert [one.reason for one in everything() if not (one.goes_to and one.reason.next)] == []


def test_an_unknown_code_is_answered_with_where_the_list_is():
    with pytest.raises(UsageError) as caught:
        explain("NO_SUCH")
    assert caught.value.code == "ASKNOWN-QUALITY-005"


def test_the_command_shows_one_reason_with_its_rules(capsys: pytest.CaptureFixture[str]):
    assert run(["explain", "CROSSED_QUOTE"]) == 0
    shown = capsys.readouterr().out
    assert "schemas/quality/quote.yaml" in shown and "payload.bid_price at most" in shown
    assert run(["explain", "CROSSED_QUOTE", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["goes to"] == "quarantine.event"
    assert [rule["severity"] for rule in found["rules"]] == ["reject"]


def test_the_command_without_a_reason_lists_them_all(capsys: pytest.CaptureFixture[str]):
    assert run(["explain", "-o", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["reason"] for row in listed] == [str(reason) for reason in Reason]
