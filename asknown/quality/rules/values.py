"""Checks of the values of one record: present, within bounds, in order, one of, of a pattern."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asknown.quality.rules.check import (
    Check,
    Columns,
    Record,
    joined,
    number_sql,
    text_sql,
    value,
)


@dataclass(frozen=True)
class Present(Check):
    """Require columns; with `filled` an empty text counts as missing."""

    names: tuple[str, ...]
    filled: bool

    @property
    def requires(self) -> frozenset[str]:
        """Return the named columns."""
        return frozenset(self.names)

    def sql(self, columns: Columns) -> str:
        """Return `a IS NULL OR a = '' OR b IS NULL ...`."""
        found = [columns.sql(name) for name in self.names]
        if self.filled:
            return " OR ".join(f"{c} IS NULL OR {c} = ''" for c in found)
        return " OR ".join(f"{c} IS NULL" for c in found)

    def violated(self, record: Record) -> bool:
        """Tell whether a column is missing."""
        missing = (None, "") if self.filled else (None,)
        return any(value(record, name) in missing for name in self.names)

    def words(self) -> str:
        """Return the names and that they are there."""
        empty = " and not empty" if self.filled else ""
        return f"{joined(self.names)} not missing{empty}"


# A bound's name in the file -> how a value violates it: in SQL and in Python.
BOUNDS: Mapping[str, tuple[str, Callable[[Any, int], bool]]] = {
    "above": ("<=", operator.le),
    "at_least": ("<", operator.lt),
    "below": (">=", operator.ge),
    "at_most": (">", operator.gt),
}


@dataclass(frozen=True)
class Range(Check):
    """Keep numbers within bounds; bounds are whole numbers, a missing `optional` value is fine."""

    names: tuple[str, ...]
    bounds: tuple[tuple[str, int], ...]
    integer: bool
    optional: bool

    @property
    def compares(self) -> frozenset[str]:
        """Return the bounded columns, unless they may be missing."""
        return frozenset() if self.optional else frozenset(self.names)

    @property
    def found(self) -> tuple[str, ...]:
        """Return the bounded columns."""
        return self.names

    def sql(self, columns: Columns) -> str:
        """Return the violated bounds of each column, joined by OR."""
        return " OR ".join(
            f"{columns.sql(name)} {BOUNDS[kind][0]} {self._literal(bound)}"
            for name in self.names
            for kind, bound in self.bounds
        )

    def _literal(self, bound: int) -> str:
        return str(bound) if self.integer else number_sql(bound)

    def violated(self, record: Record) -> bool:
        """Tell whether a value lies outside a bound."""
        found = [value(record, name) for name in self.names]
        return any(
            BOUNDS[kind][1](one, bound)
            for one in found
            if not (self.optional and one is None)
            for kind, bound in self.bounds
        )

    def words(self) -> str:
        """Return the names and their bounds."""
        bounds = joined(f"{kind.replace('_', ' ')} {bound}" for kind, bound in self.bounds)
        return f"{joined(self.names)} {bounds}"


@dataclass(frozen=True)
class Ordered(Check):
    """Keep every `lower` value at or below every `upper` value."""

    lower: tuple[str, ...]
    upper: tuple[str, ...]

    @property
    def compares(self) -> frozenset[str]:
        """Return both sides."""
        return frozenset(self.lower + self.upper)

    @property
    def found(self) -> tuple[str, ...]:
        """Return both sides."""
        return self.lower + self.upper

    def sql(self, columns: Columns) -> str:
        """Return `lower > upper` for each pair, joined by OR."""
        pairs = [(low, high) for low in self.lower for high in self.upper]
        return " OR ".join(f"{columns.sql(low)} > {columns.sql(high)}" for low, high in pairs)

    def violated(self, record: Record) -> bool:
        """Tell whether a lower value exceeds an upper one."""
        return any(
            value(record, low) > value(record, high) for low in self.lower for high in self.upper
        )

    def words(self) -> str:
        """Return which values are not above which."""
        return f"{joined(self.lower)} at most {joined(self.upper)}"


@dataclass(frozen=True)
class OneOf(Check):
    """Keep values among the listed ones: texts, or whole numbers; a missing value is fine."""

    names: tuple[str, ...]
    values: tuple[str, ...] | tuple[int, ...]

    @property
    def found(self) -> tuple[str, ...]:
        """Return the columns when they are numbers; a text may be of any length."""
        return self.names if isinstance(self.values[0], int) else ()

    def sql(self, columns: Columns) -> str:
        """Return `column NOT IN (...)`; NULL is in no list and outside of none."""
        listed = ", ".join(
            str(one) if isinstance(one, int) else text_sql(one) for one in self.values
        )
        return " OR ".join(f"{columns.sql(name)} NOT IN ({listed})" for name in self.names)

    def violated(self, record: Record) -> bool:
        """Tell whether a value is none of the listed."""
        return any(value(record, name) not in (None, *self.values) for name in self.names)

    def words(self) -> str:
        """Return the names and the values they may have."""
        return f"{joined(self.names)} one of {', '.join(map(str, self.values))}"


# What Java, RE2 and Python read alike: no dot, no class by name, no look-around, nothing lazy.
_ESCAPE = r"\\[!-/:-@\[-`{-~]"
_MEMBER = rf"""(?:[A-Za-z0-9 _:/,;=@%!"'<>`#.$*+?(){{}}]|{_ESCAPE})"""
_TOKEN = re.compile(
    rf"(?P<one>\[\^?(?:{_MEMBER}(?:-{_MEMBER})?)+\]"
    rf"""|[A-Za-z0-9 _:/,;=@%!"'<>`#&~-]|{_ESCAPE})"""
    r"|(?P<times>[?*+]|\{\d{1,3}(?:,\d{0,3})?\})|(?P<open>\()|(?P<bar>\|)|(?P<close>\))"
)


@dataclass(frozen=True)
class Pattern(Check):
    """Keep texts that match a regular expression from end to end; a missing one is fine.

    The expression is one that Flink's REGEXP, DuckDB and Python's `re` agree on.
    """

    names: tuple[str, ...]
    expression: str

    def __post_init__(self) -> None:
        """Raise `ValueError` for an expression that not all of them read alike."""
        at, before = 0, "open"
        while at < len(self.expression):
            token = _TOKEN.match(self.expression, at)
            kind = token.lastgroup if token is not None else None
            if token is None or kind is None:
                raise ValueError(f"not portable from {self.expression[at:]!r} on")
            if kind == "times" and before in {"times", "open", "bar"}:
                raise ValueError(f"nothing to repeat before {self.expression[at:]!r}")
            at, before = token.end(), kind
        try:
            empty = re.fullmatch(self.expression, "")
        except re.error as error:
            raise ValueError(str(error)) from error
        if empty is not None:
            raise ValueError("it matches an empty text")

    def sql(self, columns: Columns) -> str:
        """Return that a column does not match, to its very end: `$` may be before a line's end."""
        whole = text_sql(rf"^(?:{self.expression})\z")
        return " OR ".join(f"NOT REGEXP({columns.sql(name)}, {whole})" for name in self.names)

    def violated(self, record: Record) -> bool:
        """Tell whether a text does not match."""
        found = [value(record, name) for name in self.names]
        return any(one is not None and not re.fullmatch(self.expression, one) for one in found)

    def words(self) -> str:
        """Return the names and the expression."""
        return f"{joined(self.names)} matching {self.expression}"
