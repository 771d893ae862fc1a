"""`asknown quality`: the newest measurements of each dataset, and what the monitors say of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from asknown.cli.api import Api, shown
from asknown.cli.freshness import AtOption, DatasetArgument, SourceOption, clocks, seen_at
from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import ExitCode

_MEASURED = ("dataset", "source", "window_start", "metric", "column", "value", "records")
_MONITORED = (
    *("dataset", "source", "monitor", "column", "window_start"),
    *("value", "reference", "score", "limit", "verdict"),
)
MeasurementsOption = Annotated[
    bool, typer.Option("--measurements", help="Also every measurement of the newest windows.")
]


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(quality)


def quality(
    dataset: DatasetArgument = None,
    source: SourceOption = None,
    at: AtOption = None,
    measurements: MeasurementsOption = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Hold the newest minute of each source against what is usual and what is promised.

    Exits with 3 when a monitor is beyond its limit.
    """
    noun = None if dataset is None else dataset.removeprefix("normalized.")
    with Api() as api:
        query = {"dataset": noun, "source": source, "at": seen_at(at)}
        body = api.get("/v1/quality/monitors", **query)
        rows = [row | {"verdict": _verdict(row)} for row in body["data"]]
        measured = _newest(api, rows) if measurements else []
    _show(output(fmt), fmt, body["meta"]["at"], rows, measured)
    if any(row["breached"] for row in rows):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _verdict(row: dict[str, Any]) -> str:
    return "BREACH" if row["breached"] else "ok"


def _newest(api: Api, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the measurements of the windows that the monitors looked at."""
    windows = dict.fromkeys(
        (r["dataset"], r["source"], r["window_start"]) for r in rows if r["window_start"]
    )
    found = []
    for dataset, source, start in windows:
        end = (datetime.fromisoformat(start) + timedelta(milliseconds=1)).isoformat()
        found += api.rows("/v1/quality", dataset=dataset, source=source, start=start, end=end)
    return found


def _show(
    printer: Output,
    fmt: Format,
    at: str,
    rows: list[dict[str, Any]],
    measured: list[dict[str, Any]],
) -> None:
    if fmt is Format.JSON:
        printer.record({"at": at, "monitors": rows, "measurements": measured})
        return
    if measured:
        printer.table("Measured", _MEASURED, _cells(measured, _MEASURED))
    printer.table("Monitors", _MONITORED, _cells(rows, _MONITORED))
    breaches = sum(row["breached"] for row in rows)
    printer.line(f"{len(rows)} monitors, {breaches} beyond their limit; docs/quality.md explains")
    printer.line(clocks(at))


def _cells(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> list[list[Any]]:
    return [[_rounded(row[name]) for name in columns] for row in rows]


def _rounded(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else shown(value)
