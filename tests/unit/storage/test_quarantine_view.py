"""Looking at what was refused, and letting it be: real Kafka, ClickHouse and a lake in a folder."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import UsageError
from asknown.ingestion.gateway import producer_config
from asknown.settings import CHECKOUT, Settings
from asknown.storage import clickhouse, iceberg
from asknown.storage import quarantine_discard as discards
from asknown.storage.kafka import ensure_topics
from asknown.storage.quarantine import plan
from asknown.storage.quarantine_original import dump, fetch
from asknown.storage.quarantine_view import (
    Group,
    next_steps,
    original,
    show,
    summary,
    summary_of_lake,
)
from tests.unit.storage.lake_rows import Row, append, row_of, utc
from tests.unit.storage.lanes import quote, send

T0 = utc(2024, 10, 28, 4)
DECIDED = discards.Decision("test messages", "asha", datetime(2024, 11, 1, tzinfo=UTC))
FORGOTTEN = 10**9
FIRST = 700_000  # offsets that no other test on this broker marks


@pytest.fixture
def lake(broker: dict[str, str], tmp_path: Path) -> Settings:
    """Return the settings of a Kafka, a registry and an empty lake; ClickHouse is away."""
    config = Settings(
        port_offset=int(broker["ASKNOWN_PORT_OFFSET"]),
        catalog_address=f"sqlite:///{tmp_path / 'catalog.db'}",
        warehouse=f"file://{tmp_path / 'warehouse'}",
        clickhouse_reader_password="any",
        clickhouse_writer_password="any",
        data_dir=tmp_path / "data",
    )
    ensure_topics(config)
    iceberg.ensure_tables(config)
    return config


def refused(offset: int, reason: str = "UNKNOWN_SYMBOL", **more: Any) -> Row:
    place = {"topic": "raw.quote", "partition": 1, "offset": offset}
    name = f"raw.quote:1:{offset}"
    named = {"raw_event_id": f"e{offset}", "raw_key": "SIM:EQ:AAA", "source": "feed"}
    row = {**place, **named, "stage": "normalize", "event_time": T0, "reason": reason, **more}
    return row_of("quarantine.event", event_id=name, entity_id=name, **row)


def mark(topic: str, offset: int, **more: Any) -> Row:
    place = {"topic": "raw.quote", "partition": 1, "offset": offset}
    return row_of(topic, event_id=f"raw.quote:1:{offset}", **place, **more)


def bronze(offset: int, key: str = "SIM:EQ:AAA", **more: Any) -> Row:
    at = T0 + timedelta(seconds=offset)
    place = {"kafka_partition": 1, "kafka_offset": offset}
    return row_of("raw.quote", entity_id=key, event_time=at, kafka_time=at, **place, **more)


def marked(config: Settings, *offsets: int) -> set[int]:
    found = discards.read_places(config, "discarded.event")
    return {offset for _, _, offset in found if offset in offsets}


LANE = (
    refused(1),
    refused(2, source="other"),
    refused(3),
    refused(4, "CROSSED_QUOTE"),
    refused(5, event_time=T0 + timedelta(days=1)),
)
GROUPS = [
    Group("UNKNOWN_SYMBOL", "raw.quote", "feed", "2024-10-28", 2, 0, 1, 1),
    Group("CROSSED_QUOTE", "raw.quote", "feed", "2024-10-28", 1, 1, 0, 0),
    Group("MARKET_CLOSED", "raw.quote", "x", "1999-01-01", 1, 1, 0, 0),
    Group("UNKNOWN_SYMBOL", "raw.quote", "feed", "2024-10-29", 1, 1, 0, 0),
    Group("UNKNOWN_SYMBOL", "raw.quote", "other", "2024-10-28", 1, 1, 0, 0),
]
MARKS = {
    "replayed.event": [mark("replayed.event", 1, outcome="NORMALIZED")],
    "discarded.event": [mark("discarded.event", n) for n in (1, 3)],
    "healed.event": [
        mark("healed.event", 8, outcome="MARKET_CLOSED"),
        mark("healed.event", 9, outcome="NORMALIZED"),
    ],
}


def test_groups_are_by_reason_source_and_day_also_when_clickhouse_is_away(lake: Settings):
    append(lake, "quarantine.event", *LANE)
    for topic, rows in MARKS.items():
        append(lake, topic, *rows)
    assert summary(lake) == GROUPS


def test_groups_of_clickhouse_are_those_of_the_lake(stores: Settings):
    rows = {"quarantine.event": list(LANE), **MARKS}
    with clickhouse.client("writer", settings=stores) as connection:
        for topic, found in rows.items():
            append(stores, topic, *found)
            table = iceberg.contracts()[topic].topic.table
            arrow = iceberg.lake(stores).load_table(table).scan().to_arrow()
            connection.insert_arrow(table.partition(".")[2], arrow, database="ops")
    assert summary(stores) == summary_of_lake(stores) == GROUPS


def test_record_is_shown_with_its_neighbours_and_what_to_do(lake: Settings):
    append(
        lake, "raw.quote", *(bronze(n, "SIM:EQ:BBB" if n % 2 else "SIM:EQ:AAA") for n in range(14))
    )
    append(lake, "quarantine.event", refused(6, detail="bid 3 > ask 2", raw_bytes=b"\x00bad"))

    shown = show(lake, "raw.quote:1:6")
    assert (shown["status"], shown["detail"]) == ("open", "bid 3 > ask 2")
    names = {k: [row["name"] for row in rows] for k, rows in shown["neighbours"].items()}
    assert names["partition"] == [f"raw.quote:1:{n}" for n in (3, 4, 5, 7, 8, 9)]
    assert names["key"] == [f"raw.quote:1:{n}" for n in (0, 2, 4, 8, 10, 12)]
    assert shown["original"]["from"] == "quarantine.event"
    assert shown["original"]["hex"] == [f"00000000  {'00 62 61 64':<48} .bad"]
    assert shown["original"]["unreadable"] == (
        "DECODE_TRUNCATED: expected 5 bytes or more, found 4."
    )
    assert shown["next"][0] == "asknown explain UNKNOWN_SYMBOL"
    with pytest.raises(UsageError, match=r"raw\.quote:1:7"):
        show(lake, "raw.quote:1:7")
    with pytest.raises(UsageError, match="nonsense"):
        show(lake, "nonsense")


def test_bytes_of_a_record_refused_after_its_look_up_are_fetched_from_kafka(lake: Settings):
    ((partition, offset),) = send(lake, "raw.quote", quote(1), partition=1)
    append(lake, "quarantine.event", refused(offset))
    with RegistryClient(lake.registry_url) as registry:
        sent = AvroCodec(registry).encoder("raw.quote")(quote(1))

    found = original(lake, f"raw.quote:{partition}:{offset}")
    assert (found.source, found.exact(), found.key) == ("Kafka", sent, b"x")
    document = found.document(lake)
    assert document["bytes"] == len(sent)
    assert document["record"]["payload"]["symbol"] == "AAA"


def test_bytes_that_kafka_has_forgotten_come_from_bronze_or_are_gone(lake: Settings):
    append(lake, "raw.quote", bronze(FORGOTTEN, raw_bytes=b"poison"), bronze(FORGOTTEN + 1))
    assert fetch(lake, ("raw.quote", 1, FORGOTTEN), None).source == "bronze"
    gone = fetch(lake, ("raw.quote", 1, FORGOTTEN + 1), None)
    assert gone.document(lake) == {"from": None}
    with pytest.raises(UsageError, match="ASKNOWN-QUARANTINE-004"):
        gone.exact()


def test_dump_shows_the_beginning_and_says_how_much_more_there_is():
    lines = dump(bytes(range(64)) * 5, limit=32)
    assert lines[1].startswith("00000010  10 11 12")
    assert lines[1].endswith(" " + "." * 16)
    assert lines[2] == "... 288 more bytes"
    assert dump(b"") == []


@pytest.mark.parametrize(
    ("status", "replayable"), [("open", True), ("discarded", True), ("replayed", False)]
)
def test_next_steps_offer_a_replay_while_there_is_something_to_bring_back(
    status: str, replayable: bool
):
    steps = "\n".join(next_steps(refused(1), status))
    assert ("quarantine replay" in steps) is replayable
    assert ("--even-discarded" in steps) is (status == "discarded")
    assert ("quarantine discard" in steps) is (status == "open")


def test_discard_chooses_by_reason_key_source_and_day(lake: Settings):
    append(
        lake,
        "quarantine.event",
        refused(FIRST),
        refused(FIRST + 1, source="other"),
        refused(FIRST + 2, raw_key="SIM:EQ:BBB"),
        refused(FIRST + 3, "CROSSED_QUOTE"),
        refused(FIRST + 4, event_time=T0 + timedelta(days=1)),
    )

    def chosen(*more: Any) -> list[int]:
        rows = discards.open_records(lake, discards.Choice("UNKNOWN_SYMBOL", *more))
        return [row["offset"] - FIRST for row in rows]

    assert chosen() == [0, 1, 2, 4]
    assert chosen("SIM:EQ:AAA") == [0, 1, 4]
    assert chosen(None, "other") == [1]
    assert chosen("SIM:EQ:AAA", "feed", date(2024, 10, 29)) == [4]


def test_discard_marks_each_record_once_and_replay_leaves_it_out(lake: Settings):
    wanted = (FIRST + 10, FIRST + 11)
    append(lake, "quarantine.event", *map(refused, wanted))
    choice = discards.Choice("UNKNOWN_SYMBOL")
    found = discards.open_records(lake, choice)
    properties = producer_config(lake)

    assert discards.discard(lake, properties, found, DECIDED) == 2
    assert discards.discard(lake, properties, found, DECIDED) == 0
    assert discards.open_records(lake, choice) == []
    assert marked(lake, *wanted) == set(wanted)
    left = plan(lake, "UNKNOWN_SYMBOL", None, {}, discards.read_places(lake, "discarded.event"))
    assert (left.candidates, left.left) == ((), {"discarded": 2})
    assert plan(lake, "UNKNOWN_SYMBOL", None, {}).left == {
        "not in bronze yet": 2,
    }


_KILLED = """
import os, signal
from asknown.ingestion.gateway import producer_config
from asknown.settings import settings
from asknown.storage import transaction
from tests.unit.storage.test_quarantine_view import DECIDED, FIRST, discards, refused

