"""What may change in a contract, and what a change does to the places that keep its records.

The registry asks whether records written with one schema can be read with another. The platform
asks more, because a record also becomes a row of a table whose older rows stay as they are: a
column that comes later has no value in them, and a column that was stored is never dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from asknown.contracts.catalog import PAYLOAD, Contract
from asknown.contracts.compatibility import Level, Schema, canonical, violations
from asknown.contracts.render import (
    clickhouse_key,
    clickhouse_type,
    iceberg_schema,
    store_fields,
)

# (kept so far, wanted now): every old value has the same meaning in the new type, everywhere.
_WIDER = {("int", "long"), ("Int32", "Int64")}
_LOW_CARDINALITY = re.compile(r"LowCardinality\((.*)\)")
_NULLABLE = re.compile(r"Nullable\((.*)\)")
_ONLY_NAMES = ("name", "type", "logicalType", "precision", "scale", "values", "items", "symbols")


class Step(StrEnum):
    """What happens to one column."""

    ADDED = "added"
    WIDENED = "type widened"
    OPTIONAL = "made optional"
    DOCUMENTED = "doc"
    EXTRA = "extra"  # kept there, not in the contract: never dropped
    REQUIRED = "required without a default"
    RETYPED = "other type"


POSSIBLE = frozenset({Step.ADDED, Step.WIDENED, Step.OPTIONAL, Step.DOCUMENTED})


@dataclass(frozen=True)
class Column:
    """A column as one store, or the registry, words it."""

    name: str
    type: str
    nullable: bool
    doc: str = ""

    def __str__(self) -> str:
        """Return the type, and whether it must have a value."""
        return self.type if self.nullable else f"{self.type}, required"


@dataclass(frozen=True)
class Change:
    """What differs between a column as it is kept (None: not at all) and as it is wanted."""

    step: Step
    found: Column | None
    wanted: Column | None

    @property
    def name(self) -> str:
        """Return the column's name."""
        column = self.wanted or self.found
        return column.name if column else ""

    @property
    def possible(self) -> bool:
        """Tell whether a migration can do it."""
        return self.step in POSSIBLE

    def document(self) -> dict[str, Any]:
        """Return the change as names and values."""
        words = (lambda c: c.doc) if self.step is Step.DOCUMENTED else str
        sides = {"found": self.found, "wanted": self.wanted}
        return {"column": self.name, "change": str(self.step)} | {
            side: words(column) if column else None for side, column in sides.items()
        }


def compare(found: Sequence[Column], wanted: Sequence[Column]) -> list[Change]:
    """Return what differs, in the order of the wanted columns; what is only kept comes last.

    A column that need not have a value where the contract says it must is no difference: it came
    later than rows that are kept, and every row written now has one.
    """
    kept = {column.name: column for column in found}
    changes: list[Change] = []
    for column in wanted:
        changes += _column_changes(kept.pop(column.name, None), column)
    return changes + [Change(Step.EXTRA, column, None) for column in kept.values()]


def _column_changes(found: Column | None, wanted: Column) -> list[Change]:
    if found is None:
        step = Step.ADDED if wanted.nullable else Step.REQUIRED
        return [Change(step, None, wanted)]
    changes: list[Change] = []
    if found.type != wanted.type:
        fits = _values(found.type, wanted.type)
        changes.append(Change(Step.WIDENED if fits else Step.RETYPED, found, wanted))
    if wanted.nullable and not found.nullable:
        changes.append(Change(Step.OPTIONAL, found, wanted))
    if found.doc != wanted.doc:
        changes.append(Change(Step.DOCUMENTED, found, wanted))
    return changes


def _values(found: str, wanted: str) -> bool:
    """Tell whether the wanted type holds every value of the found one; a dictionary is a form."""
    plain = [_LOW_CARDINALITY.sub(r"\1", kind) for kind in (found, wanted)]
    return plain[0] == plain[1] or (plain[0], plain[1]) in _WIDER


