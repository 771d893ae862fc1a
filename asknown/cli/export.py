"""`asknown export`: rows of a table of the lake, in a file that can be had again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asknown.cli.output import Format, output
from asknown.errors import UsageError


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(export)


def export(  # noqa: PLR0913  # the options of one command
    table: Annotated[str | None, typer.Argument(help="A table such as gold.bar.")] = None,
    where: Annotated[
        str, typer.Option("--where", help="Only rows of which this holds: venue = 'XNSE'.")
    ] = "",
    columns: Annotated[str, typer.Option("--columns", help="Only these, with commas.")] = "",
    kind: Annotated[str, typer.Option("-o", "--format", help="parquet, arrow or csv.")] = "parquet",
    to: Annotated[Path | None, typer.Option("--to", help="The file; else TABLE.FORMAT.")] = None,
    manifest: Annotated[
        bool, typer.Option("--manifest/--no-manifest", help="Write a manifest beside it.")
    ] = True,
    from_manifest: Annotated[
        Path | None,
        typer.Option("--from-manifest", help="Write the file of a manifest again, and compare."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="With --from-manifest: compare, write nothing.")
    ] = False,
    report: Annotated[Format, typer.Option("--report", help="text or json.")] = Format.TEXT,
) -> None:
    """Export rows of a table, with a manifest from which the same rows can be had again.

    Exits with 3 when the rows of a manifest are not those that were exported.
    """
    if (table is None) == (from_manifest is None) or (verify and from_manifest is None):
        raise UsageError(
            "ASKNOWN-CLI-005",
            "expected a table, or --from-manifest (with --verify to compare only).",
            hint="asknown export gold.bar --where \"trade_date >= '2024-10-01'\"",
        )
    printer = output(report)
    if from_manifest is not None:
        printer.record(_again(from_manifest, to, verify=verify))
        return
    from asknown.research.connection import connect

    file = to or Path(f"{table}.{kind}")
    with connect() as connection:
        result = connection.table(str(table), where, columns)
        written = result.export(file, manifest=manifest)
    printer.record({"file": str(file), "manifest": str(written) if manifest else None})


def _again(path: Path, to: Path | None, *, verify: bool) -> dict[str, Any]:
    from asknown.research import exporting

    document = exporting.read(path)
    file = None if verify else to or path.with_name(document["file"])
    found = exporting.again(document, to=file)
    return {
        "file": str(file) if file else None,
        "rows": found.rows,
        "checksum": str(found),
        "same": True,
    }
