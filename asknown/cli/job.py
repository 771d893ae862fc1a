"""Commands for Flink jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from asknown.cli.output import Format, FormatOption, output
from asknown.settings import settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Submit, list, cancel and stop Flink jobs.",
)

FROM_THE_START = "none"
SUBMITTED_WITHIN_MS = 120_000  # the clock of a live feed goes on while the job is being submitted
NameArgument = Annotated[str, typer.Argument(help="A job's name, or its id.")]


@app.command()
def submit(
    name: Annotated[str, typer.Argument(help="normalize, derive, lake, ... (a folder of jobs/).")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="After --: arguments of the job's program.")
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option("--parallelism", "-p", min=1, help="Subtasks of each operator.")
    ] = None,
    restore: Annotated[
        str,
        typer.Option(
            help="A savepoint's address; 'none' reads every topic again. "
            "Left out: where the job's last run stood, if it has run."
        ),
    ] = "",
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Run a job, and wait until it runs and its first checkpoint is complete.

    A job that has run before goes on where it stood: from the start it would write everything a
    second time.
    """
    from asknown.stack.jobs import Submission, resume_point, submit

    printer = output(fmt)
    restore = "" if restore == FROM_THE_START else restore or resume_point(settings(), name)
    if restore:
        printer.line(f"  {name} goes on from {restore}")
    extra = _after_outage() if restore and name == "reference" else ()
    request = Submission(
        name=name,
        arguments=(*extra, *(arguments or ())),  # the last one given counts
        parallelism=parallelism,
        restore=restore,
    )
    started = submit(request, settings(), note=lambda text: printer.line(f"  {text}"))
    if fmt is Format.JSON:
        printer.record({**vars(started)})
        return
    first = started.checkpoint_seconds
    checkpoint = "" if first is None else f", first checkpoint after {first:.1f} s"
    url = f"{settings().flink_url}/#/job/running/{started.job_id}/overview"
    took = f"submitted in {started.submitted_seconds:.1f} s{checkpoint}"
    printer.line(f"  {name:<15} {started.state:<9} {took}")
    printer.line(f"  {'':<15} {url}")


def _after_outage() -> tuple[str, ...]:
    """Return from when on a reference job that was away may learn: others went on without it."""
    from asknown.contracts.registry import AvroCodec, RegistryClient
    from asknown.ingestion.clock import ClockReader
    from asknown.ingestion.reference_load import REFERENCE_TOPICS

    config = settings()
    with (
        RegistryClient(config.registry_url) as registry,
        ClockReader(config, AvroCodec(registry).decode) as reader,
    ):
        beats = [beat.at_ms for topic in REFERENCE_TOPICS for beat in reader.beats(topic)]
    return ("--not-before-ms", str(max(beats) + SUBMITTED_WITHIN_MS)) if beats else ()


@app.command("ls")
def list_jobs(
    every: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show the jobs with their checkpoints.

    What a job writes is seen when a checkpoint is complete: `checkpoint_age_s` says when that was.
    """
    from asknown.stack.report import job_rows

    columns = (
        *("name", "state", "job_id", "duration_s"),
        *("checkpoints", "checkpoint_age_s", "failures", "flink_name"),
    )
    rows = [
        tuple(row[column] for column in columns)
        for row in job_rows(settings())
        if every or row["state"] not in ("FINISHED", "CANCELED", "FAILED")
    ]
    output(fmt).table("", columns, rows)


@app.command()
def cancel(name: NameArgument, fmt: FormatOption = Format.TEXT) -> None:
    """Cancel a job without a savepoint; its last checkpoint stays."""
    from asknown.stack.flink import FlinkRest
    from asknown.stack.jobs import forget, job_id_of

    config = settings()
    with FlinkRest(config.flink_url) as rest:
        job_id = job_id_of(config, rest, name)
        rest.cancel(job_id)
    forget(config, name)
    if fmt is Format.JSON:
        output(fmt).record({"name": name, "job_id": job_id, "cancelled": True})
    output(fmt).line(f"  {name} {job_id} is being cancelled")


@app.command()
def stop(name: NameArgument, fmt: FormatOption = Format.TEXT) -> None:
    """Stop a job with a savepoint, from which `job submit` goes on."""
    from asknown.stack.flink import FlinkRest
    from asknown.stack.jobs import forget, job_id_of
    from asknown.stack.paths import Paths

    config = settings()
    with FlinkRest(config.flink_url, timeout=30) as rest:
        job_id = job_id_of(config, rest, name)
        location = rest.stop_with_savepoint(job_id, f"file://{Paths.of(config).savepoints}")
    forget(config, name, savepoint=location)
    if fmt is Format.JSON:
        output(fmt).record({"name": name, "job_id": job_id, "savepoint": location})
    output(fmt).line(f"  {name} stopped; asknown job submit {name} goes on from {location}")
