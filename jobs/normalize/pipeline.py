"""Normalise raw market records.

1. Check: a record that cannot be read, or breaks a rule, leaves with a reason code.
2. Set late records aside.
3. Place each record beside what its key meant at its event time, as it was known then.
4. Find the copies of an event; align to the exchange's session.
5. Split: normalized, duplicate, late, quarantined. Every record ends in exactly one of them.

The verdicts are expressions, put into each branch rather than into a view before them: a view that
several sinks share is an operator of its own, and each operator copies every string of a row.

Assumes: records of one key arrive in any order within the topic's bound; a copy of an event has
the same key and event time. State: docs/discussion/normalize.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from asknown.contracts.catalog import HEARTBEAT, contract
from asknown.contracts.render import flink_type, quote
from asknown.quality.rules import RuleSet
from jobs.normalize.sessions import SessionSql
from jobs.runtime.tables import Tables

CHANGES = "reference.entity_change"
UNREAD = ("extra", "source_system")  # kept in bronze; nothing here looks at them
MARKET = ("raw.trade", "raw.quote", "raw.bar")
# Nothing here resolves these; what cannot even be read of them is quarantined all the same.
REFERENCE = ("raw.security", "raw.corporate_action")

# Numbers, not names, on the hot path: each operator copies every string of a row.
STATES = {"listed": "1", "not_listed": "2", "delisted": "3"}
# After a restore the source has forgotten how late it is; the state of a key has not. A record
# behind its key's newest row would be placed by what the key meant later. In a batch none is.
BEHIND_KEY = "event_time < key_time"
COPY = "repeated_offsets IS NOT NULL AND ARRAY_CONTAINS(repeated_offsets, kafka_offset)"
RENAMED = {"raw_symbol": "symbol", "raw_partition": "kafka_partition", "raw_offset": "kafka_offset"}


@dataclass(frozen=True)
class Verdicts:
    """SQL expressions: why a record is refused on sight, and after its key was looked up."""

    reason: str
    placed: str


def build(tables: Tables, session: SessionSql) -> dict[str, str]:
    """Return the view of each output topic, for the raw topics that `tables` holds."""
    outputs: dict[str, str] = {}
    quarantine, late, duplicate = [], [], []
    for raw in (topic for topic in tables if topic in MARKET):
        dataset = raw.partition(".")[2]
        verdicts = _verdicts(dataset, session)
        placed = _placed(tables, raw, dataset, verdicts.reason)
        outputs[f"normalized.{dataset}"] = tables.view(
            f"normalized_{dataset}",
            "normalize/normalized.sql",
            columns=_columns(dataset, session),
            placed=placed,
            verdict=verdicts.placed,
            behind=BEHIND_KEY,
            copy=COPY,
        )
        refused = f"({verdicts.placed}) IS NOT NULL AND NOT ({BEHIND_KEY}) AND NOT ({COPY})"
        behind = f"source <> '{HEARTBEAT}' AND {BEHIND_KEY}"
        overdue = f"({verdicts.reason}) IS NULL AND source <> '{HEARTBEAT}' AND {tables.late}"
        copied = f"source <> '{HEARTBEAT}' AND NOT ({BEHIND_KEY}) AND {COPY}"
        quarantine += [
            unread(tables, raw, verdicts.reason, f"({verdicts.reason}) IS NOT NULL"),
            _set_aside(tables, f"refused_{dataset}", raw, placed, (verdicts.placed, refused)),
        ]
        reason = "'LATE_BEYOND_WATERMARK'"
        late += [
            unread(tables, raw, reason, overdue, name="late"),
            _set_aside(tables, f"behind_{dataset}", raw, placed, (reason, behind)),
        ]
        duplicate.append(
            _set_aside(tables, f"copied_{dataset}", raw, placed, ("'DUPLICATE'", copied))
        )
    for raw in (topic for topic in tables if topic in REFERENCE):
        quarantine.append(unread(tables, raw, "decode_error", "decode_error IS NOT NULL"))
    outputs["quarantine.event"] = tables.union("quarantine_event", quarantine)
    outputs["late.event"] = tables.union("late_event", late)
    outputs["duplicate.event"] = tables.union("duplicate_event", duplicate)
    return outputs


def unread(tables: Tables, topic: str, reason: str, condition: str, *, name: str = "unread") -> str:
    """Return the lane of the records of `topic` that are set aside before any look-up."""
    stage = "normalize" if topic.startswith("raw.") else "derive"
    view = f"{name}_{topic.replace('.', '_')}"
    parts = {"topic": topic, "stage": stage, "raw": tables[topic]}
    return tables.view(view, "lane/unread.sql", reason=reason, condition=condition, **parts)


def _set_aside(tables: Tables, name: str, topic: str, placed: str, verdict: tuple[str, str]) -> str:
    reason, condition = verdict
    return tables.view(
        name, "lane/placed.sql", topic=topic, placed=placed, reason=reason, condition=condition
    )


def _verdicts(dataset: str, session: SessionSql) -> Verdicts:
    beat = f"source = '{HEARTBEAT}'"
    rules = RuleSet.load(dataset).reason_sql(payload="")
    return Verdicts(
        reason=(
            "CASE WHEN decode_error IS NOT NULL THEN decode_error "
            f"WHEN {beat} AND event_time IS NOT NULL AND ingest_time IS NOT NULL "
            f"THEN CAST(NULL AS STRING) ELSE {rules} END"
        ),
        placed=(
            f"CASE WHEN {beat} THEN CAST(NULL AS STRING) "
            "WHEN listing_state IS NULL THEN 'UNKNOWN_SYMBOL' "
            f"WHEN listing_state = {STATES['not_listed']} THEN 'NOT_LISTED' "
            f"WHEN listing_state = {STATES['delisted']} THEN 'AFTER_DELISTING' "
            f"WHEN {session.session_phase} = 'closed' THEN 'MARKET_CLOSED' END"
        ),
    )


def _placed(tables: Tables, raw: str, dataset: str, reason: str) -> str:
    fields = [
        f for f in contract(raw).payload if f.type.kind != "map" and f.name != "source_system"
    ]
    payload = ", ".join(quote(f.name) for f in fields)
    timeline = tables.view(
        f"timeline_{dataset}",
        "normalize/timeline.sql",
        payload=payload,
        no_payload=", ".join(
            f"CAST(NULL AS {flink_type(f.type)}) AS {quote(f.name)}" for f in fields
        ),
        raw=tables[raw],
        reason=reason,
        late=tables.late,
        changes=tables[CHANGES],
        **STATES,
    )
    return tables.view(
        f"placed_{dataset}", "normalize/placed.sql", payload=payload, timeline=timeline
    )


def _columns(dataset: str, session: SessionSql) -> str:
    """Return the payload columns of a normalized dataset, computed from the placed record."""
    computed = {"trade_date": session.trade_date, "session_phase": session.session_phase}
    return ", ".join(
        f"{computed.get(f.name, quote(RENAMED.get(f.name, f.name)))} AS {quote(f.name)}"
        for f in contract(f"normalized.{dataset}").payload
    )
