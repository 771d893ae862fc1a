"""Benchmark the live chain a backfill repeats: normalize and derive at once, and the result judged.

    python -m bench.live [--events N] [--parallelism 2] [--keep]

1. Start a stack of its own (Kafka, registry, Flink) with its own ports and data folder.
2. Write W1 into Kafka: the drain works off a fixed backlog.
3. Submit derive, then normalize; measure until derive has read the last trade that came out.
4. Stop the jobs; let the oracle compare every normalized record.
5. Stop the stack; write bench/results/ (short tries: .asknown/bench/) and print the JSON as the
   last line.

Both jobs share the cores, as they do when the stack is live. Nothing is written to the lake, so the
rate is an upper bound of what a live stack with a lake does: a backfill is not flattered by it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from bench.stand import HOME, asknown, conditions, own_stack, say, versions, write_result

QUOTED_EVENTS = 5_000_000  # fewer are mostly start-up
SERVICES = ("kafka", "registry", "flink")
GROUP = "asknown.derive"
TRADES = "normalized.trade"
PARTITIONS = 4
# Each transaction ends in a marker, a place that nobody reads: up to three in each partition were
# seen behind the last record. The time may leave out a few records at the end, the verdict none.
MARKERS = 16 * PARTITIONS
SUBMIT_SECONDS = 240
STALL_SECONDS = 60
DEFAULTS = {
    "ASKNOWN_PORT_OFFSET": "7900",
    "ASKNOWN_DATA_DIR": str(HOME / "live-stack"),
    "ASKNOWN_TASKMANAGERS": "1",  # the spare one would only take memory
    # With the demo's 2 GiB, rows that wait for the watermark are copied by every young collection.
    "ASKNOWN_TASKMANAGER_MEMORY": "4096m",
}


def main() -> int:
    """Run the benchmark from the command line; exit 0 only when the run was correct."""
    options = _options()
    with own_stack(DEFAULTS, SERVICES, keep=options.keep):
        result = run(options)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Generate, drain, judge; return the figures and write them to bench/results."""
    from asknown.contracts.registry import RegistryClient
    from asknown.settings import settings
    from bench import generate, oracle
    from bench.measure import crossing
    from bench.workload import W1

    config, w = settings(), W1(events=options.events, seed=options.seed)
    found = _conditions(options)
    ids = generate.register(config.registry_url)
    written = generate.write(w, config.bootstrap_servers, ids)
    expected = oracle.expected_counts(written)
    came, done = drain(options, expected[TRADES])
    client = RegistryClient(config.registry_url)
    verdict = oracle.check(written, config.bootstrap_servers, oracle.schema_cache(client.schema))
    for example in verdict.examples:
        say(f"  {example} (seed {w.seed})")
    rate = w.events / (done - crossing(came, 100))
    result = {
        "workload": "W1, normalized and made into bars",
        "events": w.events,
        "events_per_s": round(rate) if verdict.ok else None,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "wrong": verdict.wrong,
        "ok": verdict.ok,
        "conditions": found,
    }
    write_result("live", result, quoted=w.events >= QUOTED_EVENTS)
    return result


def drain(options: argparse.Namespace, trades: int) -> tuple[list[tuple[float, int]], float]:
    """Submit both jobs; return the trades over time, and when derive had read the last of them.

    Raises `RuntimeError` when neither job has come forward for STALL_SECONDS.
    """
    from asknown.settings import settings
    from bench.measure import Progress

    broker = settings().bootstrap_servers
    progress = Progress(broker, {TRADES: PARTITIONS})
    read = Committed(broker)
    try:
        for job in ("derive", "normalize"):
            width = ("--parallelism", str(options.parallelism))
            asknown(
                "job", "submit", job, *width, "--", "--datasets", "trade", timeout=SUBMIT_SECONDS
            )
        last, since = (-1, -1), time.monotonic()
        while True:
            progress.sample()
            now = (progress.points[-1][1], read.behind())
            if now[0] >= trades and now[1] <= MARKERS:
                return progress.points, time.time()
            if now != last:
                last, since = now, time.monotonic()
            if time.monotonic() - since > STALL_SECONDS:
                raise RuntimeError(f"expected {trades:,} trades, all read by derive, found {now}")
            time.sleep(0.25)
    finally:
        progress.close()
        read.close()
        for job in ("normalize", "derive"):
            asknown("job", "stop", job, timeout=SUBMIT_SECONDS)


class Committed:
    """How far derive has committed what it has read: with each checkpoint."""

    def __init__(self, broker: str) -> None:
        from confluent_kafka import Consumer, TopicPartition

        self._consumer = Consumer({"bootstrap.servers": broker, "group.id": GROUP})
        self._parts = [TopicPartition(TRADES, p) for p in range(PARTITIONS)]

    def behind(self) -> int:
        """Return how many places of the topic are not yet read."""
        ends = [self._consumer.get_watermark_offsets(part, timeout=10)[1] for part in self._parts]
        read = [max(part.offset, 0) for part in self._consumer.committed(self._parts, timeout=10)]
        return sum(ends) - sum(read)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def _conditions(options: argparse.Namespace) -> dict[str, Any]:
    from asknown.settings import settings
    from asknown.stack.sizes import sizes

    return {
        **conditions(),
        **versions(),
        "seed": options.seed,
        "parallelism": f"{options.parallelism} for each of the two jobs",
        "checkpoint_interval_ms": settings().checkpoint_interval_ms,
        "delivery": "exactly-once",
        "sizes": sizes().model_dump(),
        "measured": "input events by the time from the first normalized trade to derive's "
        "checkpoint behind the last one",
        "placement": "broker, registry, Flink and this program share all cores",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--events", type=int, default=QUOTED_EVENTS)
    parser.add_argument("--seed", type=int, default=20241028)
    parser.add_argument("--parallelism", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="leave the stack and its data")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
