"""Late records: which are healed when, what they become, and that nothing is sent twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import AsknownError
from asknown.ingestion.gateway import producer_config
from asknown.settings import CHECKOUT, Settings
from asknown.storage.heal import Plan, plan
from asknown.storage.heal_fates import Fates, judge
from asknown.storage.heal_send import Sender
from asknown.storage.kafka import TopicReader, ensure_topics
from tests.unit.storage.heal_rows import (
    HOUR,
    MINUTE,
    SECOND,
    T0,
    aside,
    bar,
    came_late,
    healed,
    late,
    recomputed,
    trade,
)
from tests.unit.storage.lake_rows import append, new_lake, row_of

T0_MS, HOUR_MS = 1_730_088_000_000, 3_600_000


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """Return the settings of a lake whose bars are out up to 08:00."""
    config = new_lake(tmp_path)
    append(config, "analytics.bar", bar(T0 + 4 * HOUR - MINUTE, 1))
    return config


def offsets(found: Plan) -> list[int]:
    return [] if found.task is None else sorted(found.task["place"].to_pylist())


def test_plan_of_a_lake_without_late_records_is_empty(lake: Settings) -> None:
    found = plan(lake)
    assert (found.records, found.groups, found.left, found.hours) == (0, (), {}, {})


def test_plan_names_the_hours_and_joins_neighbours(lake: Settings) -> None:
    times = (T0, T0 + HOUR - SECOND, T0 + HOUR, T0 + 3 * HOUR)
    came_late(lake, *((at, f"e{n}") for n, at in enumerate(times)))

    found = plan(lake)
    assert found.groups == (
        ("trade", T0, 2),
        ("trade", T0 + HOUR, 1),
        ("trade", T0 + 3 * HOUR, 1),
    )
    ends = [(0, 2), (3, 4)]
    spans = [(T0_MS + a * HOUR_MS, T0_MS + b * HOUR_MS) for a, b in ends]
    assert found.hours == {"raw.trade": spans}


def test_plan_leaves_out_what_is_healed_and_what_comes_late_to_derive_once_more(
    lake: Settings,
) -> None:
    came_late(lake, (T0, "e0"), (T0, "e1"))
    again = late(77, "e0", topic="normalized.trade", stage="derive")
    append(lake, "late.event", again | {"kafka_partition": 1})
    append(lake, "healed.event", healed(0))

    assert offsets(plan(lake)) == [1]


def test_record_waits_until_the_bars_of_its_minute_are_out(lake: Settings) -> None:
    came_late(lake, (T0 + 4 * HOUR - SECOND, "out"), (T0 + 4 * HOUR, "open"))

    found = plan(lake)
    assert offsets(found) == [0]
    assert found.left == {"their bars are not out yet": 1}


def test_record_that_a_backfill_has_put_into_the_lake_stays_late(lake: Settings) -> None:
    came_late(lake, (T0, "e0"), (T0 + SECOND, "e1"))
    append(lake, "normalized.trade", trade(0, T0) | {"kafka_partition": -1, "kafka_offset": -1})
    append(lake, "normalized.trade", trade(9, T0) | {"kafka_partition": -1, "kafka_offset": -1})

    found = plan(lake)
    assert offsets(found) == [1]
    assert found.left == {"in the lake by a backfill": 1}


def test_record_that_bronze_lacks_and_reference_data_are_left(lake: Settings) -> None:
    append(lake, "late.event", late(5), late(6, topic="raw.security"))

    found = plan(lake)
    assert found.records == 0
    assert found.left == {"not market data": 1, "not in bronze": 1}


def judged(config: Settings, folder: Path, **topics: Any) -> tuple[Fates, dict[str, list[Any]]]:
    """Judge the lake's plan by what a job would have written; return all rows it would send."""
    recomputed(folder, **topics)
    with closing(judge(config, plan(config), folder)) as fates:
        found: dict[str, list[Any]] = {topic: [] for topic in fates.tables}
        for piece in fates.pieces(3):
            for topic, rows in piece.items():
                found[topic] += rows.to_pylist()
        return fates, found


