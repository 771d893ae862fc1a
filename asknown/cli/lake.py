"""Commands that look after the lake's files and snapshots."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from asknown.cli.output import Format, FormatOption, Output, output
from asknown.settings import settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Look after the lake: join small files, forget old snapshots, delete orphans.",
)
TableOption = Annotated[
    str | None, typer.Option("--table", help="A table such as silver.trade, or how names begin.")
]


@app.callback()
def group() -> None:
    """Look after the lake: join small files, forget old snapshots, delete orphans."""


@app.command()
def files(table: TableOption = None, fmt: FormatOption = Format.TEXT) -> None:
    """Show of which partitions, files, snapshots and bytes each table consists."""
    from asknown.storage.lake_maintain import chosen, contents

    found = [one.document() for one in contents(settings(), chosen(table))]
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record({"tables": found})
        return
    columns = ("table", "partitions", "files", "small", "rows", "bytes", "snapshots")
    rows = [tuple(one[name] for name in columns) for one in found]
    printer.table("The lake's files", columns, rows)


@app.command()
def maintain(  # noqa: PLR0913  # options of a command
    table: TableOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")
    ] = False,
    keep: Annotated[
        int, typer.Option("--keep-snapshots", min=1, help="How many snapshots stay in any case.")
    ] = 20,
    older_than: Annotated[
        float, typer.Option("--older-than", min=0, help="Hours from which a snapshot is old.")
    ] = 24.0,
    orphan_age: Annotated[
        float, typer.Option("--orphan-age", min=1, help="Hours from which an unnamed file goes.")
    ] = 24.0,
    min_files: Annotated[
        int, typer.Option("--min-files", min=2, help="Small files that are worth a rewrite.")
    ] = 4,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Join small files, forget old snapshots and delete files that nothing names.

    Safe beside running jobs: what they commit meanwhile stays, and a partition that a backfill
    replaces meanwhile is left to it. Rows are compared before each commit. The last snapshot of a
    running job is always kept.
    """
    from asknown.storage.lake_compact import Policy
    from asknown.storage.lake_maintain import Plan, chosen
    from asknown.storage.lake_maintain import maintain as run

    plan = Plan(
        keep=keep,
        older_than=timedelta(hours=older_than),
        orphan_age=timedelta(hours=orphan_age),
        policy=Policy(min_files=min_files),
        dry_run=dry_run,
    )
    printer = output(fmt)
    done = run(settings(), chosen(table), plan, lambda text: printer.line(f"  {text}"))
    _print(printer, fmt, [one.document() for one in done], dry_run=dry_run)


def _print(printer: Output, fmt: Format, done: list[dict[str, Any]], *, dry_run: bool) -> None:
    if fmt is Format.JSON:
        printer.record({"dry_run": dry_run, "tables": done})
        return
    names = (
        "table",
        "files_before",
        "files_after",
        "rows",
        "snapshots",
        "files_deleted",
        "orphans",
    )
    rows = [tuple(one[name] for name in names) for one in done if _touched(one)]
    title = "What would be done" if dry_run else "What was done"
    if rows:
        printer.table(title, names, rows)
    for one in done:
        for why, count in one["skipped"].items():
            printer.line(f"  {one['table']}: {count} groups of files stay: {why}")
    if not rows:
        printer.line("nothing to do")


def _touched(one: dict[str, Any]) -> bool:
    return bool(one["groups"] or one["snapshots"] or one["orphans"])
