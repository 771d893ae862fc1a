"""A backfill by each knowledge: as it was known then, as it is known now, as of any moment.

The story in all of them: BBB split one for five within the first day, but that was learnt a day
late. CCC split in time. LATE had no mapping until a day later. AAA never changed.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from jobs.backfill import pipeline
from tests.pipelines.conftest import session_sql
from tests.pipelines.harness import Harness, Mode, Row, as_set, utc
from tests.pipelines.vocabulary import DAY, HOUR, T0, Factors, change, listed, trade

CHANGES, HISTORY, REPLAYED = "reference.entity_change", pipeline.HISTORY, pipeline.REPLAYED
TRADES, BARS = "normalized.trade", "analytics.bar"
FOR_EVER = 7_258_118_400_000
NOW = "2199-12-31 23:59:59.999"
LONG_AGO = -2_208_988_800_000  # 1900: before any event and before any raw record
EX = T0 + HOUR  # in the middle of the first day, so that events lie on both sides
MAPPED = T0 + HOUR // 2
LEARNT = EX + DAY
NONE, SPLIT = Factors(), Factors(0.2, 0.2, 5.0, 1)
SYMBOLS = ("AAA", "BBB", "CCC", "LATE", "NOBODY")
Span = tuple[int, int]


def fact(
    symbol: str,
    valid: Span,
    known: Span,
    factors: Factors = NONE,
    status: str = "LISTED",
) -> Row:
    """Return a rectangle: what `symbol` means on `valid`, by the knowledge of `known`."""
    row = change(symbol, at=valid[0], status=status, factors=factors)
    payload = {k: v for k, v in row["payload"].items() if k != "effective_time"}
    spans = {
        "valid_from": utc(valid[0]),
        "valid_to": utc(valid[1]),
        "known_from": utc(known[0]),
        "known_to": utc(known[1]),
    }
    return {
        **row,
        "event_id": f"{symbol}|{valid[0]}|{known[0]}",
        "event_time": utc(known[0]),
        "payload": payload | spans,
    }


def superseded(symbol: str, valid: Span, known: Span, factors: Factors = NONE) -> list[Row]:
    """Return a rectangle as it was first written, and again with the end of its belief."""
    first = fact(symbol, valid, (known[0], FOR_EVER), factors)
    return [first, fact(symbol, valid, known, factors)]


def history(*, late: bool = True) -> list[Row]:
    """Return the bitemporal truth; without `late` nothing that was learnt afterwards is in it."""
    since, half_way = (LONG_AGO, FOR_EVER), EX + DAY // 2
    rows = [
        fact("AAA", since, since),
        fact("CCC", (LONG_AGO, half_way), since),
        fact("CCC", (half_way, FOR_EVER), since, SPLIT),
    ]
    if not late:
        return [*rows, fact("BBB", since, since)]
    return [
        *rows,
        *superseded("BBB", since, (LONG_AGO, LEARNT)),
        fact("BBB", (LONG_AGO, EX), (LEARNT, FOR_EVER)),
        fact("BBB", (EX, FOR_EVER), (LEARNT, FOR_EVER), SPLIT),
        fact("LATE", (MAPPED, FOR_EVER), (LEARNT, FOR_EVER)),
    ]


def published(*, bbb_at: int, late_at: int | None) -> list[Row]:
    """Return change points; `bbb_at` is when the split shows, `late_at` when LATE is mapped."""
    rows = [
        listed("AAA"),
        listed("BBB"),
        listed("CCC"),
        change("CCC", at=EX + DAY // 2, factors=SPLIT),
        change("BBB", at=bbb_at, factors=SPLIT),
    ]
    return rows if late_at is None else [*rows, change("LATE", at=late_at)]


AS_PUBLISHED = published(bbb_at=LEARNT, late_at=LEARNT)


def raw_trades(seed: int = 1) -> list[Row]:
    """Return trades on three days, with copies; some lie exactly on the edges."""
    chance = random.Random(seed)
    edges = [
        trade(symbol, at=at, event_id=f"{symbol}{at}")
        for symbol in ("BBB", "LATE")
        for at in (EX - 1, EX, EX + 1, LEARNT - 1, LEARNT, LEARNT + 1)
    ]
    rows = [
        trade(
            chance.choice(SYMBOLS),
            at=T0 + chance.randrange(3) * DAY + chance.randrange(2 * HOUR),
            price=f"{chance.randrange(1, 10_000)}.{chance.randrange(100):02}",
            event_id=f"t{n}",
            sequence=n,
        )
        for n in range(240)
    ]
    rows += [*edges, *(dict(row) for row in chance.sample(rows, 12))]
    return [{"kafka_offset": n} | row for n, row in enumerate(rows)]


@pytest.fixture
def recompute(tmp_path: Path) -> Callable[..., dict[str, list[Row]]]:
    """Return a runner of the backfill; `known_at` (SQL) reads the history instead of changes."""

    def run(
        inputs: Mapping[str, Sequence[Row]], mode: Mode = Mode.BATCH, known_at: str = ""
    ) -> dict[str, list[Row]]:
        def build(tables: Any) -> Mapping[str, str]:
            if known_at:
                changes = pipeline.believed(tables, known_at)
                tables = tables.following({"raw.trade": tables["raw.trade"], CHANGES: changes})
            return pipeline.build(tables, session_sql())

        return Harness(build, tmp_path, mode).run(inputs)

    return run


@pytest.fixture
def bring_back(tmp_path: Path) -> Callable[..., dict[str, list[Row]]]:
    """Return a runner of what `asknown quarantine replay` computes."""
    return lambda inputs: Harness(
        lambda tables: pipeline.replayed(tables, session_sql()), tmp_path, Mode.BATCH
    ).run(inputs)


def marker(raw: Row, *, known_at: int = LEARNT, outcome: str = "NORMALIZED") -> Row:
    """Return the marker of a raw record that is brought back."""
    return {
        "event_id": f"raw.trade:0:{raw['kafka_offset']}",
        "event_time": raw["event_time"],
        "ingest_time": raw["ingest_time"],
        "source": "replay",
        "schema_version": 1,
        "entity_id": f"raw.trade:0:{raw['kafka_offset']}",
        "payload": {
            "topic": "raw.trade",
            "partition": 0,
            "offset": raw["kafka_offset"],
            "stage": "normalize",
            "reason": "UNKNOWN_SYMBOL",
            "raw_event_id": raw["event_id"],
            "raw_key": raw["entity_id"],
            "outcome": outcome,
            "known_at": utc(known_at),
            "replay_id": "r",
        },
        "kafka_time": raw["kafka_time"],
    }


def test_as_known_equals_the_stream_although_a_split_was_learnt_late(recompute):
    inputs = {"raw.trade": raw_trades(), CHANGES: AS_PUBLISHED}
    stream, batch = recompute(inputs, Mode.STREAMING), recompute(inputs)

    for topic in stream:
        assert as_set(stream[topic]) == as_set(batch[topic]), topic
    assert {r["payload"]["factor_version"] for r in batch[TRADES]} == {0, 1}


def test_as_of_now_equals_the_run_that_had_known_in_time(recompute):
    timely = published(bbb_at=EX, late_at=MAPPED)
    restated = recompute({"raw.trade": raw_trades(), HISTORY: history()}, known_at=NOW)
    in_time = recompute({"raw.trade": raw_trades(), CHANGES: timely})

    for topic in restated:
        assert as_set(restated[topic]) == as_set(in_time[topic]), topic


def test_as_of_now_differs_from_as_known_in_exactly_what_was_learnt_late(recompute):
    restated = recompute({"raw.trade": raw_trades(), HISTORY: history()}, known_at=NOW)
    known = recompute({"raw.trade": raw_trades(), CHANGES: AS_PUBLISHED})

    now, then = as_set(restated[TRADES]), as_set(known[TRADES])
    split = {row["event_id"] for row in between("BBB", EX, LEARNT)}
    mapped = {row["event_id"] for row in between("LATE", MAPPED, LEARNT)}
    assert ids(then - now) == split
    assert ids(now - then) == split | mapped
    assert split and mapped
    whole, before = as_set(restated[BARS]), as_set(known[BARS])
    for bar in map(json.loads, [*(whole - before), *(before - whole)]):
        first = {"BBB": EX, "LATE": MAPPED}[bar["payload"]["raw_symbol"]]
        minute = bar["payload"]["bar_start"][:16]
        assert utc(first)[:16] <= minute <= utc(LEARNT)[:16]
    assert whole - before and before - whole


def test_known_at_a_moment_before_is_as_if_it_had_never_come(recompute):
    before = sql_time(LEARNT - 1)
    then = recompute({"raw.trade": raw_trades(), HISTORY: history()}, known_at=before)
    never = recompute({"raw.trade": raw_trades(), HISTORY: history(late=False)}, known_at=NOW)
    at_once = recompute({"raw.trade": raw_trades(), HISTORY: history()}, known_at=sql_time(LEARNT))
    now = recompute({"raw.trade": raw_trades(), HISTORY: history()}, known_at=NOW)

    for topic in then:
        assert as_set(then[topic]) == as_set(never[topic]), topic
        assert as_set(at_once[topic]) == as_set(now[topic]), topic
    assert as_set(then[TRADES]) != as_set(now[TRADES])


def test_an_interval_that_began_long_before_the_first_event_still_counts(recompute):
    rows = [trade("AAA", at=T0), trade("OLD", at=T0), trade("SOON", at=T0)]
    facts = [
        *history(),
        fact("OLD", (LONG_AGO, T0 - DAY), (LONG_AGO, FOR_EVER)),
        fact("OLD", (T0 - DAY, FOR_EVER), (LONG_AGO, FOR_EVER), status="DELISTED"),
        fact("SOON", (T0 + 1, FOR_EVER), (LONG_AGO, FOR_EVER)),
    ]
    out = recompute({"raw.trade": rows, HISTORY: facts}, known_at=NOW)

    assert [row["entity_id"] for row in out[TRADES]] == ["e_aaa"]


def test_records_brought_back_are_those_of_the_mapping_and_nothing_else(bring_back, recompute):
    raw = raw_trades()
    waiting = [*between("LATE", 0, LEARNT), *between("NOBODY", 0, LEARNT)]
    inputs = {"raw.trade": raw, HISTORY: history(), REPLAYED: [marker(r) for r in waiting]}
    out = bring_back(inputs)
    now = recompute({"raw.trade": raw, HISTORY: history()}, known_at=NOW)

    mapped = {row["event_id"] for row in between("LATE", MAPPED, LEARNT)}
    wanted = [row for row in now[TRADES] if row["event_id"] in mapped]
    assert as_set(out[TRADES]) == as_set(wanted)
    assert wanted
    places = Counter(
        row["payload"].get("raw_offset", row["payload"].get("offset"))
        for topic in (TRADES, "duplicate.event", "quarantine.event")
        for row in out[topic]
    )
    assert places == Counter(r["kafka_offset"] for r in waiting)
    refused = {row["payload"]["raw_key"] for row in out["quarantine.event"]}
    assert "SIM:EQ:NOBODY" in refused


def test_as_known_keeps_what_was_brought_back_by_the_knowledge_of_that_time(recompute, bring_back):
    raw = raw_trades()
    waiting = between("LATE", 0, LEARNT)
    split_at = MAPPED + HOUR // 4  # found out between two replays, each of some of the records
    again = LEARNT + HOUR
    facts = [
        *history()[:-1],
        *superseded("LATE", (MAPPED, FOR_EVER), (LEARNT, again)),
        fact("LATE", (MAPPED, split_at), (again, FOR_EVER)),
        fact("LATE", (split_at, FOR_EVER), (again, FOR_EVER), SPLIT),
    ]
    markers = [marker(r, known_at=LEARNT if n % 2 else again) for n, r in enumerate(waiting)]
    stream = recompute({"raw.trade": raw, CHANGES: AS_PUBLISHED}, Mode.STREAMING)
    back = bring_back({"raw.trade": raw, HISTORY: facts, REPLAYED: markers})
    whole = recompute({"raw.trade": raw, CHANGES: AS_PUBLISHED, HISTORY: facts, REPLAYED: markers})

    assert as_set(whole[TRADES]) == as_set([*stream[TRADES], *back[TRADES]])
    assert {row["payload"]["factor_version"] for row in back[TRADES]} == {0, 1}
    assert len(whole[BARS]) > len(stream[BARS])


def test_as_known_leaves_out_a_copy_that_was_brought_back_as_a_duplicate(recompute):
    one, other = (trade("LATE", at=EX, event_id="same", kafka_offset=n) for n in (3, 8))
    markers = [marker(one), marker(other, known_at=LEARNT + HOUR, outcome="DUPLICATE")]
    out = recompute(
        {
            "raw.trade": [one, other],
            CHANGES: AS_PUBLISHED,
            HISTORY: history(),
            REPLAYED: markers,
        }
    )

    assert [row["payload"]["raw_offset"] for row in out[TRADES]] == [3]


def between(symbol: str, start: int, end: int) -> list[Row]:
    """Return the raw trades of a symbol in [start, end)."""
    of_symbol = [row for row in raw_trades() if row["entity_id"] == f"SIM:EQ:{symbol}"]
    return [row for row in of_symbol if utc(start) <= row["event_time"] < utc(end)]


def ids(rows: Counter[str]) -> set[str]:
    return {json.loads(row)["event_id"] for row in rows}


def sql_time(at: int) -> str:
    return utc(at).replace("T", " ")
