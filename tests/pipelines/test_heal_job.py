"""What the bounded run behind `asknown heal` gives: rows, lanes and bars of whole hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.backfill import pipeline
from tests.pipelines.conftest import session_sql
from tests.pipelines.harness import Harness, Mode, Row, utc
from tests.pipelines.test_backfill_modes import CHANGES, HISTORY, REPLAYED, fact
from tests.pipelines.vocabulary import HOUR, T0, listed, trade

TRADES, BARS = "normalized.trade", "analytics.bar"
LONG_AGO, FOR_EVER = -2_208_988_800_000, 7_258_118_400_000
MAPPED = T0 + 2 * HOUR


def outcomes(folder: Path, **inputs: list[Row]) -> dict[str, list[Row]]:
    named = {name.replace("_", ".", 1): rows for name, rows in inputs.items()}
    harness = Harness(lambda tables: pipeline.outcomes(tables, session_sql()), folder, Mode.BATCH)
    return harness.run(named)


def offsets(rows: list[Row], name: str) -> set[int]:
    return {row["payload"][name] for row in rows}


def raw() -> list[Row]:
    """Return a trade, its copy, one of an unknown key and one that came back from quarantine."""
    rows = [
        trade("AAA", at=T0, event_id="a"),
        trade("AAA", at=T0, event_id="a"),
        trade("NOBODY", at=T0, event_id="b"),
        trade("LATE", at=T0 + 1000, event_id="c"),
    ]
    return [{"kafka_offset": n} | row for n, row in enumerate(rows)]


def test_outcomes_name_what_each_record_becomes(tmp_path: Path) -> None:
    found = outcomes(tmp_path, raw_trade=raw(), reference_entity_change=[listed("AAA")])
    assert offsets(found[TRADES], "raw_offset") == {0}
    assert offsets(found["duplicate.event"], "offset") == {1}
    assert {
        row["payload"]["offset"]: row["payload"]["reason"] for row in found["quarantine.event"]
    } == {
        2: "UNKNOWN_SYMBOL",
        3: "UNKNOWN_SYMBOL",
    }
    assert {row["payload"]["interval_seconds"] for row in found[BARS]} == {1, 60}


def test_record_that_was_brought_back_keeps_its_place_in_the_bars(tmp_path: Path) -> None:
    marker: dict[str, Any] = {
        "topic": "raw.trade",
        "partition": 0,
        "offset": 3,
        "raw_key": "SIM:EQ:LATE",
        "outcome": "NORMALIZED",
        "known_at": utc(MAPPED),
    }
    times = {"event_time": utc(T0), "ingest_time": utc(T0), "source": "replay", "event_id": "m"}
    found = outcomes(
        tmp_path,
        **{
            "raw_trade": raw(),
            CHANGES.replace(".", "_", 1): [listed("AAA")],
            HISTORY.replace(".", "_", 1): [fact("LATE", (LONG_AGO, FOR_EVER), (MAPPED, FOR_EVER))],
            REPLAYED.replace(".", "_", 1): [{**times, "payload": marker}],
        },
    )
    assert offsets(found[TRADES], "raw_offset") == {0, 3}
    assert offsets(found["quarantine.event"], "offset") == {2}
    seconds = [r for r in found[BARS] if r["payload"]["interval_seconds"] == 1]
    assert len(seconds) == 2


def test_recomputed_bar_carries_its_newest_revision(tmp_path: Path) -> None:
    def bar(symbol: str, revision: int) -> Row:
        payload = {"interval_seconds": 1, "price_type": "trade", "bar_start": utc(T0)}
        payload |= {"factor_version": 0, "revision": revision}
        name = {"event_id": f"{symbol}:{revision}", "entity_id": symbol, "source": "derive"}
        return {**name, "event_time": utc(T0), "ingest_time": utc(T0), "payload": payload}

    published = [bar("AAA", 0), bar("AAA", 2), bar("BBB", 0)]
    harness = Harness(
        lambda tables: {BARS: pipeline.revised(tables, tables[BARS], tables[BARS])},
        tmp_path,
        Mode.BATCH,
    )
    found = harness.run({BARS: published})[BARS]
    assert sorted((row["event_id"], row["payload"]["revision"]) for row in found) == [
        ("AAA:2", 2),
        ("AAA:2", 2),
        ("BBB:0", 0),
    ]
