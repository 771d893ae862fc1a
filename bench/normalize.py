"""Benchmark `normalize`: drain workload W1 on this machine, judge the result, print the figures.

    python -m bench.normalize [--events N] [--parallelism 2] [--rules off] [--keep]
    python -m bench.normalize --entities 200000 --change-points 20 --history-first

1. Start a stack of its own (Kafka, registry, Flink) with its own ports and data folder.
2. Write W1 into Kafka: the drain works off a fixed backlog.
3. Submit the job; measure until everything has come out and is committed.
4. Stop the job; let the oracle compare every record.
5. Stop the stack; write bench/results/ (short tries: .asknown/bench/) and print the JSON as the
   last line.

No rate is given unless the oracle found nothing lost, doubled or wrong in this very run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.stand import HOME, asknown, conditions, own_stack, say, versions, write_result

ORACLE = HOME / "w1.npz"
QUOTED_EVENTS = 5_000_000  # fewer are mostly start-up
SERVICES = ("kafka", "registry", "flink")
SUBMIT_SECONDS = 240
STALL_SECONDS = 45  # without a new output the drain is over, whatever is missing
COMMIT_CHECKPOINTS = 2  # completed after the last output: then all of it is committed
DEFAULTS = {
    "ASKNOWN_PORT_OFFSET": "7300",
    "ASKNOWN_DATA_DIR": str(HOME / "stack"),
    "ASKNOWN_TASKMANAGERS": "1",  # the spare one would only take memory
    # With the demo's 2 GiB, rows that wait for the watermark are copied by every young collection.
    "ASKNOWN_TASKMANAGER_MEMORY": "4096m",
}


def main() -> int:
    """Run the benchmark from the command line; exit 0 only when the run was correct."""
    options = _options()
    os.environ["ASKNOWN_JOB_PARALLELISM"] = str(options.parallelism)
    if options.checkpoint_ms:
        os.environ["ASKNOWN_CHECKPOINT_INTERVAL_MS"] = str(options.checkpoint_ms)
    try:
        with own_stack(DEFAULTS, SERVICES, keep=options.keep):
            result = run(options)
    finally:
        if not options.keep:
            ORACLE.unlink(missing_ok=True)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Generate, drain, judge; return the figures and write them to bench/results."""
    from asknown.contracts.registry import RegistryClient
    from asknown.settings import settings
    from bench import generate, oracle
    from bench.workload import W1

    config = settings()
    w = W1(
        events=options.events,
        entities=options.entities,
        change_points=options.change_points,
        seed=options.seed,
    )
    found = _conditions(options)
    began = time.monotonic()
    ids = generate.register(config.registry_url)
    between = (lambda: _read_history(options)) if options.history_first else None
    written = generate.write(w, config.bootstrap_servers, ids, between)
    seconds = time.monotonic() - began
    say(f"wrote {w.events:,} trades in {seconds:.0f} s ({w.events / seconds:,.0f}/s)")
    generate.save(written, ORACLE)
    expected = oracle.expected_counts(written)

    figures = drain(options, expected, w.events)
    say(f"outputs seen: {figures['outputs']:,} of {sum(expected.values()):,}; judging")
    client = RegistryClient(config.registry_url)
    verdict = oracle.check(written, config.bootstrap_servers, oracle.schema_cache(client.schema))
    for example in verdict.examples:
        say(f"  {example} (seed {w.seed})")
    result = report(options, figures, verdict, found)
    many = f"-{w.entities}x{w.change_points}" if options.history_first else ""
    write_result(f"normalize{many}", result, quoted=w.events >= QUOTED_EVENTS)
    return result


