"""Commands for contracts: what would change, whether it may, and making it so everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import ExitCode
from asknown.settings import settings

if TYPE_CHECKING:
    from asknown.contracts.catalog import Contract
    from asknown.contracts.evolution import Change, Standing
    from asknown.storage.evolution import TableStanding

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Compare the contracts with registry, lake and ClickHouse, and bring those to them.",
)

TopicArgument = Annotated[
    str | None, typer.Argument(help="A topic, e.g. normalized.trade; default: every one.")
]
RegistryOnly = Annotated[
    bool, typer.Option("--registry-only", help="Ask neither the lake nor ClickHouse.")
]
DayOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day of arrival, in UTC.")
]


@app.command()
def check(
    topic: TopicArgument = None,
    registry_only: RegistryOnly = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Judge this checkout's contracts by what is registered, and the tables by them.

    Changes nothing. Exits with 3 when a contract is refused, or a table's column cannot become
    what its contract says.
    """
    found, tables = _read(_chosen(topic), registry_only)
    broken = any(s.refusals for s in found) or any(t.impossible for t in tables)
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record({"passed": not broken, **_documents(found, tables)})
    else:
        _show_check(printer, found, tables)
    if broken:
        raise typer.Exit(ExitCode.CHECK_FAILED)


@app.command()
def diff(
    topic: TopicArgument = None,
    registry_only: RegistryOnly = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show, column by column, what registering and migrating would change."""
    found, tables = _read(_chosen(topic), registry_only)
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record(_documents(found, tables))
        return
    rows = [row for s in found for row in _rows("registry", s.subject, s.changes)]
    rows += [row for t in tables for row in _rows(t.store, t.table, t.changes or ())]
    if rows:
        printer.table("", ("where", "what", "column", "change", "found", "wanted"), rows)
    absent = [s.subject for s in found if s.verdict == "not registered yet"]
    absent += [f"{t.store} {t.table}" for t in tables if t.changes is None]
    for name in absent:
        printer.line(f"{name}: not there yet")
    if not rows and not absent:
        printer.line("no difference")


@app.command("register")
def register_versions(topic: TopicArgument = None, fmt: FormatOption = Format.TEXT) -> None:
    """Register the contracts' new versions; when one is refused, none is.

    Exits with 3 when one is refused.
    """
    from asknown.contracts.registry import RegistryClient
    from asknown.storage import evolution

    chosen = _chosen(topic)
    with RegistryClient(settings().registry_url) as client:
        lines = evolution.register(client, chosen, evolution.standings(client, chosen))
    _done(output(fmt), fmt, lines, [])


@app.command()
def migrate(fmt: FormatOption = Format.TEXT) -> None:
    """Make new columns appear in the registry, the lake and ClickHouse; drops nothing.

    May be repeated, and run beside the jobs: they go on with the contract they were started with.
    Exits with 3, and has written nothing, when a contract is refused.
    """
    from asknown.storage.evolution import migrate

    done = migrate(settings())
    _done(output(fmt), fmt, done.lines, done.start_anew)


@app.command()
def drift(
    dataset: Annotated[
        str | None, typer.Argument(help="trade, quote, ...; default: every one with an `extra`.")
    ] = None,
    since: DayOption = None,
    baseline: DayOption = None,
    profiles: Annotated[
        bool, typer.Option("--profiles", help="With -o json: what was measured, too.")
    ] = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Compare what sources send beside the contract (`extra`) with what they sent before.

    Looked at is what arrived since the day SINCE (left out: the last day with records), compared
    with the day BASELINE (left out: the last one before). Exits with 3 when a key is new, has
    vanished or has changed its type.
    """
    from asknown.contracts.drift import compare, not_compared
    from asknown.storage.drift import datasets, days, profile, spans

    config, days_given = settings(), (_day(since), _day(baseline))
    documents, rows, notes = [], [], []
    for name in [dataset] if dataset else datasets():
        found = days(config, name)
        if dataset is None and len(found) < 2:
            notes.append(f"{name}: fewer than two days to compare")
            continue
        before, now = (profile(config, name, *span) for span in spans(found, *days_given))
        drifts, alone = compare(before, now), not_compared(before, now)
        notes += [f"{name}: {source} was not there on {before.first}" for source in alone]
        rows += [tuple(str(value) for value in vars(d).values()) for d in drifts]
        document: dict[str, Any] = {"drifts": [vars(d) for d in drifts], "not_compared": alone}
        document |= {"dataset": name, "baseline": before.first, "since": now.first, "end": now.end}
        measured = {"profiles": [before.document(), now.document()]} if profiles else {}
        documents.append(document | measured)
    printer = output(fmt)
    if fmt is Format.JSON:
        printer.record({"passed": not rows, "datasets": documents, "notes": notes})
    elif rows:
        columns = ("dataset", "source", "key", "drift", "before", "now", "records")
        printer.table("", columns, rows)
    for line in [*notes, *([] if rows else ["no drift"])]:
        printer.line(line)
    if rows:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def _chosen(topic: str | None) -> list[Contract]:
    from asknown.contracts.catalog import contract, contracts

    return [contract(topic)] if topic else list(contracts().values())


def _read(
    chosen: Sequence[Contract], registry_only: bool
) -> tuple[list[Standing], list[TableStanding]]:
    from asknown.contracts.registry import RegistryClient
    from asknown.storage import evolution

    with RegistryClient(settings().registry_url) as client:
        found = evolution.standings(client, chosen)
    tables = [] if registry_only else list(evolution.table_standings(settings(), chosen))
    return found, tables


def _documents(found: Iterable[Standing], tables: Iterable[TableStanding]) -> dict[str, Any]:
    return {
        "subjects": [standing.document() for standing in found],
        "tables": [table.document() for table in tables],
    }


def _rows(where: str, what: str, changes: Iterable[Change]) -> list[tuple[Any, ...]]:
    rows = []
    for change in changes:
        values = change.document()
        rows.append((where, what, *(_short(values[key]) for key in values)))
    return rows


def _short(text: str | None, width: int = 48) -> str | None:
    return text if text is None or len(text) <= width else text[: width - 3] + "..."


def _show_check(
    printer: Output, found: Sequence[Standing], tables: Sequence[TableStanding]
) -> None:
    rows = [(s.subject, str(s.verdict), s.version, len(s.changes)) for s in found]
    printer.table("Subjects", ("subject", "verdict", "version", "changes"), rows)
    states = [(t.store, t.table, _state(t)) for t in tables]
    rest = [row for row in states if row[2] != "as the contract"]
    if rest:
        printer.table("Tables", ("store", "table", ""), rest)
    if tables:
        printer.line(f"{len(states) - len(rest)} of {len(states)} tables are as their contracts")
    for s in found:
        unknown = [c.name for c in s.changes if s.verdict == "registered; a newer version exists"]
        if unknown:
            names = ", ".join(unknown)
            printer.line(f"{s.topic}: fields that may be in Kafka and are kept nowhere: {names}.")
            printer.line("        Next: take them into the contract; `asknown schema migrate`.")
        for refusal in s.refusals:
            printer.line(f"REFUSED {s.topic}.{refusal.field}: expected {refusal.expected},")
            printer.line(f"        found {refusal.found}. Next: {refusal.hint}")
    for t in tables:
        for change in t.impossible:
            where = f"{t.store} {t.table}.{change.name}"
            printer.line(f"REFUSED {where}: expected {change.wanted}, found {change.found}.")
            printer.line("        Next: give the contract's field another name.")


def _state(table: TableStanding) -> str:
    if table.changes is None:
        return "missing: `asknown schema migrate` makes it"
    if table.impossible:
        return "cannot become what its contract says"
    if table.pending:
        names = sorted({change.name for change in table.pending})
        return f"`asknown schema migrate` will change: {', '.join(names)}"
    extra = ", ".join(change.name for change in table.changes)
    return f"has more than its contract: {extra}" if extra else "as the contract"


def _done(printer: Output, fmt: Format, lines: Sequence[str], jobs: Sequence[str]) -> None:
    if fmt is Format.JSON:
        printer.record({"done": list(lines), "start_anew": list(jobs)})
        return
    for line in lines or ["nothing to do"]:
        printer.line(line)
    if jobs:
        printer.line(
            "What runs goes on with the old contract. To carry and fill new columns, start anew,"
            f" in this order: {', '.join(jobs)} (docs/schemas.md says how)."
        )
