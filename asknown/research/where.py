"""Conditions on rows of an Iceberg table, by column name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyiceberg import expressions
from pyiceberg.expressions import AlwaysTrue, BooleanExpression

_MADE: Any = expressions  # its constructors are declared by what they hold, not by what they take
EVERY: BooleanExpression = AlwaysTrue()


def equal(column: str, value: Any) -> BooleanExpression:
    """Return the condition column = value."""
    found: BooleanExpression = _MADE.EqualTo(column, value)
    return found


def among(column: str, values: Iterable[Any]) -> BooleanExpression:
    """Return the condition column IN values."""
    found: BooleanExpression = _MADE.In(column, tuple(values))
    return found


def at_least(column: str, value: Any) -> BooleanExpression:
    """Return the condition column >= value."""
    found: BooleanExpression = _MADE.GreaterThanOrEqual(column, value)
    return found


def at_most(column: str, value: Any) -> BooleanExpression:
    """Return the condition column <= value."""
    found: BooleanExpression = _MADE.LessThanOrEqual(column, value)
    return found


def below(column: str, value: Any) -> BooleanExpression:
    """Return the condition column < value."""
    found: BooleanExpression = _MADE.LessThan(column, value)
    return found


def every(*conditions: BooleanExpression) -> BooleanExpression:
    """Return the condition that all hold."""
    found: BooleanExpression = _MADE.And(EVERY, *conditions) if conditions else EVERY
    return found
