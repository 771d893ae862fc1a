"""Reading the contracts."""

from __future__ import annotations

import pytest

from asknown.contracts.catalog import FieldType, contract, contracts
from asknown.errors import UsageError


def test_an_unknown_topic_is_answered_with_the_nearest_names():
    with pytest.raises(UsageError) as caught:
        contract("raw.trades")
    assert caught.value.code == "ASKNOWN-CONTRACT-001"
    assert "raw.trade" in caught.value.hint


def test_a_contract_knows_types_and_nullability():
    payload = {f.name: f for f in contract("normalized.trade").payload}
    assert payload["price"].type == FieldType("decimal", 18, 8)
    assert not payload["price"].nullable
    assert payload["trade_date"].type == FieldType("date")
    assert payload["trade_date"].nullable


def test_defaults_of_topics_are_filled_in():
    assert contract("raw.trade").topic.partitions == 4
    assert contract("quarantine.event").topic.partitions == 2
    assert contract("reference.entity_change").topic.cleanup == "compact"


def test_the_mapping_of_contracts_cannot_be_changed():
    with pytest.raises(TypeError):
        contracts()["raw.trade"] = contract("raw.quote")  # type: ignore[index]