def die(self):
    self._producer.flush()
    os.kill(os.getpid(), signal.SIGKILL)

transaction.Transactions.commit = die
config = settings()
discards.discard(config, producer_config(config), [refused(FIRST + 20)], DECIDED)
"""


def test_discard_that_is_killed_before_its_commit_marks_nothing_and_the_next_one_all(
    broker: dict[str, str], lake: Settings
):
    done = subprocess.run(
        [sys.executable, "-c", _KILLED],
        env=broker,
        cwd=CHECKOUT,
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert marked(lake, FIRST + 20) == set()
    assert discards.discard(lake, producer_config(lake), [refused(FIRST + 20)], DECIDED) == 1
    assert marked(lake, FIRST + 20) == {FIRST + 20}


def test_marker_says_who_decided_when_and_why_under_the_coordinates():
    found = discards.marker(refused(7), DECIDED)
    assert found["event_id"] == found["entity_id"] == "raw.quote:1:7"
    assert found["event_time"] == 1_730_419_200_000
    payload = found["payload"]
    assert (payload["why"], payload["decided_by"]) == ("test messages", "asha")
    assert (payload["reason"], payload["raw_key"]) == ("UNKNOWN_SYMBOL", "SIM:EQ:AAA")


def test_decision_without_words_is_refused_and_has_a_name():
    with pytest.raises(UsageError, match="ASKNOWN-QUARANTINE-005"):
        discards.decide(Settings(), "  ")
    assert discards.decide(Settings(user="asha"), "why").by == "asha"
    assert discards.decide(Settings(user=""), "why").by
