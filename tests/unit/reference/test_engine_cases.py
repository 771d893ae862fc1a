"""Every numbered case of symbols and corporate actions, through the engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from asknown.reference.engine import replay
from asknown.reference.records import Output
from tests.reference_cases import ALL_CASES, Case, check, merged


def by_topic(outputs: Iterable[Output]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for output in outputs:
        found[output.topic].append(output.payload)
    return found


@pytest.fixture(scope="module")
def together() -> dict[str, list[dict[str, Any]]]:
    return by_topic(replay(merged()))


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_case_alone_is_as_expected(case: Case) -> None:
    outputs = by_topic(replay(case.records))
    assert outputs
    check(case, outputs)


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_case_among_all_others_is_as_expected(
    case: Case, together: dict[str, list[dict[str, Any]]]
) -> None:
    assert together
    check(case, together)


def test_cases_have_names_keys_and_facts_of_their_own() -> None:
    assert len({case.name for case in ALL_CASES}) == len(ALL_CASES)
    keys = [key for case in ALL_CASES for key in case.raw_keys]
    assert len(set(keys)) == len(keys)
