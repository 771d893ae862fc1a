"""The command `asknown heal`: late records into their place, and their bars revised."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import AsknownError
from asknown.settings import Settings, settings

if TYPE_CHECKING:
    from asknown.storage.heal import Plan
    from asknown.storage.heal_send import Sender

WAIT_S = 120.0
_HOUR = "%Y-%m-%dT%H:%MZ"


class Phases:
    """How long each part of a heal took."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    def end(self, name: str) -> None:
        """End a part; the next one begins."""
        now = time.monotonic()
        self.seconds[name] = round(now - self._began, 1)
        self._began = now


class Healing(NamedTuple):
    """What a heal writes with."""

    sender: Sender
    phases: Phases


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(heal)


def heal(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be healed; write nothing.")
    ] = False,
    every: Annotated[
        float | None, typer.Option(min=1, help="Repeat, so many seconds apart, until ended.")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait until the lake has what Kafka has.")
    ] = WAIT_S,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Put late records into silver and their bars, exactly once.

    The hours they belong to are recomputed from bronze with the code of the live jobs. What differs
    is sent: rows, bars with a higher revision, and a marker for each record. Run it at any time.
    """
    config, printer = settings(), output(fmt)
    if every is None:
        _show(printer, fmt, _heal(config, printer, wait, dry_run=dry_run))
        return
    while True:
        began = time.monotonic()
        try:
            _show(printer, fmt, _heal(config, printer, wait, dry_run=dry_run))
        except AsknownError as error:  # a service that is away may be back in the next round
            typer.echo(str(error), err=True)
        time.sleep(max(0.0, began + every - time.monotonic()))


def _heal(config: Settings, printer: Output, wait: float, *, dry_run: bool) -> dict[str, Any]:
    """Heal once and return what was found and done."""
    from asknown.ingestion.gateway import producer_config
    from asknown.storage import heal as planning
    from asknown.storage import level
    from asknown.storage.heal_send import Sender

    phases = Phases()
    sender = None if dry_run else Sender(config, producer_config(config))
    if sender is not None:
        sender.begin_alone()  # before the lake is read: no other heal can add to it from here on
    level.wait(config, planning.READ, wait)
    phases.end("wait")
    plan = planning.plan(config)
    phases.end("plan")
    result: dict[str, Any] = {
        "found": plan.records,
        "groups": [
            {"dataset": dataset, "hour": hour.strftime(_HOUR), "late": count}
            for dataset, hour, count in plan.groups
        ],
        "dry_run": dry_run,
        "outcomes": {},
        "bars": {},
        "left": dict(plan.left),
    }
    if plan.records and sender is not None:
        _apply(config, printer, plan, result, Healing(sender, phases))
    return {**result, "phases": phases.seconds, "seconds": round(sum(phases.seconds.values()), 1)}


def _apply(
    config: Settings, printer: Output, plan: Plan, result: dict[str, Any], healing: Healing
) -> None:
    """Recompute the plan's hours in a folder of their own, send what differs, and say what."""
    from asknown.stack.flink import free_width
    from asknown.stack.jobs import Submission, submit
    from asknown.stack.paths import Paths
    from asknown.storage.heal_fates import judge

    root = Paths.of(config).data / "heal"
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="heal-", dir=root))
    try:
        arguments = ("--out", str(folder), *_arguments(config, plan))
        width = free_width(config)
        run = Submission(name="backfill", arguments=arguments, batch=True, parallelism=width)
        submit(run, config, note=lambda text: printer.line(f"  {text}"))
        healing.phases.end("job")
        with closing(judge(config, plan, folder)) as fates:
            healing.phases.end("judge")
            healing.sender.send(fates, note=lambda text: printer.line(f"  {text}"))
            healing.phases.end("send")
            left = Counter(result["left"]) + Counter(fates.left)
            result.update(outcomes=fates.outcomes, bars=fates.bars, left=dict(left))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _arguments(config: Settings, plan: Plan) -> tuple[str, ...]:
    """Return which hours of which topics the job recomputes."""
    from asknown.storage.heal import REPLAYED, rows_between

    hours = ";".join(
        f"{topic}={','.join(f'{start}-{end}' for start, end in spans)}"
        for topic, spans in plan.hours.items()
    )
    every = [span for spans in plan.hours.values() for span in spans]
    back = rows_between(config, REPLAYED, ("event_time",), every).num_rows
    return ("--hours", hours, *(("--replayed",) if back else ()))


def _show(printer: Output, fmt: Format, result: dict[str, Any]) -> None:
    if fmt is Format.JSON:
        printer.record(result)
        return
    rows = [tuple(group.values()) for group in result["groups"]]
    if rows:
        printer.table("Late records", ("dataset", "hour", "late"), rows)
    for why, count in result["left"].items():
        printer.line(f"  {count:,} stay late: {why}")
    if result["dry_run"]:
        printer.line(f"would heal {result['found']:,} records; nothing was written")
    elif not result["found"]:
        printer.line("nothing to heal")
    else:
        named = ", ".join(f"{count:,} {name}" for name, count in result["outcomes"].items())
        bars = ", ".join(f"{count:,} {name}" for name, count in result["bars"].items())
        printer.line(f"healed in {result['seconds']:.0f} s: {named}; bars: {bars}")
