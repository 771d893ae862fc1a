"""`asknown ingest`: send a source's records to the raw topics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from asknown.cli.output import Format, FormatOption, output
from asknown.errors import UsageError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Send a source's records to the raw topics.",
)

Speed = Annotated[
    float | None,
    typer.Option(help="Replay seconds per second; left out: as fast as the broker takes it."),
]
Symbols = Annotated[
    str | None, typer.Option(help="Only these symbols, e.g. EURUSD,CCCL; left out: all.")
]


@app.command()
def synthetic(  # noqa: PLR0913  # one parameter for each option of the command
    events: Annotated[int, typer.Option(help="Records to send.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Which of all possible sessions.")] = 7,
    ledger: Annotated[
        Path | None, typer.Option(help="Parquet file for what must become of each record.")
    ] = None,
    speed: Speed = None,
    settle: Annotated[
        float, typer.Option(help="Seconds for readers to catch up before the late records.")
    ] = 5.0,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Send a seeded session of trades with everything that goes wrong in a feed.

    Load its reference data first: asknown reference load synthetic.
    """
    from asknown.ingestion.connectors.synthetic import SessionSpec, generate
    from asknown.ingestion.replay import Pace
    from asknown.ingestion.session_ledger import counts, write_ledger

    spec, pace = SessionSpec(events, seed), Pace(speed, settle_seconds=settle)
    with _gateway() as gateway:
        session = generate(spec, gateway.encoder)
        _check_clock(session.deliveries[0].clock_ms)
        if ledger is not None:
            write_ledger(ledger, session.expected)
        summary = _replay(gateway, session.deliveries, pace)
    printed = {**summary, **counts(session.expected), "split_at": _iso(session.split.at_ms)}
    if ledger is not None:
        printed["ledger"] = str(ledger)
    output(fmt).record(printed)


@app.command()
def samples(symbols: Symbols = None, speed: Speed = None, fmt: FormatOption = Format.TEXT) -> None:
    """Send the daily bars of five companies, 2000-2013, that ship with bokeh-sampledata.

    Load their reference data first: asknown reference load samples.
    """
    from asknown.ingestion.connectors.samples import WEEK_MS, bars
    from asknown.ingestion.replay import Pace

    deliveries = bars(_chosen(symbols))
    pace = Pace(speed, heartbeat_every_ms=WEEK_MS)
    with _gateway() as gateway:
        _check_clock(deliveries[0].clock_ms)
        output(fmt).record(_replay(gateway, deliveries, pace))


@app.command()
def lean(
    folder: Annotated[Path, typer.Argument(help="Folder in LEAN's data format.")],
    symbols: Symbols = None,
    speed: Speed = None,
    time_zone: Annotated[str, typer.Option(help="Zone of the forex files' midnight.")] = "UTC",
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Send the ticks and daily bars of a folder in LEAN's data format.

    Load its reference data first: asknown reference load lean FOLDER.
    """
    from asknown.ingestion.connectors.lean import HEARTBEAT_MS, records
    from asknown.ingestion.replay import Pace

    deliveries = records(folder, _chosen(symbols), time_zone)
    pace = Pace(speed, heartbeat_every_ms=1000 if speed else HEARTBEAT_MS)
    with _gateway() as gateway:
        _check_clock(deliveries[0].clock_ms)
        output(fmt).record(_replay(gateway, deliveries, pace))


@app.command()
def heartbeat(fmt: FormatOption = Format.TEXT) -> None:
    """Tell the jobs once more what time it is: the stack's clock, which stays where it stands.

    A job that was restarted does not know the time until somebody tells it. A live feed does so
    every second; a replay that has ended does not any more.
    """
    from asknown.ingestion.clock import iso
    from asknown.ingestion.replay import CLOCK_TOPICS, MARKET_TOPICS

    with _gateway() as gateway, _clock_reader() as reader:
        beats = [beat.at_ms for topic in MARKET_TOPICS for beat in reader.beats(topic)]
        if not beats:
            raise UsageError(
                "ASKNOWN-INGEST-013",
                "expected a heartbeat in the market topics, found none: no time was ever told.",
                hint="asknown ingest samples",
            )
        gateway.heartbeat(CLOCK_TOPICS, max(beats))
        gateway.flush()
    output(fmt).record({"heartbeats": gateway.heartbeats, "clock": iso(max(beats))})


@contextmanager
def _clock_reader() -> Iterator[Any]:
    from asknown.contracts.registry import AvroCodec, RegistryClient
    from asknown.ingestion.clock import ClockReader
    from asknown.settings import settings

    with (
        RegistryClient(settings().registry_url) as registry,
        ClockReader(settings(), AvroCodec(registry).decode) as reader,
    ):
        yield reader


def _gateway() -> Any:
    from asknown.ingestion.gateway import Gateway
    from asknown.settings import settings

    return Gateway(settings())


def _check_clock(first_ms: int) -> None:
    """Refuse, before anything is sent, what would lie behind the stack's clock."""
    from asknown.contracts.catalog import contract
    from asknown.ingestion.clock import check_ahead
    from asknown.ingestion.replay import MARKET_TOPICS

    with _clock_reader() as reader:
        for topic in MARKET_TOPICS:
            tolerance = contract(topic).topic.out_of_orderness_ms
            check_ahead(reader.beats(topic), first_ms, tolerance)


def _replay(gateway: Any, deliveries: Iterable[Any], pace: Any) -> dict[str, Any]:
    from asknown.contracts.registry import AvroCodec, RegistryClient
    from asknown.ingestion.clock import follower
    from asknown.ingestion.replay import replay
    from asknown.settings import settings
    from asknown.stack.jobs import is_live

    config = settings()
    with RegistryClient(config.registry_url) as registry:
        decode, patience = AvroCodec(registry).decode, config.reference_patience_seconds
        wait = follower(config, decode, patience, lambda: is_live(config, "reference"))
        summary = replay(gateway, deliveries, pace, wait)
    if not summary.followed:
        typer.echo(
            "  the reference job does not tell the time: events are placed by what it said so far, "
            f"after {config.reference_grace_ms / 1000:.0f} s. Next: asknown job submit reference",
            err=True,
        )
    return {
        "sent": summary.sent,
        "heartbeats": summary.heartbeats,
        "seconds": summary.seconds,
        "first": _iso(summary.first_ms),
        "last": _iso(summary.last_ms),
        "clock": _iso(summary.closed_ms),
        "followed": summary.followed,
    }


def _iso(at_ms: int | None) -> str:
    from asknown.ingestion.clock import iso

    return "" if at_ms is None else iso(at_ms)


def _chosen(symbols: str | None) -> frozenset[str] | None:
    if symbols is None:
        return None
    return frozenset(one.strip().upper() for one in symbols.split(",") if one.strip())
