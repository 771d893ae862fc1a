"""Put into rows what the engine has found out: one function a topic.

The payloads are those of schemas/normalized, schemas/reference and schemas/quarantine. Truth is
append-only: a row that is believed no longer is written once more with the end of its belief.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from asknown.reference import calendars
from asknown.reference.actions import Action
from asknown.reference.book import Book
from asknown.reference.records import FOR_EVER, Output, RawAction, RawSecurity, RefusedError
from asknown.reference.schedule import Life, plan, published, renewed, restated
from asknown.reference.state import Belief, Meaning, Point
from asknown.reference.steps import Day
from asknown.reference.symbology import FactKind
from asknown.reference.timeline import Fact, Interval

_LINKS = {FactKind.RENAME: "RENAME", FactKind.ISIN_CHANGE: "FV_SPLIT"}
_CHANGE = (
    "listing_id",
    "isin",
    "symbol",
    "venue",
    "status",
    "price_factor",
    "split_factor",
    "share_factor",
    "factor_version",
)


def security(book: Book, raw: RawSecurity, fact: Fact) -> Output:
    """Return the accepted fact as a row of normalized.security."""
    payload = {
        "fact_id": fact.fact_id,
        "version": fact.version,
        "raw_key": fact.raw_key,
        "symbol": fact.symbol,
        "venue": book.venue,
        "series": fact.series,
        "isin": fact.isin,
        "security_class": fact.security_class,
        "kind": fact.kind.value,
        "status": "CANCELLED" if fact.cancelled else "CONFIRMED",
        "valid_from": fact.valid_from,
        "known_from": book.at,
        "successor_id": fact.successor_id,
        "underlying_id": fact.underlying_id,
        "raw_partition": raw.partition,
        "raw_offset": raw.offset,
    }
    return Output("normalized.security", fact.listing_id, raw.event_id, book.at, payload)


def action(book: Book, raw: RawAction, accepted: Action) -> Output:
    """Return the accepted version as a row of normalized.corporate_action."""
    before = [i for i in book.intervals(accepted.listing_id) if i.start < accepted.valid_from]
    named = before[-1] if before else None
    copied = (
        *("ex_date", "announce_date", "record_date", "pay_date", "ratio_numerator"),
        *("ratio_denominator", "cash_amount", "currency", "subscription_price"),
        *("distributed_value", "method", "reference_price", "purpose"),
    )
    payload = {
        "action_id": accepted.action_id,
        "version": accepted.version,
        "kind": accepted.kind.value,
        "status": accepted.status.value,
        "symbol": named.symbol if named else raw.symbol or "",
        "isin": named.isin if named else raw.isin or "",
        "venue": book.venue,
        "effective_time": accepted.valid_from,
        "known_from": book.at,
        "raw_partition": raw.partition,
        "raw_offset": raw.offset,
        **{name: getattr(raw, name) for name in copied},
    }
    key = accepted.listing_id
    return Output("normalized.corporate_action", key, raw.event_id, book.at, payload)


def refused(raw: RawSecurity | RawAction, why: RefusedError, at: int) -> Output:
    """Return the lane row of a record that is not applied."""
    return _lane("quarantine.event", raw, at, (why.reason, why.detail))


def repeated(raw: RawSecurity | RawAction, at: int) -> Output:
    """Return the lane row of a record that says what was said before."""
    return _lane("duplicate.event", raw, at, ("DUPLICATE", None))


def consequences(book: Book) -> Iterator[Output]:
    """Yield what follows from the listings the batch touched, and from nothing else."""
    keys: dict[str, str] = {}
    for listing_id, cause in list(book.touched.items()):
        entry = book.listing(listing_id)
        for raw_key in dict.fromkeys(fact.raw_key for fact in entry.facts):
            keys.setdefault(raw_key, cause)
        if listing_id in book.renamed:
            yield from _identifiers(book, listing_id)
        yield from _factors(book, listing_id)
    for raw_key, cause in keys.items():
        yield from _key(book, raw_key, cause)


def sessions(venue: str, at: int) -> Iterator[Output]:
    """Yield every session day of a venue; none for a venue without a calendar."""
    if venue not in calendars.VENUES:
        return
    for day in calendars.day_schedules(venue, *calendars.coverage(venue)):
        payload: dict[str, Any] = {"venue": venue, "trade_date": day.date}
        for phase in ("pre_open", "regular", "post"):
            span = getattr(day, phase) or (None, None)
            payload |= {f"{phase}_start": span[0], f"{phase}_end": span[1]}
        yield Output("reference.session", venue, f"{venue}|{day.date}", at, payload)


def _lane(topic: str, raw: RawSecurity | RawAction, at: int, why: tuple[str, str | None]) -> Output:
    where = f"{raw.topic}:{raw.partition}:{raw.offset}"
    payload = {
        "topic": raw.topic,
        "partition": raw.partition,
        "offset": raw.offset,
        "stage": "reference",
        "reason": why[0],
        "detail": why[1],
        "raw_event_id": raw.event_id,
        "raw_key": raw.raw_key,
        "raw_bytes": None,
    }
    return Output(topic, where, where, at, payload)


def _key(book: Book, raw_key: str, cause: str) -> Iterator[Output]:
    """Yield the rectangles, the change points and the restatements of a key."""
    key = book.key(raw_key)
    if not key.points:
        key.first_known = book.at
    lives = [Life(one, book.intervals(one), book.steps(one)) for one in key.listings]
    wanted = plan(raw_key, key, lives)
    if not key.points and all(meaning.status == "NOT_LISTED" for _, meaning in wanted):
        return  # nothing about it was accepted: it stays unknown
    old, renewal = key.points, renewed(key.points, wanted, book.at)
    if not renewal.come and not renewal.gone:
        return
    new = key.points = renewal.points
    for point, end in renewal.gone:
        yield _rectangle(raw_key, point, end, (book.at, book.at))
    for point, end in renewal.come:
        yield _rectangle(raw_key, point, end, (FOR_EVER, book.at))
    for effective, meaning in published(key, old, book.at):
        yield _change(raw_key, effective, meaning, book.at)
    if old or new[0].start < book.at:
        yield from _restatements(book, raw_key, (old, new), cause)


def _rectangle(raw_key: str, point: Point, end: int, known: tuple[int, int]) -> Output:
    known_to, at = known
    payload = {
        "raw_key": raw_key,
        **msgspec.structs.asdict(point.meaning),
        "valid_from": point.start,
        "valid_to": end,
        "known_from": point.known_from,
        "known_to": known_to,
    }
    name = f"{raw_key}|{point.start}|{point.known_from}|{known_to}"
    return Output("reference.entity_history", raw_key, name, at, payload)


def _change(raw_key: str, effective: int, meaning: Meaning, at: int) -> Output:
    payload = {
        "raw_key": raw_key,
        "effective_time": effective,
        "known_from": at,
        **{name: getattr(meaning, name) for name in _CHANGE},
    }
    name = f"{raw_key}|{effective}"
    return Output("reference.entity_change", raw_key, name, effective, payload)


def _restatements(
    book: Book, raw_key: str, points: tuple[list[Point], list[Point]], cause: str
) -> Iterator[Output]:
    for one in restated(*points, book.at):
        old, new = one.old, one.new
        named = new.listing_id if new else ""
        was = old.listing_id if old else ""
        payload = {
            "raw_key": raw_key,
            "venue": book.venue,
            "from_time": one.start,
            "to_time": one.end,
            "old_listing_id": was,
            "new_listing_id": named,
            "old_factor_version": old.factor_version if old else 0,
            "new_factor_version": new.factor_version if new else 0,
            "reason": "ACTION" if was == named else "MAPPING",
            "cause": cause,
        }
        name = f"{raw_key}|{one.start}|{one.end}"
        yield Output("normalized.restatement", named or was or raw_key, name, book.at, payload)


def _identifiers(book: Book, listing_id: str) -> Iterator[Output]:
    entry = book.listing(listing_id)
    found: list[Belief] = []
    for id_type, column in (("RAW_KEY", "raw_key"), ("SYMBOL", "symbol"), ("ISIN", "isin")):
        for span in _runs(book.intervals(listing_id), column):
            value, first = getattr(span[0], column), span[0]
            reason = _reason(id_type, first)
            columns = {
                "listing_id": listing_id,
                "id_type": id_type,
                "id_value": value,
                "venue": book.venue,
                "series": first.series,
                "valid_from": first.start,
                "valid_to": span[-1].end,
                "reason": reason.value,
                "link": _LINKS.get(reason, ""),
                "raw_event_id": first.event_id,
            }
            name = (id_type, value, str(first.start), str(span[-1].end))
            found.append(Belief(name, book.at, columns))
    entry.identifiers, rows = _believed(entry.identifiers, found, book.at)
    for row in rows:
        event_id = f"{row['id_type']}|{row['id_value']}|{row['valid_from']}|{row['known_from']}"
        event_id = f"{event_id}|{row['known_to']}"
        yield Output("reference.identifier_map", listing_id, event_id, book.at, row)


def _reason(id_type: str, interval: Interval) -> FactKind:
    """Return which fact of its first day gave an interval its identifier."""
    changes = FactKind.ISIN_CHANGE if id_type == "ISIN" else FactKind.RENAME
    return changes if changes in interval.began_by else interval.began_by[0]


def _runs(found: Iterable[Interval], name: str) -> Iterator[list[Interval]]:
    """Yield neighbours with one series and one value of `name` together; '' is no identifier."""
    run: list[Interval] = []
    for interval in found:
        value = (getattr(interval, name), interval.series)
        if run and (getattr(run[-1], name), run[-1].series) != value:
            yield run
            run = []
        if getattr(interval, name):
            run.append(interval)
    if run:
        yield run


def _factors(book: Book, listing_id: str) -> Iterator[Output]:
    entry = book.listing(listing_id)
    if not entry.actions:
        return
    before, said, found = book.said_days(listing_id), {}, []
    for step in book.steps(listing_id):
        if step.day is None:
            continue
        day, version, belief = before.get(step.start, (None, 0, None))
        if belief is None or day is not step.day or version != step.version:
            columns = _day_columns(book.venue, listing_id, step.day, step.version)
            belief = Belief((columns["ex_date"],), book.at, columns)
        said[step.start] = (step.day, step.version, belief)
        found.append(belief)
    before.clear()
    before.update(said)
    entry.factors, rows = _believed(entry.factors, found, book.at)
    for row in rows:
        event_id = f"{listing_id}|{row['ex_date']}|{row['known_from']}|{row['known_to']}"
        row["ex_date"] = _date(row["ex_date"])
        row["reference_date"] = _date(row["reference_date"])
        price = row["reference_price"]
        row["reference_price"] = None if price is None else Decimal(price)
        yield Output("reference.adjustment_factor", listing_id, event_id, book.at, row)


def _day_columns(venue: str, listing_id: str, day: Day, version: int) -> dict[str, Any]:
    factors = day.factors
    return {
        "listing_id": listing_id,
        "venue": venue,
        "ex_date": day.ex_date.isoformat(),
        "effective_time": day.effective,
        "price_numerator": str(factors.price.numerator),
        "price_denominator": str(factors.price.denominator),
        "share_numerator": str(factors.share.numerator),
        "share_denominator": str(factors.share.denominator),
        "price_factor": _number(factors.price),
        "split_factor": _number(factors.split),
        "share_factor": _number(factors.share),
        "method": day.method,
        "reference_price": None if day.reference_price is None else str(day.reference_price),
        "reference_date": None if day.reference_date is None else day.reference_date.isoformat(),
        "action_ids": ",".join(action.action_id for action in day.actions),
        "status": day.status,
        "factor_version": version,
    }


def _number(value: Fraction) -> float:
    return value.numerator / value.denominator  # as float() does it, without its detours


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _believed(
    held: Iterable[Belief], found: Iterable[Belief], at: int
) -> tuple[list[Belief], list[dict[str, Any]]]:
    """Return what is believed from now on, and the rows that say what changed."""
    now = {belief.name: belief for belief in found}
    kept: set[tuple[str, ...]] = set()
    rows: list[dict[str, Any]] = []
    for belief in held:
        new = now.get(belief.name)
        if new is belief or (new is not None and new.columns == belief.columns):
            now[belief.name] = belief
            kept.add(belief.name)
        else:
            rows.append({**belief.columns, "known_from": belief.known_from, "known_to": at})
    for name, belief in now.items():
        if name not in kept:
            rows.append({**belief.columns, "known_from": at, "known_to": FOR_EVER})
    return list(now.values()), rows
