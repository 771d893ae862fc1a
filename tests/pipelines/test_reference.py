"""Every numbered case of symbols and corporate actions, through the Flink job in both modes.

All cases go through in one run, as one venue's day would bring them. The job must say exactly what
the engine says in memory, and each case must find what it expects.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from asknown.contracts.catalog import HEARTBEAT, contract
from asknown.reference.engine import replay
from asknown.reference.records import Close, RawAction, RawSecurity, Record
from tests.pipelines.harness import Harness, Mode, Row, utc
from tests.reference_cases import ALL_CASES, Case, check, merged

CHANGES = "reference.entity_change"
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001  # as Flink writes times
SESSION = 86_400
NO_PAYLOAD = frozenset({"topic", "partition", "offset", "event_id", "event_time", "raw_key"})
Payloads = dict[str, list[dict[str, Any]]]


def on_the_wire(case: Case) -> bool:
    """Tell whether Avro can hold the case's records: no decimal of it is infinite."""
    values = [v for r in case.records for v in msgspec.structs.asdict(r).values()]
    return all(v.is_finite() for v in values if isinstance(v, Decimal))


CASES = tuple(case for case in ALL_CASES if on_the_wire(case))


def raw(record: RawSecurity | RawAction) -> Row:
    said = {k: v for k, v in msgspec.structs.asdict(record).items() if k not in NO_PAYLOAD}
    starts = said.pop("valid_from_ms")
    payload = {k: plain(v) for k, v in said.items() if v is not None}
    payload["extra"] = {} if starts is None else {"valid_from_ms": starts}
    return {
        **envelope(record.event_id, record.event_time, record.raw_key),
        "kafka_partition": record.partition,
        "kafka_offset": record.offset,
        "payload": payload,
    }


def bar(close: Close, at_ms: int) -> Row:
    name = f"{close.listing_id}|{close.trade_date}"
    payload = {
        "venue": close.venue,
        "interval_seconds": SESSION,
        "trade_date": plain(close.trade_date),
        "close": plain(close.close),
    }
    return {**envelope(name, at_ms, close.listing_id), "payload": payload}


def beat(at_ms: int) -> Row:
    return {**envelope(f"beat|{at_ms}", at_ms, "heartbeat-0"), "source": HEARTBEAT, "payload": None}


def envelope(event_id: str, at_ms: int, key: str) -> Row:
    return {
        "event_id": event_id,
        "event_time": utc(at_ms),
        "ingest_time": utc(at_ms),
        "source": "test",
        "schema_version": 1,
        "entity_id": key,
    }


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, dt.date) else value


def topics(records: Sequence[Record]) -> dict[str, list[Row]]:
    """Return the rows of the topics; a close that says nothing is known with what came before."""
    found: dict[str, list[Row]] = {
        name: [] for name in ("raw.security", "raw.corporate_action", "normalized.bar")
    }
    at = 0
    for record in records:
        at = at if record.event_time is None else record.event_time
        if isinstance(record, Close):
            found["normalized.bar"].append(bar(record, at))
        else:
            found[record.topic].append(raw(record))
    last = max(r.event_time for r in records if not isinstance(r, Close))
    for name in ("raw.security", "raw.corporate_action"):
        found[name].append(beat(last + 1))
    return found


def payloads(rows: Mapping[str, Sequence[Row]]) -> Payloads:
    """Return payloads with values as the engine has them."""
    found: Payloads = {}
    for topic, of_topic in rows.items():
        kinds = {f.name: f.type.kind for f in contract(topic).payload}
        found[topic] = [
            {name: value(row["payload"].get(name), kind) for name, kind in kinds.items()}
            for row in of_topic
            if row["payload"] is not None
        ]
    return found


def value(found: Any, kind: str) -> Any:
    if found is None:
        return None
    if kind == "timestamp":
        return (dt.datetime.fromisoformat(found) - EPOCH) // dt.timedelta(milliseconds=1)
    read: Callable[[Any], Any] = {
        "date": dt.date.fromisoformat,
        "decimal": lambda number: Decimal(number).normalize(),
        "double": float,
        "long": int,
        "int": int,
    }.get(kind, str)
    return read(found)


def engine_says(records: Sequence[Record]) -> Payloads:
    found: Payloads = {}
    for output in replay(records):
        row = {
            name: one.normalize() if isinstance(one, Decimal) else one
            for name, one in output.payload.items()
        }
        found.setdefault(output.topic, []).append(row)
    return found


def as_multiset(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    return Counter(repr(sorted(row.items(), key=lambda item: item[0])) for row in rows)


@pytest.fixture(scope="module", params=list(Mode))
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Payloads:
    from jobs.reference import pipeline

    harness = Harness(pipeline.build, tmp_path_factory.mktemp("reference"), request.param)
    return payloads(harness.run(topics(merged(CASES))))


def test_job_says_what_the_engine_says(told: Payloads) -> None:
    wanted = engine_says(merged(CASES))
    assert told.keys() >= wanted.keys()
    for topic, rows in wanted.items():
        missing = as_multiset(rows) - as_multiset(told[topic])
        surplus = as_multiset(told[topic]) - as_multiset(rows)
        assert (list(missing)[:3], list(surplus)[:3]) == ([], []), topic


def test_every_case_finds_what_it_expects(told: Payloads) -> None:
    failed = {}
    for case in CASES:
        try:
            check(case, told)
        except AssertionError as error:
            failed[case.name] = str(error)
    assert failed == {}


def test_heartbeat_follows_the_change_points_into_each_partition(
    referring: Callable[..., Harness],
) -> None:
    rows = topics(merged(CASES[:1]))
    out = referring(Mode.STREAMING).run(rows)[CHANGES]
    beats = [row for row in out if row["source"] == HEARTBEAT]
    assert len({row["entity_id"] for row in beats}) == contract(CHANGES).topic.partitions
    assert {row["event_time"] for row in beats} == {rows["raw.security"][-1]["event_time"]}
    assert out[: -len(beats)] == [row for row in out if row["source"] != HEARTBEAT]
