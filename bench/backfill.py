"""Benchmark a backfill: workload W1 in bronze, recomputed into silver and bars, and judged.

    python -m bench.backfill [--events 50000000] [--live RATE] [--keep]

1. Start a stack of its own (registry, Flink, Postgres) with its own ports and data folder.
2. Write W1 into bronze and its change points into silver, as the lake job would have.
3. Run `asknown backfill apply` over its day, as a person would.
4. Judge silver and bars by sums of hashes over whole rows; time DuckDB doing the grouping alone.
5. Stop the stack; write bench/results/ (short tries: .asknown/bench/) and print the JSON as the
   last line.

No rate is given unless every sum agreed in this very run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = CHECKOUT / ".asknown" / "bench"
RESULTS = CHECKOUT / "bench" / "results"
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
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from asknown.stack import down, up  # reads the environment set above

    data_dir = Path(os.environ["ASKNOWN_DATA_DIR"])
    down()
    shutil.rmtree(data_dir, ignore_errors=True)
    say(f"starting {', '.join(SERVICES)} in {data_dir}")
    try:
        up(SERVICES, report=lambda o: say(f"  {o.name:<10} {o.state} {o.seconds:.1f} s"))
        result = run(options)
    finally:
        if not options.keep:
            down()
            shutil.rmtree(data_dir, ignore_errors=True)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def run(options: argparse.Namespace) -> dict[str, Any]:
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
    conditions = _conditions(options)
    processes = Processes(config.data_dir)
    processes.start()
    began = time.monotonic()
    with Sampler(1.0, processes.sample):
        _apply(TRADE_DATE)
        seconds = time.monotonic() - began
        job_s, stages = job_figures(config)
        usage = processes.usage()
    say(f"applied in {seconds:.1f} s, the job took {job_s:.1f} s; judging")
    findings = lake_judge.findings(w, people, columns, config)
    duck_s = lake_judge.grouping_seconds(config)
    result = report(options, findings, (seconds, job_s, duck_s), conditions) | {
        "stages_s": stages,
        "cpu_s_per_million": {k: round(v / w.events * 1e6, 2) for k, v in usage.cpu_s.items()},
        "peak_rss_mb": {role: round(mb) for role, mb in sorted(usage.peak_rss_mb.items())},
        "bytes_per_row": {
            topic: round(size / w.events, 1)
            for topic, size in lake_judge.bytes_of(config, ("raw.trade", lake_judge.TRADE)).items()
        },
    }
    folder = RESULTS if w.events >= QUOTED_EVENTS else HOME  # a short run is no result
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    path = folder / f"backfill-{day}-{conditions['commit']}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    say(f"wrote {path}")
    return result


def report(
    options: argparse.Namespace,
    findings: list[str],
    took: tuple[float, float, float],
    conditions: dict[str, Any],
) -> dict[str, Any]:
    """Return the result as it is printed; rates are null when the run was not correct."""
    for finding in findings:
        say(f"  {finding} (seed {options.seed})")
    whole_s, job_s, duck_s = took
    rate, overall, duck = (options.events / seconds for seconds in (job_s, whole_s, duck_s))
    figures = {
        "events_per_s": round(rate),
        "events_per_s_overall": round(overall),
        "ratio_to_live": round(rate / options.live, 2) if options.live else None,
        "ratio_to_duckdb": round(rate / duck, 3),
        "duckdb_events_per_s": round(duck),
    }
    return {
        "workload": "W4",
        "events": options.events,
        **(dict.fromkeys(figures) if findings else figures),
        "ok": not findings,
        "findings": findings,
        "conditions": conditions,
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


def say(text: str) -> None:
    """Print progress where it does not disturb the result on standard output."""
    print(text, file=sys.stderr, flush=True)


def _apply(day: Any) -> None:
    window = ("--from", str(day), "--to", str(day + timedelta(1)))
    command = [sys.executable, "-m", "asknown.cli.main", "backfill", "apply", *window]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=sys.stderr, check=False)
    if done.returncode:
        raise RuntimeError(f"expected `{' '.join(command)}` to succeed, found {done.returncode}")


def _conditions(options: argparse.Namespace) -> dict[str, Any]:
    from asknown.stack.sizes import sizes
    from bench.lake_fill import BLOCK
    from bench.normalize import _first_line, _machine

    return {
        **_machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": _first_line("git", "rev-parse", "--short", "HEAD") or "uncommitted",
        "dirty": bool(_first_line("git", "status", "--porcelain")),
        "load_average_before": os.getloadavg()[0],
        "seed": options.seed,
        "live_events_per_s": options.live,
        "live": "events_per_s_steady of bench-normalize on this machine, given by --live",
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
    parser.add_argument("--live", type=float, default=0.0, help="events/s of bench-normalize")
    parser.add_argument("--keep", action="store_true", help="leave the stack and its data")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
