"""What is in quarantine: how many of what, and one record with all that helps to judge it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThanOrEqual

from asknown.errors import AsknownError, UsageError
from asknown.quality.ledger import DUPLICATE, NORMALIZED
from asknown.settings import Settings
from asknown.storage import clickhouse
from asknown.storage.quarantine import (
    CURABLE,
    DISCARDED,
    QUARANTINE,
    REPLAYED,
    Place,
    scan,
)
from asknown.storage.quarantine_original import Original, fetch

HEALED = "healed.event"
OPEN = "open"
NEIGHBOURS = 3  # on each side
_NEAR = 200  # offsets in which the neighbours of a partition are looked for; heartbeats take some
_FAR = 100_000  # and those of its key
_PLACE = ("topic", "partition", "offset")
_NOT_SHOWN = ("raw_bytes", "extra", "ingest_time", "schema_version", "kafka_partition")
# Called by position; mypy sees the fields of these models, not their own constructors.
_EQUAL: Any = EqualTo
_FROM: Any = GreaterThanOrEqual
_TO: Any = LessThanOrEqual

# What ClickHouse says of them: within a second of what Kafka has, and by one small query.
_GROUPS = """
WITH
    (topic, partition, "offset") IN (SELECT topic, partition, "offset" FROM ops.replayed_event)
        AS back,
    (topic, partition, "offset") IN (SELECT topic, partition, "offset" FROM ops.discarded_event)
        AS left
SELECT
    reason, topic, source, toString(toDate(event_time, 'UTC')) AS day,
    count(), countIf(NOT back AND NOT left), countIf(back), countIf(left AND NOT back)
