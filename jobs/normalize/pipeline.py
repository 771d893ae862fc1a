"""Normalise raw market records.

1. Check: a record that cannot be read, or breaks a rule, leaves with a reason code.
2. Set late records aside.
3. Place each record beside what its key meant at its event time, as it was known then.
4. Find the copies of an event; align to the exchange's session.
5. Split: normalized, duplicate, late, quarantined. Every record ends in exactly one of them.

What is wrong with a record on sight is found once, in the operator that reads it. The verdicts
after the look-up are expressions, put into each branch rather than into a view before them: a view
that several sinks share is an operator of its own, and each operator copies every string of a row.
What is odd about an accepted record is found where it is written (`quality_flags`).

Assumes: records of one key arrive in any order within the topic's bound; a copy of an event has
the same key and event time. State: docs/discussion/normalize.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from asknown.contracts.catalog import HEARTBEAT, contract
from asknown.contracts.render import flink_type, quote
from asknown.quality.rules import Columns, RuleSet
from asknown.quality.rules.history import PRIOR, previous_sql
from asknown.quality.rules.ruleset import NO_TEXT
from jobs.normalize.lanes import refused, unread
from jobs.normalize.sessions import SessionSql
from jobs.runtime.tables import NEVER_LATE, Tables

CHANGES = "reference.entity_change"
UNREAD = ("extra", "source_system")  # kept in bronze; nothing here looks at them
MARKET = ("raw.trade", "raw.quote", "raw.bar")

# Numbers, not names, on the hot path: each operator copies every string of a row.
STATES = {"listed": "1", "not_listed": "2", "delisted": "3"}
# After a restore the source has forgotten how late it is; the state of a key has not. A record
# behind its key's newest row would be placed by what the key meant later. In a batch none is.
BEHIND_KEY = "event_time < key_time"
# A batch sorts its rows, and sorts numbers much faster than texts: infra/.../KeyNumber.java.
STREAMED = {"key": "raw_key", "key_time": "MAX(CAST(event_time AS TIMESTAMP(3)))"}
SORTED = {
    "key": "KEY_NUMBER(raw_key)",
    "key_time": "KEY_TIME(raw_key, CAST(event_time AS TIMESTAMP(3)))",
}
UNUSABLE = (
    "CASE WHEN event_id IS NULL OR entity_id IS NULL OR event_time IS NULL OR ingest_time IS NULL "
    "OR source IS NULL OR schema_version IS NULL THEN 'ENVELOPE_INCOMPLETE' END"
)
RENAMED = {"raw_symbol": "symbol", "raw_partition": "kafka_partition", "raw_offset": "kafka_offset"}
REFUSAL = "refusal"  # why a record is refused on sight
HISTORY = "history"  # what the pass that places a record remembers of its key
COPIES = "REPEATED_OFFSETS(event_time, event_id, kafka_offset)"
PLACED = Columns("", {"entity_id": "`raw_key`"} | {one: f"{HISTORY}.`{one}`" for one in PRIOR})
BEAT = f"source = '{HEARTBEAT}'"
# The ledger knows a heartbeat by its key: another record that says it is one would vanish.
FORGED_BEAT = f"{BEAT} AND entity_id NOT LIKE '{HEARTBEAT}-%'"
# The time of a heartbeat that no clock of ours has reached says nothing. It goes nowhere.
UNTIMELY_BEAT = (
    f"{BEAT} AND (event_time IS NULL OR event_time < TIMESTAMP '1971-01-01 00:00:00' "
    "OR event_time > ingest_time + INTERVAL '5' MINUTE "
    "OR kafka_time IS NOT NULL "
    "AND event_time > CAST(kafka_time AS TIMESTAMP(3)) + INTERVAL '5' MINUTE)"
)


@dataclass(frozen=True)
class Verdicts:
    """SQL expressions over a record.

    Why it is refused on sight, and that in words; why it is refused after its key was looked up;
    whether it is a copy; what is odd about it. `memory` is the aggregate that remembers what these
    need of the key.
    """

    reason: str
    detail: str
    placed: str
    copy: str
    flags: str
    memory: str


def build(tables: Tables, session: SessionSql, *, rules: bool = True) -> dict[str, str]:
    """Return the view of each output topic, for the raw topics that `tables` holds.

    Without `rules` only what cannot be read or has no time is refused: to measure what they cost.
    """
    outputs: dict[str, str] = {}
    quarantine, late, duplicate = [], [], []
    for raw in (topic for topic in tables if topic in MARKET):
        dataset = raw.partition(".")[2]
        verdicts = _verdicts(dataset, session, rules=rules)
        checked = tables.view(
            f"checked_{dataset}",
            "normalize/checked.sql",
            raw=tables[raw],
            reason=verdicts.reason,
        )
        seen = tables.seen_as(raw, checked)
        placed = _placed(seen, raw, dataset, verdicts)
        outputs[f"normalized.{dataset}"] = tables.view(
            f"normalized_{dataset}",
            "normalize/normalized.sql",
            columns=_columns(dataset, session, verdicts.flags),
            placed=placed,
            verdict=verdicts.placed,
            behind=BEHIND_KEY,
            copy=verdicts.copy,
        )
        timely = f"NOT ({BEHIND_KEY})"
        unplaced = f"({verdicts.placed}) IS NOT NULL AND {timely} AND NOT ({verdicts.copy})"
        behind = f"source <> '{HEARTBEAT}' AND {BEHIND_KEY}"
        # Lateness first: it is cheap, and hardly any record is.
        overdue = f"{tables.late} AND source <> '{HEARTBEAT}' AND {REFUSAL} IS NULL"
        copied = f"source <> '{HEARTBEAT}' AND {timely} AND {verdicts.copy}"
        quarantine += [
            refused(seen, raw, REFUSAL, verdicts.detail),
            _set_aside(tables, f"refused_{dataset}", raw, placed, (verdicts.placed, unplaced)),
        ]
        reason = "'LATE_BEYOND_WATERMARK'"
        late += [
            unread(seen, raw, reason, overdue, name="late"),
            _set_aside(tables, f"behind_{dataset}", raw, placed, (reason, behind)),
        ]
        duplicate.append(
            _set_aside(tables, f"copied_{dataset}", raw, placed, ("'DUPLICATE'", copied))
        )
    outputs["quarantine.event"] = tables.union("quarantine_event", quarantine)
    outputs["late.event"] = tables.union("late_event", late)
    outputs["duplicate.event"] = tables.union("duplicate_event", duplicate)
    return outputs


def _set_aside(tables: Tables, name: str, topic: str, placed: str, verdict: tuple[str, str]) -> str:
    reason, condition = verdict
    return tables.view(
        name, "lane/placed.sql", topic=topic, placed=placed, reason=reason, condition=condition
    )


def _verdicts(dataset: str, session: SessionSql, *, rules: bool) -> Verdicts:
    ruleset = RuleSet.load(dataset)
    repeated = f"{HISTORY}.`repeated`" if rules else HISTORY
    return Verdicts(
        reason=_on_sight(
            "decode_error", ruleset.reason_sql("") if rules else UNUSABLE, "'ENVELOPE_INCOMPLETE'"
        ),
        detail=_on_sight(NO_TEXT, ruleset.detail_sql("") if rules else NO_TEXT, NO_TEXT),
        placed=(
            f"CASE WHEN {BEAT} THEN {NO_TEXT} "
            "WHEN listing_state IS NULL THEN 'UNKNOWN_SYMBOL' "
            f"WHEN listing_state = {STATES['not_listed']} THEN 'NOT_LISTED' "
            f"WHEN listing_state = {STATES['delisted']} THEN 'AFTER_DELISTING' "
            f"WHEN {session.session_phase} = 'closed' THEN 'MARKET_CLOSED' END"
        ),
        copy=f"{repeated} IS NOT NULL AND ARRAY_CONTAINS({repeated}, kafka_offset)",
        flags=ruleset.flags_sql(PLACED, f"source <> '{HEARTBEAT}'") if rules else NO_TEXT,
        memory=_memory(ruleset) if rules else COPIES,
    )


def _on_sight(undecoded: str, checked: str, forged: str) -> str:
    """Return what is said of a record before its key is looked up; of a heartbeat nothing."""
    return (
        f"CASE WHEN decode_error IS NOT NULL THEN {undecoded} "
        f"WHEN {FORGED_BEAT} THEN {forged} WHEN {BEAT} THEN {NO_TEXT} ELSE {checked} END"
    )


def _memory(ruleset: RuleSet) -> str:
    price = previous_sql(ruleset.gap, Columns(""))
    return f"KEY_HISTORY(event_time, event_id, kafka_offset, {price}, price_factor, listing_id)"


def _placed(tables: Tables, raw: str, dataset: str, verdicts: Verdicts) -> str:
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
        refusal=REFUSAL,
        late=tables.late,
        untimely_beat=UNTIMELY_BEAT,
        changes=tables[CHANGES],
        **STATES,
    )
    return tables.view(
        f"placed_{dataset}",
        "normalize/placed.sql",
        payload=payload,
        timeline=timeline,
        memory=verdicts.memory,
        **(STREAMED if tables.late != NEVER_LATE else SORTED),
    )


def _columns(dataset: str, session: SessionSql, flags: str) -> str:
    """Return the payload columns of a normalized dataset, computed from the placed record."""
    computed = {
        "trade_date": session.trade_date,
        "session_phase": session.session_phase,
        "quality_flags": flags,
    }
    return ", ".join(
        f"{computed.get(f.name, quote(RENAMED.get(f.name, f.name)))} AS {quote(f.name)}"
        for f in contract(f"normalized.{dataset}").payload
    )
