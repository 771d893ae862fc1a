"""Commands for records that were refused: look at them, bring them back, or let them be."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asknown.cli.output import Format, FormatOption, Output, output
from asknown.errors import UsageError
from asknown.settings import Settings, settings

if TYPE_CHECKING:
    from asknown.storage.quarantine import Candidate, Plan
    from asknown.storage.replay import Recomputed

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Look at refused records, bring them back when a mapping has come, or let them be.",
)

HEALED = ("raw.trade", "raw.quote")  # what bars are made of
SHOWN = 20


@app.callback()
def group() -> None:
    """Look at refused records, bring them back when a mapping has come, or let them be."""


@app.command("ls")
def list_groups(fmt: FormatOption = Format.TEXT) -> None:
    """Count the refused records by reason, topic, source and the day of the event (UTC).

    An open one is neither replayed nor discarded.
    """
    from asknown.storage.quarantine_view import Group, summary

    output(fmt).table("", Group._fields, summary(settings()))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="topic:partition:offset, e.g. raw.trade:0:17.")],
    raw: Annotated[
        Path | None, typer.Option("--raw", help="Write the record's exact bytes to this file.")
    ] = None,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Show a refused record: why, its bytes, its neighbours, what became of it, what to do."""
    from asknown.storage.quarantine_view import original, show

    config, printer = settings(), output(fmt)
    if raw is not None:
        found = original(config, name)
        raw.write_bytes(found.exact())
        printer.record({"file": str(raw), "bytes": len(found.exact()), "from": found.source})
        return
    shown = show(config, name)
    if fmt is Format.JSON:
        printer.record(shown)
    else:
        _show_record(printer, shown)


def _show_record(printer: Output, shown: dict[str, Any]) -> None:
    nested = ("raw", "original", "neighbours", "next", "replayed", "discarded")
    printer.record({k: v for k, v in shown.items() if k not in nested and v is not None})
    for name in ("replayed", "discarded"):
        if shown[name]:
            printer.record({f"{name}: {k}": v for k, v in shown[name].items()})
    original = shown["original"]
    if "hex" in original:
        printer.line(f"\noriginal: {original['bytes']:,} bytes, from {original['from']}")
        for line in original["hex"]:
            printer.line(f"  {line}")
        printer.line(f"  reads as: {original.get('unreadable') or original.get('record')}")
    elif original["from"]:
        printer.line("\noriginal: a record without a value")
    else:
        printer.line(f"\noriginal: gone from Kafka; bronze: {shown['raw']}")
    for name, title in (("partition", "in its partition"), ("key", "of its key")):
        rows = shown["neighbours"][name]
        if rows:
            said = [(row["name"], *_brief(row)) for row in rows]
            columns = ("record", "came", "event time", "key", "says")
            printer.table(f"\nbefore and after it {title}", columns, said)
    printer.line("\nnext:")
    for step in shown["next"]:
        printer.line(f"  {step}")


def _brief(row: dict[str, Any]) -> tuple[Any, ...]:
    known = ("name", "kafka_time", "event_time", "entity_id", "event_id", "source")
    rest = ", ".join(f"{k}={v}" for k, v in row.items() if k not in known)
    return (*(row.get(name) for name in known[1:4]), rest)