def test_each_late_record_becomes_what_the_recomputation_says(
    lake: Settings, tmp_path: Path
) -> None:
    came_late(lake, *((T0 + n * MINUTE, event) for n, event in enumerate("abcdef")))
    append(lake, "normalized.trade", trade(50, T0 + MINUTE, "b"), trade(5, T0 + 5 * MINUTE, "f"))
    rows = [trade(n, T0 + n * MINUTE, event) for n, event in ((0, "a"), (1, "b"), (5, "f"))]

    fates, sent = judged(
        lake,
        tmp_path / "job",
        normalized_trade=[*rows, trade(90, T0)],
        duplicate_event=[aside("duplicate.event", 2, "DUPLICATE")],
        quarantine_event=[aside("quarantine.event", 3, "MARKET_CLOSED")],
        analytics_bar=[],
    )
    assert fates.outcomes == {"NORMALIZED": 1, "DUPLICATE": 2, "MARKET_CLOSED": 1}
    assert fates.left == {"not recomputed": 1, "in the lake by a backfill": 1}
    assert [row["event_id"] for row in sent["normalized.trade"]] == ["a"]
    outcomes = {row["place"]: row["outcome"] for row in sent["healed.event"]}
    assert outcomes == {0: "NORMALIZED", 1: "DUPLICATE", 2: "DUPLICATE", 3: "MARKET_CLOSED"}
    assert len({row["heal_id"] for row in sent["healed.event"]}) == 1


def test_touched_bar_gets_the_next_revision_and_only_when_it_differs(
    lake: Settings, tmp_path: Path
) -> None:
    there, new, same, untouched = (T0 + n * MINUTE for n in range(4))
    came_late(lake, (there, "a"), (new, "b"), (same, "c"))
    append(lake, "analytics.bar", bar(there, 1), bar(same, 2), bar(untouched, 1))
    append(lake, "analytics.bar", bar(there, 2, revision=1) | {"kafka_offset": 9})

    fates, sent = judged(
        lake,
        tmp_path / "job",
        normalized_trade=[trade(n, T0 + n * MINUTE, event) for n, event in enumerate("abc")],
        analytics_bar=[bar(there, 3), bar(new, 1), bar(same, 2), bar(untouched, 7)],
    )
    found = {row["bar_start"]: row for row in sent["analytics.bar"]}
    assert {at: (row["revision"], row["event_count"]) for at, row in found.items()} == {
        there: (2, 3),
        new: (0, 1),
    }
    assert found[there]["event_id"].endswith(":0:2")
    assert found[new]["event_id"].endswith(":0:0")
    assert fates.bars == {"revised": 1, "new": 1}


