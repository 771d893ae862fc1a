"""Benchmark `resolve` over the API: whose was this identifier, at any time by any knowledge.

    python -m bench.resolve [--seconds 60] [--connections 4] [--listings 200000] [--url ADDRESS]

1. Start a ClickHouse of its own on a free port (or take the one at --url, which must be empty).
2. Fill silver.identifier_map and silver.entity_history with the listings of bench/identities.py.
3. Serve the API in a process of its own, as the stack does.
4. Ask in closed loops, one question after another on each connection; judge every answer.
5. Stop what was started; write bench/results/ (short tries: .asknown/bench/) and print the JSON as
   the last line.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bench.identities import fill, question

if TYPE_CHECKING:
    from asknown.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = CHECKOUT / ".asknown" / "bench"
RESULTS = CHECKOUT / "bench" / "results"
QUOTED_SECONDS = 60
TARGET_P99_MS = 10.0
START_SECONDS = 60
WARM_UP_SECONDS = 3


def main() -> int:
    """Run the benchmark from the command line; exit 0 only when every answer was right."""
    options = _options()
    load = os.getloadavg()[0]
    data = HOME / "resolve"
    shutil.rmtree(data, ignore_errors=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        config, store = stack.enter_context(_clickhouse(data, options.url))
        rows = _fill(config, options.listings)
        port, api = stack.enter_context(_api(config))
        say(f"asking {options.connections} times at once for {options.seconds} s")
        measure(port, options, WARM_UP_SECONDS)
        pids = {"api": api, "clickhouse": store, "client": os.getpid()}
        before = _cpu(pids)
        run = measure(port, options, options.seconds)
        run.cpu_s = {role: seconds - before[role] for role, seconds in _cpu(pids).items()}
    result = report(options, run, rows, load)
    folder = RESULTS if options.seconds >= QUOTED_SECONDS else HOME
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"resolve-{result['conditions']['date'][:10]}-{_commit()}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    say(f"wrote {path}")
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def _fill(config: Settings, listings: int) -> dict[str, int]:
    """Make the tables and fill them; return how many rows they hold."""
    from asknown.storage import clickhouse

    clickhouse.migrate(config)
    began = time.monotonic()
    with clickhouse.client("writer", settings=config) as client:
        rows = fill(client, listings)
    say(f"filled {rows} in {time.monotonic() - began:.0f} s")
    return rows


@dataclass
class Run:
    """What was measured: seconds of every answer, and the answers that were wrong."""

    latencies: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)


def _cpu(pids: dict[str, int | None]) -> dict[str, float]:
    """Return the processor seconds of processes so far; one that is not ours is left out."""
    import psutil

    times = {role: psutil.Process(pid).cpu_times() for role, pid in pids.items() if pid}
    return {role: spent.user + spent.system for role, spent in times.items()}


def measure(port: int, options: argparse.Namespace, seconds: float) -> Run:
    """Ask on every connection until the time is over."""
    runs = [Run() for _ in range(options.connections)]
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_ask, args=(port, options, number, run, end))
        for number, run in enumerate(runs)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies = [latency for run in runs for latency in run.latencies]
    wrong = [example for run in runs for example in run.wrong]
    return Run(latencies, wrong, time.monotonic() - began)


def _ask(port: int, options: argparse.Namespace, number: int, run: Run, end: float) -> None:
    choice = random.Random(f"{options.seed}-{number}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while time.monotonic() < end:
        kind, query, status, listing = question(choice, options.listings)
        began = time.perf_counter()
        connection.request("GET", f"/v1/instruments/resolve?{urlencode(query)}")
        answer = connection.getresponse()
        body = answer.read()
        run.latencies.append(time.perf_counter() - began)
        found = json.loads(body).get("data") or {}
        if (found.get("status"), found.get("entity_id")) != (status, listing):
            run.wrong.append(f"{kind} {query}: expected {listing}, found {body[:300]!r}")
    connection.close()


def report(
    options: argparse.Namespace, run: Run, rows: dict[str, int], load: float
) -> dict[str, Any]:
    """Return the result as it is printed; no figures when an answer was wrong."""
    for example in run.wrong[:5]:
        say(f"  {example} (seed {options.seed})")
    ok = bool(run.latencies) and not run.wrong
    ordered = sorted(run.latencies)
    latency = {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 3)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
    }
    return {
        "workload": "resolve",
        "listings": options.listings,
        "rows": rows,
        "requests": len(ordered),
        "requests_per_s": round(len(ordered) / run.seconds) if ok else None,
        "latency_ms": latency if ok else dict.fromkeys(latency),
        "cpu_ms_per_request": {
            role: round(seconds * 1000 / max(1, len(ordered)), 3)
            for role, seconds in run.cpu_s.items()
        },
        "target_p99_ms": TARGET_P99_MS,
        "target_met": ok and latency["p99"] < TARGET_P99_MS,
        "wrong": len(run.wrong),
        "ok": ok,
        "conditions": _conditions(options, load),
    }


@contextmanager
def _clickhouse(data: Path, url: str) -> Iterator[tuple[Settings, int | None]]:
    """Yield the settings and process of a ClickHouse: at `url`, or of our own until the end."""
    from asknown.settings import Settings
    from asknown.stack.clickhouse import clickhouse_service

    if url:
        yield Settings(clickhouse_address=url), None
        return
    port = _free_port()
    config = Settings(data_dir=data, clickhouse_port=port, port_offset=0, clickhouse_address="")
    service = clickhouse_service(config)
    service.prepare()
    process = service.processes[0]
    environment = {
        **os.environ,
        **process.environment,
        "ASKNOWN_CLICKHOUSE_PORT": str(port),
        "ASKNOWN_DATA_DIR": str(data),
        "ASKNOWN_PORT_OFFSET": "0",
    }
    say(f"starting ClickHouse in {data}")
    with _process(process.command, environment, data / "clickhouse.log") as server:
        _until(lambda: not service.ready(), server)
        yield config, server.pid


@contextmanager
def _api(config: Settings) -> Iterator[tuple[int, int]]:
    """Yield port and process of the API over a ClickHouse, served as the stack serves it."""
    port = _free_port()
    environment = {
        **os.environ,
        "ASKNOWN_API_PORT": str(port),
        "ASKNOWN_PORT_OFFSET": "0",
        "ASKNOWN_DATA_DIR": str(config.data_dir),
        "ASKNOWN_CLICKHOUSE_ADDRESS": config.clickhouse_url,
    }
    command = [sys.executable, "-m", "asknown.serving.main"]
    log = config.data_dir / "api.log"
    with _process(command, environment, log) as server:
        _until(lambda: _answers(port), server)
        yield port, server.pid


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends."""
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=CHECKOUT)
        try:
            yield server
        finally:
            server.kill()
            server.wait()


