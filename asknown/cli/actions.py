"""`asknown actions`: the corporate actions of an instrument, and the factors they came to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from asknown.cli.api import AllOption, Api, KnownAtOption, moment, shown
from asknown.cli.output import Format, FormatOption, output
from asknown.cli.symbol import Identifier, OnOption

_ACTION = (
    *("ex_date", "kind", "status", "version", "ratio", "amount", "method", "symbol"),
    *("known_from", "action_id"),
)
_FACTOR = ("ex_date", "price", "share", "price_factor", "share_factor", "method", "status")
_KNOWN = ("known_from", "known_to")
FactorsOption = Annotated[bool, typer.Option("--factors", help="Also the exact factors.")]


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(actions)


def actions(  # noqa: PLR0913  # the options of one command
    identifier: Identifier,
    on: OnOption = None,
    known_at: KnownAtOption = None,
    every: AllOption = False,
    factors: FactorsOption = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show an instrument's corporate actions by ex-date, each in the newest version known."""
    named = "entity_ids" if identifier.startswith("e_") else "symbols"
    query: dict[str, Any] = {named: identifier, "all": every or None}
    query |= {"symbol_as_of": moment(on, "--on"), "known_at": moment(known_at, "--known-at")}
    found: dict[str, Any] = {}
    with Api() as api:
        found["actions"] = api.rows("/v1/corporate-actions", **query)
        if factors:
            found["factors"] = api.rows("/v1/adjustment-factors", **query)
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record({"symbol": identifier, **found})
        return
    rows = [{**row, **_terms(row)} for row in found["actions"]]
    printer.table(f"Actions of {identifier}", _ACTION, _cells(rows, _ACTION))
    if factors:
        columns = (*_FACTOR, *_KNOWN) if every else (*_FACTOR, _KNOWN[0])
        exact = [{**row, **_quotients(row)} for row in found["factors"]]
        printer.table(f"Factors of {identifier}", columns, _cells(exact, columns))


def _terms(row: dict[str, Any]) -> dict[str, Any]:
    """Return the terms of an action in two columns."""
    ratio = None
    if row["ratio_numerator"] is not None:
        ratio = f"{row['ratio_numerator']}:{row['ratio_denominator']}"
    amounts = ("cash_amount", "subscription_price", "distributed_value")
    amount = next((row[name] for name in amounts if row[name] is not None), None)
    return {"ratio": ratio, "amount": amount and f"{amount} {row['currency'] or ''}".strip()}


def _quotients(row: dict[str, Any]) -> dict[str, str]:
    return {
        name: f"{row[f'{name}_numerator']}/{row[f'{name}_denominator']}"
        for name in ("price", "share")
    }


def _cells(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> list[list[Any]]:
    return [[shown(row[name]) for name in columns] for row in rows]
