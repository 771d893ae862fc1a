"""From a question about reference data to a page of rows and the next cursor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asknown.reference.moments import iso
from asknown.reference.naming import Moment
from asknown.serving import cursor
from asknown.serving.datasets import Answer
from asknown.serving.facts import Facts, Wanted, position, select
from asknown.serving.parameters import MAX_INSTRUMENTS, knowledge
from asknown.serving.problems import bad_parameter
from asknown.serving.queries import OfInstrumentsQuery, PageQuery
from asknown.serving.rows import instruments
from asknown.serving.store import Store


@dataclass(frozen=True)
class Question:
    """One request: what is read, the parameters, and the conditions they amount to."""

    facts: Facts
    query: PageQuery
    path: str
    conditions: tuple[tuple[str, str, Any], ...] = ()  # (expression, parameter, value)
    all: bool = False  # also what was superseded by `known_at`


@dataclass(frozen=True)
class Caller:
    """What answers every request: the store, the time, the key of cursors."""

    store: Store
    now: datetime
    key: bytes


def read(caller: Caller, question: Question) -> Answer:
    """Return one page.

    Raises ApiError for parameters, symbols and cursors that cannot be used.
    """
    query, facts = question.query, question.facts
    print_ = cursor.fingerprint(
        {"path": question.path, **query.model_dump(exclude={"limit", "next"}, mode="json")}
    )
    after = cursor.open_(query.next, print_, caller.key) if query.next else None
    known_at = after.known_at if after else knowledge(query.known_at, caller.now)
    conditions = [c for c in question.conditions if c[2] is not None]
    meta: dict[str, Any] = {"known_at": iso(known_at), "all": question.all}
    if isinstance(query, OfInstrumentsQuery):
        conditions += _listings(caller.store, facts, query, known_at, meta)
    wanted = Wanted(
        known_at=known_at,
        limit=query.limit + 1,
        all=question.all,
        where=tuple(expression for expression, _, _ in conditions),
        parameters={name: value for _, name, value in conditions},
        after=after.position if after else None,
    )
    found = select(caller.store, facts, wanted)
    rows = found[: query.limit]
    meta["complete"] = len(found) <= query.limit
    following = None
    if not meta["complete"]:
        end = cursor.Cursor(position(facts, rows[-1]), known_at)
        following = cursor.seal(end, print_, caller.key)
    return Answer(facts, rows, meta, following)


def _listings(
    store: Store, facts: Facts, query: OfInstrumentsQuery, known_at: datetime, meta: dict[str, Any]
) -> list[tuple[str, str, Any]]:
    """Return the condition for the instruments a request names, none when it names none."""
    count = len(query.symbols) + len(query.entity_ids)
    if count > MAX_INSTRUMENTS:
        raise bad_parameter("symbols", f"at most {MAX_INSTRUMENTS} symbols and entity_ids", count)
    if not count:
        return []
    at = Moment(query.symbol_as_of or known_at, known_at)
    lines = instruments(store, query.entity_ids, query.symbols, at)
    meta["symbol_as_of"] = iso(at.on)
    meta["entity_ids"] = list(lines)
    return [(facts.of_listings, "listings", list(lines))]
