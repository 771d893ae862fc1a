"""Reference data on its way in: what a source knows, as records of the two raw reference topics.

The reference job turns them into truth and change points when their moment has come on the stack's
clock. A fact from before that clock is known from now on only: knowledge is never backdated;
a history that is loaded behind the clock is therefore refused unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asknown.errors import UsageError
from asknown.ingestion.clock import Beat, iso
from asknown.ingestion.event import Event
from asknown.reference.actions import Action
from asknown.reference.bundle import ReferenceBundle
from asknown.reference.symbology import FactKind, SecurityFact

REFERENCE_TOPICS = ("raw.security", "raw.corporate_action")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load has sent, and how many records were there already."""

    securities: int
    actions: int
    unchanged: int


class Sink(Protocol):
    """What a load needs of a `Gateway`."""

    def publish(self, event: Event) -> str:
        """Send an event; return its id."""

    def flush(self) -> None:
        """Wait until everything is written."""


def load(
    gateway: Sink,
    events: Sequence[Event],
    present: Mapping[str, Mapping[str, Any]],
    beats: Iterable[Beat] = (),
) -> Loaded:
    """Send what of `events` is not there yet; return what was sent.

    `present` are the payloads of the raw reference topics by event id, `beats` their clocks.
    Raises `UsageError` ASKNOWN-REFERENCE-020, before anything is sent, for what lies behind them.
    """
    fresh = [event for event in events if not _held(event, present)]
    check_not_behind(fresh, beats)
    for event in sorted(fresh, key=lambda event: event.event_time_ms):
        gateway.publish(event)
    gateway.flush()
    sent = sum(event.topic == REFERENCE_TOPICS[0] for event in fresh)
    return Loaded(sent, len(fresh) - sent, len(events) - len(fresh))


def events_of(bundle: ReferenceBundle) -> list[Event]:
    """Return what `bundle` knows as records of the raw reference topics."""
    facts = [security_event(bundle, fact) for fact in bundle.facts]
    return [*facts, *(action_event(bundle, action) for action in bundle.actions)]


def check_not_behind(events: Iterable[Event], beats: Iterable[Beat]) -> None:
    """Raise `UsageError` ASKNOWN-REFERENCE-020 for a record at or before its topic's clock."""
    clock = {beat.topic: beat.at_ms for beat in beats}
    for event in events:
        if event.event_time_ms <= clock.get(event.topic, event.event_time_ms - 1):
            raise UsageError(
                "ASKNOWN-REFERENCE-020",
                f"expected facts that become known after the stack's clock, which stands at "
                f"{iso(clock[event.topic])}, found one about {event.entity_id} of "
                f"{iso(event.event_time_ms)}: it would be known from now on only.",
                where=event.topic,
                hint="--late if that is what you want; else load reference data before the "
                "events of its time, or start a stack with another ASKNOWN_DATA_DIR.",
            )


def _held(event: Event, present: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether a record with this id says the same already; unset fields do not count."""
    held = present.get(event.event_id)
    if held is None:
        return False
    return _said(held) == _said(event.payload)


def _said(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if value not in (None, {})}


def security_event(bundle: ReferenceBundle, fact: SecurityFact) -> Event:
    """Return a fact as a record of raw.security; its event time is when it was known."""
    return Event(
        topic="raw.security",
        source=bundle.source,
        natural_key=("security", fact.raw_key, fact.kind, fact.first_date.isoformat()),
        event_time_ms=fact.known_from,
        entity_id=fact.raw_key,
        payload={
            "source_system": bundle.source,
            "symbol": fact.symbol,
            "venue": fact.venue,
            "isin": fact.isin or None,
            "security_class": fact.security_class,
            "kind": fact.kind.value,
            "previous_symbol": _previous_symbol(bundle, fact),
            "valid_from": fact.first_date,
            "first_trade_date": bundle.first_trade_dates.get(fact.listing_id),
            "extra": {"valid_from_ms": str(fact.valid_from)},
        },
    )


def action_event(bundle: ReferenceBundle, action: Action) -> Event:
    """Return an action as a record of raw.corporate_action; event time is when it was known."""
    named = bundle.named_at(action.listing_id, max(action.known_from, action.valid_from - 1))
    return Event(
        topic="raw.corporate_action",
        source=bundle.source,
        natural_key=("corporate_action", action.action_id, str(action.version)),
        event_time_ms=action.known_from,
        entity_id=named.raw_key,
        payload={
            "source_system": bundle.source,
            "symbol": named.symbol,
            "venue": named.venue,
            "action_id": action.action_id,
            "version": action.version,
            "kind": action.kind.value,
            "ex_date": action.ex_date,
            "ratio_numerator": action.ratio_numerator,
            "ratio_denominator": action.ratio_denominator,
            "cash_amount": action.cash_amount,
            "currency": action.currency,
            "status": action.status.value,
            "subscription_price": action.subscription_price,
            "distributed_value": action.distributed_value,
            "method": action.method.value if action.method else None,
            "reference_price": action.reference_price,
            "extra": {"valid_from_ms": str(action.valid_from)},
        },
    )


def _previous_symbol(bundle: ReferenceBundle, fact: SecurityFact) -> str | None:
    if fact.kind is not FactKind.RENAME:
        return None
    before = [
        one
        for one in bundle.facts
        if one.listing_id == fact.listing_id and one.valid_from < fact.valid_from
    ]
    return max(before, key=lambda one: one.valid_from).symbol if before else None
