"""Which listings a subscription means: each symbol by itself, so one unknown stops no other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asknown.reference.naming import Asked, Moment, given_up, meant, refusal
from asknown.serving import identity
from asknown.serving.store import Store
from asknown.serving.stream.messages import Subscribe, Unsubscribe
from asknown.serving.timelines import timelines


@dataclass(frozen=True)
class Meant:
    """Listings by what was asked for, and what names none."""

    listings: dict[str, str]  # entity_id -> the symbol or id that was asked for
    rejected: list[dict[str, Any]]


def listings(store: Store, asked: Subscribe | Unsubscribe, now: datetime) -> Meant:
    """Return the listings that are meant, by the knowledge of now.

    Raises UnreachableError when the store does not answer.
    """
    at = Moment(asked.symbol_as_of or now, now)
    found = {one: one for one in asked.entity_ids}
    rejected = []
    named = identity.resolve(store, [Asked(symbol) for symbol in asked.symbols], at)
    ids = {one.asked.value: meant(one) for one in named}
    lines = timelines(store, [one for one in ids.values() if one], at.known_at)
    for one in named:
        listing = ids[one.asked.value]
        point = lines[listing].at(at.on) if listing else None
        if listing and not given_up(one, point.status if point else None):
            found[listing] = one.asked.value
            continue
        code, detail, _ = refusal(one, at)
        rejected.append({"symbol": one.asked.value, "code": code, "detail": detail})
    return Meant(found, rejected)
