"""The synthetic session: repeatable, and its ledger is certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import fastavro
import pytest

from asknown.contracts.catalog import contract
from asknown.contracts.partitions import partition_of
from asknown.errors import UsageError
from asknown.ingestion import oracle
from asknown.ingestion.connectors import synthetic_market as market
from asknown.ingestion.connectors.poison import KINDS, reasons
from asknown.ingestion.connectors.synthetic import Session, SessionSpec, generate, reference
from asknown.ingestion.event import Event, Poison, Settle
from asknown.ingestion.session_ledger import Outcome, counts, read_ledger, write_ledger
from asknown.quality.reasons import Reason
from asknown.reference.calendars import Phase, session
from asknown.reference.changes import Status, resolve

EVENTS = 4_000
TOLERANCE_MS = contract("raw.trade").topic.out_of_orderness_ms
IDS = {"raw.trade": 1, "raw.quote": 2}


def framed(topic: str) -> Callable[[dict[str, Any]], bytes]:
    def encode(record: dict[str, Any]) -> bytes:
        body = BytesIO()
        fastavro.schemaless_writer(body, contract(topic).parsed, record)
        return b"\x00" + IDS[topic].to_bytes(4, "big") + body.getvalue()

    return encode


@pytest.fixture(scope="module")
def made() -> Session:
    return generate(SessionSpec(EVENTS, seed=7), framed)


def test_session_of_one_seed_is_always_the_same(made: Session) -> None:
    again = generate(SessionSpec(EVENTS, seed=7), framed)
    assert again.deliveries == made.deliveries
    assert again.expected == made.expected


def test_session_of_another_seed_shares_no_id(made: Session) -> None:
    other = generate(SessionSpec(EVENTS, seed=8), framed)
    ids = {row.event_id for row in made.expected if row.event_id}
    assert ids.isdisjoint(row.event_id for row in other.expected)


def test_session_has_as_many_records_as_asked_and_every_outcome(made: Session) -> None:
    found = counts(made.expected)
    assert found["raw"] == EVENTS
    assert found["raw"] == sum(found[one.value] for one in Outcome)
    assert min(found.values()) > 0
    assert [row.index for row in made.expected] == list(range(EVENTS))


def test_deliveries_are_in_the_order_of_their_clock_and_of_the_ledger(made: Session) -> None:
    clocks = [one.clock_ms for one in made.deliveries]
    assert clocks == sorted(clocks)
    items = [one.item for one in made.deliveries if not isinstance(one, Settle)]
    for item, row in zip(items, made.expected, strict=True):
        assert row.event_id == (item.event_id if isinstance(item, Event) else "")
        assert row.key == (item.entity_id if isinstance(item, Event) else item.key)


def test_on_time_records_are_never_behind_any_watermark(made: Session) -> None:
    # The newest time anywhere bounds every partition's watermark from above, heartbeats included.
    on_time = [row for row in made.expected if row.event_time_ms >= 0]
    on_time = [row for row in on_time if row.outcome is not Outcome.LATE]
    assert all(row.event_time_ms > row.clock_ms - TOLERANCE_MS for row in on_time)
    assert all(row.event_time_ms <= row.clock_ms for row in on_time)


def test_late_records_are_minutes_behind_what_every_partition_has_seen(made: Session) -> None:
    settled = next(one.clock_ms for one in made.deliveries if isinstance(one, Settle))
    late = [row for row in made.expected if row.outcome is Outcome.LATE]
    at = next(n for n, one in enumerate(made.deliveries) if isinstance(one, Settle))
    assert {row.index for row in late} == set(range(at, at + len(late)))
    newest: dict[int, int] = {}
    for row in made.expected[:at]:
        if row.event_id:
            partition = partition_of(row.key, 4)
            newest[partition] = max(newest.get(partition, 0), row.event_time_ms)
    assert len(newest) == 4
    # Even without the heartbeats at the pause, each partition is a minute past them on its own.
    assert all(row.event_time_ms + 60_000 < min(newest.values()) - TOLERANCE_MS for row in late)
    assert all(row.event_time_ms + 60_000 < settled - TOLERANCE_MS for row in late)


def test_duplicates_repeat_a_record_byte_for_byte_behind_the_first(made: Session) -> None:
    first: dict[str, tuple[int, Any]] = {}
    items = [one.item for one in made.deliveries if not isinstance(one, Settle)]
    for item, row in zip(items, made.expected, strict=True):
        if row.outcome is Outcome.DUPLICATE:
            assert first[row.event_id][1] == item
        elif row.event_id:
            assert row.event_id not in first
            first[row.event_id] = (row.index, item)


def test_some_records_are_out_of_order(made: Session) -> None:
    times = [row.event_time_ms for row in made.expected if row.outcome is Outcome.NORMALIZED]
    behind = sum(one > other for one, other in pairwise(times))
    assert 0.02 < behind / len(times) < 0.12


def test_every_kind_of_poison_is_there_and_none_can_be_a_trade(made: Session) -> None:
    poison = [row for row in made.expected if row.poison]
    assert set(Counter(row.poison for row in poison)) == {kind.name for kind in KINDS}
    assert len(KINDS) == 8
    schema = contract("raw.trade").parsed
    for one in made.deliveries:
        if isinstance(one, Settle) or isinstance(one.item, Event):
            continue
        value = one.item.value
        if value is None or value[:5] != b"\x00\x00\x00\x00\x01":
            continue
        with pytest.raises((EOFError, UnicodeDecodeError, IndexError, OverflowError, ValueError)):
            fastavro.schemaless_reader(BytesIO(value[5:]), schema, None)


def test_reasons_are_codes_of_the_platform(made: Session) -> None:
    named = {code for row in made.expected for code in row.reason.split("|") if code}
    named |= {code for text in reasons().values() for code in text.split("|")}
    assert named <= {reason.value for reason in Reason}


def test_expected_identity_and_factors_are_what_the_reference_says(made: Session) -> None:
    rows = reference(made.spec).history().as_known()
    checked: Counter[str] = Counter()
    for row in made.expected:
        if not row.event_id:
            continue
        found = resolve(rows, row.key, row.event_time_ms)
        checked[row.outcome.value] += 1
        if row.listing_id:
            assert found is not None
            assert found.status is Status.LISTED
            assert found.listing_id == row.listing_id
            assert (found.price_factor, found.share_factor) == (row.price_factor, row.share_factor)
            assert found.factor_version == row.factor_version
        elif row.reason == "UNKNOWN_SYMBOL":
            assert found is None
        elif row.reason in ("NOT_LISTED", "AFTER_DELISTING"):
            expected = Status.DELISTED if row.reason == "AFTER_DELISTING" else Status.NOT_LISTED
            assert found is not None
            assert found.status is expected
    assert set(checked) == {one.value for one in Outcome}


def test_split_falls_on_a_whole_minute_inside_the_session(made: Session) -> None:
    assert made.split.at_ms % 60_000 == 0
    factors = {row.price_factor for row in made.expected if row.symbol == market.SPLIT_SYMBOL}
    assert {0.2, 1.0} <= factors


def test_session_lies_within_the_regular_phase(made: Session) -> None:
    clocks = {made.deliveries[0].clock_ms, made.deliveries[-1].clock_ms}
    assert {session(market.VENUE, at) for at in clocks} == {(market.SESSION_DATE, Phase.REGULAR)}


def test_ledger_file_round_trips(made: Session, tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    write_ledger(path, made.expected)
    assert read_ledger(path) == made.expected


def test_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    path.write_text("no ledger", encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        read_ledger(path)
    assert refused.value.code == "ASKNOWN-INGEST-022"


def test_session_that_is_too_small_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        SessionSpec(10, seed=1)
    assert refused.value.code == "ASKNOWN-INGEST-020"


@pytest.mark.parametrize("seconds", [1, 60])
def test_bars_hold_every_normalized_trade_once(made: Session, seconds: int) -> None:
    trades = oracle.normalized(made.expected)
    bars = oracle.bars(made.expected, seconds)
    assert sum(bar.event_count for bar in bars) == len(trades)
    assert sum(bar.volume for bar in bars) == sum(oracle.scaled(row)[1] for row in trades)
    for bar in bars:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.vwap is not None
        assert bar.low <= bar.vwap <= bar.high
        assert bar.start_ms % (seconds * 1000) == 0


def test_late_records_judged_on_time_enter_the_bars(made: Session) -> None:
    late = frozenset(row.event_id for row in made.expected if row.outcome is Outcome.LATE)
    with_late = oracle.bars(made.expected, 60, late)
    without = oracle.bars(made.expected, 60)
    count = sum(bar.event_count for bar in with_late) - sum(bar.event_count for bar in without)
    assert count == len(late)


def test_poison_items_go_to_the_trades_topic(made: Session) -> None:
    items = [one.item for one in made.deliveries if not isinstance(one, Settle)]
    poison = [item for item in items if isinstance(item, Poison)]
    assert {item.topic for item in poison} == {"raw.trade"}
    assert any(item.value is None for item in poison) or any(not item.value for item in poison)