def drain(options: argparse.Namespace, expected: dict[str, int], events: int) -> dict[str, Any]:
    """Submit the job, wait until its outputs are complete and committed, return raw figures.

    A job that loses records never gets there: it is over when nothing has come for STALL_SECONDS.
    """
    from asknown.settings import settings
    from asknown.stack.flink import FlinkRest
    from bench.measure import Processes, Progress, Sampler, checkpoint_figures

    config = settings()
    processes = Processes(config.data_dir)
    normalized = Progress(config.bootstrap_servers, {"normalized.trade": 4})
    lanes = {topic: 2 for topic in expected if topic != "normalized.trade"}
    everything = Progress(config.bootstrap_servers, {"normalized.trade": 4, **lanes})
    processes.start()
    try:
        with (
            Sampler(1.0, processes.sample),
            Sampler(0.25, normalized.sample),
            FlinkRest(config.flink_url) as flink,
        ):
            submitted = time.time()
            _submit(options)
            job = next(j for j in flink.jobs() if j["name"].startswith("normalize"))
            end = time.monotonic() + options.timeout
            _until_quiet(everything, sum(expected.values()), end, lambda: _state(flink, job["jid"]))
            _until_committed(flink, job["jid"], end)
            checkpoints = checkpoint_figures(flink.checkpoints(job["jid"]))
            restarts = len(flink.exceptions(job["jid"]))
            usage = processes.usage()
            flink.cancel(job["jid"])
    finally:
        normalized.close()
        everything.close()
    return {
        "points": normalized.points,
        "all_points": everything.points,
        "outputs": everything.points[-1][1],
        "expected": expected,
        "events": events,
        "submitted": submitted,
        "started": job["start-time"] / 1000,
        "usage": usage,
        "restarts": restarts,
        **checkpoints,
    }


def report(
    options: argparse.Namespace, figures: dict[str, Any], verdict: Any, found: dict[str, Any]
) -> dict[str, Any]:
    """Return the result as it is printed; rates are null when the run was not correct."""
    from bench.measure import crossing, steady_rate

    events, usage = figures["events"], figures["usage"]
    per_million = _per_million(usage.cpu_s, events)
    steady = overall = first = None
    if verdict.ok:
        drained = crossing(figures["all_points"], sum(figures["expected"].values()))
        steady = round(
            steady_rate(figures["points"], figures["expected"]["normalized.trade"], events)
        )
        overall = round(events / (drained - figures["started"]))
        first = round(crossing(figures["points"], 100) - figures["submitted"], 1)
    return {
        "workload": "W1",
        "events": events,
        "events_per_s_steady": steady,
        "events_per_s_overall": overall,
        "cold_start_s": first,
        "cpu_s_per_million": per_million if verdict.ok else dict.fromkeys(per_million),
        "cpu_s_of_submitting": round(usage.cpu_s.get("client", 0.0), 1),
        "peak_rss_mb": {role: round(mb) for role, mb in sorted(usage.peak_rss_mb.items())},
        "peak_pss_mb": {role: round(mb) for role, mb in sorted(usage.peak_pss_mb.items())},
        "checkpoint_ms": figures["checkpoint_ms"],
        "checkpoint_bytes": figures["checkpoint_bytes"],
        "checkpoints": figures["checkpoints"],
        "restarts": figures["restarts"],
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "wrong": verdict.wrong,
        "wrong_by_field": verdict.wrong_by_field,
        "unaccounted": verdict.unaccounted,
        "out_of_order": verdict.out_of_order,
        "misplaced": verdict.misplaced,
        "counts": verdict.counts,
        "expected_counts": figures["expected"],
        "ok": verdict.ok,
        "conditions": found,
    }


def _per_million(cpu_s: dict[str, float], events: int) -> dict[str, float]:
    """Return processor seconds per million events by role, without the submitting client."""
    from bench.measure import ROLES

    roles = {r: round(cpu_s.get(r, 0.0) / events * 1e6, 2) for r in (*ROLES, "other")}
    return {"total": round(sum(roles.values()), 2), **roles}


def _until_quiet(progress: Any, total: int, end: float, state: Callable[[], str]) -> None:
    """Sample until all outputs are there, or none has come for a while, or the job is gone."""
    last, since = -1, time.monotonic()
    shown = 0.0
    while time.monotonic() < end and state() in ("RUNNING", "RESTARTING", "CREATED", "FAILING"):
        progress.sample()
        count = progress.points[-1][1]
        now = time.monotonic()
        if count > last + 100 or last < 0:  # commit markers alone are no progress
            last, since = count, now
        if now - shown > 10:
            say(f"  {count:,} of {total:,}")
            shown = now
        if count >= total or now - since > STALL_SECONDS:
            return
        time.sleep(0.25)
    raise RuntimeError(
        f"expected the job to drain W1, found it {state()} with {progress.points[-1:]} of {total}"
    )


