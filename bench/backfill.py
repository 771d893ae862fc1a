"""Benchmark a backfill: workload W1 in bronze, recomputed into silver and bars, and judged.

    python -m bench.backfill [--events 50000000] [--live RATE] [--keep]

1. Run bench.live: the rate of the live jobs that do the same, on this machine and now.
2. Start a stack of its own (registry, Flink, Postgres) with its own ports and data folder.
3. Write W1 into bronze and its change points into silver, as the lake job would have.
4. Run `asknown backfill apply` over its day, as a person would.
5. Judge silver and bars by sums of hashes over whole rows; time DuckDB doing the grouping alone.
6. Stop the stack; write bench/results/ (short tries: .asknown/bench/) and print the JSON as the
   last line.

No rate is given unless every sum agreed in this very run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

from bench.stand import CHECKOUT, HOME, asknown, conditions, own_stack, say, write_result

QUOTED_EVENTS = 50_000_000
SERVICES = ("registry", "flink", "postgres")
DEFAULTS = {
    "ASKNOWN_PORT_OFFSET": "7700",
    "ASKNOWN_DATA_DIR": str(HOME / "backfill-stack"),
    "ASKNOWN_TASKMANAGERS": "1",  # the spare one would only take memory
    # Sorting is what a batch does most; with less memory it goes to the disk more often.
    "ASKNOWN_TASKMANAGER_MEMORY": "8192m",
    "ASKNOWN_TASKMANAGER_MANAGED": "3072m",
    "ASKNOWN_TASKMANAGER_NETWORK": "512m",
    "ASKNOWN_TASKMANAGER_SLOTS": "4",
}


def main() -> int:
    """Run the benchmark from the command line; exit 0 only when the run was correct."""
    options = _options()
    live = options.live or live_rate()
    with own_stack(DEFAULTS, SERVICES, keep=options.keep):
        result = run(options, live)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def live_rate() -> float:
    """Return what the live jobs do on this machine now; raise `RuntimeError` when they fail.

    In a process of its own: a stack's settings are read once a process.
    """
    command = [sys.executable, "-m", "bench.live"]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"expected `bench.live` to succeed, it exited with {done.returncode}")
    rate = float(json.loads(done.stdout.splitlines()[-1])["events_per_s"])
    say(f"live: {rate:,.0f} events/s")
    return rate


def run(options: argparse.Namespace, live: float) -> dict[str, Any]:
    """Fill the lake, recompute, judge; return the figures and write them to bench/results."""
    from asknown.settings import settings
    from bench import lake_fill, lake_judge
    from bench.measure import Processes, Sampler
    from bench.workload import TRADE_DATE, W1, arrivals, population

    config, w = settings(), W1(events=options.events, seed=options.seed)
    people = population(w)
    columns = arrivals(w, people)
    began = time.monotonic()
    lake_fill.fill(w, people, columns, config)
    say(f"filled the lake in {time.monotonic() - began:.0f} s")
    found = _conditions(options, live)
    processes = Processes(config.data_dir)
    processes.start()
    began = time.monotonic()
    with Sampler(1.0, processes.sample):
        asknown(
            "backfill", "apply", "--from", str(TRADE_DATE), "--to", str(TRADE_DATE + timedelta(1))
        )
        seconds = time.monotonic() - began
        job_s, stages = job_figures(config)
        usage = processes.usage()
    say(f"applied in {seconds:.1f} s, the job took {job_s:.1f} s; judging")
    findings = lake_judge.findings(w, people, columns, config)
    duck_s = lake_judge.grouping_seconds(config)
    result = report(options, findings, (seconds, job_s, duck_s), found) | {
        "stages_s": stages,
        "cpu_s_per_million": {k: round(v / w.events * 1e6, 2) for k, v in usage.cpu_s.items()},
        "peak_rss_mb": {role: round(mb) for role, mb in sorted(usage.peak_rss_mb.items())},
        "bytes_per_row": {
            topic: round(size / w.events, 1)
            for topic, size in lake_judge.bytes_of(config, ("raw.trade", lake_judge.TRADE)).items()
        },
    }
    write_result("backfill", result, quoted=w.events >= QUOTED_EVENTS)
    return result


def report(
    options: argparse.Namespace,
    findings: list[str],
    took: tuple[float, float, float],
    found: dict[str, Any],
) -> dict[str, Any]:
    """Return the result as it is printed; rates are null when the run was not correct."""
    for finding in findings:
        say(f"  {finding} (seed {options.seed})")
    whole_s, job_s, duck_s = took
    rate, overall, duck = (options.events / seconds for seconds in (job_s, whole_s, duck_s))
    figures = {
        "events_per_s": round(rate),
        "events_per_s_overall": round(overall),
        "ratio_to_live": round(rate / found["live_events_per_s"], 2),
        "ratio_to_duckdb": round(rate / duck, 3),
        "duckdb_events_per_s": round(duck),
    }
    return {
        "workload": "W4",
        "events": options.events,
        **(dict.fromkeys(figures) if findings else figures),
        "ok": not findings,
        "findings": findings,
        "conditions": found,
    }


def job_figures(config: Any) -> tuple[float, dict[str, float]]:
    """Return how long the bounded jobs ran, and from when to when each of their stages did."""
    from asknown.stack.flink import FlinkRest

    total, stages = 0.0, {}
    with FlinkRest(config.flink_url) as rest:
        for row in rest.jobs():
            job = rest.job(row["jid"])
            total += job["duration"] / 1000
            for vertex in job["vertices"]:
                name = f"{(vertex['start-time'] - job['start-time']) / 1000:.1f} {vertex['name']}"
                stages[name[:120]] = round(vertex["duration"] / 1000, 1)
    return total, stages


def _conditions(options: argparse.Namespace, live: float) -> dict[str, Any]:
    from asknown.stack.sizes import sizes
    from bench.lake_fill import BLOCK

    return {
        **conditions(),
        "seed": options.seed,
        "live_events_per_s": live,
        "live": "bench.live: normalize and derive at once; "
        + ("given by --live" if options.live else "measured right before"),
        "rows_per_bronze_file": BLOCK,
        "parallelism": "all free slots, as far as there are cores",
        "sizes": sizes().model_dump(),
        "measured": "events_per_s: the bounded jobs in Flink, from start to end, stages normalize "
        "and bars; overall: the whole command",
        "duckdb": "bars of 1 s and 1 min grouped from bronze; no check, no look-up, no write",
        "placement": "Flink, Postgres and the command share all cores",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.backfill", description=__doc__)
    parser.add_argument("--events", type=int, default=QUOTED_EVENTS)
    parser.add_argument("--seed", type=int, default=20241028)
    parser.add_argument("--live", type=float, default=0.0, help="events/s of bench.live")
    parser.add_argument("--keep", action="store_true", help="leave the stack and its data")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
