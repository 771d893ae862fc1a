"""Read which column of which dataset is made of which, and walk up or down from one.

`schemas/lineage.json` is what Flink's planner says of each job's queries (`make lineage`; a test
compares). What is no query is declared here.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal

from asknown.contracts.catalog import SCHEMAS, contracts
from asknown.contracts.tables import lake_tables
from asknown.errors import UsageError

RECORDED = SCHEMAS / "lineage.json"
How = Literal["kept", "computed", "deciding", "operator", "declared"]
_MARKET = ("trade", "quote", "bar")

# Commands that write without a query of their own, or run the queries of normalize and derive.
DECLARED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "quarantine replay": (
        ("quarantine.event", *(f"raw.{one}" for one in _MARKET), "reference.entity_history"),
        ("replayed.event", *(f"normalized.{one}" for one in _MARKET)),
    ),
    "quarantine discard": (("quarantine.event",), ("discarded.event",)),
    "heal": (
        ("late.event", "raw.trade", "raw.quote", "reference.entity_change"),
        ("healed.event", "normalized.trade", "normalized.quote", "analytics.bar"),
    ),
    "backfill": (
        (
            *("raw.trade", "raw.quote", "reference.entity_change"),
            *("reference.entity_history", "replayed.event"),
        ),
        ("normalized.trade", "normalized.quote", "analytics.bar", "ops.backfill_run"),
    ),
}


@dataclass(frozen=True, order=True)
class Node:
    """A dataset, or one column of it."""

    dataset: str
    column: str = ""

    def __str__(self) -> str:
        return f"{self.dataset}.{self.column}" if self.column else self.dataset


@dataclass(frozen=True, order=True)
class Edge:
    """`target` is made of `source` by `job`.

    `how`: the value is kept; or computed; or only decides which rows there are; or went into an
    operator in Python that may use all of it; or a command was declared to write it.
    """

    source: Node
    target: Node
    job: str
    how: How


@dataclass(frozen=True)
class Tree:
    """A node, and below it what it is made of (or what is made of it), each with its edges.

    A node that several others lead to is opened once, where it is nearest; elsewhere it is
    `opened_elsewhere`.
    """

    node: Node
    below: tuple[tuple[str, tuple[Edge, ...], Tree], ...] = field(default=())
    opened_elsewhere: bool = False


Steps = Mapping[tuple[str, Node], tuple[Edge, ...]]


@dataclass(frozen=True)
class Lineage:
    """All edges between columns."""

    edges: tuple[Edge, ...]

    def of_job(self, job: str) -> tuple[list[str], list[str]]:
        """Return the datasets a job reads and those it writes."""
        mine = [edge for edge in self.edges if edge.job == job]
        return sorted({e.source.dataset for e in mine}), sorted({e.target.dataset for e in mine})

    def made_by(self, dataset: str) -> list[str]:
        """Return the jobs that write a dataset."""
        return list(dict.fromkeys(e.job for e in self.edges if e.target.dataset == dataset))

    def read_by(self, dataset: str) -> list[str]:
        """Return the jobs that read a dataset."""
        return list(dict.fromkeys(e.job for e in self.edges if e.source.dataset == dataset))

    def up(self, node: Node, depth: int = 99) -> Tree:
        """Return what a dataset or column is made of, and that of what, `depth` jobs far."""
        return self._tree(node, depth, up=True)

    def down(self, node: Node, depth: int = 99) -> Tree:
        """Return what is made of a dataset or column, and what of that."""
        return self._tree(node, depth, up=False)

    def _tree(self, start: Node, depth: int, *, up: bool) -> Tree:
        """Open the nodes one level after the other, each where it is met first."""
        values = bool(start.column)
        opened: dict[Node, Steps] = {start: self._beside(start, up=up, values=values)}
        opener = dict.fromkeys(opened, start)
        level = [start]
        for _ in range(depth - 1):
            new = []
            for node in level:
                for _job, other in opened[node]:
                    if other not in opener:
                        opener[other] = node
                        new.append(other)
            opened |= {node: self._beside(node, up=up, values=values) for node in new}
            level = new
        return _grown(start, opened, opener)

    def _beside(self, node: Node, *, up: bool, values: bool) -> Steps:
        """Return the edges to or from a node, by the job and what is at their other end.

        `values`: only what a value comes from. That is neither what decides which rows there are,
        nor a command, which runs the same queries again.
        """
        found: dict[tuple[str, Node], list[Edge]] = {}
        for edge in self._by_end[up].get(node.dataset, ()):
            here, there = (edge.target, edge.source) if up else (edge.source, edge.target)
            if values and edge.how in ("deciding", "declared"):
                continue
            if node.column and here.column not in ("", node.column):
                continue
            # An operator may use all it is given: its columns stand together.
            whole = not node.column or edge.how == "operator"
            other = Node(there.dataset) if whole else there
            found.setdefault((edge.job, other), []).append(edge)
        return {step: tuple(edges) for step, edges in found.items()}

    @cached_property
    def _by_end(self) -> Mapping[bool, Mapping[str, list[Edge]]]:
        ends: dict[bool, dict[str, list[Edge]]] = {True: {}, False: {}}
        for edge in self.edges:
            ends[True].setdefault(edge.target.dataset, []).append(edge)
            ends[False].setdefault(edge.source.dataset, []).append(edge)
        return ends


def _grown(node: Node, opened: Mapping[Node, Steps], opener: Mapping[Node, Node]) -> Tree:
    below = []
    for (job, other), edges in opened.get(node, {}).items():
        if opener.get(other) == node and other != node:
            below.append((job, edges, _grown(other, opened, opener)))
        else:
            below.append((job, edges, Tree(other, opened_elsewhere=other in opened)))
    return Tree(node, tuple(below))


@lru_cache(maxsize=1)
def lineage() -> Lineage:
    """Return the lineage of the platform."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    edges: dict[Edge, None] = {}
    for job, outputs in recorded.items():
        for target, said in outputs.items():
            edges |= dict.fromkeys(_of_output(job, target, said))
    for job, (sources, targets) in DECLARED.items():
        for target in targets:
            found = (Edge(Node(one), Node(target), job, "declared") for one in sources)
            edges |= dict.fromkeys(found)
    return Lineage(tuple(edges))


