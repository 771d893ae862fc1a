"""Bringing quarantined records back: what is found, and that nothing comes twice or is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from asknown.cli.backfill_steps import AS_KNOWN, AS_OF_NOW, moment_of
from asknown.cli.quarantine import heal_commands
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import AsknownError, UsageError
from asknown.ingestion.gateway import producer_config
from asknown.settings import CHECKOUT, Settings
from asknown.storage import replay
from asknown.storage.kafka import TopicReader, ensure_topics
from asknown.storage.quarantine import Candidate, Plan, plan
from tests.unit.storage.lake_rows import (
    FOR_EVER,
    LONG_AGO,
    Row,
    append,
    fact,
    new_lake,
    row_of,
    utc,
)

T0, LEARNT = utc(2024, 10, 28, 4), utc(2024, 10, 29, 4)
T0_MS, LEARNT_MS = 1_730_088_000_000, 1_730_174_400_000
HOUR = timedelta(hours=1)
_ENVELOPE = ("event_id", "event_time", "ingest_time", "source", "schema_version", "entity_id")
TOPICS = ("normalized.trade", "duplicate.event", "replayed.event")


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """Return the settings of a lake: LATE was mapped a day late, from 05:00 on; NOBODY never."""
    config = new_lake(tmp_path)
    append(
        config,
        "reference.entity_history",
        fact("LATE", (LONG_AGO, FOR_EVER), (LONG_AGO, FOR_EVER)) | {"status": "NOT_LISTED"},
        fact("LATE", (LONG_AGO, FOR_EVER), (LONG_AGO, LEARNT)) | {"status": "NOT_LISTED"},
        fact("LATE", (LONG_AGO, T0 + HOUR), (LEARNT, FOR_EVER)) | {"status": "NOT_LISTED"},
        fact("LATE", (T0 + HOUR, FOR_EVER), (LEARNT, FOR_EVER)),
    )
    return config


def quarantined(config: Settings, *raw: tuple[str, datetime, str], first: int = 0) -> None:
    """Put trades of (symbol, time, event id) into bronze and into quarantine."""
    places = [first + n for n in range(len(raw))]
    bronze = [
        row_of(
            "raw.trade",
            event_id=event_id,
            event_time=at,
            ingest_time=at,
            source="test",
            entity_id=f"SIM:EQ:{symbol}",
            kafka_partition=0,
            kafka_offset=offset,
        )
        for offset, (symbol, at, event_id) in zip(places, raw, strict=True)
    ]
    aside = [
        row_of(
            "quarantine.event",
            event_id=f"raw.trade:0:{offset}",
            event_time=at,
            topic="raw.trade",
            partition=0,
            offset=offset,
            stage="normalize",
            reason="UNKNOWN_SYMBOL",
            raw_event_id=event_id,
            raw_key=f"SIM:EQ:{symbol}",
        )
        for offset, (symbol, at, event_id) in zip(places, raw, strict=True)
    ]
    append(config, "raw.trade", *bronze)
    append(config, "quarantine.event", *aside)


def offsets(found: Plan) -> list[int]:
    return [one.place[2] for one in found.candidates]


def test_plan_finds_the_records_whose_key_has_a_meaning_at_their_time(lake: Settings):
    raw = (("LATE", T0, "a"), ("LATE", T0 + HOUR, "b"), ("NOBODY", T0 + HOUR, "c"))
    quarantined(lake, *raw, ("LATE", T0 + 2 * HOUR, "d"))

    found = plan(lake, "UNKNOWN_SYMBOL", None, {})
    assert offsets(found) == [1, 3]
    assert found.left == {"no mapping yet": 2}
    assert {one.known_at for one in found.candidates} == {LEARNT_MS}
    assert found.candidates[0].event_time == T0_MS + 3_600_000


def test_plan_leaves_out_what_is_back_and_what_another_copy_brought(lake: Settings):
    at = T0 + HOUR
    quarantined(lake, *(("LATE", at, event_id) for event_id in ("a", "b", "c", "b")))
    taken = row_of(
        "normalized.trade", event_id="c", event_time=at, raw_key="SIM:EQ:LATE", raw_offset=99
    )
    append(lake, "normalized.trade", taken)

    marks: replay.Marks = {("raw.trade", 0, 1): "b", ("raw.trade", 0, 0): None}
    found = plan(lake, "UNKNOWN_SYMBOL", None, marks)
    assert offsets(found) == [3, 2]
    assert found.taken == {"b", "c"}


def test_plan_leaves_what_a_restating_backfill_has_put_into_the_lake(lake: Settings):
    quarantined(lake, ("LATE", T0 + HOUR, "a"), ("LATE", T0 + HOUR, "b"))
    restated = row_of(
        "normalized.trade",
        event_id="a",
        event_time=T0 + HOUR,
        raw_key="SIM:EQ:LATE",
        raw_partition=0,
        raw_offset=0,
        kafka_partition=-1,
    )
    append(lake, "normalized.trade", restated)

    found = plan(lake, "UNKNOWN_SYMBOL", None, {})
    assert offsets(found) == [1]
    assert found.left == {"in the lake by a restating backfill": 1}


def test_plan_of_a_key_takes_no_other_and_waits_for_a_history_half_written(lake: Settings):
    quarantined(lake, ("LATE", T0 + HOUR, "a"), ("HALF", T0 + HOUR, "b"))
    torn = fact("HALF", (T0, T0 + 9 * HOUR), (LEARNT, FOR_EVER))
    append(lake, "reference.entity_history", torn)

    assert offsets(plan(lake, "UNKNOWN_SYMBOL", "SIM:EQ:LATE", {})) == [0]
    found = plan(lake, "UNKNOWN_SYMBOL", "SIM:EQ:HALF", {})
    assert offsets(found) == []
    assert found.left == {"its history is being written; run again": 1}


def test_plan_of_a_reason_that_no_mapping_cures_is_refused(lake: Settings):
    with pytest.raises(UsageError, match="PRICE_OUT_OF_RANGE"):
        plan(lake, "PRICE_OUT_OF_RANGE", None, {})


def candidate(offset: int, event_id: str = "", at: int = T0_MS) -> Candidate:
    named = ("normalize", "UNKNOWN_SYMBOL", event_id or f"e{offset}", "SIM:EQ:LATE")
    return Candidate(("raw.trade", 0, offset), *named, at, at, LEARNT_MS)


def written(folder: Path, topic: str, *rows: Row) -> None:
    """Write what the job would."""
    out = folder / f"out-{topic}"
    out.mkdir(parents=True, exist_ok=True)
    (out / "part-0").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def normalized(offset: int, event_id: str = "") -> Row:
    """Return a normalized trade as the job writes it."""
    times = dict.fromkeys(("event_time", "ingest_time"), "2024-10-28T04:00:00.250")
    return {
        "event_id": event_id or f"e{offset}",
        **times,
        "source": "test",
        "schema_version": 1,
        "entity_id": "e_LATE",
        "raw_key": "SIM:EQ:LATE",
        "raw_symbol": "LATE",
        "isin": "IN1",
        "venue": "XSIM",
        "price": 100.12345678,
        "size": 7,
        "trade_date": "2024-10-28",
        "session_phase": "regular",
        "price_factor": 0.2,
        "split_factor": 1,
        "share_factor": 5.0,
        "factor_version": 1,
        "raw_partition": 0,
        "raw_offset": offset,
    }


def test_staged_markers_are_flat_rows_of_the_contract(tmp_path: Path):
    replay.stage(tmp_path / "r", [candidate(3)])
    (line,) = (tmp_path / "r" / "replayed.event" / "markers.json").read_text().splitlines()
    row = json.loads(line)
    assert (row["event_id"], row["offset"]) == ("raw.trade:0:3", 3)
    assert row["event_time"] == "2024-10-28T04:00:00.000"
    assert row["known_at"] == "2024-10-29T04:00:00.000"
    assert set(row) == set(row_of("replayed.event"))


def test_collected_rows_have_exact_values_and_each_record_has_one_fate(tmp_path: Path):
    every = tuple(candidate(n) for n in range(5))
    written(tmp_path, "normalized.trade", normalized(0), normalized(1))
    lane = {"topic": "raw.trade", "partition": 0, "source": "test", "schema_version": 1}
    written(tmp_path, "duplicate.event", {**lane, "offset": 2, "reason": "DUPLICATE"})
    written(tmp_path, "quarantine.event", {**lane, "offset": 3, "reason": "MARKET_CLOSED"})

    made = replay.collect(tmp_path, Plan("UNKNOWN_SYMBOL", every, frozenset({"e1"})))
    assert made.refused == {"MARKET_CLOSED": 1, "not in bronze": 1}
    fates = {back.candidate.place[2]: (back.outcome, back.topic) for back in made.returns}
    assert fates == {
        0: ("NORMALIZED", "normalized.trade"),
        1: ("DUPLICATE", "duplicate.event"),
        2: ("DUPLICATE", "duplicate.event"),
    }
    record = made.returns[0].record
    assert record["event_time"] == T0_MS + 250
    assert record["payload"]["price"] == Decimal("100.12345678")
    assert record["payload"]["split_factor"] == 1.0


def returned(*offset: int) -> list[replay.Return]:
    """Return trades on their way back."""
    found = []
    for n in offset:
        flat = normalized(n)
        payload = {k: v for k, v in flat.items() if k not in _ENVELOPE}
        payload |= {"price": Decimal("100.50000000"), "size": Decimal(7), "sequence": None}
        payload |= {"event_time_ns": None, "trade_date": T0.date()}
        record = {k: flat[k] for k in _ENVELOPE} | {"payload": payload}
        record |= {"event_time": T0_MS, "ingest_time": T0_MS}
        found.append(replay.Return(candidate(n), "NORMALIZED", "normalized.trade", record))
    return found


def test_copies_of_one_event_are_never_cut_apart():
    backs = returned(*range(6))
    same = replace(backs[3].candidate, raw_event_id=backs[2].candidate.raw_event_id)
    backs[3] = replace(backs[3], candidate=same)

    assert [len(chunk) for chunk in replay.chunks(backs, 3)] == [4, 2]
    assert list(replay.chunks([], 3)) == []


def test_what_came_back_meanwhile_is_left_out_or_is_a_copy():
    one, two, three = returned(1, 2, 3)
    marks: replay.Marks = {one.candidate.place: "e1", ("raw.trade", 3, 8): "e2"}

    kept = replay.settle([one, two, three], marks)
    assert [(b.candidate.place[2], b.outcome, b.topic) for b in kept] == [
        (2, "DUPLICATE", "duplicate.event"),
        (3, "NORMALIZED", "normalized.trade"),
    ]
    assert kept[0].record["payload"]["raw_event_id"] == "e2"


AT = 900_000  # offsets that no other test on this broker names


@pytest.fixture
def kafka(broker: dict[str, str], tmp_path: Path) -> Settings:
    """Return the settings of a Kafka and a registry."""
    offset = int(broker["ASKNOWN_PORT_OFFSET"])
    found = Settings(port_offset=offset, data_dir=tmp_path / "data")
    ensure_topics(found)
    return found


def seen(config: Settings, *wanted: int) -> Counter[tuple[str, int]]:
    """Count the committed records of some raw offsets, by topic."""
    counts: Counter[tuple[str, int]] = Counter()
    with RegistryClient(config.registry_url) as registry, TopicReader(TOPICS, config) as reader:
        codec = AvroCodec(registry)

        def take(message: Any) -> None:
            payload = codec.decode(message.value())["payload"] or {}  # {}: another test's heartbeat
            offset = payload.get("raw_offset", payload.get("offset"))
            if offset in wanted:
                counts[message.topic(), offset] += 1

        reader.drain(take)
    return counts


def once(*wanted: int) -> dict[tuple[str, int], int]:
    return {(topic, n): 1 for topic in ("normalized.trade", "replayed.event") for n in wanted}


def test_rows_and_markers_come_together_and_a_second_replay_does_nothing(kafka: Settings):
    first = replay.publish(kafka, producer_config(kafka), returned(AT, AT + 1))
    again = replay.publish(kafka, producer_config(kafka), returned(AT, AT + 1, AT + 2))

    assert first == {"NORMALIZED": 2}
    assert again == {"NORMALIZED": 1}
    assert seen(kafka, AT, AT + 1, AT + 2) == once(AT, AT + 1, AT + 2)
    assert replay.read_marks(kafka)["raw.trade", 0, AT] == f"e{AT}"


_KILLED = """
import os, signal, sys
from asknown.ingestion.gateway import producer_config
from asknown.settings import settings
from asknown.storage import replay
from tests.unit.storage.test_quarantine import returned

