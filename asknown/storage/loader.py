"""Load every normalized, analytics, reference and lane topic into ClickHouse, exactly once.

1. A block is one offset range of one Kafka partition. Tables are partitioned by kafka_partition,
   so a block becomes one part, and ClickHouse writes a part whole or not at all.
2. Where to go on is read from the tables: max(kafka_offset) + 1 of each partition. Nothing is
   committed to Kafka, so there is no second truth that could disagree. Whoever takes rows out of a
   table keeps that offset first (`loaded_offsets`).
3. A block whose insert failed, or whose answer was lost, is sent again unchanged with the same
   deduplication token until it is acknowledged.
4. After a start, inserts that a killed loader left running are waited for before the offsets are
   read. The metrics port is taken first and serves as the lock against a second loader.

Assumes: equal keys stay in one Kafka partition, and within a key revisions only grow.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any, TypeVar

import structlog
from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from prometheus_client import Counter, Gauge, start_http_server

from asknown.contracts.catalog import Contract, contracts
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.contracts.render import BRONZE
from asknown.errors import AsknownError
from asknown.settings import Settings, settings
from asknown.storage import clickhouse, loaded_offsets
from asknown.storage.blocks import Block, BlockBuilder
from asknown.storage.kafka import is_heartbeat
from asknown.storage.ledger_live import LiveLedger

BLOCK_ROWS = 100_000
BLOCK_BYTES = 64 * 1024 * 1024
BLOCK_AGE_S = 1.0
POLL_RECORDS = 20_000
POLL_S = 0.2
FIRST_PAUSE_S = 0.25
LAST_PAUSE_S = 15.0
KAFKA_TIMEOUT_S = 10.0
LAG_EVERY_S = 2.0
COMMENT = "asknown-loader"  # marks our inserts in ClickHouse's list of running queries

# One block is one part: never squashed with another, never cut; and known by its token.
INSERT_SETTINGS: dict[str, Any] = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "min_insert_block_size_rows": 10_000_000,
    "min_insert_block_size_bytes": 0,
    "max_insert_block_size": 10_000_000,
    "log_comment": COMMENT,
}

ROWS = Counter("asknown_loader_rows_total", "Rows acknowledged by ClickHouse.", ["topic"])
BLOCKS = Counter("asknown_loader_blocks_total", "Blocks acknowledged by ClickHouse.", ["topic"])
RETRIES = Counter("asknown_loader_retries_total", "Attempts that failed.", ["topic", "code"])
LAG = Gauge("asknown_loader_lag_records", "Records not loaded yet.", ["topic", "partition"])

log = structlog.get_logger("asknown.loader")
T = TypeVar("T")


@dataclass
class Lane:
    """What is on its way from one Kafka partition to its table."""

    topic: str
    partition: int
    builder: BlockBuilder
    table: str
    records: list[tuple[int, bytes]] = field(default_factory=list)
    size: int = 0  # bytes of the values held
    since: float = 0.0  # monotonic time of the first record held
    block: Block | None = None  # built and not acknowledged: must be sent again unchanged
    taken: int = 0  # how many of the held records the block covers
    retry_at: float = 0.0
    pause: float = 0.0  # seconds until the next attempt; 0 while all is well

    def add(self, offset: int, value: bytes, now: float) -> None:
        """Hold one record."""
        if not self.records:
            self.since = now
        self.records.append((offset, value))
        self.size += len(value)

    def due(self, now: float) -> bool:
        """Tell whether the held records should leave now."""
        if self.pause:
            return now >= self.retry_at
        if len(self.records) >= BLOCK_ROWS or self.size >= BLOCK_BYTES:
            return True
        return bool(self.records) and now - self.since >= BLOCK_AGE_S

    def done(self) -> None:
        """Forget what has been acknowledged."""
        self.records = self.records[self.taken :]
        self.size = sum(len(value) for _, value in self.records)
        self.block, self.taken, self.pause = None, 0, 0.0

    def failed(self, now: float) -> None:
        """Wait longer before each further attempt."""
        self.pause = min(max(FIRST_PAUSE_S, self.pause * 2), LAST_PAUSE_S)
        self.retry_at = now + self.pause


def insert_block(connection: Client, table: str, block: Block) -> None:
    """Insert a block; the same block sent again, after whatever failure, changes nothing."""
    database, _, name = table.partition(".")
    connection.insert_arrow(
        name,
        block.rows.combine_chunks(),
        database=database,
        settings={**INSERT_SETTINGS, "insert_deduplication_token": block.token},
    )


def running_inserts(connection: Client) -> int:
    """Return how many inserts of any loader ClickHouse is working on now."""
    query = (
        "SELECT count() FROM system.processes"
        " WHERE Settings['log_comment'] = {comment:String} AND query_kind = 'Insert'"
    )
    return int(connection.query(query, parameters={"comment": COMMENT}).result_rows[0][0])


class Loader:
    """The loader process: one loop over all topics. `stop` ends it between two blocks."""

    def __init__(self, config: Settings, stop: Event) -> None:
        self._config = config
        self._stop = stop
        self._contracts = [c for c in contracts().values() if c.topic.namespace != BRONZE]
        # One attempt: while the registry is away, this loop's own waiting keeps other lanes going.
        self._registry = RegistryClient(config.registry_url, attempts=1)
        self._codec = AvroCodec(self._registry)
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._connection: Client
        self._consumer: Consumer
        self._ledger: LiveLedger | None = None

    def run(self) -> None:
        """Load until asked to stop; failures of the servers are waited out."""
        connection = self._insist("clickhouse", self._connect)
        consumer = self._insist("kafka", self._subscribe) if connection else None
        if connection is None or consumer is None:
            return
        self._connection, self._consumer = connection, consumer
        counting = self._keep_ledger()
        log.info("loading", partitions=len(self._lanes))
        measured = 0.0
        try:
            while not self._stop.is_set():
                self._take(consumer.consume(POLL_RECORDS, timeout=POLL_S))
                now = time.monotonic()
                for lane in self._lanes.values():
                    if lane.due(now) and not self._stop.is_set():
                        self._flush(lane)
                if now - measured >= LAG_EVERY_S:
                    self._measure_lag()
                    measured = now
        finally:
            consumer.close()
            connection.close()
            self._registry.close()
            if counting is not None:
                counting.join(KAFKA_TIMEOUT_S)
        log.info("stopped")

    def _keep_ledger(self) -> Thread | None:
        """Begin the ledger of the metrics; rows are loaded also when that does not work."""
        ledger = LiveLedger(self._config)
        try:
            ledger.begin(self._connection)
        except Exception as error:
            log.warning("no ledger is kept", error=str(error))
            ledger.close()
            return None
        self._ledger = ledger
        return ledger.start(self._stop)

    def _insist(self, what: str, attempt: Callable[[], T]) -> T | None:
        """Repeat an attempt until it succeeds; None when asked to stop meanwhile."""
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                return attempt()
            except Exception as error:  # whatever is away at the start may come later
                log.warning("waiting", service=what, error=str(error), again_in_s=pause)
                self._stop.wait(pause)
                pause = min(pause * 2, LAST_PAUSE_S)
        return None

    def _connect(self) -> Client:
        connection = clickhouse.client("writer", settings=self._config)
        running = running_inserts(connection)
        if running:
            connection.close()
            raise AsknownError(
                "ASKNOWN-LOADER-002", f"expected no insert of a former loader, found {running}."
            )
        return connection

    def _subscribe(self) -> Consumer:
        consumer = Consumer(
            {
                "bootstrap.servers": self._config.bootstrap_servers,
                "group.id": "asknown.loader",  # required by the client; nothing is committed
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "max.poll.interval.ms": 86_400_000,
                "queued.max.messages.kbytes": 32 * 1024,
            }
        )
        try:
            begin = [start for c in self._contracts for start in self._starts(consumer, c)]
            consumer.assign(begin)
        except BaseException:
            consumer.close()
            raise
        return consumer

    def _starts(self, consumer: Consumer, c: Contract) -> Iterable[TopicPartition]:
        topic = c.topic
        found = consumer.list_topics(topic.name, timeout=KAFKA_TIMEOUT_S).topics[topic.name]
        if found.error is not None:
            raise KafkaException(found.error)
        offsets = self._loaded(topic.table)
        builder = BlockBuilder(c, self._codec)
        for partition in found.partitions:
            begin = offsets.get(partition, -1) + 1
            _require_reachable(consumer, topic.name, partition, begin)
            self._lanes[topic.name, partition] = Lane(topic.name, partition, builder, topic.table)
            yield TopicPartition(topic.name, partition, begin)

    def _loaded(self, table: str) -> dict[int, int]:
        """Return the highest loaded offset of each Kafka partition of a table."""
        with clickhouse.client("writer", settings=self._config) as connection:
            return loaded_offsets.loaded(connection, table)

    def _take(self, messages: list[Message]) -> None:
        now = time.monotonic()
        for message in messages:
            error = message.error()
            if error is not None:
                log.warning("kafka", error=error.str(), topic=message.topic())
                continue
            value: Any = message.value()
            # No value: a deletion in a compacted topic; an append-only copy keeps no trace of it.
            if value is None or is_heartbeat(message.key()):
                continue
            lane = self._lanes[message.topic(), message.partition()]  # type: ignore[index]
            lane.add(message.offset(), value, now)  # type: ignore[arg-type]

    def _flush(self, lane: Lane) -> None:
        """Send what a lane holds once; on failure keep it, and read no further until it is sent."""
        place = TopicPartition(lane.topic, lane.partition)
        try:
            if lane.block is None:
                lane.taken = len(lane.records)
                lane.block = lane.builder.build(lane.partition, lane.records)
            if lane.block is not None:
                insert_block(self._connection, lane.table, lane.block)
                ROWS.labels(lane.topic).inc(lane.block.rows.num_rows)
                BLOCKS.labels(lane.topic).inc()
        except Exception as error:  # never lose, never skip: any failure is tried again
            if not lane.pause:
                self._consumer.pause([place])
            lane.failed(time.monotonic())
            code = error.code if isinstance(error, AsknownError) else type(error).__name__
            RETRIES.labels(lane.topic, code).inc()
            log.error(
                "block not loaded",
                topic=lane.topic,
                partition=lane.partition,
                first=lane.records[0][0],
                last=lane.records[-1][0],
                error=str(error).splitlines()[0][:400] if str(error) else code,
                again_in_s=lane.pause,
            )
            return
        if lane.pause:
            self._consumer.resume([place])
        if lane.block is not None and self._ledger is not None:
            self._ledger.loaded(lane.topic, lane.block.rows)
        lane.done()

    def _measure_lag(self) -> None:
        for place in self._consumer.position([TopicPartition(*key) for key in self._lanes]):
            ends = self._consumer.get_watermark_offsets(place, cached=True)
            if ends is None or ends[1] < 0 or place.offset < 0:
                continue
            held = len(self._lanes[place.topic, place.partition].records)
            LAG.labels(place.topic, place.partition).set(ends[1] - place.offset + held)


def _require_reachable(consumer: Consumer, topic: str, partition: int, begin: int) -> None:
    """Refuse to go on from an offset that the topic does not have; say what is missing."""
    place = TopicPartition(topic, partition)
    low, high = consumer.get_watermark_offsets(place, timeout=KAFKA_TIMEOUT_S)
    if begin > high:
        raise AsknownError(
            "ASKNOWN-LOADER-003",
            f"expected offset {begin} or the end of the topic behind it, found end {high}:"
            " the topic was made anew, the table was not.",
            where=f"{topic}[{partition}]",
            hint="empty the table and its rows of ops.loaded_offset, or restore the topic.",
        )
    if 0 < begin < low:
        log.error("records expired before they were loaded", topic=topic, partition=partition)


def _serve_metrics(config: Settings) -> None:
    port = config.port(config.loader_metrics_port)
    try:
        start_http_server(port, addr=config.host)
    except OSError as error:
        raise AsknownError(
            "ASKNOWN-LOADER-004",
            f"expected the loader's metrics port to be free, found: {error}",
            where=f"{config.host}:{port}",
            hint="another loader runs there; stop it, or set ASKNOWN_PORT_OFFSET.",
        ) from error


def main() -> int:
    """Run the loader until SIGTERM or SIGINT; return the exit code."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    config = settings()
    try:
        _serve_metrics(config)
        Loader(config, stop).run()
    except AsknownError as error:
        log.error("cannot run", error=str(error))
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
