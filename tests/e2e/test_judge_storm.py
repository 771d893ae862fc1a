"""The judge of storms catches each way to heal wrongly: records, markers, bars and revisions."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from asknown.ingestion import oracle
from asknown.ingestion.connectors.synthetic import SessionSpec, generate
from asknown.ingestion.connectors.synthetic_mix import STORM
from asknown.ingestion.session_ledger import Outcome
from tests.e2e.judge import Found, found_late, judge_equal
from tests.e2e.sessions import Day, moved
from tests.e2e.storms import upgraded
from tests.e2e.surfaces import NORMALIZED
from tests.e2e.test_judge import Answer, answer_of, framed, row_of
from tests.e2e.test_judge import bar_of as bar_row
from tests.e2e.verdict import INTERVALS, RAW, judge_healing

HEALED_AT = 10**6  # what a healing sends lies behind everything else
LATE, QUARANTINE, DUPLICATE = "late.event", "quarantine.event", "duplicate.event"


@dataclass
class Healed:
    """What a perfect platform holds after a healing, in lists a test may spoil."""

    live: Answer
    markers: list[dict[str, Any]]
    bars: list[dict[str, Any]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.live.normalized

    @property
    def lanes(self) -> dict[str, list[dict[str, Any]]]:
        return self.live.lanes

    def findings(self) -> list[str]:
        found = Found(self.rows, self.lanes)
        return judge_healing(self.live.placed, found, self.markers, self.bars)

    def bar(self, revision: int, *, revised: bool = True) -> dict[str, Any]:
        """Return the first bar of a revision; of revision 0 one that was revised or was not."""
        names = {row["event_id"] for row in self.bars}
        return next(
            row
            for row in self.bars
            if row["revision"] == revision
            and (revision or (f"{row['event_id'][:-1]}1" in names) is revised)
        )


@pytest.fixture(scope="module", params=[0, 4], ids=["first day", "storm day"])
def perfect(request: pytest.FixtureRequest) -> Healed:
    storm = generate(SessionSpec(1_500, 11, STORM), framed)
    live = answer_of(upgraded(moved(storm, Day(request.param))))
    late = found_late(live.placed, Found(live.normalized, live.lanes), RAW)
    markers = []
    for number, (at, row) in enumerate(live.placed.items()):
        if row.outcome is not Outcome.LATE:
            continue
        outcome = row.healed_reason or "NORMALIZED"
        place = {"topic": RAW, "partition": at[0], "offset": at[1]}
        markers.append({**place, "outcome": outcome, "raw_event_id": row.event_id})
        if outcome == "NORMALIZED":
            place = {"kafka_partition": 0, "kafka_offset": HEALED_AT + number}
            live.normalized.append(row_of(at, row) | place)
            again = {"topic": NORMALIZED, "partition": 0, "offset": HEALED_AT + number}
            reason = {"reason": "LATE_BEYOND_WATERMARK", "raw_event_id": row.event_id}
            live.lanes[LATE].append(again | reason)
    rows = list(live.placed.values())
    bars = [bar_row(bar) for s in INTERVALS for bar in oracle.revised(rows, s, late)]
    return Healed(live, markers, bars)


Spoil = Callable[[Healed], None]


def healed_row(answer: Healed) -> dict[str, Any]:
    return next(row for row in answer.rows if row["kafka_offset"] >= HEALED_AT)


def marker(answer: Healed, outcome: str) -> dict[str, Any]:
    return next(row for row in answer.markers if row["outcome"] == outcome)


def drop_what_was_healed(answer: Healed) -> None:
    answer.rows.remove(healed_row(answer))


def double_what_was_healed(answer: Healed) -> None:
    answer.rows.append(healed_row(answer))


def swap_two_healed(answer: Healed) -> None:
    one = healed_row(answer)
    other = next(r for r in answer.rows[::-1] if r["price"] != one["price"])
    one["price"], other["price"] = other["price"], one["price"]


def swap_two_in_time(answer: Healed) -> None:
    one = answer.rows[0]
    other = next(
        row
        for row in answer.rows
        if row["entity_id"] == one["entity_id"] and row["event_time"] > one["event_time"]
    )
    one["kafka_offset"], other["kafka_offset"] = other["kafka_offset"], one["kafka_offset"]


def alter_a_tick_that_was_healed(answer: Healed) -> None:
    healed_row(answer)["price"] += Decimal("0.00000001")


def alter_a_tick_in_time(answer: Healed) -> None:
    answer.rows[0]["size"] += 1


def lose_a_tick_in_time(answer: Healed) -> None:
    del answer.rows[0]


def forget_a_marker(answer: Healed) -> None:
    answer.markers.remove(marker(answer, "NORMALIZED"))


def mark_twice(answer: Healed) -> None:
    answer.markers.append(marker(answer, "NORMALIZED"))


def mark_a_copy_twice(answer: Healed) -> None:
    answer.markers.append(marker(answer, "DUPLICATE"))


def mark_what_was_never_late(answer: Healed) -> None:
    row = answer.rows[0]
    place = {"partition": row["raw_partition"], "offset": row["raw_offset"]}
    answer.markers.append(marker(answer, "NORMALIZED") | place | {"raw_event_id": row["event_id"]})


def name_another_event(answer: Healed) -> None:
    marker(answer, "NORMALIZED")["raw_event_id"] = "another"


def call_a_copy_healed(answer: Healed) -> None:
    marker(answer, "DUPLICATE")["outcome"] = "NORMALIZED"


def let_a_late_copy_through(answer: Healed) -> None:
    said = marker(answer, "DUPLICATE")
    said["outcome"] = "NORMALIZED"
    at = (said["partition"], said["offset"])
    place = {"kafka_partition": 0, "kafka_offset": 2 * HEALED_AT}
    answer.rows.append(row_of(at, answer.live.placed[at]) | place)


def call_a_stranger_a_copy(answer: Healed) -> None:
    marker(answer, "UNKNOWN_SYMBOL")["outcome"] = "DUPLICATE"


def refuse_for_a_wrong_reason(answer: Healed) -> None:
    marker(answer, "UNKNOWN_SYMBOL")["outcome"] = "MARKET_CLOSED"


def lose_a_late_row(answer: Healed) -> None:
    said = marker(answer, "DUPLICATE")
    answer.markers.remove(said)
    place = (said["topic"], said["partition"], said["offset"])
    rows = answer.lanes[LATE]
    rows[:] = [r for r in rows if (r["topic"], r["partition"], r["offset"]) != place]


def lose_one_in_time_on_the_way_to_its_bar(answer: Healed) -> None:
    row = answer.lanes[LATE][-1]
    answer.lanes[LATE].append(row | {"raw_event_id": answer.rows[0]["event_id"]})


def leave_a_bar_unrevised(answer: Healed) -> None:
    answer.bars.remove(answer.bar(1))


def revise_without_need(answer: Healed) -> None:
    bar = answer.bar(0, revised=False)
    answer.bars.append(bar | {"revision": 1, "event_id": f"{bar['event_id'][:-1]}1"})


def revise_twice(answer: Healed) -> None:
    bar = answer.bar(1)
    answer.bars.append(bar | {"revision": 2, "event_id": f"{bar['event_id'][:-1]}2"})


def overwrite_a_bar_without_a_revision(answer: Healed) -> None:
    new, old = answer.bar(1), answer.bar(0)
    answer.bars.remove(new)
    old |= {"close": new["close"], "volume": new["volume"], "event_count": new["event_count"]}


def revise_with_the_old_values(answer: Healed) -> None:
    new = answer.bar(1)
    old = next(r for r in answer.bars if r["event_id"] == f"{new['event_id'][:-1]}0")
    answer.bars[answer.bars.index(new)] = old | {"revision": 1, "event_id": new["event_id"]}


def revise_with_a_wrong_volume(answer: Healed) -> None:
    answer.bar(1)["volume"] += 1


def revise_with_a_wrong_close(answer: Healed) -> None:
    answer.bar(1)["close"] += Decimal("0.05")


def revise_with_a_wrong_vwap_in_the_last_place(answer: Healed) -> None:
    answer.bar(1)["vwap"] += Decimal("0.00000001")


def say_another_revision_than_the_name(answer: Healed) -> None:
    answer.bar(1)["revision"] = 2


def revise_before_the_late_record_was_seen(answer: Healed) -> None:
    answer.bar(1)["ingest_time"] -= 1


def double_a_revision(answer: Healed) -> None:
    answer.bars.append(answer.bar(1))


def lose_the_bar_as_it_was(answer: Healed) -> None:
    answer.bars.remove(answer.bar(0))


def test_perfect_healing_is_accepted(perfect: Healed) -> None:
    assert perfect.findings() == []
    assert {row["revision"] for row in perfect.bars} == {0, 1}
    assert {row["outcome"] for row in perfect.markers} >= {"NORMALIZED", "DUPLICATE"}


@pytest.mark.parametrize(
    "spoil",
    [
        drop_what_was_healed,
        double_what_was_healed,
        swap_two_healed,
        swap_two_in_time,
        alter_a_tick_that_was_healed,
        alter_a_tick_in_time,
        lose_a_tick_in_time,
        forget_a_marker,
        mark_twice,
        mark_a_copy_twice,
        mark_what_was_never_late,
        name_another_event,
        call_a_copy_healed,
        let_a_late_copy_through,
        call_a_stranger_a_copy,
        refuse_for_a_wrong_reason,
        lose_a_late_row,
        lose_one_in_time_on_the_way_to_its_bar,
        leave_a_bar_unrevised,
        revise_without_need,
        revise_twice,
        overwrite_a_bar_without_a_revision,
        revise_with_the_old_values,
        revise_with_a_wrong_volume,
        revise_with_a_wrong_close,
        revise_with_a_wrong_vwap_in_the_last_place,
        say_another_revision_than_the_name,
        revise_before_the_late_record_was_seen,
        double_a_revision,
        lose_the_bar_as_it_was,
    ],
)
def test_wrong_healing_is_refused(perfect: Healed, spoil: Spoil) -> None:
    spoilt = deepcopy(perfect)
    spoil(spoilt)
    assert spoilt.findings() != []


def pass_in_time(answer: Answer, *, certain: bool) -> None:
    """Move a late record that heals to a trade into the normalized ones, and its bar with it."""
    placed = answer.placed
    at = next(at for at, r in placed.items() if oracle.is_healable(r) and r.certain is certain)
    lane = answer.lanes[LATE]
    lane[:] = [row for row in lane if (row["partition"], row["offset"]) != at]
    answer.normalized.append(row_of(at, placed[at]))
    answer.normalized.sort(key=lambda row: row["event_time"])
    for offset, row in enumerate(answer.normalized):
        row |= {"kafka_partition": 0, "kafka_offset": offset}
    kept = frozenset({placed[at].event_id})
    answer.bars = [bar_row(bar) for bar in oracle.bars(placed.values(), 60, kept)]


def test_before_healing_only_a_straggler_may_pass_in_time() -> None:
    storm = answer_of(generate(SessionSpec(1_500, 12, STORM), framed))
    assert storm.findings() == []
    straggler, late = deepcopy(storm), deepcopy(storm)
    pass_in_time(straggler, certain=False)
    pass_in_time(late, certain=True)
    assert straggler.findings() == []
    assert late.findings() != []
    assert late.findings(late_may_pass=True) == []


def test_straggler_in_time_is_accepted_with_bars_that_need_no_revision_for_it(
    perfect: Healed,
) -> None:
    passed = deepcopy(perfect)
    placed = passed.live.placed
    at = next(at for at, r in placed.items() if oracle.is_healable(r) and not r.certain)
    where = {"topic": RAW, "partition": at[0], "offset": at[1]}
    names = placed[at].event_id
    passed.markers[:] = [m for m in passed.markers if not where.items() <= m.items()]
    rows = passed.lanes[LATE]
    rows[:] = [r for r in rows if not where.items() <= r.items() and r.get("raw_event_id") != names]
    passed.rows.sort(key=lambda row: row["event_time"])  # it is sent where its time belongs
    for offset, row in enumerate(passed.rows):
        row |= {"kafka_partition": 0, "kafka_offset": offset}
    assert passed.findings() != []  # its bar was revised without need
    late = found_late(placed, Found(passed.rows, passed.lanes), RAW)
    assert names not in late
    rows = list(placed.values())
    passed.bars = [bar_row(bar) for s in INTERVALS for bar in oracle.revised(rows, s, late)]
    assert passed.findings() == []


@pytest.mark.parametrize("surface", ["rows", "bars", "markers"])
def test_store_that_differs_in_any_way_is_not_equal(perfect: Healed, surface: str) -> None:
    rows: list[dict[str, Any]] = getattr(perfect, surface)
    column = "outcome" if surface == "markers" else "event_time"
    swapped = deepcopy(rows)
    other = next(n for n, row in enumerate(rows) if row[column] != rows[0][column])
    swapped[0][column], swapped[other][column] = swapped[other][column], swapped[0][column]
    assert judge_equal("a store", rows, rows[::-1]) == []
    assert judge_equal("a store", rows, rows[1:]) != []
    assert judge_equal("a store", rows, [*rows, rows[0]]) != []
    assert judge_equal("a store", rows, swapped) != []
    assert judge_equal("a store", rows, [rows[0] | {column: None}, *rows[1:]]) != []