def die(self):
    self._producer.flush()
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(self, commit=replay._Transaction.commit):
    commit(self)
    os.kill(os.getpid(), signal.SIGKILL)

replay._Transaction.commit = {"before": die, "after": die_after}[sys.argv[1]]
replay.publish(settings(), producer_config(settings()), returned(*map(int, sys.argv[2:])))
"""


@pytest.mark.parametrize(("moment", "first"), [("before", AT + 20), ("after", AT + 30)])
def test_replay_that_is_killed_around_its_commit_loses_and_doubles_nothing(
    broker: dict[str, str], kafka: Settings, moment: str, first: int
):
    wanted = (first, first + 1)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, moment, *map(str, wanted)],
        env=broker,
        cwd=CHECKOUT,
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr

    counts = replay.publish(kafka, producer_config(kafka), returned(*wanted))
    assert counts == ({"NORMALIZED": 2} if moment == "before" else {})
    assert seen(kafka, *wanted) == once(*wanted)


def test_second_replay_ends_the_first(kafka: Settings):
    with RegistryClient(kafka.registry_url) as registry:
        codec = AvroCodec(registry)
        first = replay._Transaction(kafka, producer_config(kafka), codec)
        first.begin_alone()
        counts = replay.publish(kafka, producer_config(kafka), returned(AT + 40))
        with pytest.raises(replay.KafkaException):
            first.write(returned(AT + 40), "r")

    assert counts == {"NORMALIZED": 1}
    assert seen(kafka, AT + 40) == once(AT + 40)


def test_refusal_of_kafka_is_an_error_with_the_next_step(
    kafka: Settings, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise replay.KafkaException("fenced")

    monkeypatch.setattr(replay._Transaction, "write", refuse)
    with pytest.raises(AsknownError, match="another replay"):
        replay.publish(kafka, producer_config(kafka), returned(AT + 50))
    assert seen(kafka, AT + 50) == {}


def test_backfills_that_heal_are_one_for_each_run_of_days():
    days = [utc(2024, 10, n).date() for n in (30, 28, 29, 28)]
    later = utc(2024, 11, 4).date()
    assert heal_commands([*days, later]) == [
        "asknown backfill apply --from 2024-10-28 --to 2024-10-31",
        "asknown backfill apply --from 2024-11-04 --to 2024-11-05",
    ]


def test_knowledge_is_as_known_or_as_of_now_or_a_time():
    assert moment_of(AS_KNOWN) is None
    assert moment_of(AS_OF_NOW) == 7_258_118_399_999
    assert moment_of("2024-10-28T04:00:00Z") == T0_MS
    assert moment_of("2024-10-28T09:30:00+05:30") == T0_MS
    for wrong in ("yesterday", "2024-10-28T04:00:00"):
        with pytest.raises(UsageError, match="ASKNOWN-BACKFILL-002"):
            moment_of(wrong)
