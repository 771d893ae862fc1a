"""The ledger as a metric: kept by the loader, which passes every row of every lane anyway.

What the loader has put into ClickHouse is counted by the coordinates of its raw record; raw
records are read for their keys only, by a thread. A record that is in no lane, or in two, five
minutes after it was read is overdue, and known by its offset.

It begins with the last offsets of each partition before its start, so a start is cheap. What is
older is for the exact readings (`asknown ledger --lake`). Of two equal rows that ClickHouse has
merged before a start it sees one.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any

import httpx2
import numpy as np
import structlog
from clickhouse_connect.driver.client import Client
from confluent_kafka import Message
from prometheus_client import Gauge

from asknown.contracts.catalog import contract
from asknown.quality.ledger import LANES
from asknown.quality.places import RAW, Places
from asknown.settings import Settings
from asknown.storage.kafka import TopicReader, is_heartbeat
from asknown.storage.ledger_lake import DATASETS, RAW_TOPICS
from asknown.storage.ledger_places import ASIDE, HEALED, REPLAYED, healed_lane

SPAN = 100_000  # offsets of a partition before the start that are looked at
EVERY_S = 2.0
OVERDUE_S = 300.0

_LABELS = ("topic", "partition")
RECORDS = Gauge("asknown_ledger_records", "Records since the ledger began.", (*_LABELS, "lane"))
DIFFERENCE = Gauge("asknown_ledger_difference", "Raw records less those in a lane.", _LABELS)
OVERDUE = Gauge(
    "asknown_ledger_overdue_records",
    "Records read five minutes ago and not in exactly one lane.",
    (*_LABELS, "fault"),
)
FIRST = Gauge("asknown_ledger_first_overdue_offset", "The first of them; -1: none.", _LABELS)
FAULTS = ("lost", "doubled", "unknown")

log = structlog.get_logger("asknown.ledger")
Key = tuple[str, int]
Numbers = Any


class LiveLedger:
    """The running ledger of one loader."""

    def __init__(self, config: Settings, *, overdue_s: float = OVERDUE_S, span: int = SPAN) -> None:
        self._reader = TopicReader(RAW_TOPICS, config)
        self._overdue_s = overdue_s
        self._span = span
        self._lock = Lock()
        self._begins: dict[Key, int] = {}
        self._places: dict[Key, Places] = {}
        self._marks: deque[tuple[float, dict[Key, int]]] = deque()

    def begin(self, connection: Client) -> None:
        """Take over what ClickHouse holds; nothing may be inserted meanwhile."""
        self._begins = self._reader.begin(at_most=self._span)
        self._places = {key: Places(*key) for key in self._begins}
        for dataset in DATASETS:
            first = self._first(f"raw.{dataset}")
            chosen = f"raw_offset >= {first}"
            self._seed(connection, f"normalized.{dataset}", "raw_partition, raw_offset", chosen)
        for topic in (*ASIDE, REPLAYED, HEALED):
            columns = 'topic, partition, "offset"' + (", outcome" if topic == HEALED else "")
            chosen = " OR ".join(
                f"""(topic = '{raw}' AND "offset" >= {self._first(raw)})""" for raw in RAW_TOPICS
            )
            self._seed(connection, topic, columns, chosen)

    def start(self, stop: Event) -> Thread:
        """Measure every few seconds, in a thread, until asked to stop."""

        def run() -> None:
            while not stop.wait(EVERY_S):
                try:
                    self.measure()
                except Exception as error:  # a broker that is away comes back
                    log.warning("ledger not measured", error=str(error))
            self.close()

        thread = Thread(target=run, name="ledger", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def loaded(self, topic: str, rows: Numbers) -> None:
        """Count rows of a topic that ClickHouse has acknowledged; never a reason not to load."""
        try:
            self._count(topic, rows)
        except Exception as error:
            log.error("rows not counted", topic=topic, rows=rows.num_rows, error=str(error))

    def _count(self, topic: str, rows: Numbers) -> None:
        with self._lock:
            if topic.startswith("normalized.") and topic.partition(".")[2] in DATASETS:
                raw = f"raw.{topic.partition('.')[2]}"
                self._add(raw, "normalized", rows["raw_partition"], rows["raw_offset"])
            elif topic in (*ASIDE, REPLAYED, HEALED):
                self._aside(topic, rows)

    def measure(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the raw records that came, find what is overdue, and export it."""
        arrived: dict[Key, array[int]] = defaultdict(lambda: array("q"))

        def take(message: Message) -> None:
            if not is_heartbeat(message.key()):
                key: Any = (message.topic(), message.partition())
                arrived[key].append(message.offset())  # type: ignore[arg-type]

        self._reader.drain(take)
        with self._lock:
            for key, offsets in arrived.items():
                self._places[key].add(RAW, offsets)
            now = clock()
            self._marks.append((now, self._reader.positions))
            self._export(self._settled(now))

    def _settled(self, now: float) -> dict[Key, int]:
        """Return up to which offset records were read long enough ago to be in a lane."""
        found: dict[Key, int] = {}
        while self._marks and now - self._marks[0][0] >= self._overdue_s:
            found = self._marks.popleft()[1]
        if found:
            self._marks.appendleft((now - self._overdue_s, found))
        return found

    def _export(self, settled: dict[Key, int]) -> None:
        for key, places in self._places.items():
            end = settled.get(key, 0)
            places.settle(end)
            gaps = places.gaps(end)
            faults: Counter[str] = Counter()
            for gap in gaps:
                faults[gap.fault] += gap.records
            ledger = places.ledger
            for lane in (RAW, *LANES):
                RECORDS.labels(*key, lane).set(getattr(ledger, lane))
            DIFFERENCE.labels(*key).set(ledger.difference)
            for fault in FAULTS:
                OVERDUE.labels(*key, fault).set(faults[fault])
            FIRST.labels(*key).set(min((gap.first for gap in gaps), default=-1))

    def _seed(self, connection: Client, topic: str, columns: str, chosen: str) -> None:
        table = contract(topic).topic.table
        question = f"SELECT {columns} FROM {table} WHERE {chosen}"  # noqa: S608  # names of topics.yaml
        self._count(topic, connection.query_arrow(question))

    def _first(self, topic: str) -> int:
        return min((at for (name, _), at in self._begins.items() if name == topic), default=0)

    def _aside(self, topic: str, rows: Numbers) -> None:
        topics = np.asarray(rows["topic"].to_pylist(), dtype=object)
        partitions, offsets = _numbers(rows["partition"]), _numbers(rows["offset"])
        outcomes = rows["outcome"].to_pylist() if topic == HEALED else []
        for raw in set(topics.tolist()) & set(RAW_TOPICS):
            own = topics == raw
            if topic == REPLAYED:
                self._add(raw, "quarantined", partitions[own], offsets[own], -1)
            elif topic == HEALED:
                self._add(raw, "late", partitions[own], offsets[own], -1)
                lanes = np.asarray([healed_lane(outcome) for outcome in outcomes])
                for lane in ("duplicate", "quarantined"):
                    moved = own & (lanes == lane)
                    self._add(raw, lane, partitions[moved], offsets[moved])
            else:
                self._add(raw, ASIDE[topic], partitions[own], offsets[own])

    def _add(
        self, raw: str, lane: str, partitions: Numbers, offsets: Numbers, change: int = 1
    ) -> None:
        parts, places = _numbers(partitions), _numbers(offsets)
        for part in np.unique(parts):
            key = (raw, int(part))
            if key in self._begins:
                own = places[(parts == part) & (places >= self._begins[key])]
                self._places[key].add(lane, own, change)


def _numbers(column: Numbers) -> Numbers:
    return np.asarray(column, dtype=np.int64)


def published(config: Settings) -> dict[str, Any] | None:
    """Return what the loader's metrics say of the ledger; None when no loader keeps one."""
    url = f"http://{config.host}:{config.port(config.loader_metrics_port)}/metrics"
    try:
        lines = httpx2.get(url, timeout=3).text.splitlines()
    except httpx2.HTTPError:
        return None
    found: dict[str, int] = {}
    for name in ("difference", "overdue_records"):
        values = [line for line in lines if line.startswith(f"asknown_ledger_{name}{{")]
        if not values:
            return None
        found[name] = sum(int(float(line.rpartition(" ")[2])) for line in values)
    return found
