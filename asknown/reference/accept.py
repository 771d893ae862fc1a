"""Decide what a raw reference record is about, and take it into the book or refuse it.

A fact belongs to the listing that its key named just before; an action to the listing its key
names when the action becomes known, because feeds file actions under today's symbol (DOMAIN.md
section 0). Nothing is guessed: what does not fit is refused with a reason and applied never.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import lru_cache

from asknown.errors import UsageError
from asknown.reference import calendars
from asknown.reference.actions import Action, ActionKind, ActionStatus, DividendMethod, day_factors
from asknown.reference.book import Book
from asknown.reference.isin import is_valid, security_of
from asknown.reference.records import RawAction, RawSecurity, RefusedError
from asknown.reference.state import Said
from asknown.reference.symbology import FactKind, listing_id
from asknown.reference.timeline import ENDS, Fact, in_force

_MOVES = frozenset({FactKind.RENAME, FactKind.SERIES_CHANGE})
_NO_TERMS = "ASKNOWN-REFERENCE-004"
_MISSING_CLOSE = "ASKNOWN-REFERENCE-003"


class RepeatedError(Exception):
    """Say that a record says what was said before."""


def accept_security(book: Book, raw: RawSecurity) -> Fact:
    """Take a fact into the book and return it.

    Raises `RefusedError` with a reason code, and `RepeatedError` for what is known already.
    """
    kind = _kind(raw)
    said = book.said(raw.name)
    version = _version(raw, said)
    fact = _fact(book, raw, kind, (version, said.listing_id if said else ""))
    entry = book.listing(fact.listing_id)
    if not fact.cancelled:
        _require_room(in_force(entry.facts), fact)
    entry.facts.append(fact)
    key = book.key(fact.raw_key, fact.symbol)
    if fact.listing_id not in key.listings:
        key.listings.append(fact.listing_id)
    if fact.isin:
        book.add_owner("isin", f"{book.venue}|{fact.isin}", fact.listing_id)
    book.add_owner("symbol", f"{book.venue}|{fact.symbol}", fact.listing_id)
    if fact.underlying_id and fact.listing_id not in book.listing(fact.underlying_id).contracts:
        book.listing(fact.underlying_id).contracts.append(fact.listing_id)
    book.say(raw.name, Said(fact.listing_id, version, raw.digest()))
    book.touch(fact.listing_id, raw.event_id, renamed=True)
    return fact


def withdraw(book: Book, raw: RawSecurity, fact: Fact) -> None:
    """Take a fact of this batch out of the book again: it contradicts another one."""
    book.listing(fact.listing_id).facts.remove(fact)
    book.unsay(raw.name)
    book.touch(fact.listing_id, raw.event_id, renamed=True)


def accept_action(book: Book, raw: RawAction) -> Action:
    """Take a version of an action into the book and return it; status NEEDS_TERMS has no factor.

    Raises `RefusedError` with a reason code, and `RepeatedError` for what is known already.
    """
    if raw.kind not in ActionKind.__members__:
        raise RefusedError(
            "UNKNOWN_KIND", f"expected a kind of corporate action, found {raw.kind!r}"
        )
    starts = ex_start(book.venue, raw)
    _require_check_digit(raw.isin)
    name = f"action:{raw.name}"
    said = book.said(name)
    version = _version(raw, said)
    owner = said.listing_id if said else _owner_of_action(book, raw, starts)
    action = _with_terms(book, _action(book, raw, (owner, version, starts)))
    _require_once(book, action)
    book.listing(owner).actions.append(action)
    book.say(name, Said(owner, version, raw.digest()))
    book.touch(owner, raw.event_id)
    return action


def _require_once(book: Book, action: Action) -> None:
    """Refuse what another action says already: two feeds name one event by ids of their own."""
    for other in book.listing(action.listing_id).actions:
        if (
            action.counts
            and other.action_id != action.action_id
            and _terms(other) == _terms(action)
        ):
            newest = book.said(f"action:{other.action_id}")
            if newest is not None and newest.version == other.version and other.counts:
                raise RefusedError(
                    "CONFLICT",
                    f"{action.action_id} says what {other.action_id} says: the same "
                    f"{action.kind} of {action.listing_id} on {action.ex_date}; cancel one of them",
                )


def _terms(action: Action) -> tuple[object, ...]:
    return (
        action.kind,
        action.ex_date,
        action.ratio_numerator,
        action.ratio_denominator,
        action.cash_amount,
        action.subscription_price,
        action.distributed_value,
    )


def ex_start(venue: str, raw: RawAction) -> int:
    """Return the first instant of the ex-date at the exchange."""
    if raw.ex_date is None:
        raise RefusedError("FIELD_MISSING", "expected an ex_date, found none")
    return _starts(venue, raw.ex_date, raw.valid_from_ms)


def _starts(venue: str, day: date, instant: str | None) -> int:
    """Return the exact instant if the source said it, else the first one of the day."""
    try:
        return int(instant) if instant else _day_start(venue, day)
    except UsageError as error:
        raise RefusedError("UNKNOWN_KIND", error.message) from error
    except ValueError as error:
        raise RefusedError("UNKNOWN_KIND", f"expected milliseconds, found {instant!r}") from error


@lru_cache(maxsize=4096)
def _day_start(venue: str, day: date) -> int:
    return calendars.day_start(venue, day)


def _kind(raw: RawSecurity) -> FactKind:
    required = ["raw_key", "venue", "symbol", "valid_from"]
    if raw.kind == FactKind.RENAME:
        required.append("previous_symbol")
    missing = [name for name in required if not getattr(raw, name)]
    if missing:
        raise RefusedError("FIELD_MISSING", f"expected {', '.join(missing)}, found none")
    if raw.kind not in FactKind.__members__:
        raise RefusedError("UNKNOWN_KIND", f"expected a kind of fact, found {raw.kind!r}")
    _require_check_digit(raw.isin)
    kind = FactKind(raw.kind or "")
    if kind is FactKind.RENAME and _previous_key(raw) == raw.raw_key:
        raise RefusedError(
            "SELF_MAP", f"expected another name than before, found {raw.raw_key} again"
        )
    return kind


def _require_check_digit(isin: str | None) -> None:
    if isin and not is_valid(isin):
        raise RefusedError("ISIN_CHECKSUM", f"expected a valid check digit, found {isin}")


def _version(raw: RawSecurity | RawAction, said: Said | None) -> int:
    """Return the version of a record; one without a number follows the last one."""
    if said is None:
        return raw.version or 1
    if said.digest == raw.digest():
        raise RepeatedError
    if raw.version is not None and raw.version <= said.version:
        raise RefusedError(
            "STALE_VERSION",
            f"expected a version after {said.version} of {raw.name}, found {raw.version}",
        )
    return raw.version or said.version + 1


def _previous_key(raw: RawSecurity) -> str:
    """Return the key until then: a whole key, or a symbol beside the new one; '' for none."""
    previous = raw.previous_symbol or ""
    if not previous or ":" in previous:
        return previous
    prefix, colon, _ = raw.raw_key.rpartition(":")
    return f"{prefix}{colon}{previous}"


def _fact(book: Book, raw: RawSecurity, kind: FactKind, known: tuple[int, str]) -> Fact:
    assert raw.valid_from is not None  # noqa: S101  # _kind has refused a record without
    starts = _starts(book.venue, raw.valid_from, raw.valid_from_ms)
    version, held = known
    owner = held or _owner_of_fact(book, raw, kind, starts)
    return Fact(
        fact_id=raw.name,
        version=version,
        kind=kind,
        listing_id=owner,
        raw_key=raw.raw_key,
        symbol=raw.symbol or "",
        valid_from=starts,
        known_from=book.at,
        event_id=raw.event_id,
        cancelled=raw.status == "CANCELLED",
        series=raw.series or "",
        isin=raw.isin or "",
        security_class=raw.security_class or "EQ",
        issuer=raw.issuer or "",
        successor_id=_named(book, raw.successor_symbol, starts),
        underlying_id=_named(book, raw.underlying_symbol, starts),
        strike=raw.strike,
        lot_size=raw.lot_size,
    )


def _owner_of_fact(book: Book, raw: RawSecurity, kind: FactKind, starts: int) -> str:
    if kind is FactKind.LIST:
        first = raw.first_trade_date or raw.valid_from
        assert first is not None  # noqa: S101  # _kind has refused a record without
        return listing_id(book.venue, raw.symbol or "", first, raw.security_class or "EQ")
    before = (_previous_key(raw) if kind in _MOVES else "") or raw.raw_key
    found = book.owner(before, starts - 1) or book.owner(before, starts)
    if found is None:
        raise RefusedError("UNKNOWN_SYMBOL", f"{kind}: no listing is known as {before} until then")
    return found[0]


def _named(book: Book, symbol: str | None, at: int) -> str:
    """Return the listing of another symbol of the venue at `at`; '' when none has it."""
    for one in book.owners("symbol", f"{book.venue}|{symbol}") if symbol else ():
        if any(i.symbol == symbol and i.start <= at < i.end for i in book.intervals(one)):
            return one
    return ""


def _require_room(facts: Iterable[Fact], fact: Fact) -> None:
    """Refuse a fact that says another thing of the same instant, or comes after the end."""
    for other in facts:
        if other.fact_id == fact.fact_id:
            continue
        if other.valid_from == fact.valid_from and other.kind is fact.kind:
            raise RefusedError(
                "OVERLAPPING_INTERVAL",
                f"{fact.kind} {fact.fact_id} and {other.fact_id} (event {other.event_id}) "
                f"both hold for {fact.listing_id} from the same day",
            )
        if other.kind in ENDS and fact.kind not in ENDS and fact.valid_from > other.valid_from:
            raise RefusedError(
                "AFTER_DELISTING",
                f"{fact.kind} {fact.fact_id} comes after the end of {fact.listing_id}, "
                f"event {other.event_id}",
            )


def _owner_of_action(book: Book, raw: RawAction, starts: int) -> str:
    """Return the listing of an action: the one that key and ISIN leave.

    Feeds file an action under today's symbol or under that of its day. Where the two are different
    companies, the ISIN decides or nobody does.
    """
    named = _named_by_key(book, raw.raw_key, starts)
    if raw.isin:
        agreeing = [one for one in named if _may_have(book, one, raw.isin)]
        if named and not agreeing:
            held = book.with_isin(raw.isin)
            raise RefusedError(
                "CONFLICT",
                f"{raw.raw_key} is {' or '.join(named)}, "
                f"ISIN {raw.isin} is {' or '.join(held) or 'unknown'}",
            )
        named = agreeing or book.with_isin(raw.isin)
    if not named:
        raise RefusedError("UNKNOWN_SYMBOL", f"{raw.kind}: no listing is known as {raw.raw_key}")
    if len(named) > 1:
        raise RefusedError(
            "CONFLICT",
            f"{raw.raw_key} is {' or '.join(named)}: when it was learnt and when it goes ex",
        )
    return named[0]


def _named_by_key(book: Book, raw_key: str, starts: int) -> list[str]:
    """Return whom the key names now and just before the ex-date, if they were listed by then."""
    names: list[str] = []
    for at in (book.at, starts - 1):
        found = book.owner(raw_key, at)
        if found is not None and found[0] not in names:
            names.append(found[0])
    if not names and (first := book.owner(raw_key, starts)) is not None:
        return [first[0]]  # it goes ex on the very day of its listing
    return [one for one in names if book.intervals(one)[0].start < starts] or names[:1]


def _may_have(book: Book, listing: str, isin: str) -> bool:
    """Tell whether an ISIN may be the listing's: its own, or its security's, or none is known."""
    own = {interval.isin for interval in book.intervals(listing)} - {""}
    return not own or isin in own or security_of(isin) in {security_of(one) for one in own}


def _action(book: Book, raw: RawAction, found: tuple[str, int, int]) -> Action:
    assert raw.ex_date is not None  # noqa: S101  # accept_action has refused a record without
    owner, version, starts = found
    try:
        status = ActionStatus(raw.status or "CONFIRMED")
        method = DividendMethod(raw.method) if raw.method else None
    except ValueError as error:
        raise RefusedError("UNKNOWN_KIND", str(error)) from error
    return Action(
        action_id=raw.name,
        listing_id=owner,
        kind=ActionKind(raw.kind or ""),
        ex_date=raw.ex_date,
        valid_from=starts,
        known_from=book.at,
        version=version,
        status=status,
        ratio_numerator=raw.ratio_numerator,
        ratio_denominator=raw.ratio_denominator,
        cash_amount=raw.cash_amount,
        currency=raw.currency,
        method=method,
        reference_price=raw.reference_price,
        subscription_price=raw.subscription_price,
        distributed_value=raw.distributed_value,
    )


def _with_terms(book: Book, action: Action) -> Action:
    """Return the action, as NEEDS_TERMS when it names none; refuse terms that cannot be."""
    try:
        book.exact[action.action_id, action.version] = day_factors([action])
    except UsageError as error:
        if error.code == _MISSING_CLOSE and action.reference_price is None:
            return action
        if error.code == _NO_TERMS or _incomplete(action):
            return replace(action, status=ActionStatus.NEEDS_TERMS)
        detail = f"{action.action_id}: {error.message}"
        raise RefusedError("FACTOR_NONPOSITIVE", detail) from error
    return action


def _incomplete(action: Action) -> bool:
    """Tell whether a term is missing; one that is there and cannot be is another matter."""
    if action.kind in (ActionKind.CASH_DIVIDEND, ActionKind.SPECIAL_DIVIDEND):
        return action.cash_amount is None
    return action.ratio_numerator is None or action.ratio_denominator is None
