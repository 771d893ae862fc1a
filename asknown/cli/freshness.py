"""`asknown freshness`: how old each dataset is in open-session time, against what is promised."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from asknown.cli.api import Api, moment, shown
from asknown.cli.output import Format, FormatOption, output
from asknown.errors import AsknownError, ExitCode

_COLUMNS = (
    *("dataset", "source", "venue", "last_event_time", "age", "open_age", "session"),
    *("promised", "verdict"),
)
_DAY_S = 86_400

DatasetArgument = Annotated[
    str | None, typer.Argument(help="Only this dataset: trade, or normalized.trade.")
]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only of this source.")]
AtOption = Annotated[
    str | None,
    typer.Option(
        "--at", help="As seen at this time, or `now`; default: the time of the stack's heartbeats."
    ),
]


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(freshness)


def freshness(
    dataset: DatasetArgument = None,
    source: SourceOption = None,
    at: AtOption = None,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show the age of each source's newest record while its venue was open; a holiday is not stale.

    Exits with 3 when a dataset is older than promised.
    """
    query = {"dataset": dataset, "source": source, "at": seen_at(at)}
    with Api() as api:
        body = api.get("/v1/quality/freshness", **query)
    rows = body["data"]
    printer = output(fmt)
    if fmt is Format.JSON:
        wall = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        printer.record({"at": body["meta"]["at"], "wall_time": wall, "datasets": rows})
    else:
        printer.table("Freshness", _COLUMNS, [_cells(row) for row in rows])
        printer.line(clocks(body["meta"]["at"]))
    if any(row["verdict"] == "STALE" for row in rows):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def seen_at(text: str | None) -> str | None:
    """Return the time to ask for: as given, or what the stack's heartbeats say.

    Without heartbeats, or without Kafka, None: then the API takes the newest event time.
    """
    if text == "now":
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if text is not None:
        return moment(text, "--at")
    from asknown.storage.newest import data_time

    try:
        at_ms = data_time()
    except AsknownError:
        return None
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clocks(at: str) -> str:
    """Return a line that sets the time of the data beside the wall's."""
    wall = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"as of {shown(at)}, the time of the data; the clock on the wall says {wall}"


def _cells(row: dict[str, Any]) -> list[Any]:
    values = {
        **row,
        "age": span(row["age_seconds"]),
        "open_age": span(row["open_age_seconds"]),
        "promised": span(row["freshness_seconds"]),
    }
    return [shown(values[name]) for name in _COLUMNS]


def span(seconds: float) -> str:
    """Return a length of time in days, hours, minutes and seconds."""
    days, rest = divmod(round(seconds), _DAY_S)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (left, "s"))
    return " ".join(f"{n}{unit}" for n, unit in parts if n) or "0s"