@app.command()
def replay(
    reason: Annotated[str, typer.Option(help="Why they were refused, e.g. UNKNOWN_SYMBOL.")],
    key: Annotated[str | None, typer.Option(help="Only this key, e.g. NSE:EQ:CCCL.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come back.")] = False,
    even_discarded: Annotated[
        bool, typer.Option("--even-discarded", help="Also what a person has discarded.")
    ] = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Bring back, exactly once, the refused records whose key has a meaning by now.

    They are resolved by today's knowledge with the code of the live job. Run it again at any time:
    what is back does not come twice. What was discarded stays, unless --even-discarded is said.
    """
    from asknown.storage.quarantine import DISCARDED, plan
    from asknown.storage.quarantine_discard import read_places
    from asknown.storage.replay import read_marks

    config, printer = settings(), output(fmt)
    left = frozenset() if even_discarded else read_places(config, DISCARDED)
    found = plan(config, reason, key, read_marks(config), left)
    result: dict[str, Any] = {"reason": reason, "found": len(found.candidates), "left": found.left}
    days = _heal_days(found.candidates)
    if dry_run or not found.candidates:
        result |= {"replayed": 0, "duplicate": 0, "refused": {}, "dry_run": dry_run}
    else:
        made = _recompute(config, found, printer)
        done = _publish(config, made, printer)
        days = _heal_days(back.candidate for back in made.returns if back.outcome == "NORMALIZED")
        result |= {"replayed": done["NORMALIZED"], "duplicate": done["DUPLICATE"]}
        result |= {"refused": made.refused, "dry_run": False}
    result["heal"] = heal_commands(days)
    if fmt is Format.JSON:
        printer.record(result)
    else:
        _say(printer, found, result)


@app.command()
def discard(  # noqa: PLR0913  # the options of one command
    reason: Annotated[str, typer.Option(help="Why they were refused, e.g. UNKNOWN_SYMBOL.")],
    why: Annotated[str, typer.Option(help="In words: why nobody needs them.")],
    key: Annotated[str | None, typer.Option(help="Only this key, e.g. NSE:EQ:CCCL.")] = None,
    source: Annotated[str | None, typer.Option(help="Only what came from this source.")] = None,
    day: Annotated[str | None, typer.Option(help="Only events of this day, UTC.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be meant.")] = False,
    fmt: FormatOption = Format.TEXT,
) -> None:
    """Note that refused records stay refused, with your name and your words; nothing is removed.

    They stay quarantined in the ledger, `ls` does not count them as open, and a replay leaves them
    out. Run it again at any time: no record is marked twice.
    """
    from asknown.ingestion.gateway import producer_config
    from asknown.storage import quarantine_discard as storage

    config, printer = settings(), output(fmt)
    decision = storage.decide(config, why)
    choice = storage.Choice(reason, key, source, _day(day))
    found = storage.open_records(config, choice)
    done = 0
    if found and not dry_run:
        properties = producer_config(config)
        done = storage.discard(config, properties, found, decision, printer.line)
    said = {"reason": reason, "why": decision.why, "decided_by": decision.by}
    if fmt is Format.JSON:
        printer.record({**said, "found": len(found), "discarded": done, "dry_run": dry_run})
        return
    groups = Counter((row["topic"], row["source"], row["raw_key"]) for row in found)
    if groups:
        rows = [(*group, n) for group, n in groups.most_common(SHOWN)]
        printer.table(f"{reason}: open", ("topic", "source", "raw_key", "records"), rows)
    if dry_run:
        printer.line(f"would discard {len(found):,} records; nothing was written")
    else:
        printer.line(f"discarded {done:,} records as {decision.by}: {decision.why}")


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(
            "ASKNOWN-QUARANTINE-007",
            f"expected a day, was {text!r}.",
            where="--day",
            hint="--day 2024-10-28",
        ) from None


def heal_commands(days: Iterable[date]) -> list[str]:
    """Return the backfills that cover `days`, one for each run of neighbouring days."""
    spans: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        after = day + timedelta(days=1)
        if spans and spans[-1][1] == day:
            spans[-1] = (spans[-1][0], after)
        else:
            spans.append((day, after))
    return [f"asknown backfill apply --from {first} --to {end}" for first, end in spans]


def _recompute(config: Settings, found: Plan, printer: Output) -> Recomputed:
    """Run the bounded job over the plan's records in a folder of its own."""
    from asknown.stack.jobs import Submission, submit
    from asknown.stack.paths import Paths
    from asknown.storage.replay import collect, stage

    root = Paths.of(config).data / "replay"
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="replay-", dir=root))
    try:
        stage(folder, found.candidates)
        run = Submission(name="backfill", arguments=_arguments(folder, found), batch=True)
        submit(run, config, note=lambda text: printer.line(f"  {text}"))
        return collect(folder, found)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _arguments(folder: Path, found: Plan) -> tuple[str, ...]:
    days = sorted(date.fromisoformat(one.day) for one in found.candidates)
    topics = sorted({one.place[0] for one in found.candidates})
    return (
        *("--first-day", str(days[0]), "--end-day", str(days[-1] + timedelta(days=1))),
        *("--topics", ",".join(topics), "--staging", str(folder)),
    )


def _publish(config: Settings, made: Recomputed, printer: Output) -> Counter[str]:
    from asknown.ingestion.gateway import producer_config
    from asknown.storage.replay import publish

    properties = producer_config(config)
    return publish(config, properties, made.returns, lambda text: printer.line(f"  {text}"))


def _heal_days(candidates: Iterable[Candidate]) -> list[date]:
    return [date.fromisoformat(one.day) for one in candidates if one.place[0] in HEALED]


def _say(printer: Output, found: Plan, result: dict[str, Any]) -> None:
    groups = Counter((one.place[0], one.raw_key, one.day) for one in found.candidates)
    rows: Sequence[Sequence[Any]] = [(*group, n) for group, n in sorted(groups.items())]
    if rows:
        printer.table(f"{found.reason}: found", ("topic", "raw_key", "day", "records"), rows)
    for why, count in [*found.left.items(), *result["refused"].items()]:
        printer.line(f"  {count:,} stay: {why}")
    if result["dry_run"]:
        printer.line(f"would bring back {result['found']:,} records; nothing was written")
        return
    copies = f", {result['duplicate']:,} as copies" if result["duplicate"] else ""
    printer.line(f"brought back {result['replayed']:,} records{copies}")
    if result["heal"] and result["replayed"]:
        printer.line("Bars lack them until the lake job has committed and these have run:")
        for command in result["heal"]:
            printer.line(f"  {command}")