def test_no_minute_is_cut_apart(lake: Settings, tmp_path: Path) -> None:
    came_late(lake, *((T0 + n // 4 * MINUTE, f"e{n}") for n in range(12)))
    rows = [trade(n, T0 + n // 4 * MINUTE) for n in range(12)]
    recomputed(tmp_path / "job", normalized_trade=rows, analytics_bar=[bar(T0, 4)])

    with closing(judge(lake, plan(lake), tmp_path / "job")) as fates:
        pieces = list(fates.pieces(5))
    counts = [{topic: rows.num_rows for topic, rows in piece.items()} for piece in pieces]
    assert [c["normalized.trade"] for c in counts] == [4, 4, 4]
    assert [c["healed.event"] for c in counts] == [4, 4, 4]
    assert [c["analytics.bar"] for c in counts] == [1, 0, 0]


AT = 700_000  # offsets that no other test on this broker names
TOPICS = ("normalized.trade", "analytics.bar", "healed.event")


@pytest.fixture
def kafka(broker: dict[str, str], lake: Settings) -> Settings:
    """Return the settings of a Kafka, a registry and the lake."""
    found = lake.model_copy(update={"port_offset": int(broker["ASKNOWN_PORT_OFFSET"])})
    ensure_topics(found)
    return found


def late_and_recomputed(config: Settings, folder: Path, first: int) -> Fates:
    """Judge two late trades of neighbouring minutes, whose bars are new."""
    wanted = [(T0, f"e{first}"), (T0 + MINUTE, f"e{first + 1}")]
    came_late(config, *wanted, first=first)
    rows = [trade(first + n, T0 + n * MINUTE) for n in range(2)]
    bars = [bar(T0 + n * MINUTE, first) for n in range(2)]
    recomputed(folder, normalized_trade=rows, analytics_bar=bars)
    return judge(config, plan(config), folder)


def seen(config: Settings, first: int) -> Counter[str]:
    """Count the committed records of a pair of late trades, by topic."""
    counts: Counter[str] = Counter()
    with RegistryClient(config.registry_url) as registry, TopicReader(TOPICS, config) as reader:
        codec = AvroCodec(registry)

        def take(message: Any) -> None:
            payload = codec.decode(message.value())["payload"] or {}
            named = {payload.get(n) for n in ("raw_offset", "offset", "event_count")}
            counts[message.topic()] += bool(named & {first, first + 1})

        reader.drain(take)
    return +counts


ONCE = dict.fromkeys(TOPICS, 2)


def test_rows_bars_and_markers_are_committed_together(kafka: Settings, tmp_path: Path) -> None:
    sender = Sender(kafka, producer_config(kafka))
    sender.begin_alone()
    with closing(late_and_recomputed(kafka, tmp_path / "job", AT)) as fates:
        sender.send(fates)

    assert seen(kafka, AT) == ONCE


_KILLED = """
import os, signal, sys
from pathlib import Path
from asknown.ingestion.gateway import producer_config
from asknown.settings import settings
from asknown.storage import heal_send
from asknown.storage.transaction import Transactions
from tests.unit.storage.test_heal import late_and_recomputed

def die(self):
    self._producer.flush()
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(self, commit=Transactions.commit):
    commit(self)
    os.kill(os.getpid(), signal.SIGKILL)

Transactions.commit = {"before": die, "after": die_after}[sys.argv[1]]
heal_send.CHUNK = 1
sender = heal_send.Sender(settings(), producer_config(settings()))
sender.begin_alone()
sender.send(late_and_recomputed(settings(), Path(sys.argv[3]), int(sys.argv[2])))
"""


@pytest.mark.parametrize(("moment", "first"), [("before", AT + 20), ("after", AT + 30)])
def test_heal_that_is_killed_around_its_commit_leaves_whole_minutes(
    broker: dict[str, str], kafka: Settings, tmp_path: Path, moment: str, first: int
) -> None:
    own = {
        "ASKNOWN_CATALOG_ADDRESS": kafka.catalog_uri,
        "ASKNOWN_WAREHOUSE": kafka.warehouse_uri,
        "ASKNOWN_DATA_DIR": str(kafka.data_dir),
    }
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, moment, str(first), str(tmp_path / "job")],
        env={**broker, **own},
        cwd=CHECKOUT,
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    Sender(kafka, producer_config(kafka)).begin_alone()  # as the next heal does, first of all
    committed = {} if moment == "before" else dict.fromkeys(TOPICS, 1)
    assert seen(kafka, first) == committed

    # What the lake job does with the minute that was committed; then the next heal.
    if committed:
        append(kafka, "healed.event", healed(first))
        append(kafka, "normalized.trade", trade(first, T0))
        append(kafka, "analytics.bar", bar(T0, first))
    sender = Sender(kafka, producer_config(kafka))
    sender.begin_alone()
    with closing(judge(kafka, plan(kafka), tmp_path / "job")) as fates:
        sender.send(fates)
    assert seen(kafka, first) == ONCE


def test_second_heal_ends_the_first(kafka: Settings, tmp_path: Path) -> None:
    first, second = (Sender(kafka, producer_config(kafka)) for _ in range(2))
    first.begin_alone()
    second.begin_alone()
    with closing(late_and_recomputed(kafka, tmp_path / "job", AT + 40)) as fates:
        with pytest.raises(AsknownError, match="another heal"):
            first.send(fates)
        second.send(fates)

    assert seen(kafka, AT + 40) == ONCE


def test_row_that_came_late_to_derive_is_healed_in_its_bars_only(
    kafka: Settings, tmp_path: Path
) -> None:
    row = trade(AT + 60, T0, "slow")
    names = ("event_id", "event_time", "ingest_time", "source", "schema_version", "entity_id")
    payload = {k: v for k, v in row.items() if k not in names}
    with RegistryClient(kafka.registry_url) as registry:
        record = {n: row[n] for n in names} | {"payload": payload}
        data = AvroCodec(registry).encoder("normalized.trade")(record)
    derived = {"topic": "normalized.trade", "stage": "derive", "raw_bytes": data}
    append(kafka, "late.event", late(9, "slow", **derived), late(8, "gone", **derived))
    append(kafka, "normalized.trade", row)
    append(kafka, "analytics.bar", bar(T0, 1))

    fates, sent = judged(
        kafka, tmp_path / "job", normalized_trade=[row], analytics_bar=[bar(T0, 2)]
    )
    assert fates.outcomes == {"NORMALIZED": 1}
    assert fates.left == {"not recomputed": 1}
    assert sent["normalized.trade"] == []
    assert [b["revision"] for b in sent["analytics.bar"]] == [1]
    (marker,) = sent["healed.event"]
    assert (marker["topic"], marker["place"], marker["stage"]) == ("normalized.trade", 9, "derive")


def test_row_of_reference_data_is_no_market_row(lake: Settings) -> None:
    append(lake, "late.event", row_of("late.event", topic="raw.corporate_action"))
    assert plan(lake).records == 0
