"""Walks through what is made of what."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.contracts.catalog import contracts
from asknown.errors import UsageError
from asknown.lineage.graph import (
    Edge,
    How,
    Lineage,
    Node,
    Tree,
    columns_by_dataset,
    lineage,
    resolve,
)

NOT_KEPT = ("kafka_time", "message_bytes", "decode_error")  # columns of a source that no store has


def edge(source: str, target: str, job: str = "job", how: How = "computed") -> Edge:
    """Return an edge between `dataset.column`s."""
    ends = [Node(*text.split(".")) if "." in text else Node(text) for text in (source, target)]
    return Edge(ends[0], ends[1], job, how)


def names(tree: Tree) -> list[str]:
    """Return every node below a tree, from the top."""
    return [name for _, _, one in tree.below for name in (str(one.node), *names(one))]


CHAIN = Lineage(
    (
        edge("raw.a", "silver.a", how="kept"),
        edge("raw.b", "silver.b"),
        edge("raw.c", "silver", how="deciding"),
        edge("silver.a", "gold.a"),
        edge("silver", "raw2", "replay", "declared"),
    )
)


def test_column_is_followed_by_values_only():
    assert names(CHAIN.up(Node("gold", "a"))) == ["silver.a", "raw.a"]
    assert names(CHAIN.down(Node("raw", "a"))) == ["silver.a", "gold.a"]
    assert names(CHAIN.up(Node("silver", "b"))) == ["raw.b"]


def test_dataset_is_made_of_all_that_decides_about_it():
    ((job, edges, below),) = CHAIN.up(Node("silver")).below
    assert (job, below.node) == ("job", Node("raw"))
    assert {one.source.column for one in edges} == {"a", "b", "c"}
    assert names(CHAIN.down(Node("raw"))) == ["silver", "gold", "raw2"]


def test_walk_ends_after_as_many_jobs_as_were_asked_for():
    assert names(CHAIN.up(Node("gold", "a"), depth=1)) == ["silver.a"]
    assert names(CHAIN.up(Node("gold", "a"), depth=2)) == ["silver.a", "raw.a"]


def test_operator_makes_each_column_of_all_it_was_given():
    graph = Lineage(
        (edge("raw.a", "truth", how="operator"), edge("raw.b", "truth", how="operator"))
    )
    ((_, edges, below),) = graph.up(Node("truth", "x")).below
    assert below.node == Node("raw")
    assert len(edges) == 2


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_walk_opens_each_dataset_once_and_reaches_all_there_are(pairs: list[tuple[int, int]]):
    graph = Lineage(tuple({edge(f"d{a}.x", f"d{b}.y") for a, b in pairs}))
    tree = graph.up(Node("d0"))
    opened = [one.node for one in _opened(tree)]
    assert len(opened) == len(set(opened))
    reached, new = {0}, {0}
    while new:
        new = {a for a, b in pairs if b in new} - reached
        reached |= new
    assert {node.dataset for node in opened} == {f"d{one}" for one in reached}


def _opened(tree: Tree) -> list[Tree]:
    return [tree, *(x for _, _, b in tree.below if not b.opened_elsewhere for x in _opened(b))]


def test_every_end_of_the_platforms_lineage_is_a_column_of_a_contract():
    known = columns_by_dataset()
    for one in lineage().edges:
        for node in (one.source, one.target):
            assert node.dataset in known
            assert node.column in ("", *NOT_KEPT, *known[node.dataset]), node


def test_everything_but_what_comes_in_is_made_by_something():
    for dataset in columns_by_dataset():
        assert bool(lineage().made_by(dataset)) is not dataset.startswith("raw."), dataset


def test_price_of_a_trade_is_handed_on_as_it_came():
    path = [Node("normalized.trade", "price"), Node("raw.trade", "price")]
    tree = lineage().up(path[0])
    ((job, (one,), below),) = tree.below
    assert (job, one.how, below.node) == ("normalize", "kept", path[1])
    assert [str(b) for _, b in pairwise(path)] == names(tree)


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("silver.trade", Node("normalized.trade")),
        ("normalized.trade", Node("normalized.trade")),
        ("silver.trade.price", Node("normalized.trade", "price")),
        ("bronze.trade", Node("raw.trade")),
        ("gold.feature.value", Node("gold.feature", "value")),
    ],
)
def test_name_of_a_topic_a_table_or_a_column_is_understood(name: str, node: Node):
    assert resolve(name) == node


@pytest.mark.parametrize(
    "name", ["silver.trad", "silver.trade.prise", "", "x", "raw", *("a.b.c.d",)]
)
def test_name_of_nothing_is_refused_with_the_nearest(name: str):
    with pytest.raises(UsageError, match="ASKNOWN-LINEAGE-001"):
        resolve(name)


def test_every_table_of_a_topic_can_be_asked_for():
    for topic, c in contracts().items():
        assert resolve(c.topic.table) == Node(topic)
