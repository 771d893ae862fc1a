"""Ask Flink's planner which columns of its sources each column of a view is computed from.

The tree is the one that Flink makes of the view before it optimises, so the answer is about the
query that runs. Calcite has `getColumnOrigins`, which gives up at Flink's own nodes (watermarks,
windows) and mixes what a value is with what orders or chooses it; so the walk is here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from pyflink.table import TableEnvironment

from asknown.errors import AsknownError

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_COLUMN = re.compile(r"(?<![\w$])\$(\d+)")
_OF_THE_LEFT = re.compile(r"(\$cor\d+)\.([\w$]+)")
_NUMBER = re.compile(r"\d+")
_DESCRIPTOR = re.compile(r"DESCRIPTOR\(_UTF-16LE'([^']+)'\)")
_WINDOW = " OVER ("


@dataclass(frozen=True, order=True)
class Origin:
    """A column of a source; `kept` when its value is handed on as it is."""

    source: str
    column: str
    kept: bool = True


Origins = frozenset[Origin]
NOTHING: Origins = frozenset()


@dataclass(frozen=True)
class Traced:
    """Where each column of a relation comes from, and what chooses, joins or orders its rows."""

    columns: tuple[Origins, ...]
    deciding: Origins = NOTHING


class Walk:
    """The walk through one planner's trees.

    `fed` gives, for a source that stands for the output of a Python operator, what went into that.
    """

    def __init__(self, env: TableEnvironment, fed: Callable[[str], Origins | None]) -> None:
        # Flink has no public way to the tree of a view.
        self._parser = env._j_tenv.getPlanner().getParser()
        self._fed = fed
        self._correlated: dict[str, dict[str, Origins]] = {}

    def of_view(self, name: str) -> tuple[list[str], Traced]:
        """Return the columns of a view, and where they come from."""
        tree = self._tree(name)
        return _names(tree), self.of(tree)

    def source_of(self, name: str) -> str:
        """Return the name under which the planner reads a view that is a source itself."""
        tree = self._tree(name)
        while _kind(tree) != "LogicalTableScan":
            tree = tree.getInput(0)
        return _table(tree)

    def of(self, node: Any) -> Traced:
        """Return where the columns of a node come from.

        Raises `AsknownError` ASKNOWN-LINEAGE-002 for a kind of node no query has had so far.
        """
        kind = _kind(node)
        visit = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower(), None)
        if visit is None:
            raise _unknown(f"a node {kind}: {node}")
        found: Traced = visit(node)
        if len(found.columns) != len(_names(node)):
            raise AssertionError(f"{kind}: {len(found.columns)} columns for {_names(node)}")
        return found

    def logical_table_scan(self, node: Any) -> Traced:
        """Return the columns of a source, or what fed the operator that it stands for."""
        table, names = _table(node), _names(node)
        fed = self._fed(table)
        if fed is not None:
            return Traced((_computed(fed),) * len(names))
        return Traced(tuple(frozenset([Origin(table, name)]) for name in names))

    def logical_project(self, node: Any) -> Traced:
        """Return what each expression is made of."""
        below = self.of(node.getInput(0))
        made = list(node.getProjects())
        columns = tuple(self._value(one, below) for one in made)
        return Traced(columns, below.deciding.union(*(self._windows(one, below) for one in made)))

    def logical_filter(self, node: Any) -> Traced:
        """Return the same columns, with those of the condition among the deciding ones."""
        below = self.of(node.getInput(0))
        return replace(below, deciding=below.deciding | self._used([node.getCondition()], below))

    def logical_watermark_assigner(self, node: Any) -> Traced:
        """Return the same columns."""
        return self.of(node.getInput(0))

    def logical_union(self, node: Any) -> Traced:
        """Return of each column what it is made of in any of the parts."""
        parts = [self.of(one) for one in node.getInputs()]
        columns = zip(*(one.columns for one in parts), strict=True)
        deciding = NOTHING.union(*(one.deciding for one in parts))
        return Traced(tuple(NOTHING.union(*column) for column in columns), deciding)

    def logical_values(self, node: Any) -> Traced:
        """Return columns that come from the query itself."""
        return Traced((NOTHING,) * len(_names(node)))

    def logical_join(self, node: Any) -> Traced:
        """Return both sides, with the columns of the condition among the deciding ones."""
        left, right = self.of(node.getLeft()), self.of(node.getRight())
        both = Traced(left.columns + right.columns, left.deciding | right.deciding)
        used = self._used([node.getCondition()], both)
        return Traced(both.columns[: len(_names(node))], both.deciding | used)

    def logical_correlate(self, node: Any) -> Traced:
        """Return both sides; the right one may ask for columns of the left."""
        left = self.of(node.getLeft())
        self._correlated[str(node.getCorrelVariable())] = dict(
            zip(_names(node.getLeft()), left.columns, strict=True)
        )
        right = self.of(node.getRight())
        return Traced(left.columns + right.columns, left.deciding | right.deciding)

    def uncollect(self, node: Any) -> Traced:
        """Return the columns of an array's elements: made of the array."""
        below = self.of(node.getInput(0))
        made = _computed(NOTHING.union(*below.columns))
        return Traced((made,) * len(_names(node)), below.deciding)

    def logical_aggregate(self, node: Any) -> Traced:
        """Return the keys as they are and what each function is asked about."""
        below = self.of(node.getInput(0))
        keys = [below.columns[int(one)] for one in _NUMBER.findall(str(node.getGroupSet()))]
        # As text, a call has its arguments and the condition of its FILTER.
        values = [self._used([call], below) for call in node.getAggCallList()]
        return Traced((*keys, *values), below.deciding | _computed(NOTHING.union(*keys)))

    def logical_table_function_scan(self, node: Any) -> Traced:
        """Return the rows a window function is given and when their window is; or new columns."""
        inputs = list(node.getInputs())
        below = self.of(inputs[0]) if inputs else Traced(())
        made = self._used([node.getCall()], below)
        for time in _DESCRIPTOR.findall(str(node.getCall())):
            made |= _computed(below.columns[_names(inputs[0]).index(time)])
        more = len(_names(node)) - len(below.columns)
        return replace(below, columns=below.columns + (made,) * more)

    def _tree(self, view: str) -> Any:
        query = f"SELECT * FROM `{view}`"  # noqa: S608  # a view of a pipeline of ours
        return self._parser.parse(query).get(0).getCalciteTree()

    def _value(self, expression: Any, below: Traced) -> Origins:
        text = str(expression)
        if _COLUMN.fullmatch(text):
            return below.columns[int(text[1:])]
        return self._read(_without_windows(text)[0], below)

    def _used(self, expressions: Iterable[Any], below: Traced) -> Origins:
        return NOTHING.union(*(self._read(_plain(one), below) for one in expressions))

    def _windows(self, expression: Any, below: Traced) -> Origins:
        """Return what partitions and orders the OVER windows within an expression."""
        return NOTHING.union(*(self._read(one, below) for one in _without_windows(expression)[1:]))

    def _read(self, text: str, below: Traced) -> Origins:
        """Return what the columns that an expression names are made of."""
        used = [below.columns[int(index)] for index in _COLUMN.findall(text)]
        used += [self._correlated[left][name] for left, name in _OF_THE_LEFT.findall(text)]
        return _computed(NOTHING.union(*used))


