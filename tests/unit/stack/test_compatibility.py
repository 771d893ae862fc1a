"""Avro's rules of schema resolution, and what each compatibility level asks."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.contracts.compatibility import Level, canonical, differences, violations
from asknown.errors import UsageError


def record(*fields: tuple[Any, ...], name: str = "R") -> str:
    rows = [
        {"name": f[0], "type": f[1], **({"default": f[2]} if len(f) > 2 else {})} for f in fields
    ]
    return json.dumps({"type": "record", "name": name, "fields": rows})


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 8}
ENUM = {"type": "enum", "name": "Side", "symbols": ["BUY", "SELL"]}


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        ("long", "int"),
        ("float", "long"),
        ("double", "float"),
        ("bytes", "string"),
        ("string", "bytes"),
        (["null", "long"], "int"),
        (["null", "long"], ["null", "int"]),
        ("string", ["string", "bytes"]),
        ({"type": "array", "items": "double"}, {"type": "array", "items": "int"}),
        ({"type": "map", "values": ["null", "string"]}, {"type": "map", "values": "string"}),
        ({**ENUM, "symbols": ["BUY", "SELL", "NONE"]}, ENUM),
        ({**ENUM, "symbols": ["BUY"], "default": "BUY"}, ENUM),
        ({"type": "long", "logicalType": "timestamp-millis"}, "long"),
        (DECIMAL, DECIMAL),
    ],
)
def test_reader_that_resolves_has_no_differences(reader: Any, writer: Any) -> None:
    assert differences(json.dumps(reader), json.dumps(writer)) == []


@pytest.mark.parametrize(
    ("reader", "writer", "message"),
    [
        ("int", "long", "reader expects int, writer wrote long"),
        ("string", ["null", "string"], "reader expects string, writer wrote null"),
        (["null", "int"], "string", "union has no branch for string"),
        ({**ENUM, "symbols": ["BUY"]}, ENUM, "lacks the symbols SELL"),
        ({**ENUM, "name": "Way"}, ENUM, "reader expects Way, writer wrote Side"),
        ({**DECIMAL, "scale": 2}, DECIMAL, "decimal(18, 2), writer wrote decimal(18, 8)"),
        ("bytes", DECIMAL, "no decimal, writer wrote decimal(18, 8)"),
        (
            {"type": "fixed", "name": "F", "size": 4},
            {"type": "fixed", "name": "F", "size": 8},
            "reader expects 4 bytes, writer wrote 8",
        ),
    ],
)
def test_reader_that_does_not_resolve_says_why(reader: Any, writer: Any, message: str) -> None:
    found = differences(json.dumps(reader), json.dumps(writer))
    assert len(found) == 1
    assert message in str(found[0])


def test_field_without_default_that_was_not_written_is_named_with_its_path() -> None:
    inner = json.loads(record(("x", "int"), ("y", "int"), name="Inner"))
    old = json.loads(record(("x", "int"), name="Inner"))
    found = differences(record(("payload", ["null", inner])), record(("payload", ["null", old])))
    assert [str(d) for d in found] == [
        "/payload/y: reader's field has no default and was not written"
    ]


def test_renamed_field_is_read_through_its_alias() -> None:
    new = json.loads(record(("price", "long")))
    new["fields"][0]["aliases"] = ["px"]
    assert differences(json.dumps(new), record(("px", "int"))) == []
    assert differences(record(("price", "long")), record(("px", "int"))) != []


def test_recursive_type_is_compared_once() -> None:
    tree = record(("value", "int"), ("next", ["null", "R"], None))
    wider = record(("value", "long"), ("next", ["null", "R"], None))
    assert differences(wider, tree) == []
    assert [d.path for d in differences(tree, wider)] == ["/value"]


V1 = record(("a", "int"))
V2_WITH_DEFAULT = record(("a", "int"), ("b", "int", 0))
V3_DEFAULT_GONE = record(("a", "int"), ("b", "int"))


@pytest.mark.parametrize(
    ("level", "new", "earlier", "accepted"),
    [
        (Level.NONE, '"string"', [V1], True),
        (Level.BACKWARD, V3_DEFAULT_GONE, [V1, V2_WITH_DEFAULT], True),
        (Level.BACKWARD_TRANSITIVE, V3_DEFAULT_GONE, [V1, V2_WITH_DEFAULT], False),
        (Level.BACKWARD, V3_DEFAULT_GONE, [V1], False),
        (Level.FORWARD, V3_DEFAULT_GONE, [V1], True),
        (Level.FORWARD, V1, [V3_DEFAULT_GONE], False),
        (Level.FORWARD_TRANSITIVE, V1, [V3_DEFAULT_GONE, V2_WITH_DEFAULT], False),
        (Level.FULL, V2_WITH_DEFAULT, [V1], True),
        (Level.FULL, V3_DEFAULT_GONE, [V1], False),
        (Level.FULL_TRANSITIVE, V1, [V3_DEFAULT_GONE, V2_WITH_DEFAULT], False),
        (Level.BACKWARD_TRANSITIVE, '"string"', [], True),
    ],
)
def test_level_accepts_what_it_promises(
    level: Level, new: str, earlier: list[str], accepted: bool
) -> None:
    assert (violations(level, new, earlier) == []) is accepted


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '{"type": "record", "name": "R"}',
        '{"type": "array"}',
        '["null", "null"]',
        '[["null"], "int"]',
        '{"type": "enum", "symbols": []}',
        '"Unknown"',
        record(("a", "int"), ("a", "int")),
    ],
)
def test_text_that_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        canonical(text)
    assert caught.value.code.startswith("ASKNOWN-CONTRACT-02")


def test_committed_contracts_are_schemas_that_read_themselves() -> None:
    from asknown.contracts.catalog import contracts

    texts = [json.dumps(contract.avro) for contract in contracts().values()]
    assert texts
    assert all(differences(text, text) == [] for text in texts)


PRIMITIVES = st.sampled_from(["boolean", "int", "long", "float", "double", "string", "bytes"])
TYPES = PRIMITIVES | PRIMITIVES.map(lambda p: ["null", p])
VALUES: dict[str, Any] = {
    "boolean": True, "int": 1, "long": 2, "float": 0.5, "double": 0.25, "string": "x",
    "bytes": b"y", "null": None,
}  # fmt: skip


@given(writer=TYPES, reader=TYPES)
def test_verdict_is_what_a_reader_finds(writer: Any, reader: Any) -> None:
    """Take fastavro as the oracle: data of every branch of the writer is read with the reader."""
    branches = writer if isinstance(writer, list) else [writer]
    schemas = [json.loads(record(("f", kind))) for kind in (writer, reader)]
    readable = all(_reads(schemas, VALUES[branch]) for branch in branches)
    found = differences(record(("f", reader)), record(("f", writer)))
    assert (found == []) == readable


def _reads(schemas: list[Any], value: Any) -> bool:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schemas[0], {"f": value})
    stream.seek(0)
    try:
        fastavro.schemaless_reader(stream, schemas[0], schemas[1])
    except (fastavro.read.SchemaResolutionError, UnicodeDecodeError):
        return False
    return True
