"""`asknown watch`: what happens to some instruments, as it happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import typer
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from asknown.cli.api import RefusedError
from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import UnreachableError, UsageError
from asknown.settings import settings

_WAIT_S = 60  # longer than a heartbeat takes
_PAUSE_S, _ATTEMPTS = 1.0, 60  # of connecting again
_SHOWN = {
    "trades": ("event_time", "symbol", "price", "size", "factor_version"),
    "quotes": ("event_time", "symbol", "bid_price", "bid_size", "ask_price", "ask_size"),
    "bars": ("bar_start", "symbol", "open", "high", "low", "close", "volume", "revision"),
}


class Channel(StrEnum):
    """What is watched."""

    TRADES = "trades"
    QUOTES = "quotes"
    BARS = "bars"


class Mode(StrEnum):
    """Every update, or the newest whenever there is time for one."""

    FULL = "full"
    CONFLATED = "conflated"


@dataclass
class Watched:
    """A subscription, and the number of the last message of each listing: where to go on."""

    request: dict[str, Any]
    seen: dict[str, int] = field(default_factory=dict)

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield snapshots, updates and warnings; a connection that ends is made again.

        Raises UnreachableError ASKNOWN-CLI-004 when there is none to be had, RefusedError for a
        symbol that names no listing, UsageError for what the stream cannot use.
        """
        failed = 0
        while True:
            try:
                with connect(_url(), open_timeout=10) as stream:
                    failed = 0
                    yield from self._of(stream)
            except ConnectionClosed:
                time.sleep(_PAUSE_S)  # then behind `seen`; a full server closes at once
            except (OSError, InvalidHandshake) as error:
                failed += 1
                if self.seen and failed < _ATTEMPTS:  # it was there, and may be starting again
                    time.sleep(_PAUSE_S)
                    continue
                raise UnreachableError(
                    "ASKNOWN-CLI-004",
                    f"expected the API to answer, found: {error}.",
                    where=_url(),
                    hint="`asknown status` shows whether it runs; `asknown up` starts it.",
                ) from None

    def _of(self, stream: ClientConnection) -> Iterator[dict[str, Any]]:
        request = self.request
        if self.seen:
            request = {**request, "symbols": [], "entity_ids": [*self.seen], "from_seq": self.seen}
        stream.send(json.dumps(request))
        while True:
            message: dict[str, Any] = json.loads(stream.recv(timeout=_WAIT_S))
            match message["type"]:
                case "ack":
                    _require(message)
                case "error":
                    raise _refusal(message)
                case "snapshot" | "update":
                    self.seen[message["entity_id"]] = message["seq"]
                    if message["data"] is not None:
                        yield message
                case "warning" | "status":
                    yield message


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(watch)


def watch(  # noqa: PLR0913  # the options of one command
    symbols: Annotated[list[str], typer.Argument(help="AAPL, AAPL.XNAS or a source's key.")],
    channel: Annotated[Channel, typer.Option(help="What of them.")] = Channel.TRADES,
    interval: Annotated[str, typer.Option(help="Of bars: 1s, 1m or 1d.")] = "1m",
    price_type: Annotated[
        str, typer.Option("--price-type", help="Of bars: trade, bid, ask or mid.")
    ] = "trade",
    mode: Annotated[Mode, typer.Option(help="Every update, or only the newest.")] = Mode.FULL,
    count: Annotated[int, typer.Option(help="End after so many records; 0: never.")] = 0,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show the newest record of each instrument, then each one as it comes; Ctrl-C ends it.

    Bars are shown again with a higher revision when late trades change them.
    """
    request = {"action": "subscribe", "channel": channel, "symbols": symbols, "mode": mode}
    if channel is Channel.BARS:
        request |= {"interval": interval, "price_type": price_type}
    printer, shown = output(fmt), 0
    for message in Watched(request).messages():
        if fmt is Format.JSON:
            printer.record(message)
        else:
            _line(printer, channel, message)
        shown += message["type"] in ("snapshot", "update")
        if count and shown >= count:
            return


def _line(printer: Output, channel: Channel, message: Mapping[str, Any]) -> None:
    if message["type"] in ("snapshot", "update"):
        values = (message["data"][name] for name in _SHOWN[channel])
        printer.line("  ".join("-" if value is None else str(value) for value in values))
        return
    rest = " ".join(f"{name}={value}" for name, value in message.items() if name != "type")
    printer.line(f"{message['type']}: {rest}")


def _refusal(error: Mapping[str, Any]) -> UsageError | UnreachableError:
    bad = error["code"].startswith("ASKNOWN-STREAM")
    kind = UsageError if bad else UnreachableError
    return kind(error["code"], error["detail"], hint=error["hint"])


def _require(ack: Mapping[str, Any]) -> None:
    for refused in ack["rejected"]:
        raise RefusedError({"code": refused["code"], "detail": refused["detail"]})


def _url() -> str:
    return settings().stream_url
