"""`asknown symbol resolve` and `asknown symbol history`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from asknown.cli.api import AllOption, Api, KnownAtOption, RefusedError, moment, shown
from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import ExitCode

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Tell whose an identifier was, at any time by the knowledge of any time.",
)

_CLAIM = ("entity_id", "id_type", "id_value", "venue", "series", "valid_from", "valid_to")
_HISTORY = (
    *("entity_id", "valid_from", "valid_to", "status", "symbol", "raw_key", "isin"),
    *("price_factor", "share_factor", "factor_version", "known_from", "known_to"),
)
_KNOWN = ("known_from", "known_to", "reason", "raw_event_id")


class IdType(StrEnum):
    """What an identifier is."""

    AUTO = "auto"
    SYMBOL = "symbol"
    ISIN = "isin"
    RAW_KEY = "raw_key"


Identifier = Annotated[
    str, typer.Argument(help="CCCL, CCCL.XNSE, an ISIN or a source's key such as NSE:EQ:CCCL.")
]
OnOption = Annotated[
    str | None,
    typer.Option("--on", help="A date at the exchange, or a time; default: --known-at or now."),
]
VenueOption = Annotated[str | None, typer.Option(help="Only at this venue, e.g. XNSE.")]
IdTypeOption = Annotated[IdType, typer.Option("--id-type", help="What the identifier is.")]


@app.callback()
def group() -> None:
    """Tell whose an identifier was, at any time by the knowledge of any time."""


@app.command()
def resolve(  # noqa: PLR0913  # the options of one command
    identifier: Identifier,
    on: OnOption = None,
    known_at: KnownAtOption = None,
    venue: VenueOption = None,
    id_type: IdTypeOption = IdType.AUTO,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show which listing an identifier meant: RESOLVED, UNKNOWN, AMBIGUOUS, CLOSED or CONFLICT.

    Exits with 3 unless it is RESOLVED.
    """
    query = {"on": moment(on, "--on"), "known_at": moment(known_at, "--known-at")}
    query |= {"venue": venue, "id_type": id_type.value}
    printer = output(fmt)
    with Api() as api:
        try:
            body = api.get("/v1/instruments/resolve", symbol=identifier, **query)
        except RefusedError as error:
            if error.data:
                _show_identity(printer, error.data, fmt)
            raise
    _show_identity(printer, {**body["data"], **body["meta"]}, fmt)
    if body["data"]["status"] != "RESOLVED":
        raise typer.Exit(ExitCode.CHECK_FAILED)


@app.command()
def history(
    identifier: Identifier,
    known_at: KnownAtOption = None,
    every: AllOption = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show every listing that bore an identifier, what it was from when to when, and its factors.

    A permanent listing id (e_...) can be given, too.
    """
    query = {"known_at": moment(known_at, "--known-at"), "all": every or None}
    with Api() as api:
        rows = [
            row
            for listing in _bearers(api, identifier, query["known_at"])
            for row in api.rows(f"/v1/instruments/{listing}/history", **query)
        ]
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record({"symbol": identifier, "history": rows})
    else:
        _table(printer, f"History of {identifier}", _HISTORY, rows)


def _bearers(api: Api, identifier: str, known_at: Any) -> list[str]:
    """Return the listings that bear an identifier now or bore it as a symbol, oldest first.

    Raises RefusedError for an identifier that never named anything.
    """
    if identifier.startswith("e_"):
        return [identifier]
    claims = [
        row
        for row in api.rows("/v1/instruments", prefix=identifier, known_at=known_at, all=True)
        if row["symbol"] == identifier
    ]
    unknown: RefusedError | None = None
    try:
        found = api.get("/v1/instruments/resolve", symbol=identifier, known_at=known_at)["data"]
    except RefusedError as error:
        found, unknown = error.data, error
    claims += found.get("candidates", [])
    claims.sort(key=lambda row: str(row["valid_from"]))
    if unknown and not claims:
        raise unknown
    return list(dict.fromkeys(row["entity_id"] for row in claims))


def _show_identity(printer: Output, found: dict[str, Any], fmt: Format) -> None:
    if fmt is Format.JSON:
        printer.record(found)
        return
    printer.record({k: shown(v) for k, v in found.items() if k != "candidates"})
    if found["candidates"]:
        _table(printer, "", (*_CLAIM, *_KNOWN), found["candidates"])


def _table(
    printer: Output, title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]
) -> None:
    printer.table(title, columns, [[shown(row[name]) for name in columns] for row in rows])
