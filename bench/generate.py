"""Write workload W1 into Kafka and its right answer beside it.

    python -m bench.generate --events 5000000 --oracle .asknown/bench/w1.npz

1. Draw the workload (`bench.workload`).
2. Register the schemas and refuse topics that already hold records: offsets are the oracle's key.
3. Write the change points, then the trades, then the heartbeats that close both topics.
4. Check the number of records per partition and write the oracle file.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from numpy.typing import NDArray

from bench import encode
from bench.partitioning import heartbeat_keys, partition_of
from bench.workload import (
    DAY_MS,
    POISON,
    SESSION_START_MS,
    W1,
    Arrivals,
    Population,
    arrivals,
    population,
)

TRADE, QUOTE, CHANGE = "raw.trade", "raw.quote", "reference.entity_change"
CLOSING_MS = 120_000  # how far behind the last event the closing heartbeats lie
BLOCK = 100_000  # records encoded at once
QUEUE = 1_000_000  # records the producer may hold
SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 50,
    "batch.size": 1_000_000,
    "batch.num.messages": 50_000,
    "queue.buffering.max.messages": 2 * QUEUE,
    "queue.buffering.max.kbytes": 1_048_576,
}


@dataclass(frozen=True)
class Written:
    """What went into raw.trade: the workload, its columns, and where each record landed.

    Each partition holds `before` heartbeats in front of its first trade.
    """

    workload: W1
    people: Population
    arrivals: Arrivals
    partition: NDArray[np.int8]
    offset: NDArray[np.int64]
    before: int = 0


def schema(topic: str) -> dict[str, Any]:
    """Return the committed Avro schema of a topic."""
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{topic.replace('.', '/')}.avsc").read_text())
    return loaded


def place(w: W1, people: Population, a: Arrivals) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Return partition and offset of each arrival in topics that were empty before."""
    of_entity = np.array([partition_of(bytes(k), w.partitions) for k in people.keys], np.int8)
    partition = of_entity[a.entity]
    offset = np.empty(len(partition), np.int64)
    for p in range(w.partitions):
        rows = partition == p
        offset[rows] = np.arange(int(rows.sum()))
    return partition, offset


def values(
    w: W1, people: Population, a: Arrivals, ids: Mapping[str, int]
) -> Iterator[tuple[int, list[bytes | None]]]:
    """Yield (first arrival, framed values) in blocks, in order of arrival."""
    encoder = encode.TradeEncoder(ids[TRADE], people)
    trade, quote = schema(TRADE), schema(QUOTE)
    rng = np.random.default_rng([w.seed, 3])
    for first in range(0, w.events, BLOCK):
        rows = np.arange(first, min(first + BLOCK, w.events))
        block: list[bytes | None] = list(encode.records(encoder.matrix(a, rows)))
        for row in rows[a.kind[rows] >= POISON]:
            good = block[row - first] or b""
            other = encode.quote(
                quote,
                ids[QUOTE],
                a.event_id[row].decode(),
                int(a.event_ms[row]),
                bytes(people.keys[a.entity[row]]),
            )
            block[row - first] = encode.poison(a.kind[row] - POISON, good, rng, other, trade)
        yield first, block


def write(
    w: W1, bootstrap: str, ids: Mapping[str, int], between: Callable[[], None] | None = None
) -> Written:
    """Write the whole workload and return where it landed.

    `ids` are the registered schema ids of raw.trade, raw.quote and reference.entity_change. With
    `between`, history has its heartbeats in both topics, as a stack that has been running for
    years has seen them, and the function is called when it is written: before the first trade.
    Raises RuntimeError when a topic was not empty or did not take every record.
    """
    people = population(w)
    columns = arrivals(w, people)
    partition, offset = place(w, people, columns)
    for topic in (TRADE, CHANGE):
        _expect(bootstrap, topic, [0] * w.partitions)
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER})
    told = (CHANGE,) if between is None else (CHANGE, TRADE)
    counts, beats = _write_history(w, people, ids, producer, told)
    closing, before = w.end_ms + CLOSING_MS, 0
    if between is not None:
        for topic in told:
            _close(producer, topic, ids[topic], w.partitions, SESSION_START_MS - 1)
        producer.flush(60)
        between()
        before = beats + 1
        counts = [count + 1 for count in counts]
    _close(producer, CHANGE, ids[CHANGE], w.partitions, closing)
    producer.flush(60)
    _expect(bootstrap, CHANGE, [count + 1 for count in counts])
    _write_trades(Written(w, people, columns, partition, offset + before, before), ids, producer)
    _close(producer, TRADE, ids[TRADE], w.partitions, closing)
    producer.flush(120)
    sizes = np.bincount(partition, minlength=w.partitions)
    _expect(bootstrap, TRADE, [before + int(size) + 1 for size in sizes])
    return Written(w, people, columns, partition, offset + before, before)


