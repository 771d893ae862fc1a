"""A storm is a session with far more going wrong; its ledger is as certain as can be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from asknown.contracts.catalog import contract
from asknown.contracts.partitions import partition_of
from asknown.ingestion import oracle
from asknown.ingestion.connectors.synthetic import Session, SessionSpec, generate
from asknown.ingestion.connectors.synthetic_mix import STORM
from asknown.ingestion.event import Event, Settle
from asknown.ingestion.session_ledger import Expected, Outcome, counts, read_ledger, write_ledger
from tests.unit.ingestion.test_synthetic import framed

EVENTS = 6_000
TOLERANCE_MS = contract("raw.trade").topic.out_of_orderness_ms
FIVE_MINUTES_MS = 300_000


@pytest.fixture(scope="module", params=[1, 2, 3])
def storm(request: pytest.FixtureRequest) -> Session:
    return generate(SessionSpec(EVENTS, request.param, STORM), framed)


def late(storm: Session, *, certain: bool) -> list[Expected]:
    rows = [row for row in storm.expected if row.outcome is Outcome.LATE]
    return [row for row in rows if row.certain is certain]


def test_storm_has_the_shares_it_names(storm: Session) -> None:
    share = {name: count / EVENTS for name, count in counts(storm.expected).items()}
    assert share["raw"] == 1
    copies = [row for row in storm.expected if Outcome.DUPLICATE in (row.outcome, row.healed)]
    assert len(copies) / EVENTS >= 0.3
    assert share["late"] >= 0.05
    assert len(late(storm, certain=True)) / EVENTS == pytest.approx(0.05, abs=0.002)
    assert sum(bool(row.poison) for row in storm.expected) / EVENTS == pytest.approx(0.02)
    originals = [row for row in storm.expected if row.outcome is Outcome.NORMALIZED]
    behind = sum(row.clock_ms > row.event_time_ms for row in originals)
    assert behind / len(originals) == pytest.approx(0.3, abs=0.03)


def test_what_is_certainly_in_time_is_never_behind_any_watermark(storm: Session) -> None:
    on_time = [row for row in storm.expected if row.event_time_ms >= 0]
    on_time = [row for row in on_time if row.outcome is not Outcome.LATE]
    assert all(row.event_time_ms > row.clock_ms - TOLERANCE_MS for row in on_time)


def test_what_is_certainly_late_is_a_minute_behind_every_partition(storm: Session) -> None:
    newest: dict[int, int] = {}
    rows = iter(storm.expected)
    bursts = 0
    behind_settle = False
    for one in storm.deliveries:
        if isinstance(one, Settle):
            bursts, behind_settle = bursts + 1, True
            continue
        row = next(rows)
        certain = row.outcome is Outcome.LATE and row.certain
        behind_settle = behind_settle and certain
        assert certain is behind_settle
        if certain:
            assert len(newest) == 4
            assert row.event_time_ms + 60_000 < min(newest.values()) - TOLERANCE_MS
            assert row.clock_ms - row.event_time_ms <= FIVE_MINUTES_MS
        elif row.event_id:
            partition = partition_of(row.key, 4)
            newest[partition] = max(newest.get(partition, 0), row.event_time_ms)
    assert bursts == len(STORM.bursts) == 3


def test_uncertain_records_are_behind_the_bound_by_up_to_five_minutes(storm: Session) -> None:
    behind = [row.clock_ms - row.event_time_ms for row in late(storm, certain=False)]
    assert min(behind) >= TOLERANCE_MS
    assert TOLERANCE_MS + 60_000 < max(behind) <= FIVE_MINUTES_MS


def test_late_records_are_healed_as_every_kind_of_thing(storm: Session) -> None:
    for row in storm.expected:
        assert (row.healed is not None) is (row.outcome is Outcome.LATE)
    healed = Counter(row.healed for row in late(storm, certain=True))
    assert min(healed[o] for o in (Outcome.NORMALIZED, Outcome.DUPLICATE)) > 0
    reasons = {r.healed_reason for r in storm.expected if r.healed is Outcome.QUARANTINED}
    assert {"UNKNOWN_SYMBOL", "NOT_LISTED", "AFTER_DELISTING"} <= reasons
    assert {row.healed for row in late(storm, certain=False)} == {
        Outcome.NORMALIZED,
        Outcome.DUPLICATE,
    }


def test_copy_lies_behind_its_first_and_no_first_is_there_twice(storm: Session) -> None:
    firsts: dict[str, Expected] = {}
    items: dict[str, Event] = {}
    sent = (one.item for one in storm.deliveries if not isinstance(one, Settle))
    for row, item in zip(storm.expected, sent, strict=True):
        if not row.event_id:
            continue
        assert isinstance(item, Event)
        if row.in_time[0] is Outcome.DUPLICATE:
            # Certain about its first, or nobody could say which of the two is the copy.
            assert firsts[row.event_id].certain
            assert items[row.event_id] == item
        else:
            assert row.event_id not in firsts
            firsts[row.event_id], items[row.event_id] = row, item


def test_copies_of_late_records_and_of_those_in_time_are_among_the_late(storm: Session) -> None:
    firsts = {r.event_id: r for r in storm.expected if r.in_time[0] is Outcome.NORMALIZED}
    rows = [r for r in late(storm, certain=True) if r.healed is Outcome.DUPLICATE]
    of_late = {firsts[row.event_id].outcome for row in rows}
    assert of_late == {Outcome.NORMALIZED, Outcome.LATE}


def test_ledger_of_a_storm_round_trips(storm: Session, tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    write_ledger(path, storm.expected)
    assert read_ledger(path) == storm.expected


@pytest.mark.parametrize("seconds", [1, 60])
def test_bars_are_revised_where_a_late_record_belongs_and_nowhere_else(
    storm: Session, seconds: int
) -> None:
    healable = [row for row in storm.expected if oracle.is_healable(row)]
    found_late = frozenset(row.event_id for row in healable if row.index % 3)
    length = seconds * 1000
    touched = {
        (row.listing_id, row.event_time_ms // length * length)
        for row in healable
        if row.event_id in found_late
    }
    bars = oracle.revised(storm.expected, seconds, found_late)
    places = Counter((bar.listing_id, bar.start_ms) for bar in bars)
    newest = {(bar.listing_id, bar.start_ms): bar for bar in bars}  # revisions come last
    assert {place for place, n in places.items() if n == 2} <= touched
    assert {place for place, bar in newest.items() if bar.revision == 1} == {
        place for place, n in places.items() if n == 2
    }
    whole = frozenset(row.event_id for row in healable)
    assert sorted((b.listing_id, b.start_ms, b.event_count) for b in newest.values()) == [
        (bar.listing_id, bar.start_ms, bar.event_count)
        for bar in oracle.bars(storm.expected, seconds, whole)
    ]
    assert any(bar.revision for bar in bars)
    assert len(newest.keys() & touched) == len(touched)
