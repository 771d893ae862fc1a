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
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from bench.stand import ASKNOWN, CHECKOUT, HOME, conditions, own_stack, say, write_result

QUOTED_ROWS = 1_000_000  # fewer are mostly start-up
SERVICES = ("kafka", "registry", "flink", "postgres")
DEFAULTS = {
    "ASKNOWN_PORT_OFFSET": "7500",
    "ASKNOWN_DATA_DIR": str(HOME / "heal-stack"),
    "ASKNOWN_TASKMANAGERS": "1",  # the spare one would only take memory
}
SHOWN = 3
HEAL = (*ASKNOWN, "heal", "-o", "json")


def main() -> int:
    """Run the benchmark from the command line; exit 0 only when the run was correct."""
    options = _options()
    with own_stack(DEFAULTS, SERVICES, keep=options.keep):
        result = run(options)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fill the lake, heal, judge; return the figures and write them to bench/results."""
    from bench.heal_story import Story

    story = Story(options.rows, options.late, options.entities, options.seed)
    with _seconds("filling the lake"):
        story.fill()
    found = _conditions(options)
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
        "conditions": found,
    }
    share = round(options.late * 100)
    write_result(f"heal-{share}", result, quoted=options.rows >= QUOTED_ROWS)
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


def _conditions(options: argparse.Namespace) -> dict[str, Any]:
    return {
        **conditions(),
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
