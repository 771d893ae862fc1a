"""`asknown reference load` and `asknown symbol resolve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asknown.cli.output import Format, FormatOption, output

_reference = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
_load = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
_symbol = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
_reference.add_typer(_load, name="load")


def register(root: typer.Typer) -> None:
    """Add the commands of this area to `root`."""
    root.add_typer(_reference, name="reference")
    root.add_typer(_symbol, name="symbol")


@_load.callback()
def _load_group() -> None:
    """Load what a source knows about its instruments."""


@_reference.callback()
def _reference_group() -> None:
    """Load securities and corporate actions."""


@_symbol.callback()
def _symbol_group() -> None:
    """Resolve a symbol as of a date."""


@_load.command()
def synthetic(
    events: Annotated[int, typer.Option(help="As given to ingest synthetic.")] = 100_000,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Load the venue of the synthetic session; its split falls into the session's middle."""
    from asknown.ingestion.connectors.synthetic import SessionSpec, reference

    _send(reference(SessionSpec(events, seed=0)), fmt)


@_load.command()
def samples(fmt: FormatOption = Format.TEXT) -> None:
    """Load the five sample companies with their splits and dividends of 2000-2013."""
    from asknown.ingestion.connectors.samples import reference

    _send(reference(), fmt)


@_load.command()
def lean(
    folder: Annotated[Path, typer.Argument(help="Folder in LEAN's data format.")],
    symbols: Annotated[str | None, typer.Option(help="Only these, e.g. EURUSD,CCCL.")] = None,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Load the map files and factor files of a folder in LEAN's data format."""
    from asknown.ingestion.connectors.lean_reference import reference

    chosen = None if symbols is None else frozenset(symbols.upper().split(","))
    _send(reference(folder, chosen), fmt)


@_symbol.command()
def resolve(
    raw_key: Annotated[str, typer.Argument(help="The source's key, e.g. NSE:EQ:CCCL.")],
    at: Annotated[
        str | None, typer.Option(help="Time in ISO 8601, UTC if it names no zone; default: now.")
    ] = None,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show what a key meant at a time, by the change points the live jobs read."""
    from asknown.ingestion.clock import iso
    from asknown.ingestion.resolve import meaning, moment
    from asknown.settings import settings

    at_ms = moment(at)
    found = meaning(settings(), raw_key, at_ms)
    output(fmt).record({"raw_key": raw_key, "at": iso(at_ms), **found})


def _send(bundle: Any, fmt: Format) -> None:
    from dataclasses import asdict

    from asknown.contracts.registry import AvroCodec, RegistryClient
    from asknown.ingestion.clock import ClockReader
    from asknown.ingestion.event import CHANGES
    from asknown.ingestion.gateway import Gateway
    from asknown.ingestion.reference_load import load
    from asknown.settings import settings

    with Gateway(settings()) as gateway, RegistryClient(settings().registry_url) as registry:
        gateway.partitions(CHANGES)
        with ClockReader(settings(), AvroCodec(registry).decode) as reader:
            beats = reader.beats(CHANGES)
            present = [payload for _, payload in reader.payloads(CHANGES)]
        loaded = load(gateway, bundle, beats, present)
    output(fmt).record({"source": bundle.source, **asdict(loaded)})
