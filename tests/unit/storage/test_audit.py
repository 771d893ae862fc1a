"""Audits over a lake in a folder: a clean one passes, each planted leak is caught."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asknown.cli.main import run as asknown
from asknown.errors import UsageError
from asknown.settings import Settings, settings
from asknown.storage import audit, iceberg
from tests.unit.storage.lake_rows import (
    FOR_EVER,
    LONG_AGO,
    Row,
    append,
    fact,
    row_of,
    utc,
)
from tests.unit.storage.lake_rows import PLAIN as BEFORE

T0 = utc(2024, 10, 28, 4)
HOUR = timedelta(hours=1)
EX, LEARNT = T0 + HOUR, T0 + 24 * HOUR
NOW_MS = 7_258_118_399_999
AFTER = {"price_factor": 0.2, "split_factor": 0.2, "share_factor": 5.0, "factor_version": 1}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of a lake in which BBB's split of 05:00 was learnt a day late."""
    monkeypatch.setenv("ASKNOWN_CATALOG_ADDRESS", f"sqlite:///{tmp_path / 'catalog.db'}")
    monkeypatch.setenv("ASKNOWN_WAREHOUSE", f"file://{tmp_path / 'warehouse'}")
    settings.cache_clear()
    config = Settings()
    iceberg.ensure_tables(config)
    believed = (LONG_AGO, FOR_EVER)
    append(
        config,
        "reference.entity_history",
        fact("BBB", believed, (LONG_AGO, FOR_EVER), BEFORE),
        fact("BBB", believed, (LONG_AGO, LEARNT), BEFORE),
        fact("BBB", (LONG_AGO, EX), (LEARNT, FOR_EVER), BEFORE),
        fact("BBB", (EX, FOR_EVER), (LEARNT, FOR_EVER), AFTER),
        fact("LATE", (T0, FOR_EVER), (LEARNT, FOR_EVER), BEFORE),
    )
    return config


@pytest.fixture(autouse=True)
def own_settings() -> Iterable[None]:
    """Forget the settings of a test when it is over."""
    yield
    settings.cache_clear()


def trade(symbol: str, at: datetime, factors: Row = BEFORE, **more: Any) -> Row:
    """Return a normalized trade."""
    names = {"raw_key": f"SIM:EQ:{symbol}", "entity_id": f"e_{symbol}", "isin": f"IN{symbol}"}
    return row_of(
        "normalized.trade", **{**names, "venue": "XSIM", "event_time": at, **factors, **more}
    )


def bar(symbol: str, at: datetime, factors: Row = BEFORE, **more: Any) -> Row:
    """Return a computed bar of one minute."""
    names = {"entity_id": f"e_{symbol}", "venue": "XSIM", "price_type": "trade"}
    times = {"event_time": at, "bar_start": at, "interval_seconds": 60}
    return row_of("analytics.bar", **{**names, **times, **factors, **more})


def marker(symbol: str, at: datetime, known_at: datetime, offset: int) -> Row:
    """Return the marker of a record that was brought back."""
    place = {"topic": "raw.trade", "partition": 0, "offset": offset}
    key = {"raw_key": f"SIM:EQ:{symbol}", "event_time": at, "known_at": known_at}
    return row_of("replayed.event", **place, **key)


CLEAN = (
    trade("BBB", EX - HOUR),
    trade("BBB", EX, raw_offset=2),
    trade("BBB", LEARNT - timedelta(milliseconds=1), raw_offset=3),
    trade("BBB", LEARNT, AFTER, raw_offset=4),
    trade("BBB", LEARNT + HOUR, AFTER, raw_offset=5),
)


def verdict(config: Settings, name: str) -> audit.Verdict:
    (found,) = audit.run(config, audit.chosen(name))
    return found


def test_rows_that_use_what_was_known_at_their_time_pass(lake: Settings):
    append(lake, "normalized.trade", *CLEAN)
    append(lake, "analytics.bar", bar("BBB", EX), bar("BBB", LEARNT, AFTER))

    found = list(audit.run(lake, audit.chosen("look_ahead")))
    assert [v.audit.name for v in audit.run(lake, audit.AUDITS)] == [a.name for a in audit.AUDITS]
    assert all(v.passed for v in found), found
    assert [v.rows for v in found] == [5, 0, 0, 2]


def test_rows_of_records_that_bronze_does_not_have_are_named_by_the_ledger(lake: Settings):
    append(lake, "normalized.trade", *CLEAN)

    (found,) = audit.run(lake, audit.chosen("ledger_trade"))
    assert (found.passed, found.offending) == (False, len(CLEAN))
    assert found.shown[0]["name"] == "raw.trade[1]@1-5"