def _of_output(job: str, target: str, said: Mapping[str, object]) -> Iterator[Edge]:
    for text in _texts(said.get("whole")):
        yield Edge(_node(text), Node(target), job, "operator")
    columns = said.get("columns") or {}
    assert isinstance(columns, dict)  # noqa: S101  # a file of ours
    for column, texts in columns.items():
        for text in _texts(texts):
            how: How = "kept" if text.startswith("=") else "computed"
            yield Edge(_node(text), Node(target, column), job, how)
    for text in _texts(said.get("deciding")):
        yield Edge(_node(text), Node(target), job, "deciding")


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _node(text: str) -> Node:
    dataset, _, column = text[2:].rpartition(".")
    return Node(dataset, column)


def resolve(name: str) -> Node:
    """Return what a name says: a topic, a table (silver.trade), or a column of one.

    A table of the lake or of ClickHouse is the topic that is kept in it. Raises `UsageError`
    ASKNOWN-LINEAGE-001, with the nearest names, when there is no such dataset or column.
    """
    known = columns_by_dataset()
    aliases = {c.topic.table: topic for topic, c in contracts().items()}
    dataset = aliases.get(name, name)
    if dataset in known:
        return Node(dataset)
    whole, _, column = name.rpartition(".")
    dataset = aliases.get(whole, whole)
    if column in known.get(dataset, ()):
        return Node(dataset, column)
    names = [f"{whole}.{one}" for one in known[dataset]] if dataset in known else [*known, *aliases]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
    raise UsageError(
        "ASKNOWN-LINEAGE-001",
        f"expected a dataset, or a column of one, found {name!r}.",
        hint=f"use one of: {', '.join(near)}; asknown datasets lists them.",
    )


@lru_cache(maxsize=1)
def columns_by_dataset() -> Mapping[str, tuple[str, ...]]:
    """Return the columns of every dataset: what stores hold of a topic, and the tables beside."""
    from asknown.contracts.render import store_fields

    topics = {name: tuple(f.name for f in store_fields(c)) for name, c in contracts().items()}
    return {**topics, **{t.name: tuple(f.name for f in t.fields) for t in lake_tables().values()}}