FROM (
    SELECT reason, topic, source, event_time, partition, "offset" FROM ops.quarantine_event FINAL
    UNION ALL
    SELECT outcome AS reason, topic, source, event_time, partition, "offset"
    FROM ops.healed_event FINAL
    WHERE outcome NOT IN ('NORMALIZED', 'DUPLICATE') AND startsWith(topic, 'raw.')
)
GROUP BY reason, topic, source, day
"""


class Group(NamedTuple):
    """Refused records of one reason, topic, source and day of the event, UTC."""

    reason: str
    topic: str
    source: str
    day: str
    records: int
    open: int
    replayed: int
    discarded: int


def summary(config: Settings) -> list[Group]:
    """Count what is in quarantine, the most first: from ClickHouse, or the lake where that is away.

    A late record that a healing has refused is in quarantine too.
    """
    try:
        with clickhouse.client("reader", settings=config) as connection:
            found = [Group(*row) for row in connection.query(_GROUPS).result_rows]
    except (ClickHouseError, AsknownError):
        return summary_of_lake(config)
    return _ordered(found)


def summary_of_lake(config: Settings) -> list[Group]:
    """Count the same in the lake."""
    names = ("event_time", "source", *_PLACE)
    rows = scan(config, QUARANTINE, ("reason", *names)).to_pylist()
    healed = scan(config, HEALED, ("outcome", *names)).to_pylist()
    rows += [
        {**row, "reason": row["outcome"]}
        for row in healed
        if row["outcome"] not in (NORMALIZED, DUPLICATE) and row["topic"].startswith("raw.")
    ]
    back, left = (_places(scan(config, topic, _PLACE)) for topic in (REPLAYED, DISCARDED))
    counts: Counter[tuple[tuple[str, ...], str]] = Counter()
    for row in rows:
        day = str(row["event_time"].date())
        group: tuple[str, ...] = (row["reason"], row["topic"], row["source"], day)
        counts[group, _status(_place(row), back, left)] += 1
    found = []
    for reason, topic, source, day in {group for group, _ in counts}:
        group = (reason, topic, source, day)
        by = [counts[group, status] for status in (OPEN, "replayed", "discarded")]
        found.append(Group(reason, topic, source, day, sum(by), *by))
    return _ordered(found)


def show(config: Settings, name: str) -> dict[str, Any]:
    """Return a refused record by topic:partition:offset, and all that helps to judge it.

    Why, what became of it, the raw record as bytes and as bronze has it, the records beside it in
    its partition and of its key, and what can be done. Raises `UsageError` ASKNOWN-QUARANTINE-001
    when no such record is in quarantine.
    """
    row = _refused(config, name)
    place = _place(row)
    chosen = _at(*place)
    back, left = (scan(config, topic, (), chosen).to_pylist() for topic in (REPLAYED, DISCARDED))
    shown = {k: v for k, v in row.items() if not k.startswith("kafka_") and k != "raw_bytes"}
    status = "replayed" if back else "discarded" if left else OPEN
    original = fetch(config, place, row["raw_bytes"])
    raw = _bronze(config, place)
    return {
        **shown,
        "status": status,
        "replayed": _said(back, ("outcome", "known_at", "replay_id")),
        "discarded": _said(left, ("why", "decided_by", "event_time")),
        "raw": raw,
        "original": original.document(config),
        "neighbours": _neighbours(config, place, row["raw_key"]),
        "next": next_steps(row, status),
    }


def original(config: Settings, name: str) -> Original:
    """Return the exact bytes of a refused record, from wherever they still are."""
    row = _refused(config, name)
    return fetch(config, _place(row), row["raw_bytes"])


def next_steps(row: Mapping[str, Any], status: str) -> list[str]:
    """Return the commands that lead on from a refused record."""
    reason, key = row["reason"], row["raw_key"]
    steps = [f"asknown explain {reason}"]
    if status == "replayed":
        return steps
    chosen = f"--reason {reason}" + (f" --key {key}" if key else "")
    if reason in CURABLE and key:
        steps.append(f"asknown symbol resolve {key}")
        again = " --even-discarded" if status == "discarded" else ""
        steps.append(f"asknown quarantine replay {chosen}{again} --dry-run")
    if status == OPEN:
        steps.append(f"asknown quarantine show {row['entity_id']} --raw FILE")
        steps.append(f"asknown quarantine discard {chosen} --why TEXT --dry-run")
    return steps


def _refused(config: Settings, name: str) -> dict[str, Any]:
    place = _parsed(name)
    found = scan(config, QUARANTINE, (), _at(*place)).to_pylist() if place else []
    if place and not found:
        healed = scan(config, HEALED, (), _at(*place)).to_pylist()
        refused = [row for row in healed if row["outcome"] not in (NORMALIZED, DUPLICATE)]
        more = {"detail": None, "raw_key": None, "raw_bytes": None}
        found = [{**row, **more, "reason": row["outcome"]} for row in refused]
    if not found:
        raise UsageError(
            "ASKNOWN-QUARANTINE-001",
            f"expected a quarantined record, found none called {name!r}.",
            hint="the name is topic:partition:offset, e.g. raw.trade:0:17; asknown quarantine ls.",
        )
    row: dict[str, Any] = found[0]
    return row


def _parsed(name: str) -> Place | None:
    topic, _, rest = name.partition(":")
    partition, _, offset = rest.partition(":")
    if not (partition.isdigit() and offset.isdigit()):
        return None
    return topic, int(partition), int(offset)


def _at(topic: str, partition: int, offset: int) -> Any:
    place = And(_EQUAL("partition", partition), _EQUAL("offset", offset))
    return And(_EQUAL("topic", topic), place)


def _bronze(config: Settings, place: Place) -> dict[str, Any] | None:
    topic, partition, offset = place
    chosen = And(_EQUAL("kafka_partition", partition), _EQUAL("kafka_offset", offset))
    found = scan(config, topic, (), chosen).to_pylist()
    return {k: v for k, v in found[0].items() if v is not None} if found else None


def _neighbours(config: Settings, place: Place, key: str | None) -> dict[str, Any]:
    """Return the records before and after one: of its partition, and of its key."""
    found = {"partition": _beside(config, place, _NEAR, None)}
    found["key"] = _beside(config, place, _FAR, key) if key else []
    return found


def _beside(config: Settings, place: Place, reach: int, key: str | None) -> list[dict[str, Any]]:
    topic, partition, offset = place
    span = And(_FROM("kafka_offset", offset - reach), _TO("kafka_offset", offset + reach))
    chosen = And(_EQUAL("kafka_partition", partition), span)
    if key is not None:
        chosen = And(chosen, _EQUAL("entity_id", key))
    rows = scan(config, topic, (), chosen).to_pylist()
    rows.sort(key=lambda row: row["kafka_offset"])
    before = [row for row in rows if row["kafka_offset"] < offset][-NEIGHBOURS:]
    after = [row for row in rows if row["kafka_offset"] > offset][:NEIGHBOURS]
    return [_brief(topic, row) for row in (*before, *after)]


def _brief(topic: str, row: Mapping[str, Any]) -> dict[str, Any]:
    name = f"{topic}:{row['kafka_partition']}:{row['kafka_offset']}"
    kept = {k: v for k, v in row.items() if v is not None and k not in _NOT_SHOWN}
    del kept["kafka_offset"]
    return {"name": name, **kept}


def _said(markers: list[dict[str, Any]], names: Iterable[str]) -> dict[str, str] | None:
    return {name: str(markers[0][name]) for name in names} if markers else None


def _status(place: Place, back: set[Place], left: set[Place]) -> str:
    return "replayed" if place in back else "discarded" if place in left else OPEN


def _places(table: Any) -> set[Place]:
    return {_place(row) for row in table.to_pylist()}


def _place(row: Mapping[str, Any]) -> Place:
    return row["topic"], row["partition"], row["offset"]


def _ordered(groups: list[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: (-group.records, group))
