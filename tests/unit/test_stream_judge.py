"""The judge of the stream's readers: what is lost, doubled or altered in a log is found."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.stream_log import judge

RECORDS = [
    {"entity_id": entity, "kafka_offset": offset, "event_id": f"e{offset}"}
    for entity, offset in (("A", 1), ("A", 3), ("B", 4), ("A", 5), ("A", 8))
]


def snapshot(seq: int, entity: str = "A") -> dict[str, Any]:
    return {"type": "snapshot", "entity_id": entity, "seq": seq, "data": None}


def update(seq: int, prev: int, entity: str = "A", **more: Any) -> dict[str, Any]:
    data = {"event_id": f"e{seq}"}
    return {"type": "update", "entity_id": entity, "seq": seq, "prev": prev, "data": data, **more}


GOOD = [snapshot(-1), snapshot(-1, "B"), update(1, -1), update(3, 1), update(4, -1, "B")]
GOOD += [update(5, 3), update(8, 5)]


def test_whole_log_is_in_order() -> None:
    assert judge(RECORDS, GOOD) == []


@pytest.mark.parametrize(
    ("log", "found"),
    [
        pytest.param(GOOD[:-1], "1 records were never told", id="the last is lost"),
        pytest.param([*GOOD[:3], *GOOD[4:]], "expected [3] behind 1", id="one is lost"),
        pytest.param([*GOOD, GOOD[-1]], "expected [] behind 8", id="one is doubled"),
        pytest.param([*GOOD[:5], GOOD[6], GOOD[5]], "expected [5] behind 3", id="two are swapped"),
        pytest.param(
            [*GOOD[:-1], {**GOOD[-1], "data": {"event_id": "e9"}}], "expected e8", id="another one"
        ),
        pytest.param([one for one in GOOD if one["entity_id"] == "A"], "B: expected", id="no B"),
        pytest.param([*GOOD[:5], update(8, 3)], "expected [5] behind 3", id="left out in silence"),
    ],
)
def test_fault_in_a_log_is_found(log: list[dict[str, Any]], found: str) -> None:
    (finding,) = judge(RECORDS, log)
    assert found in finding


def test_what_the_stream_says_it_left_out_is_no_fault() -> None:
    assert judge(RECORDS, [*GOOD[:5], update(8, 3, left_out=1)]) == []
    assert judge(RECORDS, [*GOOD[:5], snapshot(8)]) == []
    (finding,) = judge(RECORDS, [*GOOD[:4], GOOD[4], update(8, 3, left_out=2)])
    assert "expected [] behind 3" in finding
