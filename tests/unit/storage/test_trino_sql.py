"""A question by the knowledge of a moment: which text Trino gets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from asknown.storage.trino import as_known, names

T = datetime(2024, 10, 28, 9, 30, tzinfo=UTC)
BAR = (
    "bar AS (SELECT * FROM lake.research.bar_asof WHERE "
    "known_from <= TIMESTAMP '2024-10-28 09:30:00.000000' "
    "AND known_to > TIMESTAMP '2024-10-28 09:30:00.000000')"
)


def test_question_is_asked_over_what_was_believed_at_the_moment():
    text = as_known("SELECT * FROM bar;", T)
    assert text.startswith("WITH bar AS (SELECT")
    assert BAR in text
    assert text.endswith("\nSELECT * FROM bar")


def test_question_with_parts_of_its_own_keeps_them():
    text = as_known("with x AS (SELECT 1) SELECT * FROM x, bar", T)
    assert text.count("WITH") == 1
    assert BAR in text
    assert text.endswith(",\nx AS (SELECT 1) SELECT * FROM x, bar")


def test_question_with_recursion_stays_recursive():
    assert as_known("WITH RECURSIVE n(a) AS (SELECT 1) SELECT * FROM n", T).startswith(
        "WITH RECURSIVE bar AS"
    )


@pytest.mark.parametrize("text", ["SHOW TABLES", "DESCRIBE bar_asof", "EXPLAIN SELECT 1"])
def test_statement_that_is_no_question_stays_as_it_is(text: str):
    assert as_known(text, T) == text


def test_every_dataset_of_research_has_a_view():
    expected = {"bar", "trade", "daily_bar", "feature", "universe_member", "corporate_action"}
    assert expected <= set(names())