def _write_history(
    w: W1, people: Population, ids: Mapping[str, int], producer: Producer, told: Sequence[str]
) -> tuple[list[int], int]:
    """Write the change points; return how many records each partition has, and heartbeats of them.

    As the reference job does, history has a heartbeat a day, in the topics `told`.
    """
    counts = [0] * w.partitions
    last = beats = 0
    for raw_key, key, value in encode.change_points(schema(CHANGE), ids[CHANGE], people):
        target = partition_of(raw_key, w.partitions)
        effective = int(key.rpartition(b"|")[2])
        if effective - last >= DAY_MS:
            last = effective
            beats += 1
            for topic in told:
                _close(producer, topic, ids[topic], w.partitions, effective - 1)
        counts[target] += 1
        _send(producer, CHANGE, target, [{"key": key, "value": value}])
    return [count + beats for count in counts], beats


def _write_trades(written: Written, ids: Mapping[str, int], producer: Producer) -> None:
    w, people, a = written.workload, written.people, written.arrivals
    keys = [bytes(k) for k in people.keys]
    for first, block in values(w, people, a, ids):
        entity = a.entity[first : first + len(block)]
        for target in range(w.partitions):
            chosen = np.flatnonzero(written.partition[first : first + len(block)] == target)
            pairs = zip(chosen.tolist(), entity[chosen].tolist(), strict=True)
            messages = [{"key": keys[who], "value": block[row]} for row, who in pairs]
            _send(producer, TRADE, target, messages)


def save(written: Written, path: Path) -> None:
    """Write the oracle file: an uncompressed .npz of every column, with the workload as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, NDArray[Any]] = {
        "workload": np.frombuffer(json.dumps(dataclasses.asdict(written.workload)).encode(), "u1"),
        "partition": written.partition,
        "offset": written.offset,
        "before": np.array(written.before),
    }
    for name, part in (("people", written.people), ("arrivals", written.arrivals)):
        for field in dataclasses.fields(part):
            columns[f"{name}.{field.name}"] = getattr(part, field.name)
    np.savez(path, **columns)


def load(path: Path) -> Written:
    """Read an oracle file."""
    with np.load(path) as stored:
        workload = W1(**json.loads(stored["workload"].tobytes()))
        people = Population(**_part(stored, "people", Population))
        columns = Arrivals(**_part(stored, "arrivals", Arrivals))
        where = (stored["partition"], stored["offset"], int(stored["before"]))
        return Written(workload, people, columns, *where)


def _part(stored: Mapping[str, Any], name: str, kind: type) -> dict[str, Any]:
    return {f.name: stored[f"{name}.{f.name}"] for f in dataclasses.fields(kind)}


def register(registry_url: str) -> dict[str, int]:
    """Register the schemas W1 writes with and return their ids."""
    from asknown.contracts.registry import RegistryClient  # the write path alone needs no registry

    client = RegistryClient(registry_url)
    return {t: client.register(f"{t}-value", schema(t)) for t in (TRADE, QUOTE, CHANGE)}


def _close(producer: Producer, topic: str, schema_id: int, partitions: int, at_ms: int) -> None:
    """Send the closing heartbeat of every partition."""
    envelope = schema(topic)
    for target, key in enumerate(heartbeat_keys(partitions)):
        value = encode.heartbeat(envelope, schema_id, key, at_ms)
        _send(producer, topic, target, [{"key": key, "value": value}])


def _send(producer: Producer, topic: str, partition: int, messages: list[dict[str, Any]]) -> None:
    """Queue messages for one partition, waiting while the producer is full.

    The partition is given per batch: confluent-kafka 2.16 ignores one given per message.
    """
    while len(producer) > QUEUE:
        producer.poll(0.01)
    queued = producer.produce_batch(topic, messages, partition)
    producer.poll(0)
    if queued != len(messages):
        raise RuntimeError(f"expected to queue {len(messages)} records of {topic}, queued {queued}")


def _expect(bootstrap: str, topic: str, sizes: list[int]) -> None:
    """Check that each partition of a topic holds exactly so many records."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-generate"})
    try:
        found = [
            consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1]
            for p in range(len(sizes))
        ]
    finally:
        consumer.close()
    if found != sizes:
        raise RuntimeError(f"{topic}: expected partitions of {sizes} records, found {found}")


def main() -> None:
    """Generate W1 from the command line, into the stack the settings name."""
    from asknown.settings import settings
    from asknown.storage.kafka import ensure_topics

    parser = argparse.ArgumentParser(prog="python -m bench.generate", description=__doc__)
    parser.add_argument("--events", type=int, default=W1.events)
    parser.add_argument("--entities", type=int, default=W1.entities)
    parser.add_argument("--change-points", type=int, default=W1.change_points)
    parser.add_argument("--seed", type=int, default=W1.seed)
    parser.add_argument("--oracle", type=Path, required=True, help="where to write the oracle file")
    options = parser.parse_args()
    w = W1(
        events=options.events,
        entities=options.entities,
        change_points=options.change_points,
        seed=options.seed,
    )
    ensure_topics()
    started = time.monotonic()
    written = write(w, settings().bootstrap_servers, register(settings().registry_url))
    seconds = time.monotonic() - started
    save(written, options.oracle)
    print(f"{w.events:,} trades in {seconds:.1f} s ({w.events / seconds:,.0f}/s)")


if __name__ == "__main__":
    main()