def _until_committed(flink: Any, job_id: str, end: float) -> None:
    """Wait until what has come out is committed: one more checkpoint begun and completed."""
    done = flink.checkpoints(job_id)["counts"]["completed"] + COMMIT_CHECKPOINTS
    while flink.checkpoints(job_id)["counts"]["completed"] < done:
        if time.monotonic() > end or _state(flink, job_id) != "RUNNING":
            return
        time.sleep(0.2)


def _state(flink: Any, job_id: str) -> str:
    return str(flink.job(job_id)["state"])


def _submit(options: argparse.Namespace) -> None:
    """Submit the job as a user would; raise with the command's own words when it fails."""
    asknown(
        *("job", "submit", "normalize", "--parallelism", str(options.parallelism), "--"),
        *("--datasets", "trade", "--rules", options.rules, *options.job_arguments),
        timeout=SUBMIT_SECONDS,
    )


def _read_history(options: argparse.Namespace) -> None:
    """Let the job read what is there; stop it with the savepoint that the drain goes on from."""
    from confluent_kafka import Consumer, TopicPartition

    from asknown.settings import settings

    began = time.monotonic()
    _submit(options)
    group = {"bootstrap.servers": settings().bootstrap_servers, "group.id": "asknown.normalize"}
    consumer = Consumer(group)
    parts = [
        TopicPartition(t, p) for t in ("reference.entity_change", "raw.trade") for p in range(4)
    ]
    ends = [consumer.get_watermark_offsets(part, timeout=10)[1] for part in parts]
    try:
        while True:  # offsets are committed with each checkpoint
            read = [part.offset for part in consumer.committed(parts, timeout=10)]
            if read == ends:
                break
            if time.monotonic() - began > options.timeout:
                raise RuntimeError(f"expected history to be read up to {ends}, found {read}")
            time.sleep(1)
    finally:
        consumer.close()
    say(f"read {sum(ends):,} records of history in {time.monotonic() - began:.0f} s")
    asknown("job", "stop", "normalize", timeout=SUBMIT_SECONDS)


def _conditions(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the figures depend on."""
    from asknown.settings import settings
    from asknown.stack.sizes import sizes
    from bench.workload import EVENTS_PER_SECOND

    return {
        **conditions(),
        **versions(),
        "seed": options.seed,
        "events_per_second_of_event_time": EVENTS_PER_SECOND,
        "entities": options.entities,
        "change_points_per_entity": options.change_points,
        "partitions": 4,
        "parallelism": options.parallelism,
        "rules": options.rules,
        "history": "read before the trades" if options.history_first else "with the trades",
        "job_arguments": options.job_arguments,
        "checkpoint_interval_ms": settings().checkpoint_interval_ms,
        "delivery": "exactly-once",
        "sizes": sizes().model_dump(),
        "placement": "broker, registry, Flink and this program share all cores",
        "steady": "slope of the records in normalized.trade, uncommitted ones and a few hundred "
        "commit markers included, between 20 and 90 %, in input events",
        "overall": "from the job's start in Flink to its last output",
        "cpu": "utime + stime per process from submission to the last commit; the submitting "
        "client apart",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.normalize", description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--entities", type=int, default=5_000)
    parser.add_argument("--change-points", type=int, default=2, help="per entity")
    parser.add_argument("--seed", type=int, default=20241028)
    parser.add_argument("--parallelism", type=int, default=2)
    parser.add_argument(
        "--rules", choices=("on", "off"), default="on", help="off: what the job does without them"
    )
    parser.add_argument(
        "--history-first",
        action="store_true",
        help="the job has read the change points before the first trade, as one that runs has",
    )
    parser.add_argument("--checkpoint-ms", type=int, default=0, help="0: as the settings say")
    parser.add_argument("--timeout", type=int, default=900, help="seconds the drain may take")
    parser.add_argument("--keep", action="store_true", help="leave the stack and its data")
    parser.add_argument("job_arguments", nargs="*", help="after --: more arguments of the job")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
