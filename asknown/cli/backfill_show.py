"""What `asknown backfill` prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from asknown.cli.output import Format, Output

if TYPE_CHECKING:
    from asknown.settings import Settings
    from asknown.storage.backfill_book import Run
    from asknown.storage.backfill_plan import Plan
    from asknown.storage.backfill_verify import Finding

LAYERS = "bronze -> silver.trade, silver.quote -> gold.bar -> ClickHouse"
NEXT = {
    "planned": "apply",
    "applying": "retry",
    "applied": "verify",
    "verified": "publish",
    "publishing": "retry",
    "failed": "retry",
}
Different = tuple[date, dict[str, int], list[dict[str, Any]]]


def nothing(printer: Output, fmt: Format, plan: Plan) -> None:
    """Say that a cause has touched nothing that bronze has."""
    if fmt is Format.JSON:
        printer.record({"run": None, "days": {}, "cause": plan.cause.kind})
        return
    spans = ", ".join(f"{a} to {b}" for a, b in plan.cause.spans) or "any day"
    printer.line(f"bronze has no record of {spans}: there is nothing to do")


def plan(printer: Output, fmt: Format, found: Plan, *, written: bool) -> None:
    """Show what a run would do."""
    asked = found.asked
    following = f"asknown backfill apply {asked.run_id}"
    if fmt is Format.JSON:
        printer.record(
            {
                "run": asked.run_id if written else None,
                "from": asked.first,
                "to": asked.end,
                "cause": asked.cause,
                "knowledge": asked.knowledge,
                **found.detail,
                "next": following if written else None,
            }
        )
        return
    rows = [(str(day), count) for day, count in found.days.items()]
    title = f"{asked.cause}, {asked.knowledge}: {LAYERS}"
    printer.table(title, ("partition", "rows of bronze"), rows)
    total = sum(found.days.values())
    printer.line(
        f"  {len(rows)} partitions of each table from {min(found.days)} on, {total:,} rows of"
        f" bronze, about {_minutes(found.seconds)} ({found.basis})"
    )
    printer.line(f"  next: {following}" if written else "  nothing was written (--dry-run)")


def applied(printer: Output, fmt: Format, done: Run) -> None:
    """Show what applying has replaced, table by table."""
    rows = [(table, *counts) for table, counts in _totals(done).items()]
    if fmt is Format.JSON:
        asked = done.asked
        tables = [{"table": name, "before": old, "after": new} for name, old, new in rows]
        report = {"from": asked.first, "to": asked.end, "knowledge": asked.knowledge}
        jobs = [detail["job"] for detail in done.applied.values()]
        named = {"run": asked.run_id, "status": done.status, "job": jobs[-1] if jobs else None}
        printer.record({**report, **named, "tables": tables})
        return
    title = f"Backfill {done.asked.first} to {done.asked.end}, {done.asked.knowledge} (rows)"
    printer.table(title, ("table", "before", "after"), rows)
    next_step(printer, fmt, done)


def verified(printer: Output, fmt: Format, findings: Sequence[Finding]) -> None:
    """Show what each (table, day) should hold and does, and what mends it."""
    wrong = [one for one in findings if not one.equal]
    mend = None
    if wrong:
        places = " ".join(f"--corrupted {one.place}" for one in wrong)
        mend = f'asknown backfill plan {places} --why "verify found other rows"'
    if fmt is Format.JSON:
        printer.record(
            {"equal": not wrong, "partitions": [_document(f) for f in findings], "next": mend}
        )
        return
    rows = [
        (f.table, str(f.day), f.expected.rows, f.found.rows, f.found.checksum, _judged(f))
        for f in findings
    ]
    columns = ("table", "day", "expected", "found", "checksum", "")
    printer.table("Rows and checksums against what bronze gives", columns, rows)
    printer.line(f"  next: {mend}" if mend else "  every partition holds what bronze gives")


def record_verified(config: Settings, done: Run, findings: Sequence[Finding]) -> None:
    """Record what verifying a run has found."""
    from asknown.storage.backfill_book import FAILED, VERIFIED, Book

    partitions = [_document(one) for one in findings]
    wrong = [one.place for one in findings if not one.equal]
    if wrong:
        detail = {"during": "verify", "error": f"other rows in {', '.join(wrong)}"}
        Book(config).add(done.asked, FAILED, FAILED, {**detail, "partitions": partitions})
    else:
        Book(config).add(done.asked, VERIFIED, VERIFIED, {"partitions": partitions})


def different(printer: Output, fmt: Format, table: str, found: Sequence[Different]) -> None:
    """Show rows that differ."""
    if fmt is Format.JSON:
        days = [{"day": day, "counts": counts, "rows": rows} for day, counts, rows in found]
        printer.record({"table": table, "days": days})
        return
    for day, counts, rows in found:
        if not counts:
            printer.line(f"{day} of {table} holds what bronze gives")
            continue
        said = ", ".join(f"{n:,} {kind}" for kind, n in sorted(counts.items()))
        title = f"{day} of {table}: {said}; the first {len(rows)}"
        printer.table(title, tuple(rows[0]), [tuple(row.values()) for row in rows])


def published(printer: Output, fmt: Format, done: Run) -> None:
    """Show what publishing has put in and taken out."""
    days = {str(day): detail["tables"] for day, detail in done.published.items()}
    if fmt is Format.JSON:
        printer.record({"run": done.asked.run_id, "status": done.status, "days": days})
        return
    rows = [
        (day, table, one["rows"], one["removed"])
        for day, tables in days.items()
        for table, one in tables.items()
    ]
    printer.table("Published", ("day", "table", "rows", "of the loader removed"), rows)


def runs(printer: Output, fmt: Format, every: Sequence[Run]) -> None:
    """List runs."""
    columns = ("run", "status", "from", "to", "days", "cause", "knowledge", "why")
    rows = [
        (
            one.asked.run_id,
            one.status,
            str(one.asked.first),
            str(one.asked.end),
            f"{len(one.applied)}/{len(one.days)}",
            one.asked.cause,
            one.asked.knowledge,
            one.asked.reason,
        )
        for one in every
    ]
    if not rows and fmt is Format.TEXT:
        printer.line("no backfill has been planned")
        return
    printer.table("Backfills", columns, rows)


def run(printer: Output, fmt: Format, one: Run) -> None:
    """Show a run with all its entries."""
    asked = one.asked
    head = {
        "run": asked.run_id,
        "status": one.status,
        "from": asked.first,
        "to": asked.end,
        "why": asked.reason,
        "cause": asked.cause,
        "knowledge": asked.knowledge,
        "code": one.entries[-1].code_version,
    }
    if fmt is Format.JSON:
        entries = [
            {"number": e.number, "at": e.at, "step": e.step, "status": e.status, "detail": e.detail}
            for e in one.entries
        ]
        printer.record({**head, "entries": entries})
        return
    printer.record(head)
    steps = [(e.number, f"{e.at:%Y-%m-%d %H:%M:%S}Z", e.step, _said(e.detail)) for e in one.entries]
    printer.table("Entries", ("entry", "at", "step", "what"), steps)
    rows = [
        (day, table, *(state[key] for state in pair.values() for key in ("rows", "checksum")))
        for day, detail in one.applied.items()
        for table, pair in detail["tables"].items()
    ]
    if rows:
        columns = ("day", "table", "before", "checksum", "after", "checksum")
        printer.table("Replaced", columns, rows)
    next_step(printer, fmt, one)


def next_step(printer: Output, fmt: Format, one: Run) -> None:
    """Say which command comes next."""
    following = NEXT.get(one.status)
    name = f"asknown backfill {following} {one.asked.run_id}"
    if fmt is Format.JSON:
        document = {"run": one.asked.run_id, "status": one.status}
        printer.record({**document, "next": name if following else None})
    else:
        printer.line(f"  next: {name}" if following else "  nothing is left to do")


def _totals(done: Run) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for detail in done.applied.values():
        for table, pair in detail["tables"].items():
            old, new = found.get(table, (0, 0))
            found[table] = (old + pair["before"]["rows"], new + pair["after"]["rows"])
    return found


def _document(one: Finding) -> dict[str, Any]:
    return {
        "table": one.table,
        "day": str(one.day),
        "expected_rows": one.expected.rows,
        "expected_checksum": one.expected.checksum,
        "rows": one.found.rows,
        "checksum": one.found.checksum,
        "equal": one.equal,
    }


def _judged(one: Finding) -> str:
    return "equal" if one.equal else "OTHER ROWS"


def _said(detail: Any) -> str:
    if "error" in detail:
        return f"{detail['during']}: {detail['error']}"
    if "day" in detail:
        return str(detail["day"])
    return ", ".join(detail.get("days", ()))


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
