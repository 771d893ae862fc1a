"""The schemas keep the promises that everything else is built on."""

from __future__ import annotations

import json

import pytest
import yaml

from asknown.contracts.catalog import SCHEMAS, Contract, contract, contracts, envelope_schema
from asknown.contracts.golden import FOLDER, golden_texts
from asknown.contracts.render import BRONZE, store_fields
from asknown.contracts.tables import LakeTable, lake_tables
from asknown.quality.rules import Present, RuleSet

EVERY = pytest.mark.parametrize("c", contracts().values(), ids=list(contracts()))


def without_docs(field: dict) -> dict:
    return {key: value for key, value in field.items() if key != "doc"}


@EVERY
def test_a_schema_starts_with_exactly_the_envelope(c: Contract):
    # entity_id means another key in each layer, so its words may differ; its type may not.
    expected = [without_docs(f) for f in envelope_schema()["fields"]]
    assert [without_docs(f) for f in c.avro["fields"][:-1]] == expected
    assert c.avro["fields"][-1]["name"] == "payload"


@EVERY
def test_every_field_has_a_sentence_of_documentation(c: Contract):
    assert [f.name for f in c.envelope + c.payload if not f.doc.endswith(".")] == []
    assert c.avro["doc"].endswith(".")


@EVERY
def test_the_names_of_a_stored_row_are_distinct(c: Contract):
    names = [f.name for f in store_fields(c)]
    assert sorted(set(names)) == sorted(names)


@EVERY
def test_a_record_is_named_after_its_layer_and_dataset(c: Contract):
    noun = "".join(part.title() for part in c.topic.dataset.split("_"))
    assert (c.avro["namespace"], c.avro["name"]) == (f"asknown.{c.topic.layer}", noun)


def test_topics_and_schema_files_are_the_same_set():
    files = {f"{path.parent.name}.{path.stem}" for path in SCHEMAS.glob("*/*.avsc")}
    assert set(contracts()) == files


def test_a_topic_lies_in_the_namespace_of_its_layer():
    expected = {"raw": "bronze", "normalized": "silver", "reference": "silver", "analytics": "gold"}
    found = {c.topic.layer: c.topic.namespace for c in contracts().values()}
    assert found == {layer: expected.get(layer, "ops") for layer in found}


def test_no_two_topics_share_a_table():
    tables = [c.topic.table for c in contracts().values()]
    assert sorted(set(tables)) == sorted(tables)


@pytest.mark.parametrize("t", lake_tables().values(), ids=list(lake_tables()))
def test_a_table_without_a_topic_names_only_columns_it_has(t: LakeTable):
    names = [f.name for f in t.fields]
    assert sorted(set(names)) == sorted(names)
    assert {*t.key, *t.sort_by, *(column for column, _ in t.partition_by)} <= set(names)
    assert [f.name for f in t.fields if not f.doc.endswith(".")] == []


def test_tables_without_a_topic_and_their_schema_files_are_the_same_set():
    files = {f"{path.parent.name}.{path.stem}" for path in SCHEMAS.glob("lake/*/*.avsc")}
    assert set(lake_tables()) == files
    assert not files & {c.topic.table for c in contracts().values()}


def test_every_rendering_equals_its_golden_file():
    found = {str(p.relative_to(FOLDER)): p.read_text() for p in FOLDER.rglob("*.txt")}
    assert found == golden_texts(), "run python -m asknown.contracts.golden and read the difference"


def test_topics_yaml_has_no_key_that_nothing_reads():
    document = yaml.safe_load((SCHEMAS / "topics.yaml").read_text())
    keys = set(document["defaults"]) | {k for e in document["topics"].values() for k in e}
    topic = contract("raw.trade").topic
    assert [key for key in keys if not hasattr(topic, key)] == []


@pytest.mark.parametrize("dataset", ["trade", "quote", "bar"])
def test_rules_require_whatever_the_normalized_contract_cannot_leave_out(dataset: str):
    required: set[str] = set()
    for rule in RuleSet.load(dataset).rules:
        if isinstance(rule.check, Present):
            required |= rule.check.requires
    raw = {f.name for f in contract(f"raw.{dataset}").payload}
    strict = {f.name for f in contract(f"normalized.{dataset}").payload if not f.nullable}
    assert {f"payload.{name}" for name in raw & strict} <= required


def test_every_column_of_the_rules_is_one_of_the_contract():
    for dataset in ("trade", "quote", "bar"):
        c = contract(f"raw.{dataset}")
        known = {f.name for f in c.envelope} | {f"payload.{f.name}" for f in c.payload}
        unread = {f"payload.{name}" for name in ("extra", "source_system")}  # by the live job
        for rule in RuleSet.load(dataset).rules:
            named = rule.check.requires | rule.check.compares | set(rule.check.found)
            assert named <= known - unread


def test_only_bronze_keeps_undecodable_bytes():
    for c in contracts().values():
        errors = [f for f in store_fields(c) if f.name == "decode_error"]
        assert len(errors) == (1 if c.topic.namespace == BRONZE else 0)


def test_schema_files_are_written_in_one_form():
    for path in SCHEMAS.rglob("*.avsc"):
        text = path.read_text()
        assert text == json.dumps(json.loads(text), indent=2) + "\n"
