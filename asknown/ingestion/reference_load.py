"""Reference data on its way in: source records, and the change points they amount to.

A change point must be stamped later than the last heartbeat of its partition, because the jobs'
as-of join drops what comes behind the clock without a word. What the topic already says is not
said again, so loading twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from asknown.errors import UsageError
from asknown.ingestion.clock import Beat, iso
from asknown.ingestion.event import CHANGES, Event
from asknown.ingestion.gateway import Gateway
from asknown.ingestion.murmur2 import partition_of
from asknown.reference.actions import Action
from asknown.reference.bundle import ReferenceBundle
from asknown.reference.changes import ChangePoint
from asknown.reference.symbology import FactKind, SecurityFact

_COMPARED = (
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


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load has sent, and how many change points were there already."""

    securities: int
    actions: int
    change_points: int
    unchanged: int


def load(
    gateway: Gateway,
    bundle: ReferenceBundle,
    beats: list[Beat],
    present: Iterable[Mapping[str, Any]],
) -> Loaded:
    """Send `bundle` and its AS_KNOWN change points; return what was sent.

    `beats` are the last heartbeats of reference.entity_change and `present` the payloads in it.
    Raises `UsageError` ASKNOWN-REFERENCE-020, before anything is sent, for a change point that
    lies behind the clock.
    """
    rows = bundle.history().as_known()
    fresh = new_rows(rows, present)
    check_not_behind(fresh, beats, gateway.partitions(CHANGES))
    for fact in bundle.facts:
        gateway.publish(security_event(bundle, fact))
    for action in bundle.actions:
        gateway.publish(action_event(bundle, action))
    for row in sorted(fresh, key=lambda row: (row.effective_time, row.raw_key)):
        gateway.publish(change_event(bundle.source, row))
    gateway.flush()
    return Loaded(len(bundle.facts), len(bundle.actions), len(fresh), len(rows) - len(fresh))


def new_rows(
    rows: Iterable[ChangePoint], present: Iterable[Mapping[str, Any]]
) -> list[ChangePoint]:
    """Return the rows that `present` does not hold, or holds with another meaning."""
    held: dict[tuple[str, int], tuple[Any, ...]] = {}
    for payload in present:
        key = (str(payload["raw_key"]), _milliseconds(payload["effective_time"]))
        held[key] = tuple(payload[name] for name in _COMPARED)
    return [
        row
        for row in rows
        if held.get((row.raw_key, row.effective_time))
        != tuple(row.payload()[name] for name in _COMPARED)
    ]


def check_not_behind(rows: Iterable[ChangePoint], beats: list[Beat], partitions: int) -> None:
    """Raise `UsageError` ASKNOWN-REFERENCE-020 for a row at or before its partition's clock."""
    clock = {beat.partition: beat.at_ms for beat in beats}
    for row in rows:
        partition = partition_of(row.raw_key, partitions)
        if row.effective_time <= clock.get(partition, row.effective_time - 1):
            raise UsageError(
                "ASKNOWN-REFERENCE-020",
                f"expected change points after the stack's clock, which stands at "
                f"{iso(clock[partition])}, found one of {row.raw_key} at "
                f"{iso(row.effective_time)}: it would be lost. One stack runs on one clock.",
                where=f"{CHANGES}[{partition}]",
                hint="load reference data before the events of its time, or start a stack with "
                "another ASKNOWN_DATA_DIR.",
            )


def change_event(source: str, row: ChangePoint) -> Event:
    """Return a change point as an event; its event time is when it takes effect."""
    return Event(
        topic=CHANGES,
        source=source,
        natural_key=("entity_change", row.raw_key, str(row.effective_time)),
        event_time_ms=row.effective_time,
        entity_id=row.raw_key,
        payload=row.payload(),
        ingest_time_ms=row.known_from,
    )


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
            "extra": {"valid_from_ms": str(fact.valid_from)},
        },
    )


def action_event(bundle: ReferenceBundle, action: Action) -> Event:
    """Return an action as a record of raw.corporate_action; event time is when it was known."""
    named = bundle.symbol_of(action.listing_id)
    extra = {"valid_from_ms": str(action.valid_from)}
    if action.method is not None:
        extra["method"] = action.method.value
    if action.reference_price is not None:
        extra["reference_price"] = str(action.reference_price)
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
            "extra": extra,
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


def _milliseconds(value: Any) -> int:
    return round(value.timestamp() * 1000) if hasattr(value, "timestamp") else int(value)