def described(change: Change, place: str) -> str:
    """Return in words what a migration did to a column of a table."""
    words = {
        Step.ADDED: f"added column {change.name} to table {place}",
        Step.WIDENED: f"widened column {change.name} of table {place} to {change.wanted}",
        Step.OPTIONAL: f"made column {change.name} of table {place} optional",
        Step.DOCUMENTED: f"documented column {change.name} of table {place}",
    }
    return words.get(change.step, f"left column {change.name} of table {place}")


def avro_columns(schema: Schema) -> list[Column]:
    """Return the fields of a topic's schema; those of the payload are named `payload.<name>`."""
    columns: list[Column] = []
    for entry in schema["fields"] if isinstance(schema, dict) else ():
        inner = _record_of(entry["type"]) if entry["name"] == PAYLOAD else None
        if inner is None:
            columns.append(_avro_column(entry["name"], entry))
        else:
            columns += [_avro_column(f"{PAYLOAD}.{f['name']}", f) for f in inner["fields"]]
    return columns


def _record_of(kind: Any) -> dict[str, Any] | None:
    branches = kind if isinstance(kind, list) else [kind]
    records = [b for b in branches if isinstance(b, dict) and b.get("type") == "record"]
    return records[0] if len(records) == 1 else None


def _avro_column(name: str, entry: Mapping[str, Any]) -> Column:
    kind = entry["type"]
    # A map that is missing is the empty one in every store.
    nullable = isinstance(kind, dict) and kind.get("type") == "map" and entry.get("default") == {}
    if isinstance(kind, list) and "null" in kind and entry.get("default", "") is None:
        rest = [branch for branch in kind if branch != "null"]
        kind, nullable = rest[0] if len(rest) == 1 else rest, True
    return Column(name, _avro_words(kind), nullable, entry.get("doc", ""))


def _avro_words(kind: Any) -> str:
    """Return a type in a few words: `decimal(18, 8)`, `timestamp-millis`, else what it is."""
    if isinstance(kind, str):
        return kind
    if isinstance(kind, dict) and kind.get("logicalType") == "decimal":
        return f"decimal({kind.get('precision')}, {kind.get('scale', 0)})"
    if isinstance(kind, dict) and "logicalType" in kind:
        return str(kind["logicalType"])
    if isinstance(kind, dict):
        return json.dumps({k: v for k, v in kind.items() if k in _ONLY_NAMES})
    return json.dumps(kind)


def iceberg_columns(schema: Any) -> list[Column]:
    """Return the columns of an Iceberg schema."""
    return [Column(f.name, _type(f), not f.required, f.doc or "") for f in schema.fields]


def _type(f: Any) -> str:
    # A map shows the ids of its parts, which a table gives in its own order.
    return "map<string, string>" if str(f.field_type).startswith("map<") else str(f.field_type)


def wanted_iceberg(c: Contract) -> list[Column]:
    """Return the columns that the topic's Iceberg table should have."""
    return iceberg_columns(iceberg_schema(c))


def clickhouse_column(name: str, kind: str, doc: str) -> Column:
    """Return a column of ClickHouse; whether it may be NULL is part of the type there."""
    few = _LOW_CARDINALITY.fullmatch(kind)
    inner = few[1] if few else kind
    optional = _NULLABLE.fullmatch(inner)
    plain = optional[1] if optional else inner
    # No Map can be NULL; one that is missing is read as the empty map.
    nullable = optional is not None or plain.startswith("Map(")
    return Column(name, f"LowCardinality({plain})" if few else plain, nullable, doc)


def wanted_clickhouse(c: Contract) -> list[Column]:
    """Return the columns that the topic's ClickHouse table should have."""
    return [clickhouse_column(f.name, clickhouse_type(f), f.doc) for f in store_fields(c)]


class Verdict(StrEnum):
    """How a contract of this checkout stands to what is registered."""

    FIRST = "not registered yet"
    UNCHANGED = "unchanged"
    COMPATIBLE = "new version, compatible"
    BEHIND = "registered; a newer version exists"
    REFUSED = "refused"


