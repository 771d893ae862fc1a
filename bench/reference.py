"""Benchmark the reference engine: rebuild the whole truth in memory, judge it, print the figures.

    python -m bench.reference [--listings 200000] [--actions 5] [--together] [--venues 1] [--seed N]

1. Draw listings and their actions (splits, bonuses, dividends with the close they are measured
   against) as plain columns, each known on a day of its own, weeks before its ex-date. With
   `--together` all about a listing is known at once, as when a source hands over its history.
2. Apply them to one engine in the order in which they became known, one batch a day, and drop
   what it says as a writer would: after counting it.
3. Judge: every listing's last factors against products of the columns, exactly for a sample.
4. Write bench/results/ (short tries: .asknown/bench/) and print the JSON as the last line.

Processor seconds are the figure; they hold on a busy machine too. Drawing and judging are not in
them. The job keeps each venue apart, as a key of its own: with `--venues 2` the listings are of
two, and each has a process here as it has a subtask there. The time on the clock is the slowest's.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from asknown.reference.calendars import day_start
from asknown.reference.engine import Engine
from asknown.reference.records import FOR_EVER, Output, RawAction, RawSecurity, Record
from asknown.reference.state import MemoryStore, Venue

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = CHECKOUT / ".asknown" / "bench"
RESULTS = CHECKOUT / "bench" / "results"
VENUE = "XSIM"
FIRST = date(2005, 1, 3)
DAYS = 7000  # of listings and actions
NOTICE = 30  # days between an announcement and its ex-date
QUOTED_LISTINGS = 200_000
SAMPLED = 2000
LOADED_LISTINGS = 1000  # in a batch, when the history of each is known at once
CHUNK_DAYS = 50
COLLECTED_AFTER = (100_000, 50, 100)  # what the engine keeps has no cycles: look for them seldom
TOLERANCE = 1e-12


Batch = tuple[int, list[Record]]


@dataclass(frozen=True, slots=True)
class Action:
    """Terms of an action as they were drawn, with its day."""

    day: int
    kind: str
    new: int
    old: int
    close: int = 0

    @property
    def factor(self) -> Fraction:
        """Return what the price is multiplied by, from the terms alone."""
        if self.kind == "SPLIT":
            return Fraction(self.old, self.new)
        if self.kind == "BONUS":
            return Fraction(self.old, self.new + self.old)
        return 1 - Fraction(self.new, self.close)


@dataclass(slots=True)
class Market:
    """All listings: the day each was listed on, and its actions in the order of their days."""

    listed: list[int]
    actions: list[list[Action]]


@dataclass(slots=True)
class Seen:
    """What came out, as far as the judge needs it."""

    rows: Counter[str] = field(default_factory=Counter)
    last: dict[str, tuple[float, float]] = field(default_factory=dict)  # key -> C, S
    exact: dict[str, dict[date, Fraction]] = field(default_factory=lambda: defaultdict(dict))


def draw(listings: int, actions: int, seed: int) -> Market:
    """Return a market that follows from the seed alone."""
    chance = random.Random(seed)
    market = Market([], [])
    for _ in range(listings):
        listed = chance.randrange(DAYS // 4)
        days = sorted(chance.sample(range(listed + NOTICE + 1, DAYS), actions))
        market.listed.append(listed)
        market.actions.append([_action(chance, day) for day in days])
    return market


def _action(chance: random.Random, day: int) -> Action:
    kind = chance.choice(("SPLIT", "BONUS", "CASH_DIVIDEND", "CASH_DIVIDEND", "CASH_DIVIDEND"))
    if kind == "CASH_DIVIDEND":
        close = chance.randrange(100, 500_000)
        return Action(day, kind, chance.randrange(1, max(2, close // 20)), 0, close)
    return Action(day, kind, chance.randint(2, 10), chance.randint(1, 5))


def batches(market: Market, *, together: bool) -> Iterator[Batch]:
    """Yield what became known day by day, as records; they are made when they are asked for."""
    if together:
        numbers = iter(range(len(market.listed)))
        at = _start(DAYS)
        while some := list(islice(numbers, LOADED_LISTINGS)):
            at += 1
            yield (
                at,
                [
                    _record(market, number, place, at)
                    for number in some
                    for place in range(-1, len(market.actions[number]))
                ],
            )
        return
    by_day: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, listed in enumerate(market.listed):
        by_day[listed].append((number, -1))
        for place, action in enumerate(market.actions[number]):
            by_day[action.day - NOTICE].append((number, place))
    for day in sorted(by_day):
        at = _start(day)
        yield at, [_record(market, number, place, at) for number, place in by_day[day]]


def _record(market: Market, number: int, place: int, at: int) -> Record:
    symbol = f"S{number:06d}"
    common: dict[str, Any] = {
        "partition": 0,
        "offset": number,
        "event_id": f"{symbol}-{place}",
        "event_time": at,
        "raw_key": f"SIM:EQ:{symbol}",
        "venue": VENUE,
        "symbol": symbol,
    }
    if place < 0:
        day = FIRST + timedelta(days=market.listed[number])
        return RawSecurity(**common, kind="LIST", security_class="EQ", valid_from=day)
    action = market.actions[number][place]
    terms: dict[str, Any] = {"ratio_numerator": action.new, "ratio_denominator": action.old}
    if action.kind == "CASH_DIVIDEND":
        terms = {
            "cash_amount": Decimal(action.new) / 100,
            "reference_price": Decimal(action.close) / 100,
        }
    return RawAction(
        **common,
        **terms,
        kind=action.kind,
        action_id=f"{symbol}-{place}",
        ex_date=FIRST + timedelta(days=action.day),
    )


def _start(day: int) -> int:
    return day_start(VENUE, FIRST + timedelta(days=day))


def rebuild(
    market: Market, sampled: frozenset[str], *, together: bool = False
) -> tuple[Seen, dict[str, float]]:
    """Apply everything to one engine; return what came out and how long the engine took."""
    store = MemoryStore()
    store.put("venue", VENUE, Venue(sessions=True))  # the calendar is not what is measured
    engine, seen = Engine(store), Seen()
    gc.set_threshold(*COLLECTED_AFTER)
    cpu = wall = 0.0
    for days in chunks(batches(market, together=together), CHUNK_DAYS):
        said = list[Output]()
        began, clock = time.process_time(), time.monotonic()
        for at, records in days:
            said += engine.apply(VENUE, records, at).outputs
        cpu += time.process_time() - began
        wall += time.monotonic() - clock
        for output in said:
            _see(seen, output.topic, output.payload, sampled)
    return seen, {"cpu_s": cpu, "wall_s": wall}


def chunks(days: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Yield the batches of some days together: asking for the time is not free either."""
    while some := list(islice(days, size)):
        yield some