def _plain(expression: Any) -> str:
    """Return an expression as the planner prints it, without its literals.

    One call of the JVM an expression, and not one for each of the thousands of nodes of a rule.
    """
    text = _LITERAL.sub("", str(expression))
    if "{" in text:
        raise _unknown(f"a subquery within {text}")
    return text


def _without_windows(expression: Any) -> list[str]:
    """Return an expression without its OVER clauses, and behind it what they are."""
    text = _plain(expression)
    clauses = []
    while (at := text.find(_WINDOW)) >= 0:
        end, depth = at + len(_WINDOW), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        clauses.append(text[at + len(_WINDOW) : end])
        text = text[:at] + text[end:]
    return [text, *clauses]


def _unknown(found: str) -> AsknownError:
    return AsknownError(
        "ASKNOWN-LINEAGE-002",
        f"expected a query whose lineage the walk can tell, found {found}.",
        hint="teach it to jobs/lineage/origins.py, then make lineage.",
    )


def _computed(origins: Origins) -> Origins:
    return frozenset(replace(one, kept=False) for one in origins)


def _kind(node: Any) -> str:
    return str(node.getRelTypeName())


def _names(node: Any) -> list[str]:
    return str(node.getRowType().getFieldNames().toString()).strip("[]").split(", ")


def _table(node: Any) -> str:
    return str(list(node.getTable().getQualifiedName())[-1])
