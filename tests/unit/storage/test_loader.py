"""The loader with a real Kafka and a real ClickHouse, both sides killed while it works."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from confluent_kafka import Producer

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.settings import Settings
from asknown.storage.clickhouse import client, migrate
from asknown.storage.kafka import count_by_partition, count_records, ensure_topics

TOPIC, TABLE = "normalized.trade", "silver.trade"
ENTITIES = 50


def trade(number: int, feed: str) -> dict:
    payload = {
        "raw_key": "XTST:EQ:AAA",
        "raw_symbol": "AAA",
        "isin": None,
        "venue": "XTST",
        "price": Decimal(number) / 100,
        "size": Decimal(1),
        "sequence": number,
        "event_time_ns": None,
        "trade_date": None,
        "session_phase": "regular",
        "price_factor": 1.0,
        "split_factor": 1.0,
        "share_factor": 1.0,
        "factor_version": 1,
        "raw_partition": 0,
        "raw_offset": number,
    }
    return {
        "event_id": f"{feed}-{number}",
        "event_time": 1_400_000_000_000 + number,
        "ingest_time": 1_400_000_000_000,
        "source": "test",
        "schema_version": 1,
        "entity_id": f"e_{number % ENTITIES}",
        "payload": payload,
    }


class Feed:
    """A transactional producer whose transactions are now and then aborted."""

    def __init__(self, config: Settings, name: str) -> None:
        with RegistryClient(config.registry_url) as registry:
            self._encode = AvroCodec(registry).encoder(TOPIC)
        self._producer = Producer(
            {
                "bootstrap.servers": config.bootstrap_servers,
                "transactional.id": name,
                "partitioner": "murmur2_random",
            }
        )
        self._producer.init_transactions(30)
        self._name = name
        self._next = 0

    def send(self, count: int, *, commit: bool = True) -> None:
        """Send trades and one heartbeat in one transaction; an aborted one leaves no trade."""
        self._producer.begin_transaction()
        for number in range(self._next, self._next + count):
            event = trade(number, self._name)
            self._producer.produce(TOPIC, key=event["entity_id"], value=self._encode(event))
        beat = {**trade(0, self._name), "source": "heartbeat", "payload": None}
        self._producer.produce(TOPIC, key="heartbeat-1", value=self._encode(beat))
        self._producer.flush()
        if commit:
            self._producer.commit_transaction()
            self._next += count
        else:
            self._producer.abort_transaction()

    @property
    def sent(self) -> int:
        """Return how many trades were committed."""
        return self._next


@pytest.fixture
def config(broker: dict[str, str], clickhouse) -> Settings:
    """Return the settings of Kafka, registry and a ClickHouse with empty tables."""
    offset = int(broker["ASKNOWN_PORT_OFFSET"])
    found = clickhouse.settings.model_copy(update={"port_offset": offset})
    ensure_topics(found)
    migrate(found)
    return found


@contextmanager
def running_loader(config: Settings, log: Path) -> Iterator[subprocess.Popen]:
    environment = {
        **os.environ,
        "ASKNOWN_PORT_OFFSET": str(config.port_offset),
        "ASKNOWN_CLICKHOUSE_ADDRESS": config.clickhouse_url,
        "ASKNOWN_CLICKHOUSE_WRITER_PASSWORD": config.clickhouse_writer_password.get_secret_value(),
        "ASKNOWN_DATA_DIR": str(config.data_dir),
    }
    command = [sys.executable, "-m", "asknown.storage.loader"]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


def loaded(config: Settings) -> tuple[int, int]:
    """Return (rows, distinct events) as they are stored, without FINAL."""
    with client("reader", settings=config) as connection:
        query = f"SELECT count(), uniqExact(event_id) FROM {TABLE}"
        rows, events = connection.query(query).result_rows[0]
    return int(rows), int(events)


def test_counting_leaves_out_heartbeats_markers_and_aborted_records(config: Settings):
    before = count_records(TOPIC, config)
    feed = Feed(config, "counting")
    feed.send(300)
    feed.send(200, commit=False)
    feed.send(100)
    assert count_records(TOPIC, config) - before == 400
    assert sum(count_by_partition(TOPIC, config).values()) == count_records(TOPIC, config)


def test_topics_are_made_once(config: Settings):
    assert ensure_topics(config) == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1])
def test_kills_of_loader_and_clickhouse_neither_lose_nor_double(
    config: Settings, clickhouse, eventually, tmp_path: Path, seed: int
):
    chance = random.Random(seed)
    feed = Feed(config, f"kills-{seed}")
    log = tmp_path / "loader.log"
    for round_ in range(4):
        feed.send(4_000)
        feed.send(500, commit=chance.random() < 0.5)
        before = loaded(config)[0]
        with running_loader(config, log) as loader:
            eventually(lambda before=before: loaded(config)[0] > before, timeout_s=60)
            feed.send(chance.randrange(2_000, 6_000))
            if round_ % 2:
                clickhouse.kill()
                feed.send(1_000)
                clickhouse.start()
            # The blocks of what was just sent leave about a second later: kill around that.
            moment = loaded(config)[0] + chance.choice([0, 0, 1])
            eventually(lambda moment=moment: loaded(config)[0] >= moment, timeout_s=60)
            loader.send_signal(signal.SIGKILL)
            loader.wait(20)
    expected = count_records(TOPIC, config)
    with running_loader(config, log):
        eventually(lambda: loaded(config)[0] >= expected, timeout_s=60)
        feed.send(10)
        eventually(lambda: loaded(config)[0] >= expected + 10, timeout_s=60)
    assert loaded(config)[0] == expected + 10, log.read_text()
    stored = stored_coordinates(config)
    assert len(stored) == len(set(stored)) == expected + 10


def stored_coordinates(config: Settings) -> list[tuple[int, int]]:
    with client("reader", settings=config) as connection:
        rows = connection.query(f"SELECT kafka_partition, kafka_offset FROM {TABLE}").result_rows
    return [(int(partition), int(offset)) for partition, offset in rows]


def test_a_block_sent_again_is_stored_once(config: Settings, eventually, tmp_path: Path):
    Feed(config, "again").send(1_000)
    expected = count_records(TOPIC, config)
    with running_loader(config, tmp_path / "loader.log") as loader:
        eventually(lambda: loaded(config)[0] >= expected, timeout_s=60)
        loader.terminate()
        assert loader.wait(20) == 0
    with running_loader(config, tmp_path / "loader.log"):
        Feed(config, "more").send(10)
        eventually(lambda: loaded(config)[0] >= expected + 10, timeout_s=60)
    assert loaded(config)[0] == expected + 10


def test_a_second_loader_refuses_to_run(config: Settings, eventually, tmp_path: Path):
    with running_loader(config, tmp_path / "first.log") as first:
        eventually(lambda: "loading" in (tmp_path / "first.log").read_text(), timeout_s=60)
        with running_loader(config, tmp_path / "second.log") as second:
            assert second.wait(30) != 0
        assert first.poll() is None
    assert "ASKNOWN-LOADER-004" in (tmp_path / "second.log").read_text()