@pytest.mark.parametrize(
    ("leak", "known_from"),
    [
        pytest.param(trade("BBB", EX, AFTER, raw_offset=9), LEARNT, id="factor before it is known"),
        pytest.param(trade("LATE", EX, raw_offset=9), LEARNT, id="listing before it is known"),
        pytest.param(
            trade("BBB", LEARNT, {**AFTER, "factor_version": 2}, raw_offset=9),
            None,
            id="factor version too high",
        ),
        pytest.param(
            trade("BBB", EX - HOUR, AFTER, raw_offset=9), None, id="factor before its ex-date"
        ),
        pytest.param(
            trade("BBB", EX, entity_id="e_LATE", raw_offset=9), None, id="another company"
        ),
        pytest.param(trade("BBB", EX, isin="INOTHER", raw_offset=9), None, id="another ISIN"),
        pytest.param(
            trade("BBB", EX, {**BEFORE, "price_factor": 0.5}, raw_offset=9),
            None,
            id="a factor of its own",
        ),
    ],
)
def test_planted_leak_is_found_with_its_coordinates(
    lake: Settings, leak: Row, known_from: datetime | None
):
    append(lake, "normalized.trade", *CLEAN, leak)

    found = verdict(lake, "look_ahead_trade")
    assert (found.offending, found.rows) == (1, 6)
    (shown,) = found.shown
    place = (shown["raw_topic"], shown["raw_partition"], shown["raw_offset"])
    assert place == ("raw.trade", 1, 9)
    assert shown["known_from"] == known_from


def test_record_brought_back_may_use_the_knowledge_of_its_marker_and_no_later_one(lake: Settings):
    back = {"raw_partition": 0}
    append(
        lake,
        "normalized.trade",
        trade("LATE", EX, raw_offset=1, **back),
        trade("LATE", EX, raw_offset=2, **back),
    )
    append(
        lake,
        "replayed.event",
        marker("LATE", EX, LEARNT, 1),
        marker("LATE", EX, LEARNT - HOUR, 2),
    )

    found = verdict(lake, "look_ahead_trade")
    assert [row["raw_offset"] for row in found.shown] == [2]


def test_restated_row_may_use_the_knowledge_it_was_restated_by(lake: Settings):
    before = round((LEARNT - utc(1970, 1, 1)).total_seconds() * 1000) - 1
    now = trade("BBB", EX, AFTER, raw_offset=1, kafka_partition=-1, kafka_offset=NOW_MS)
    at_once = {**now, "raw_offset": 2, "kafka_offset": before + 1}
    too_early = {**now, "raw_offset": 3, "kafka_offset": before}
    as_known = {**now, "raw_offset": 4, "kafka_offset": -1}
    append(lake, "normalized.trade", now, at_once, too_early, as_known)

    found = verdict(lake, "look_ahead_trade")
    assert sorted(row["raw_offset"] for row in found.shown) == [3, 4]


def test_computed_bar_with_factors_of_later_knowledge_is_found(lake: Settings):
    restated = {"kafka_partition": -1, "kafka_offset": NOW_MS}
    append(
        lake,
        "analytics.bar",
        bar("BBB", EX),
        bar("BBB", EX, AFTER),
        bar("BBB", EX + HOUR, AFTER, **restated),
        bar("LATE", EX),
        bar("LATE", EX + HOUR),
    )
    append(lake, "replayed.event", marker("LATE", EX + HOUR / 100, LEARNT, 1))

    found = verdict(lake, "look_ahead_computed_bar")
    named = sorted((row["entity_id"], row["event_time"]) for row in found.shown)
    assert named == [("e_BBB", EX), ("e_LATE", EX + HOUR)]


def test_slices_of_a_table_are_judged_one_by_one(lake: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "SLICE", 2)
    monkeypatch.setattr(audit, "SHOWN", 3)
    leaks = [trade("BBB", EX, AFTER, raw_offset=n) for n in range(5)]
    for one in (*CLEAN, *leaks):
        append(lake, "normalized.trade", one)

    found = verdict(lake, "look_ahead_trade")
    assert (found.rows, found.offending, len(found.shown)) == (10, 5, 3)


def test_command_exits_with_3_and_shows_the_row(lake: Settings, capsys: pytest.CaptureFixture[str]):
    append(lake, "normalized.trade", *CLEAN)
    assert asknown(["audit", "look_ahead"]) == 0
    assert "FAILED" not in capsys.readouterr().out
    append(lake, "normalized.trade", trade("BBB", EX, AFTER, raw_offset=77))
    assert asknown(["audit"]) == 3
    printed = capsys.readouterr().out
    assert "FAILED" in printed
    assert "77" in printed


def test_audit_of_an_unknown_name_is_an_error():
    with pytest.raises(UsageError, match="nonsense"):
        audit.chosen("nonsense")