def _see(seen: Seen, topic: str, row: dict[str, Any], sampled: frozenset[str]) -> None:
    seen.rows[topic] += 1
    if topic == "reference.entity_history":
        if row["valid_to"] == row["known_to"] == FOR_EVER:
            seen.last[row["raw_key"]] = (row["price_factor"], row["share_factor"])
    elif topic == "reference.adjustment_factor":
        name = row["action_ids"].partition("-")[0]
        if name in sampled and row["known_to"] == FOR_EVER:
            exact = Fraction(int(row["price_numerator"]), int(row["price_denominator"]))
            seen.exact[name][row["ex_date"]] = exact


def judge(market: Market, seen: Seen, sampled: frozenset[str]) -> list[str]:
    """Return what is wrong: nothing, for a correct run."""
    wrong = [
        f"{seen.rows[topic]:,} rows in {topic}"
        for topic in ("quarantine.event", "duplicate.event")
        if seen.rows[topic]
    ]
    for number, actions in enumerate(market.actions):
        symbol = f"S{number:06d}"
        price, share = Fraction(1), Fraction(1)
        for action in actions:
            price *= action.factor
            if action.kind != "CASH_DIVIDEND":
                share /= action.factor
        found = seen.last.get(f"SIM:EQ:{symbol}", (0.0, 0.0))
        for name, value, exact in (("C", found[0], price), ("S", found[1], share)):
            if abs(value / float(exact) - 1) > TOLERANCE:
                wrong.append(f"{symbol}: expected {name} {float(exact)}, found {value}")
        if symbol in sampled:
            wanted = {FIRST + timedelta(days=one.day): one.factor for one in actions}
            if seen.exact[symbol] != wanted:
                wrong.append(f"{symbol}: expected {wanted}, found {seen.exact[symbol]}")
    return wrong


