"""Normalise raw market records.

1. Check: a record that cannot be read, or breaks a rule, leaves with a reason code.
2. Set late records aside, by the verdict their source passed.
3. Place each record beside what its key meant at its event time, as it was known then.
4. Find the copies of an event; align to the exchange's session.
5. Split: normalized, duplicate, late, quarantined. Every record ends in exactly one of them.

Assumes: records of one key arrive in any order within the topic's bound; a copy of an event has
the same key and event time. State: docs/discussion/normalize.md.
"""

from __future__ import annotations

from asknown.contracts.catalog import Contract, contract
from asknown.contracts.render import flink_type, quote
from asknown.quality.rules import RuleSet
from jobs.normalize.sessions import SessionSql
from jobs.runtime.tables import Tables

CHANGES = "reference.entity_change"


def build(tables: Tables, session: SessionSql) -> dict[str, str]:
    """Return the view of each output topic, for every raw dataset that `tables` holds."""
    outputs: dict[str, str] = {}
    quarantine, late, duplicate = [], [], []
    for raw in (topic for topic in tables if topic.startswith("raw.")):
        dataset = raw.partition(".")[2]
        checked, judged = _judge(tables, raw, dataset, session)
        columns = contract(f"normalized.{dataset}").payload
        outputs[f"normalized.{dataset}"] = tables.view(
            f"normalized_{dataset}",
            "normalize/normalized.sql",
            columns=", ".join(_origin(f.name) for f in columns),
            types=_row_type(contract(f"normalized.{dataset}")),
            judged=judged,
        )
        refused, fit = "reason IS NOT NULL", "reason IS NULL"
        unread = {"checked": checked, "topic": raw, "types": _row_type(contract("late.event"))}
        placed = {"judged": judged, "topic": raw, "types": unread["types"]}
        quarantine += [
            _aside(tables, f"unread_{dataset}", refused, "reason", unread),
            _aside(tables, f"refused_{dataset}", f"{refused} AND NOT is_duplicate", "reason", placed),
        ]
        overdue = f"{fit} AND is_late AND source <> 'heartbeat'"
        late.append(_aside(tables, f"late_{dataset}", overdue, "'LATE_BEYOND_WATERMARK'", unread))
        duplicate.append(
            _aside(
                tables,
                f"duplicate_{dataset}",
                "is_duplicate AND source <> 'heartbeat'",
                "'DUPLICATE'",
                placed,
            )
        )
    outputs["quarantine.event"] = tables.union("quarantine_event", quarantine)
    outputs["late.event"] = tables.union("late_event", late)
    outputs["duplicate.event"] = tables.union("duplicate_event", duplicate)
    return outputs


def _judge(tables: Tables, raw: str, dataset: str, session: SessionSql) -> tuple[str, str]:
    fields = [f for f in contract(raw).payload if f.type.kind != "map" and f.name != "source_system"]
    rules = RuleSet.load(dataset).reason_sql()
    checked = tables.view(
        f"checked_{dataset}", "normalize/checked.sql", rules=rules, raw=tables[raw]
    )
    timeline = tables.view(
        f"timeline_{dataset}",
        "normalize/timeline.sql",
        payload=", ".join(f"payload.{quote(f.name)} AS {quote(f.name)}" for f in fields),
        no_payload=", ".join(
            f"CAST(NULL AS {flink_type(f.type)}) AS {quote(f.name)}" for f in fields
        ),
        checked=checked,
        changes=tables[CHANGES],
    )
    placed = tables.view(
        f"placed_{dataset}",
        "normalize/placed.sql",
        payload=", ".join(quote(f.name) for f in fields),
        timeline=timeline,
    )
    judged = tables.view(
        f"judged_{dataset}",
        "normalize/judged.sql",
        trade_date=session.trade_date,
        session_phase=session.session_phase,
        placed=placed,
    )
    return checked, judged


def _aside(tables: Tables, name: str, condition: str, reason: str, parts: dict[str, str]) -> str:
    file = "aside_unread" if "checked" in parts else "aside_judged"
    return tables.view(
        name, f"normalize/{file}.sql", condition=condition, reason=reason, **parts
    )


def _row_type(c: Contract) -> str:
    return ", ".join(f"{quote(f.name)} {flink_type(f.type)}" for f in c.payload)


def _origin(column: str) -> str:
    """Return the column of the judged view that a normalized column comes from."""
    renamed = {
        "raw_symbol": "symbol",
        "raw_partition": "kafka_partition",
        "raw_offset": "kafka_offset",
    }
    return quote(renamed.get(column, column))
