"""`asknown demo`: the whole platform once, on real input, with what it did and how long it took."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import httpx2
import typer

from asknown.cli.output import Output, TextOutput
from asknown.errors import AsknownError, ExitCode
from asknown.settings import Settings, settings

JOBS = ("reference", "normalize", "derive", "lake")
DATASETS = "trade,quote,bar"
COMPANIES = ("AAPL", "IBM", "MSFT")
SESSION_DAY = ("2024-10-28T00:00:00Z", "2024-10-29T00:00:00Z")
LEDGER_SECONDS = 180

EventsOption = Annotated[int, typer.Option(help="Records of the synthetic session.")]
SeedOption = Annotated[int, typer.Option(help="Which of all possible sessions.")]


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(demo)


def demo(events: EventsOption = 100_000, seed: SeedOption = 7) -> None:
    """Run the whole platform once on real input and leave it running.

    Starts the stack and the jobs, replays the daily bars of five companies (2000-2013) with their
    splits and dividends, then a synthetic session of trades with everything that goes wrong in a
    feed. Exits with 3 when the ledger does not close or the stores differ.
    """
    show, began = TextOutput(), time.monotonic()
    _title(show, "1. The stack")
    _run("up")
    _title(show, "2. The jobs")
    _submit_jobs(show)
    _title(show, "3. The input")
    _ingest(show, events, seed)
    _title(show, "4. Every record has a place")
    reading = _call("ledger", "--wait", str(LEDGER_SECONDS), accept=(ExitCode.CHECK_FAILED,))
    _show_ledger(show, reading)
    _title(show, "5. What came out")
    with httpx2.Client(base_url=settings().api_url, timeout=30) as api:
        _show_bars(show, api)
        _show_rejected(show)
        _show_adjusted(show, api)
    _title(show, f"Done in {time.monotonic() - began:.0f} s")
    _show_addresses(show, settings())
    if not (reading["closed"] and reading["stores_equal"]):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _submit_jobs(show: Output) -> None:
    """Submit what does not run yet; the clients plan side by side, as each mostly waits."""
    running = {row["name"] for row in _call("job", "ls") if row["state"] == "RUNNING"}
    wanted = [job for job in JOBS if job not in running]
    for job in sorted(set(JOBS) - set(wanted)):
        show.line(f"  {job:<15} runs already")
    with ThreadPoolExecutor(max_workers=2) as pool:
        for started in pool.map(lambda job: _call("job", "submit", job), wanted):
            took = started["submitted_seconds"] + (started["checkpoint_seconds"] or 0)
            name, state = started["name"], started["state"]
            show.line(f"  {name:<15} {state:<10} first checkpoint {took:.1f} s")


def _ingest(show: Output, events: int, seed: int) -> None:
    """Send the sources in the order of their time: one stack runs on one clock."""
    if _call("ledger", accept=(ExitCode.CHECK_FAILED,))["raw"]:
        show.line("  here already from an earlier run (asknown down --purge starts afresh)")
        return
    sized = ("--events", str(events))
    steps: Sequence[tuple[str, ...]] = (
        ("reference", "load", "samples"),
        ("reference", "load", "synthetic", *sized),
        ("ingest", "samples"),
        ("ingest", "synthetic", *sized, "--seed", str(seed)),
    )
    for step in steps:
        began = time.monotonic()
        said = _call(*step)
        if said.get("followed") is False:
            raise AsknownError(
                "ASKNOWN-DEMO-003",
                f"expected the reference job to be there for asknown {' '.join(step)}, found it "
                "silent: its records are placed without what it had to say.",
                hint="asknown job ls; then asknown down --purge and make demo again.",
            )
        known = ("sent", "securities", "actions", "heartbeats")
        what = ", ".join(f"{said[name]:,} {name}" for name in known if name in said)
        show.line(f"  asknown {' '.join(step):<44} {what} ({time.monotonic() - began:.1f} s)")


def _show_ledger(show: Output, reading: dict[str, Any]) -> None:
    lanes = ("normalized", "duplicate", "late", "quarantined")
    total = " + ".join(f"{lane} {reading[lane]:,}" for lane in lanes)
    closes = "closed" if reading["closed"] else f"OPEN by {reading['difference']:,}"
    show.line(f"  raw {reading['raw']:,} = {total}   {closes}")
    columns = ("topic", "kafka", "iceberg", "clickhouse", "equal")
    rows = [
        (row["topic"], row["kafka"], row["iceberg"], row["clickhouse"], row["equal"])
        for row in reading["stores"]
        if row["kafka"] and row["compared"]
    ]
    show.table("", columns, rows)


def _show_bars(show: Output, api: httpx2.Client) -> None:
    start, end = SESSION_DAY
    found = _clickhouse(
        "SELECT raw_symbol FROM gold.bar FINAL WHERE interval_seconds = 60 "
        "ORDER BY bar_start, entity_id LIMIT 1"
    )
    if not found:
        raise AsknownError(
            "ASKNOWN-DEMO-004",
            "expected bars of one minute in ClickHouse, found none.",
            hint="asknown quarantine ls says where the trades are.",
        )
    first = found[0][0]
    query = {"symbols": first, "interval": "1m", "start": start, "end": end, "limit": "3"}
    names = ("bar_start", "open", "high", "low", "close", "volume", "event_count")
    rows = [tuple(row[name] for name in names) for row in _get(api, "/v1/bars", query)["data"]]
    show.table(f"First bars of {first}, one minute (GET /v1/bars)", names, rows)


def _show_rejected(show: Output) -> None:
    names = ("reason", "topic", "partition", "offset", "raw_key")
    rows = _clickhouse(
        "SELECT reason, topic, partition, offset, raw_key FROM ops.quarantine_event FINAL "
        "ORDER BY reason, partition, offset LIMIT 1 BY reason LIMIT 3"
    )
    show.table("Three rejected records", names, rows)


def _show_adjusted(show: Output, api: httpx2.Client) -> None:
    from asknown.ingestion.connectors.samples import rows

    sample = {(row.ticker, row.day.isoformat()): row for row in rows()}
    table = []
    for symbol in COMPANIES:
        days = [day for ticker, day in sample if ticker == symbol]
        newest = sample[symbol, max(days)]
        # The sample was adjusted to a later day; one ratio brings it to the last day we know.
        basis = float(newest.close) / float(newest.adj_close)
        for day in (min(days), "2004-11-12", max(days)):
            query = {"symbols": symbol, "interval": "1d", "adjust": "all", "limit": "1"}
            query |= {"start": f"{day}T00:00:00Z", "end": f"{day}T23:59:59Z"}
            (bar,) = _get(api, "/v1/bars", query)["data"]
            row = sample[symbol, day]
            ours, theirs = float(bar["close"]), float(row.adj_close) * basis
            shown = (f"{ours:.4f}", f"{theirs:.4f}", f"{abs(ours / theirs - 1):.1e}")
            table.append((symbol, day, row.close, *shown))
    names = ("symbol", "date", "close as traded", "adjusted by us", "by the sample", "off by")
    show.table("Adjusted on read, beside the sample's own adjusted close", names, table)


def _show_addresses(show: Output, config: Settings) -> None:
    rows = (
        ("API", config.api_url),
        ("API description", f"{config.api_url}/openapi.json"),
        ("live stream", config.stream_url),
        ("Flink web UI", config.flink_url),
        ("ClickHouse", config.clickhouse_url),
        ("schema registry", config.registry_url),
        ("Kafka", config.bootstrap_servers),
    )
    show.table("", ("what", "where"), rows)
    for command in ("ledger", "status", "symbol resolve XNAS:EQ:MSFT", "job ls", "down"):
        show.line(f"Next:  .venv/bin/asknown {command}")


def _title(show: Output, text: str) -> None:
    show.line(f"\n{text}")


def _run(*arguments: str) -> None:
    """Run a command with its output shown."""
    done = subprocess.run(_command(arguments), check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)


def _call(*arguments: str, accept: Sequence[int] = ()) -> Any:
    """Run a command as a user would and return its JSON."""
    line = [*_command(arguments), "-o", "json"]
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    if done.returncode not in (0, *accept):
        raise AsknownError(
            "ASKNOWN-DEMO-001",
            f"asknown {' '.join(arguments)} failed: {done.stderr.strip()[-2000:]}",
            hint="asknown status",
        )
    return json.loads(done.stdout.strip().splitlines()[-1])


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "asknown.cli.main", *arguments]


def _get(api: httpx2.Client, path: str, query: dict[str, str]) -> Any:
    answer = api.get(path, params=query)
    if answer.status_code != httpx2.codes.OK:
        raise AsknownError(
            "ASKNOWN-DEMO-002",
            f"expected 200, found {answer.status_code}: {answer.text[:500]}",
            where=str(answer.url),
            hint="asknown logs api",
        )
    return answer.json()


def _clickhouse(query: str) -> list[tuple[Any, ...]]:
    from asknown.storage.clickhouse import client

    found = client("reader").query(query).result_rows
    return [tuple(row) for row in found]
