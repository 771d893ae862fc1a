"""Drift measured over a real lake, and the command that reports it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from asknown.cli.main import run
from asknown.errors import UsageError
from asknown.settings import Settings, settings
from asknown.storage import drift, iceberg
from tests.unit.storage.lake_rows import append, row_of, utc

FIRST, SECOND = utc(2024, 1, 2, 9), utc(2024, 1, 3, 9)
Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Return settings of a lake in a folder, which commands use too."""
    monkeypatch.setenv("ASKNOWN_CATALOG_ADDRESS", f"sqlite:///{tmp_path / 'catalog.db'}")
    monkeypatch.setenv("ASKNOWN_WAREHOUSE", f"file://{tmp_path / 'warehouse'}")
    settings.cache_clear()
    iceberg.ensure_tables(settings())
    yield settings()
    settings.cache_clear()


@pytest.fixture
def asknown(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `asknown schema drift` and returns its document."""

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = run(["schema", "drift", *arguments, "-o", "json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def arrive(config: Settings, at: datetime, source: str | None, *extras: dict[str, str]) -> None:
    rows = [
        row_of("raw.trade", source=source, kafka_time=at, extra=list(extra.items()))
        for extra in extras
    ]
    append(config, "raw.trade", *rows)


def test_drift_between_two_days_is_reported_with_exit_code_3(
    config: Settings, asknown: Run
) -> None:
    arrive(config, FIRST, "nse", *([{"SERIES": "EQ", "OI": "1", "OLD": "x"}] * 30))
    arrive(config, SECOND, "nse", *([{"SERIES": "EQ", "OI": "n/a", "NEW": "7"}] * 30))
    arrive(config, SECOND, None, {})  # could not be decoded: it has no source
    code, found = asknown("trade")
    drifts = [(d["key"], d["what"], d["before"], d["now"]) for d in found["datasets"][0]["drifts"]]
    assert code == 3
    assert not found["passed"]
    assert drifts == [
        ("NEW", "new key", "-", "integer"),
        ("OI", "changed type", "integer", "text"),
        ("OLD", "vanished key", "text", "-"),
    ]


def test_same_extra_on_two_days_is_no_drift(config: Settings, asknown: Run) -> None:
    for at in (FIRST, SECOND):
        arrive(config, at, "nse", *([{"SERIES": "EQ"}] * 30))
    code, found = asknown("trade", "--profiles")
    measured = found["datasets"][0]["profiles"]
    assert (code, found["passed"]) == (0, True)
    assert [p["first"] for p in measured] == ["2024-01-02", "2024-01-03"]
    assert measured[1]["sources"]["nse"]["keys"] == {"SERIES": {"text": 30}}


def test_day_given_is_the_one_that_is_compared(config: Settings, asknown: Run) -> None:
    arrive(config, utc(2024, 1, 1), "nse", *([{"A": "1"}] * 30))
    arrive(config, FIRST, "nse", *([{"A": "x"}] * 30))
    arrive(config, SECOND, "nse", *([{"A": "y"}] * 30))
    assert asknown("trade")[0] == 0
    code, found = asknown("trade", "--since", "2024-01-03", "--baseline", "2024-01-01")
    assert code == 3
    assert found["datasets"][0]["baseline"] == "2024-01-01"
    assert drift.days(config, "trade") == [date(2024, 1, day) for day in (1, 2, 3)]


def test_dataset_with_one_day_only_has_nothing_to_compare_with(
    config: Settings, asknown: Run
) -> None:
    arrive(config, FIRST, "nse", {"A": "1"})
    code, found = asknown()
    assert (code, found["datasets"]) == (0, [])
    assert "trade: fewer than two days to compare" in found["notes"]
    with pytest.raises(UsageError, match="records of two days"):
        drift.spans(drift.days(config, "trade"), None, None)


def test_dataset_without_extra_is_refused_with_the_names_of_others(
    config: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["schema", "drift", "nothing"]) == 2
    assert "use one of: trade, quote" in capsys.readouterr().err
    assert iceberg.count("bronze.trade", config) == 0
