"""Benchmark `asknown heal`: one hour of trades in bronze, some of them late, healed and judged.

    python -m bench.heal [--rows 1000000] [--late 0.05] [--entities 500] [--keep]

1. Start a stack of its own (Kafka, registry, Flink, Postgres) with its own ports and data folder.
2. Write into the lake what the live jobs would have: bronze, change points, the late lane; silver
   and the bars of what was on time. The bars come from integers, not from the jobs' queries.
3. Run the command, as a person would; its seconds count from its start to its end.
4. Read what it sent. Every late record must be in normalized.trade once and have its marker, every
   touched bar must be revised to what integers say, and no other; a second run must find nothing.
5. Stop the stack; write bench/results/ (short tries: .asknown/bench/) and print the JSON as the
   last line. No seconds are given unless all of it was right in this very run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = CHECKOUT / ".asknown" / "bench"
RESULTS = CHECKOUT / "bench" / "results"
QUOTED_ROWS = 1_000_000  # fewer are mostly start-up
SERVICES = ("kafka", "registry", "flink", "postgres")
DEFAULTS = {
    "ASKNOWN_PORT_OFFSET": "7500",
    "ASKNOWN_DATA_DIR": str(HOME / "heal-stack"),
    "ASKNOWN_TASKMANAGERS": "1",  # the spare one would only take memory
}
SHOWN = 3
HEAL = (sys.executable, "-m", "asknown.cli.main", "heal", "-o", "json")


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
    """Fill the lake, heal, judge; return the figures and write them to bench/results."""
    from bench.heal_story import Story

    story = Story(options.rows, options.late, options.entities, options.seed)
    with _seconds("filling the lake"):
        story.fill()
    conditions = _conditions(options)
    began = time.monotonic()
    healed = _heal()
    seconds = time.monotonic() - began
    say(f"healed in {seconds:.1f} s: {healed}")
    with _seconds("judging"):
        findings = story.judge(healed)
    again = _heal_after_copying(story)
    if again["found"]:
        findings.append(f"a second heal found {again['found']} records")
    for finding in findings[:SHOWN]:
        say(f"  {finding}")
    result = {
        "workload": "one late hour",
        "rows": options.rows,
        "late": story.late_rows,
        "bars_revised": healed["bars"].get("revised"),
        "bars_new": healed["bars"].get("new"),
        "phases_s": None if findings else healed["phases"],
        "heal_s": None if findings else round(seconds, 1),
        "ok": not findings,
        "findings": findings[:SHOWN],
        "conditions": conditions,
    }
    folder = RESULTS if options.rows >= QUOTED_ROWS else HOME
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    share = round(options.late * 100)
    path = folder / f"heal-{share}-{day}-{conditions['commit']}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    say(f"wrote {path}")
    return result


def _heal() -> dict[str, Any]:
    """Run the command and return what it says."""
    done = subprocess.run(HEAL, cwd=CHECKOUT, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"expected `asknown heal` to succeed, it exited with {done.returncode}")
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _heal_after_copying(story: Any) -> dict[str, Any]:
    """Do the lake job's part, then heal once more."""
    story.copy_to_lake()
    return _heal()


@contextmanager
def _seconds(what: str) -> Any:
    began = time.monotonic()
    yield
    say(f"{what} took {timedelta(seconds=round(time.monotonic() - began))}")


def say(text: str) -> None:
    """Print progress where it does not disturb the result on standard output."""
    print(text, file=sys.stderr, flush=True)


def _conditions(options: argparse.Namespace) -> dict[str, Any]:
    from bench.normalize import _first_line, _machine

    return {
        **_machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": _first_line("git", "rev-parse", "--short", "HEAD") or "uncommitted",
        "dirty": bool(_first_line("git", "status", "--porcelain")),
        "load_average_before": os.getloadavg()[0],
        "seed": options.seed,
        "entities": options.entities,
        "measured": "the whole command: start of Python, wait for the lake, job, transactions",
        "placement": "broker, registry, Flink, Postgres and the command share all cores",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.heal", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="trades of the hour")
    parser.add_argument("--late", type=float, default=0.05, help="share of them, 1 for all")
    parser.add_argument("--entities", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20241028)
    parser.add_argument("--keep", action="store_true", help="leave the stack and its data")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
