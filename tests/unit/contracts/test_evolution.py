"""Which next version of a contract is accepted: any made by allowed steps, none by a forbidden."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.contracts.catalog import Contract, contract, contracts
from asknown.contracts.evolution import (
    Change,
    Column,
    Standing,
    Step,
    Verdict,
    clickhouse_column,
    compare,
    standing,
    wanted_clickhouse,
    wanted_iceberg,
)
from asknown.contracts.render import BRONZE, clickhouse_key

Avro = dict[str, Any]
Next = Callable[[Avro, Any], None]
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 8}
KINDS = ("string", "int", "long", "double", "bytes", DECIMAL)
TOPICS = ("raw.trade", "normalized.trade", "analytics.bar", "late.event")
SLOW = settings(deadline=None, max_examples=60)


def payload(avro: Avro) -> list[Avro]:
    fields: list[Avro] = avro["fields"][-1]["type"][1]["fields"]
    return fields


def with_avro(c: Contract, avro: Avro) -> Contract:
    return Contract(c.topic, avro, c.envelope, c.payload, None)


def judged(c: Contract, *versions: Avro) -> Standing:
    """Judge the last version by the ones before it, as registered 1, 2, ..."""
    *earlier, new = versions
    known = [(n, json.dumps(avro)) for n, avro in enumerate(earlier, start=1)]
    return standing(with_avro(c, new), known)


def movable(c: Contract, avro: Avro, kind: Callable[[Avro], bool]) -> list[Avro]:
    """Return the payload fields that are in no key and of a kind."""
    keys = set() if c.topic.namespace == BRONZE else set(clickhouse_key(c)[1])
    return [f for f in payload(avro) if f["name"] not in keys and kind(f)]


def add_optional(c: Contract, avro: Avro, draw: st.DataObject) -> None:
    fields = payload(avro)
    name = f"later_{len(fields)}"
    kind = draw.draw(st.sampled_from(KINDS))
    entry = {"name": name, "type": ["null", kind], "default": None, "doc": "Later."}
    fields.insert(draw.draw(st.integers(0, len(fields))), entry)


def widen(c: Contract, avro: Avro, draw: st.DataObject) -> None:
    for f in movable(c, avro, lambda f: f["type"] in ("int", ["null", "int"]))[:1]:
        f["type"] = "long" if f["type"] == "int" else ["null", "long"]


def make_optional(c: Contract, avro: Avro, draw: st.DataObject) -> None:
    required = movable(c, avro, lambda f: isinstance(f["type"], str) or f["type"] == DECIMAL)
    for f in required[:1]:
        f.update(type=["null", f["type"]], default=None)


def document(c: Contract, avro: Avro, draw: st.DataObject) -> None:
    avro["fields"][0]["doc"] = draw.draw(st.text(max_size=5))


ALLOWED = (add_optional, widen, make_optional, document)


@SLOW
@given(st.sampled_from(TOPICS), st.lists(st.sampled_from(ALLOWED), max_size=5), st.data())
def test_versions_made_by_allowed_steps_are_accepted_one_after_the_other(
    topic: str, steps: Sequence[Any], data: st.DataObject
) -> None:
    c = contract(topic)
    versions = [copy.deepcopy(c.avro)]
    for step in steps:
        new = copy.deepcopy(versions[-1])
        step(c, new, data)
        found = judged(c, *versions, new)
        assert found.refusals == ()
        assert all(change.possible for change in found.changes)
        if found.verdict is Verdict.COMPATIBLE:
            versions.append(new)
        else:
            assert found.verdict is Verdict.UNCHANGED  # words alone make no version
    assert all(reads(versions[-1], old) for old in versions)


def reads(reader: Avro, writer: Avro) -> bool:
    """Read, with fastavro as the oracle, a heartbeat and a whole record of the writer."""
    schemas = [fastavro.parse_schema(copy.deepcopy(s)) for s in (writer, reader)]
    values = {"string": "x", "int": 1, "long": 2, "double": 0.5, "bytes": b"y"}
    record = {f["name"]: value_of(f["type"], values) for f in writer["fields"][:-1]}
    inner = {f["name"]: value_of(f["type"], values) for f in payload(writer)}
    for body in (None, inner):
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, schemas[0], {**record, "payload": body})
        stream.seek(0)
        found: Any = fastavro.schemaless_reader(stream, schemas[0], schemas[1])
        if (found["payload"] is None) is not (body is None):
            return False
    return True


def value_of(kind: Any, values: dict[str, Any]) -> Any:
    if isinstance(kind, list):
        return None
    if isinstance(kind, dict):
        return {} if kind["type"] == "map" else value_of(kind["type"], values)
    return values[kind]


def add_required(avro: Avro, name: str) -> None:
    payload(avro).append({"name": name, "type": "int"})


def add_with_a_value(avro: Avro, name: str) -> None:
    payload(avro).append({"name": name, "type": "int", "default": 0})


def own(avro: Avro) -> Avro:
    """Return a field that was registered before."""
    return next(f for f in payload(avro) if not f["name"].startswith("later_"))


def take_away(avro: Avro, name: str) -> None:
    payload(avro).remove(own(avro))


def rename(avro: Avro, name: str) -> None:
    own(avro)["name"] = name


def retype(avro: Avro, name: str) -> None:
    field, other = own(avro), "boolean"
    field.update(type=["null", other] if isinstance(field["type"], list) else other)


def rescale(avro: Avro, name: str) -> None:
    payload(avro).append({"name": name, "type": ["null", {**DECIMAL, "scale": 2}], "default": 0})


def require_envelope(avro: Avro, name: str) -> None:
    avro["fields"].insert(0, {"name": name, "type": "string"})


def lose_envelope(avro: Avro, name: str) -> None:
    del avro["fields"][0]


def widen_envelope(avro: Avro, name: str) -> None:
    next(f for f in avro["fields"] if f["name"] == "schema_version")["type"] = "long"


FORBIDDEN = (
    *(add_required, add_with_a_value, take_away, rename, retype, rescale),
    *(require_envelope, lose_envelope, widen_envelope),
)


@SLOW
@given(
    st.sampled_from(TOPICS),
    st.lists(st.sampled_from(ALLOWED), max_size=3),
    st.sampled_from(FORBIDDEN),
    st.data(),
)
def test_forbidden_step_is_refused_whatever_was_allowed_before_and_beside_it(
    topic: str, steps: Sequence[Any], forbidden: Any, data: st.DataObject
) -> None:
    c = contract(topic)
    registered = copy.deepcopy(c.avro)
    new = copy.deepcopy(registered)
    for step in steps:
        step(c, new, data)
    forbidden(new, "forbidden")
    found = judged(c, registered, new)
    assert found.verdict is Verdict.REFUSED
    assert all(r.field and r.expected and r.found and r.hint for r in found.refusals)


def test_refusal_names_the_field_what_was_expected_and_what_to_do() -> None:
    c = contract("normalized.trade")
    new = copy.deepcopy(c.avro)
    payload(new)[4]["type"] = "double"
    payload(new).append({"name": "lots", "type": "int"})
    found = judged(c, c.avro, new)
    first, second = found.refusals
    assert (first.field, first.expected, first.found) == (
        "payload.price",
        "decimal(18, 8), required",
        "double, required",
    )
    assert "another name" in first.hint
    assert (second.field, second.found) == ("payload.lots", "int, required")
    assert "default null" in second.hint


def test_field_of_a_table_s_key_keeps_its_type() -> None:
    c = contract("analytics.bar")
    new = copy.deepcopy(c.avro)
    field = next(f for f in payload(new) if f["name"] == "interval_seconds")
    field["type"] = "long"
    refused = judged(c, c.avro, new).refusals
    assert [(r.field, r.found) for r in refused] == [("payload.interval_seconds", "long, required")]


def test_version_that_came_back_is_refused_by_the_versions_in_between() -> None:
    # BACKWARD_TRANSITIVE: int -> long -> int reads the last but one and not the last.
    c = contract("normalized.trade")
    wide, narrow = copy.deepcopy(c.avro), copy.deepcopy(c.avro)
    for avro, kind in ((wide, "long"), (narrow, "int")):
        next(f for f in payload(avro) if f["name"] == "factor_version")["type"] = kind
    payload(narrow).append({"name": "new", "type": ["null", "int"], "default": None})
    found = judged(c, c.avro, wide, narrow)
    assert [r.field for r in found.refusals] == ["payload.factor_version"]


def test_contracts_stand_unchanged_beside_themselves() -> None:
    for c in contracts().values():
        assert judged(c, c.avro, c.avro).verdict is Verdict.UNCHANGED
        assert judged(c, c.avro).verdict is Verdict.FIRST
        assert compare(wanted_iceberg(c), wanted_iceberg(c)) == []
        if c.topic.namespace != BRONZE:
            assert compare(wanted_clickhouse(c), wanted_clickhouse(c)) == []


A = Column("a", "int", nullable=False)


@pytest.mark.parametrize(
    ("found", "wanted", "step"),
    [
        (None, Column("a", "int", nullable=True), Step.ADDED),
        (None, A, Step.REQUIRED),
        (A, None, Step.EXTRA),
        (A, Column("a", "long", nullable=False), Step.WIDENED),
        (Column("a", "long", nullable=False), A, Step.RETYPED),
        (A, Column("a", "int", nullable=True), Step.OPTIONAL),
        (A, Column("a", "int", nullable=False, doc="Words."), Step.DOCUMENTED),
        (Column("a", "int", nullable=True), A, None),
    ],
)
def test_difference_of_a_column_is_one_step(
    found: Column | None, wanted: Column | None, step: Step | None
) -> None:
    sides = [[column] if column else [] for column in (found, wanted)]
    changes = [Change(step, found, wanted)] if step else []
    assert compare(*sides) == changes
    assert [change.name for change in changes] == ["a"] * len(changes)


@pytest.mark.parametrize(
    ("kind", "plain", "nullable"),
    [
        ("Nullable(Int64)", "Int64", True),
        ("LowCardinality(Nullable(String))", "LowCardinality(String)", True),
        ("LowCardinality(String)", "LowCardinality(String)", False),
        ("DateTime64(3, 'UTC')", "DateTime64(3, 'UTC')", False),
        ("Nullable(Decimal(18, 8))", "Decimal(18, 8)", True),
        ("Map(String, String)", "Map(String, String)", True),
    ],
)
def test_type_of_clickhouse_is_taken_apart(kind: str, plain: str, nullable: bool) -> None:
    assert clickhouse_column("a", kind, "") == Column("a", plain, nullable)
