"""Commands for the local stack: up, down, status, doctor, logs."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from asknown.cli.output import Format, FormatOption, output
from asknown.errors import AsknownError, ExitCode
from asknown.settings import settings

if TYPE_CHECKING:
    from asknown.stack.report import StackReport

OnlyOption = Annotated[
    str, typer.Option("--only", help="Services, with commas: kafka,registry,flink.")
]


class StatusFormat(StrEnum):
    """How `status` prints: `env` are lines a shell can evaluate."""

    TEXT = "text"
    JSON = "json"
    ENV = "env"


def register(root: typer.Typer) -> None:
    """Add the stack's commands."""
    root.command()(up)
    root.command()(down)
    root.command()(status)
    root.command()(doctor)
    root.command()(logs)


def up(
    only: OnlyOption = "",
    with_: Annotated[
        str, typer.Option("--with", help="trino: SQL over the lake, from now on with every `up`.")
    ] = "",
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Start what does not run yet, and wait until it is ready."""
    from asknown.stack import Outcome
    from asknown.stack import up as start

    _add(with_)

    printer = output(fmt)

    def report(outcome: Outcome) -> None:
        seconds = f"{outcome.seconds:6.1f} s" if outcome.seconds >= 0.05 else "         "
        printer.line(f"  {outcome.name:<15} {outcome.state:<9} {seconds}  {outcome.url}".rstrip())

    outcomes = start([name for name in only.split(",") if name], report=report)
    if fmt is Format.JSON:
        rows = [(o.name, o.state, round(o.seconds, 3), o.url) for o in outcomes]
        printer.table("", ("name", "state", "seconds", "url"), rows)


def _add(names: str) -> None:
    """Add services to the stack that are not part of every one.

    Raises UsageError ASKNOWN-STACK-092 for another name than trino.
    """
    from asknown.errors import UsageError
    from asknown.stack import trino

    for name in filter(None, names.split(",")):
        if name != "trino":
            raise UsageError("ASKNOWN-STACK-092", f"--with: expected trino, found {name!r}.")
        trino.java_home(settings())  # asked for before anything is started
        trino.want(settings())


def down(
    purge: Annotated[bool, typer.Option("--purge", help="Remove all its data, too.")] = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Stop every process of this checkout's stack; the data stays."""
    from asknown.stack import down as stop
    from asknown.stack import purge as remove

    stopped = stop()
    removed = remove() if purge else []
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record({"stopped": stopped, "removed": removed})
        return
    printer.line(f"stopped {stopped} processes" if stopped else "nothing was running")
    if purge:
        printer.line(f"removed {', '.join(removed)} from {settings().data_dir}")


def status(
    fmt: Annotated[
        StatusFormat, typer.Option("-o", "--output", help="text, json or env.")
    ] = StatusFormat.TEXT,
) -> None:
    """Show every service, its address, and the jobs.

    Exits with 3 when a service that was started does not work or a submitted job is gone.
    """
    from asknown.stack.report import environment_lines, stack_report

    if fmt is StatusFormat.ENV:
        for line in environment_lines(settings()):
            output("text").line(line)
        return
    report = stack_report(settings())
    if fmt is StatusFormat.JSON:
        output("json").record(report.as_dict())
    else:
        _print_report(report)
    if not report.healthy:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _print_report(report: StackReport) -> None:
    """Print services, jobs, and what to do about jobs that are gone."""
    printer = output("text")
    columns = ("service", "state", "up s", "MB", "address", "")
    rows = [(s.name, s.state, s.uptime_seconds, s.rss_mb, s.url, s.detail) for s in report.services]
    printer.table("", columns, rows)
    live = [job for job in report.jobs if job["state"] not in ("FINISHED", "CANCELED")]
    if live:
        columns = ("job", "state", "for s", "checkpoints", "failures", "id")
        keys = ("name", "state", "duration_s", "checkpoints", "failures", "job_id")
        printer.table("", columns, [tuple(job[key] for key in keys) for job in live])
    for job in live:
        if job["state"] == "missing":
            printer.line(
                f"{job['name']} was submitted, but this JobManager does not know it (it was "
                f"restarted). Next: asknown job submit {job['name']}"
            )


def doctor(fmt: FormatOption = Format.TEXT) -> None:
    """Check what the stack needs; each failure says what mends it. Exits with 3 on a failure."""
    from asknown.stack.doctor import examine

    checks = examine(settings())
    printer = output(fmt)
    if fmt is Format.JSON:
        columns = ("check", "ok", "found", "mend")
        printer.table("", columns, [(c.name, c.ok, c.found, c.mend) for c in checks])
    else:
        for check in checks:
            printer.line(f"  {'ok    ' if check.ok else 'FAILED'} {check.name:<22} {check.found}")
            if not check.ok:
                printer.line(f"         {'':<22} mend: {check.mend}")
        failed = sum(not check.ok for check in checks)
        printer.line(f"{len(checks)} checks, {len(checks) - failed} passed, {failed} failed")
    if not all(check.ok for check in checks):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def logs(
    service: Annotated[str, typer.Argument(help="A service, or one of its processes.")],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep printing.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many lines.")] = 20,
) -> None:
    """Show the end of a service's log."""
    from asknown.stack.logs import follow_logs, log_files, tail

    files = log_files(settings(), service)
    printer = output("text")
    for file in files:
        if not file.exists():
            raise AsknownError(
                "ASKNOWN-STACK-050",
                f"Expected a log of {service}, found none: it has not been started.",
                where=str(file),
                hint=f"asknown up --only {service}",
            )
    for file in files:
        if len(files) > 1:
            printer.line(f"==> {file.name} <==")
        for line in tail(file, lines):
            printer.line(line)
    if follow:
        try:
            follow_logs(files, printer.line)
        except KeyboardInterrupt:
            sys.exit(ExitCode.OK)
