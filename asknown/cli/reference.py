"""`asknown reference load`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asknown.cli.output import Format, FormatOption, output
from asknown.errors import ExitCode

_reference = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
_load = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
_reference.add_typer(_load, name="load")

LateOption = Annotated[
    bool,
    typer.Option(
        "--late",
        help="Load what lies behind the clock too, and again what was refused: known from now on.",
    ),
]


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.add_typer(_reference, name="reference")


@_load.callback()
def _load_group() -> None:
    """Load what a source knows about its instruments."""


@_reference.callback()
def _reference_group() -> None:
    """Load securities and corporate actions."""


@_load.command()
def synthetic(
    events: Annotated[int, typer.Option(help="As given to ingest synthetic.")] = 100_000,
    late: LateOption = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Load the venue of the synthetic session; its split falls into the session's middle."""
    from asknown.ingestion.connectors.synthetic import SessionSpec, reference

    _send(reference(SessionSpec(events, seed=0)), late, fmt)


@_load.command()
def samples(late: LateOption = False, fmt: FormatOption = Format.TEXT) -> None:
    """Load the five sample companies with their splits and dividends of 2000-2013."""
    from asknown.ingestion.connectors.samples import reference

    _send(reference(), late, fmt)


@_load.command()
def lean(
    folder: Annotated[Path, typer.Argument(help="Folder in LEAN's data format.")],
    symbols: Annotated[str | None, typer.Option(help="Only these, e.g. EURUSD,CCCL.")] = None,
    late: LateOption = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Load the map files and factor files of a folder in LEAN's data format."""
    from asknown.ingestion.connectors.lean_reference import reference

    chosen = None if symbols is None else frozenset(symbols.upper().split(","))
    _send(reference(folder, chosen), late, fmt)


@_load.command()
def nse(
    listings: Annotated[Path | None, typer.Option(help="EQUITY_L.csv.")] = None,
    changes: Annotated[Path | None, typer.Option(help="symbolchange.csv.")] = None,
    actions: Annotated[Path | None, typer.Option(help="CF-CA-equities CSV or API JSON.")] = None,
    late: LateOption = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Load files of the National Stock Exchange of India as they were downloaded.

    Rows that cannot be read are named on standard error and exit with 3; the others are sent.
    """
    from asknown.ingestion.nse_load import read

    found = read(listings, changes, actions)
    for problem in found.problems:
        typer.echo(f"  {problem}", err=True)
    _publish("nse", found.events, late, fmt)
    if found.problems:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _send(bundle: Any, late: bool, fmt: Format) -> None:
    from asknown.ingestion.reference_load import events_of

    _publish(bundle.source, events_of(bundle), late, fmt)


def _publish(source: str, events: Any, late: bool, fmt: Format) -> None:
    from dataclasses import asdict

    from asknown.contracts.registry import AvroCodec, RegistryClient
    from asknown.ingestion.clock import ClockReader
    from asknown.ingestion.gateway import Gateway
    from asknown.ingestion.reference_load import REFERENCE_TOPICS, load
    from asknown.settings import settings

    config = settings()
    with Gateway(config) as gateway, RegistryClient(config.registry_url) as registry:
        with ClockReader(config, AvroCodec(registry).decode) as reader:
            present = {k: v for topic in REFERENCE_TOPICS for k, v in reader.held(topic).items()}
            beats = [beat for topic in REFERENCE_TOPICS for beat in reader.beats(topic)]
        # The job knows what it has accepted; what it refused may be right by now.
        loaded = load(gateway, events, {} if late else present, () if late else beats)
    output(fmt).record({"source": source, **asdict(loaded)})
