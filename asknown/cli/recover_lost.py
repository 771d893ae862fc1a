"""`asknown recover lost`: hand the heal what no stage has an answer for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from asknown.cli.ledger import SinceOption, since_ms
from asknown.cli.output import Format, FormatOption, output
from asknown.errors import AsknownError
from asknown.settings import Settings, settings

if TYPE_CHECKING:
    from asknown.ingestion.clock import Beat
    from asknown.storage.lost import Lost, Reached

JOB = "normalize"
# One completes what was read before it began; behind the next one all of that is committed.
CHECKPOINTS = 2
WAIT_S = 120.0
_POLL_S = 0.5


def lost(
    since: SinceOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is lost; write nothing.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for normalize and for the lake.")
    ] = WAIT_S,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Take records that bronze has and no lane for late ones, which `asknown heal` then heals.

    That is how raw topics are replayed from a time on: what is there is left alone, so nothing is
    twice, and it does not matter what Kafka still has. A second run finds nothing.
    """
    config, printer = settings(), output(fmt)
    found = _hand_over(config, since_ms(since), wait, dry_run=dry_run)
    count, left = found.rows.num_rows, dict(found.left)
    if fmt is Format.JSON:
        printer.record({"lost": count, "left": left, "dry_run": dry_run})
        return
    for why, number in left.items():
        printer.line(f"  {number:,} stay lost: {why}")
    if dry_run:
        printer.line(f"would take {count:,} lost records for late ones; nothing was written")
    elif not count:
        printer.line("nothing is lost")
    else:
        printer.line(f"{count:,} lost records are late ones now\nNext:  asknown heal")


def _hand_over(config: Settings, since: int | None, wait_s: float, *, dry_run: bool) -> Lost:
    """Find what is lost and, unless it is a trial, write it to the late lane."""
    from asknown.ingestion.gateway import producer_config
    from asknown.storage import heal, level
    from asknown.storage.heal_send import Sender
    from asknown.storage.lost import find

    sender = None if dry_run else Sender(config, producer_config(config))
    if sender is not None:
        sender.begin_alone()  # before the lake is read: nobody else can add to the lane from here
    reached = _settled(config, wait_s)
    level.wait(config, heal.READ, wait_s)
    found = find(config, reached, since)
    if sender is not None and found.rows.num_rows:
        sender.hand_over(heal.LATE, found.rows)
    return found


def _settled(config: Settings, wait_s: float) -> Reached:
    """Return how far normalize is, when all that it had to say of that is committed.

    What is on its way through the job must not be taken for lost: it would be there twice.
    """
    from asknown.stack.flink import FlinkRest
    from asknown.stack.jobs import is_live, job_id_of
    from asknown.storage.lost import Reached, positions

    if not is_live(config, JOB):
        raise AsknownError(
            "ASKNOWN-RECOVER-005",
            f"expected {JOB} to run, found it does not: what it has not read yet is not lost.",
            where=config.flink_url,
            hint=f"asknown job submit {JOB}",
        )
    reached = Reached(positions(config), _clocks(config))
    with FlinkRest(config.flink_url) as rest:
        job_id = job_id_of(config, rest, JOB)
        _await_checkpoints(lambda: int(rest.checkpoints(job_id)["counts"]["completed"]), wait_s)
    return reached


def _clocks(config: Settings) -> dict[str, int]:
    """Return which time normalize has passed in each dataset: what all its heartbeats say.

    A dataset of which a partition has none is left out: there, nobody knows.
    """
    from asknown.contracts.registry import AvroCodec, RegistryClient
    from asknown.ingestion.clock import ClockReader
    from asknown.storage.heal import RAW

    with (
        RegistryClient(config.registry_url) as registry,
        ClockReader(config, AvroCodec(registry).decode) as reader,
    ):
        names = {topic: f"normalized.{topic.partition('.')[2]}" for topic in RAW}
        passed = {topic: time_passed(name, reader.beats(name)) for topic, name in names.items()}
    return {topic: at_ms for topic, at_ms in passed.items() if at_ms is not None}


def time_passed(topic: str, beats: Sequence[Beat]) -> int | None:
    """Return which time a topic has passed, UTC ms; None unless each partition has a heartbeat."""
    from asknown.contracts.catalog import contract

    whole = len(beats) == contract(topic).topic.partitions
    return min(beat.at_ms for beat in beats) if whole else None


def _await_checkpoints(completed: Callable[[], int], wait_s: float) -> None:
    wanted, deadline = completed() + CHECKPOINTS, time.monotonic() + wait_s
    while completed() < wanted:
        if time.monotonic() > deadline:
            raise AsknownError(
                "ASKNOWN-RECOVER-006",
                f"expected {CHECKPOINTS} checkpoints of {JOB} within {wait_s:.0f} s, found fewer.",
                hint="asknown job ls",
            )
        time.sleep(_POLL_S)
