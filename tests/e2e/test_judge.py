"""The judge catches what it is there to catch: each way to spoil a perfect answer is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro
import pytest

from asknown.contracts.catalog import contract
from asknown.contracts.partitions import partition_of
from asknown.ingestion import oracle
from asknown.ingestion.connectors.synthetic import Session, SessionSpec, generate
from asknown.ingestion.event import Settle
from asknown.ingestion.session_ledger import Expected, Outcome
from tests.e2e.judge import (
    LANES,
    Coordinate,
    Found,
    RawRecord,
    judge_bars,
    judge_equal,
    judge_order,
    judge_records,
    kept_late,
    place,
)
from tests.e2e.sessions import Day, moved

PARTITIONS = 4
UNIT = Decimal(10) ** 8
Spoil = Callable[["Answer"], None]


@dataclass
class Answer:
    """What a perfect platform would hold of a session, in lists a test may spoil."""

    placed: dict[Coordinate, Expected]
    normalized: list[dict[str, Any]]
    lanes: dict[str, list[dict[str, Any]]]
    bars: list[dict[str, Any]]

    def findings(self, *, late_may_pass: bool = False) -> list[str]:
        found = Found(self.normalized, self.lanes)
        wanted = oracle.bars(self.placed.values(), 60, kept_late(self.placed, found))
        return [
            *judge_records(self.placed, found, late_may_pass=late_may_pass),
            *judge_order(self.normalized),
            *judge_bars(wanted, self.bars),
        ]


def framed(topic: str) -> Callable[[dict[str, Any]], bytes]:
    def encode(record: dict[str, Any]) -> bytes:
        body = BytesIO()
        fastavro.schemaless_writer(body, contract(topic).parsed, record)
        return b"\x00\x00\x00\x00\x01" + body.getvalue()

    return encode


def row_of(at: Coordinate, row: Expected) -> dict[str, Any]:
    return {
        "event_id": row.event_id,
        "entity_id": row.listing_id,
        "raw_key": row.key,
        "raw_symbol": row.symbol,
        "venue": "XSIM",
        "session_phase": "regular",
        "event_time": row.event_time_ms,
        "sequence": row.sequence,
        "price": row.price,
        "size": row.size,
        "price_factor": row.price_factor,
        "split_factor": row.split_factor,
        "share_factor": row.share_factor,
        "factor_version": row.factor_version,
        "raw_partition": at[0],
        "raw_offset": at[1],
    }


def bar_of(bar: oracle.ExpectedBar) -> dict[str, Any]:
    prices = {name: getattr(bar, name) / UNIT for name in ("open", "high", "low", "close")}
    named = f"{bar.listing_id}:{bar.interval_seconds}"
    return {
        "event_id": f"{named}:trade:{bar.start_ms}:{bar.factor_version}:{bar.revision}",
        "entity_id": bar.listing_id,
        "event_time": bar.start_ms,
        "bar_start": bar.start_ms,
        "ingest_time": bar.ingest_ms,
        "interval_seconds": bar.interval_seconds,
        "price_type": "trade",
        **prices,
        "volume": bar.volume / UNIT,
        "vwap": None if bar.vwap is None else bar.vwap / UNIT,
        "event_count": bar.event_count,
        "price_factor": bar.price_factor,
        "split_factor": bar.split_factor,
        "share_factor": bar.share_factor,
        "factor_version": bar.factor_version,
        "revision": bar.revision,
    }


def lane_row(at: Coordinate, row: Expected) -> dict[str, Any]:
    reason = row.reason.split("|")[0]
    return {"topic": row.topic, "partition": at[0], "offset": at[1], "reason": reason}


@pytest.fixture(scope="module", params=[0, 2], ids=["first day", "third day"])
def perfect(request: pytest.FixtureRequest) -> Answer:
    return answer_of(moved(generate(SessionSpec(1_000, seed=5), framed), Day(request.param)))


def answer_of(session: Session) -> Answer:
    """Return the answer of a platform that finds late what may be late or not."""
    items = [one.item for one in session.deliveries if not isinstance(one, Settle)]
    ends: Counter[int] = Counter()
    raw = []
    for row in session.expected:
        partition = partition_of(row.key, PARTITIONS)
        raw.append(RawRecord(partition, 100 + ends[partition], row.key, b""))
        ends[partition] += 1
    assert len(items) == len(raw)
    placed = place(session.expected, raw, PARTITIONS)
    kept = [(at, row) for at, row in placed.items() if row.outcome is Outcome.NORMALIZED]
    kept.sort(key=lambda one: (one[1].event_time_ms, one[0]))
    normalized = [row_of(*one) for one in kept]
    for offset, row in enumerate(normalized):
        row |= {"kafka_partition": partition_of(row["entity_id"], 4), "kafka_offset": offset}
    lanes = {
        lane: [lane_row(at, row) for at, row in placed.items() if row.outcome is outcome]
        for lane, outcome in LANES.items()
    }
    bars = [bar_of(bar) for bar in oracle.bars(session.expected, 60)]
    return Answer(placed, normalized, lanes, bars)


def drop_one(answer: Answer) -> None:
    del answer.normalized[7]


def double_one(answer: Answer) -> None:
    answer.normalized.append(answer.normalized[7])


def swap_two_prices(answer: Answer) -> None:
    one = answer.normalized[7]
    other = next(row for row in answer.normalized if row["price"] != one["price"])
    one["price"], other["price"] = other["price"], one["price"]


def swap_two_in_order(answer: Answer) -> None:
    one = answer.normalized[0]
    other = next(
        row
        for row in answer.normalized
        if row["entity_id"] == one["entity_id"] and row["event_time"] > one["event_time"]
    )
    one["kafka_offset"], other["kafka_offset"] = other["kafka_offset"], one["kafka_offset"]


def alter_one_price(answer: Answer) -> None:
    answer.normalized[7]["price"] += Decimal("0.00000001")


def alter_one_factor(answer: Answer) -> None:
    answer.normalized[7]["share_factor"] *= 2


def give_one_to_another_entity(answer: Answer) -> None:
    answer.normalized[7]["entity_id"] = "e_another"


def put_one_into_two_classes(answer: Answer) -> None:
    row = answer.normalized[7]
    answer.lanes["late.event"].append(
        {
            "topic": "raw.trade",
            "partition": row["raw_partition"],
            "offset": row["raw_offset"],
            "reason": "LATE_BEYOND_WATERMARK",
        }
    )


def lose_one_rejected(answer: Answer) -> None:
    answer.lanes["quarantine.event"].pop()


def give_a_wrong_reason(answer: Answer) -> None:
    answer.lanes["quarantine.event"][0]["reason"] = "CROSSED_QUOTE"


def let_a_duplicate_through(answer: Answer) -> None:
    row = answer.lanes["duplicate.event"].pop()
    at = (row["partition"], row["offset"])
    passed = row_of(at, answer.placed[at])
    answer.normalized.append(passed | {"kafka_partition": 0, "kafka_offset": 10**6})


def invent_one(answer: Answer) -> None:
    answer.normalized.append(answer.normalized[7] | {"raw_offset": 10**9})


def drop_a_bar(answer: Answer) -> None:
    del answer.bars[3]


def double_a_bar(answer: Answer) -> None:
    answer.bars.append(answer.bars[3])


def alter_a_close(answer: Answer) -> None:
    answer.bars[3]["close"] += Decimal("0.05")


def forget_one_trade_in_a_bar(answer: Answer) -> None:
    answer.bars[3]["event_count"] -= 1


def alter_a_vwap_in_the_last_place(answer: Answer) -> None:
    answer.bars[3]["vwap"] += Decimal("0.00000001")


def test_perfect_answer_is_accepted(perfect: Answer) -> None:
    assert perfect.findings() == []
    assert perfect.findings(late_may_pass=True) == []
    assert {row.outcome for row in perfect.placed.values()} == set(Outcome)


@pytest.mark.parametrize(
    "spoil",
    [
        drop_one,
        double_one,
        swap_two_prices,
        swap_two_in_order,
        alter_one_price,
        alter_one_factor,
        give_one_to_another_entity,
        put_one_into_two_classes,
        lose_one_rejected,
        give_a_wrong_reason,
        let_a_duplicate_through,
        invent_one,
        drop_a_bar,
        double_a_bar,
        alter_a_close,
        forget_one_trade_in_a_bar,
        alter_a_vwap_in_the_last_place,
    ],
)
def test_spoilt_answer_is_refused_whether_or_not_late_records_may_pass(
    perfect: Answer, spoil: Spoil
) -> None:
    spoilt = deepcopy(perfect)
    spoil(spoilt)
    assert spoilt.findings() != []
    assert spoilt.findings(late_may_pass=True) != []


def test_late_record_that_passed_is_accepted_only_where_it_may_and_only_with_its_bar(
    perfect: Answer,
) -> None:
    passed = deepcopy(perfect)
    lane = passed.lanes["late.event"].pop()
    at = (lane["partition"], lane["offset"])
    late = passed.placed[at]
    passed.normalized.append(row_of(at, late) | {"kafka_partition": 9, "kafka_offset": 10**6})
    # It stands where its time belongs, so that order is not what is judged here.
    passed.normalized.sort(key=lambda row: row["event_time"])
    for offset, row in enumerate(passed.normalized):
        row |= {"kafka_partition": 0, "kafka_offset": offset}
    assert passed.findings(late_may_pass=True) != []
    kept = frozenset({late.event_id})
    passed.bars = [bar_of(bar) for bar in oracle.bars(passed.placed.values(), 60, kept)]
    assert passed.findings(late_may_pass=True) == []
    assert passed.findings() != []


def test_stores_with_another_number_of_equal_rows_are_not_equal() -> None:
    row = {"event_id": "a", "price": Decimal("1.50")}
    same = {"event_id": "a", "price": Decimal("1.50000000")}
    assert judge_equal("a store", [row], [same]) == []
    assert judge_equal("a store", [row], [row, row]) != []
    assert judge_equal("a store", [row, row], [row]) != []
    assert judge_equal("a store", [row], [row | {"price": Decimal("1.51")}]) != []


def test_records_that_are_not_where_the_ledger_says_are_refused(perfect: Answer) -> None:
    rows = list(perfect.placed.items())
    raw = [RawRecord(*at, row.key, b"") for at, row in rows]
    expected = sorted(perfect.placed.values(), key=lambda row: row.index)
    assert place(expected, raw, PARTITIONS) == perfect.placed
    with pytest.raises((AssertionError, IndexError)):
        place(expected, raw[1:], PARTITIONS)