@dataclass(frozen=True)
class Refusal:
    """One field that stands in the way of a new version."""

    field: str
    expected: str
    found: str
    hint: str


@dataclass(frozen=True)
class Standing:
    """A contract beside the registered versions of its subject; `version` is its own, or next."""

    topic: str
    subject: str
    verdict: Verdict
    version: int
    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the standing as names and values."""
        return {
            "topic": self.topic,
            "subject": self.subject,
            "verdict": str(self.verdict),
            "version": self.version,
            "changes": [change.document() for change in self.changes],
            "refusals": [vars(refusal) for refusal in self.refusals],
        }


def standing(c: Contract, registered: Sequence[tuple[int, str]]) -> Standing:
    """Judge a contract by the registered (version, schema) pairs of its subject, oldest first."""
    subject, name = c.topic.subject, c.topic.name
    if not registered:
        return Standing(name, subject, Verdict.FIRST, 1)
    text, (newest, latest) = json.dumps(c.avro), registered[-1]
    changes = tuple(compare(avro_columns(json.loads(latest)), avro_columns(c.avro)))
    own = [number for number, known in registered if canonical(known) == canonical(text)]
    if own:
        verdict = Verdict.UNCHANGED if own[-1] == newest else Verdict.BEHIND
        return Standing(name, subject, verdict, own[-1], changes if own[-1] != newest else ())
    refused = refusals(c, changes, [known for _, known in registered])
    verdict = Verdict.REFUSED if refused else Verdict.COMPATIBLE
    return Standing(name, subject, verdict, newest + 1, changes, tuple(refused))


def refusals(c: Contract, changes: Sequence[Change], earlier: Sequence[str]) -> list[Refusal]:
    """Return why a contract cannot become the next version after the earlier ones.

    Asked are: the tables (by column), the envelope (FULL, whatever the topic), and the topic's
    compatibility with every earlier version.
    """
    found = {r.field: r for r in (_by_column(change) for change in changes) if r}
    for change in changes:
        if change.step in (Step.WIDENED, Step.OPTIONAL) and change.name in _key(c):
            hint = "rows are found and replaced by it: add a field of another name instead."
            kept = Refusal(change.name, str(change.found), str(change.wanted), hint)
            found.setdefault(change.name, kept)
    for level, new, old in (
        (Level.FULL, _envelope(c.avro), [_envelope(json.loads(text)) for text in earlier]),
        (Level(c.topic.compatibility), json.dumps(c.avro), list(earlier)),
    ):
        for difference in violations(level, new, old):
            place = _place(difference.path)
            expected = f"what is {level} compatible with the registered versions"
            hint = "give the field back what the registered version says, or take another name."
            found.setdefault(place, Refusal(place, expected, difference.message, hint))
    return list(found.values())


def _by_column(change: Change) -> Refusal | None:
    found, wanted = str(change.found), str(change.wanted)
    if change.step is Step.REQUIRED:
        hint = 'make it ["null", <type>] with default null: rows kept before have no value.'
        return Refusal(change.name, "an added field to be optional", wanted, hint)
    if change.step is Step.RETYPED:
        hint = "add a field of another name for the new type; only int may become long."
        return Refusal(change.name, found, wanted, hint)
    if change.step is Step.EXTRA:
        hint = "keep it: a stored column is never dropped. Its doc can say that nothing fills it."
        return Refusal(change.name, found, "no such field", hint)
    return None


def _key(c: Contract) -> set[str]:
    """Return the fields of the ClickHouse table's key, which cannot change their type."""
    return {f"{PAYLOAD}.{name}" for name in clickhouse_key(c)[1]}


def _envelope(schema: Any) -> str:
    fields = [f for f in schema["fields"] if f["name"] != PAYLOAD]
    return json.dumps({"type": "record", "name": "Envelope", "fields": fields})


def _place(path: str) -> str:
    return path.strip("/").replace("/", ".") or "the record"