def of_venue(options: argparse.Namespace, venue: int) -> dict[str, Any]:
    """Rebuild and judge one venue's share; return its figures."""
    listings = options.listings // options.venues
    seed = options.seed + venue
    market = draw(listings, options.actions, seed)
    chosen = random.Random(seed).sample(range(listings), min(SAMPLED, listings))
    sampled = frozenset(f"S{number:06d}" for number in chosen)
    seen, took = rebuild(market, sampled, together=options.together)
    return {
        **took,
        "listings": listings,
        "actions": sum(map(len, market.actions)),
        "rows": seen.rows,
        "sampled": len(sampled),
        "wrong": [f"{example} (seed {seed})" for example in judge(market, seen, sampled)],
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def main() -> int:
    """Run the benchmark from the command line; exit 0 only when the run was correct."""
    options = _options()
    load = os.getloadavg()[0]
    with ProcessPoolExecutor(options.venues) as pool:
        shares = list(pool.map(of_venue, repeat(options), range(options.venues)))
    wrong = [example for share in shares for example in share["wrong"]]
    for example in wrong[:10]:
        print(f"  {example}", file=sys.stderr)
    records = sum(share["listings"] + share["actions"] for share in shares)
    cpu = sum(share["cpu_s"] for share in shares)
    result = {
        "benchmark": "reference",
        "listings": sum(share["listings"] for share in shares),
        "actions": sum(share["actions"] for share in shares),
        "known": "together" if options.together else "each on its day",
        "venues": options.venues,
        "cpu_s": round(cpu, 2),
        "wall_s": round(max(share["wall_s"] for share in shares), 2),
        "records_per_cpu_s": round(records / cpu),
        "rows": dict(sorted(sum((share["rows"] for share in shares), Counter()).items())),
        "peak_rss_mb": round(sum(share["rss"] for share in shares) / 1024),
        "checked_listings": sum(share["listings"] for share in shares),
        "checked_exactly": sum(share["sampled"] for share in shares),
        "wrong": len(wrong),
        "ok": not wrong,
        "conditions": _conditions(options.seed, load),
    }
    _write(result)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def _conditions(seed: int, load: float) -> dict[str, Any]:
    """Return what the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "cpu_model": models[0] if models else "unknown",
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": _git("rev-parse", "--short", "HEAD") or "uncommitted",
        "dirty": bool(_git("status", "--porcelain")),
        "load_average_before": load,
        "seed": seed,
        "cpu": "process_time around Engine.apply; drawing records and judging are apart",
    }


def _git(*command: str) -> str:
    done = subprocess.run(
        ["git", *command], capture_output=True, text=True, cwd=CHECKOUT, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _write(result: dict[str, Any]) -> None:
    folder: Path = RESULTS if result["listings"] >= QUOTED_LISTINGS else HOME
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    name = "reference-together" if result["known"] == "together" else "reference"
    name += f"-{result['venues']}-venues" if result["venues"] > 1 else ""
    path = folder / f"{name}-{day}-{result['conditions']['commit']}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"wrote {path}", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.reference", description=__doc__)
    parser.add_argument("--listings", type=int, default=QUOTED_LISTINGS)
    parser.add_argument("--actions", type=int, default=5, help="per listing")
    parser.add_argument("--together", action="store_true", help="a listing's history at once")
    parser.add_argument("--venues", type=int, default=1, help="each in a process of its own")
    parser.add_argument("--seed", type=int, default=20241028)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