def _until(ready: Any, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > end or server.poll() is not None:
            raise RuntimeError(f"expected {server.args!r} to answer within {START_SECONDS} s")
        time.sleep(0.1)


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _conditions(options: argparse.Namespace, load: float) -> dict[str, Any]:
    """Return what the figures depend on."""
    from importlib.metadata import version

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split()[1]
    return {
        "cores": os.cpu_count(),
        "cpu_model": models[0] if models else "unknown",
        "memory_gb": round(int(memory) / 1e6, 1),
        "kernel": os.uname().release,
        "uvicorn": version("uvicorn"),
        "clickhouse_connect": version("clickhouse-connect"),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": _commit(),
        "dirty": bool(_git("status", "--porcelain")),
        "load_average_before": load,
        "seed": options.seed,
        "connections": options.connections,
        "seconds": options.seconds,
        "clickhouse": options.url or "its own, from the library",
        "placement": "ClickHouse, the API (one process) and this program share all cores",
        "latency": "from sending a request to having read its answer, one after another on each "
        "connection that is kept open; every answer is compared with the listing expected",
    }


def _commit() -> str:
    return _git("rev-parse", "--short", "HEAD") or "uncommitted"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, cwd=CHECKOUT, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def say(text: str) -> None:
    """Print progress where it does not disturb the result on standard output."""
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.resolve", description=__doc__)
    parser.add_argument("--listings", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=QUOTED_SECONDS)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seed", type=int, default=20241028)
    parser.add_argument("--url", default="", help="ClickHouse to use instead of an own one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
