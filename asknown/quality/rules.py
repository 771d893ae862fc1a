"""Rules of a dataset, read from `schemas/quality/<dataset>.yaml`, as portable SQL and as Python.

Both renderings mean the same: the reason of the first violated rule, or nothing. A missing value
never slips through three-valued logic, because a file in which a comparison is not preceded by a
rule that requires its columns is refused.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import yaml

from asknown.contracts.catalog import contract
from asknown.errors import UsageError
from asknown.quality.reasons import Reason
from asknown.settings import CHECKOUT

FOLDER = CHECKOUT / "schemas" / "quality"
PAYLOAD = "payload."
DECIMAL = "DECIMAL(18, 8)"  # the columns' own type: a wider literal would leave Flink's fast path


@dataclass(frozen=True)
class Columns:
    """Address the columns of a record in SQL; an empty payload means a flattened table."""

    payload: str

    def sql(self, name: str) -> str:
        """Return the SQL expression of a column such as `payload.price`."""
        if not name.startswith(PAYLOAD):
            return f"`{name}`"
        column = f"`{name.removeprefix(PAYLOAD)}`"
        return f"`{self.payload}`.{column}" if self.payload else column


class Check(Protocol):
    """One kind of check: what it requires and compares, and how it is violated."""

    @property
    def requires(self) -> frozenset[str]:
        """Return the columns that are certainly there once the check has passed."""

    @property
    def compares(self) -> frozenset[str]:
        """Return the columns that must be there before the check can be asked."""

    def sql(self, columns: Columns) -> str:
        """Return an SQL condition that is true when the check is violated."""

    def violated(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a nested record violates the check."""


@dataclass(frozen=True)
class Present:
    """Require columns; with `filled` an empty text counts as missing."""

    names: tuple[str, ...]
    filled: bool

    @property
    def requires(self) -> frozenset[str]:
        """Return the named columns."""
        return frozenset(self.names)

    @property
    def compares(self) -> frozenset[str]:
        """Return nothing: this check is what makes comparing safe."""
        return frozenset()

    def sql(self, columns: Columns) -> str:
        """Return `a IS NULL OR a = '' OR b IS NULL ...`."""
        found = [columns.sql(name) for name in self.names]
        if self.filled:
            return " OR ".join(f"{c} IS NULL OR {c} = ''" for c in found)
        return " OR ".join(f"{c} IS NULL" for c in found)

    def violated(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a column is missing."""
        missing = (None, "") if self.filled else (None,)
        return any(_value(record, name) in missing for name in self.names)


# A bound's name in the file -> how a value violates it: in SQL and in Python.
_BOUNDS: Mapping[str, tuple[str, Callable[[Any, int], bool]]] = {
    "above": ("<=", operator.le),
    "at_least": ("<", operator.lt),
    "below": (">=", operator.ge),
    "at_most": (">", operator.gt),
}


@dataclass(frozen=True)
class Range:
    """Keep numbers within bounds; bounds are whole numbers, a missing `optional` value is fine."""

    names: tuple[str, ...]
    bounds: tuple[tuple[str, int], ...]
    integer: bool
    optional: bool

    @property
    def requires(self) -> frozenset[str]:
        """Return nothing."""
        return frozenset()

    @property
    def compares(self) -> frozenset[str]:
        """Return the bounded columns, unless they may be missing."""
        return frozenset() if self.optional else frozenset(self.names)

    def sql(self, columns: Columns) -> str:
        """Return the violated bounds of each column, joined by OR."""
        return " OR ".join(
            f"{columns.sql(name)} {_BOUNDS[kind][0]} {self._literal(bound)}"
            for name in self.names
            for kind, bound in self.bounds
        )

    def _literal(self, bound: int) -> str:
        return str(bound) if self.integer else f"CAST({bound} AS {DECIMAL})"

    def violated(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a value lies outside a bound."""
        found = [_value(record, name) for name in self.names]
        return any(
            _BOUNDS[kind][1](value, bound)
            for value in found
            if not (self.optional and value is None)
            for kind, bound in self.bounds
        )


@dataclass(frozen=True)
class Ordered:
    """Keep every `lower` value at or below every `upper` value."""

    lower: tuple[str, ...]
    upper: tuple[str, ...]

    @property
    def requires(self) -> frozenset[str]:
        """Return nothing."""
        return frozenset()

    @property
    def compares(self) -> frozenset[str]:
        """Return both sides."""
        return frozenset(self.lower + self.upper)

    def sql(self, columns: Columns) -> str:
        """Return `lower > upper` for each pair, joined by OR."""
        pairs = [(low, high) for low in self.lower for high in self.upper]
        return " OR ".join(f"{columns.sql(low)} > {columns.sql(high)}" for low, high in pairs)

    def violated(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a lower value exceeds an upper one."""
        return any(
            _value(record, low) > _value(record, high) for low in self.lower for high in self.upper
        )


@dataclass(frozen=True)
class NotBefore:
    """Refuse times before an instant; the text is `YYYY-MM-DD hh:mm:ss` in UTC."""

    name: str
    instant: str

    @property
    def requires(self) -> frozenset[str]:
        """Return nothing."""
        return frozenset()

    @property
    def compares(self) -> frozenset[str]:
        """Return the column."""
        return frozenset({self.name})

    def sql(self, columns: Columns) -> str:
        """Return `column < TIMESTAMP '...'`."""
        return f"{columns.sql(self.name)} < TIMESTAMP '{self.instant}'"

    def violated(self, record: Mapping[str, Any]) -> bool:
        """Tell whether the time lies before the instant."""
        bound = datetime.fromisoformat(self.instant).replace(tzinfo=UTC)
        return bool(_value(record, self.name) < bound)


@dataclass(frozen=True)
class NotAhead:
    """Refuse times more than `minutes` ahead of another column of the same record."""

    name: str
    reference: str
    minutes: int

    @property
    def requires(self) -> frozenset[str]:
        """Return nothing."""
        return frozenset()

    @property
    def compares(self) -> frozenset[str]:
        """Return both times."""
        return frozenset({self.name, self.reference})

    def sql(self, columns: Columns) -> str:
        """Return `column > reference + INTERVAL 'n' MINUTE`."""
        limit = f"{columns.sql(self.reference)} + INTERVAL '{self.minutes}' MINUTE"
        return f"{columns.sql(self.name)} > {limit}"

    def violated(self, record: Mapping[str, Any]) -> bool:
        """Tell whether the time is too far ahead."""
        limit = _value(record, self.reference) + timedelta(minutes=self.minutes)
        return bool(_value(record, self.name) > limit)


@dataclass(frozen=True)
class Rule:
    """A check and the reason a record gets when it violates it."""

    reason: Reason
    check: Check


@dataclass(frozen=True)
class RuleSet:
    """The rules of one dataset, in the order in which they are asked."""

    dataset: str
    rules: tuple[Rule, ...]

    @classmethod
    def load(cls, dataset: str, folder: Path = FOLDER) -> RuleSet:
        """Read the rules of a dataset such as `trade`.

        Raises `UsageError` ASKNOWN-QUALITY-001 (no such file), -002 (a rule that cannot be read),
        -003 (a comparison of a column that no earlier rule requires).
        """
        path = folder / f"{dataset}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
            raise UsageError(
                "ASKNOWN-QUALITY-001",
                f"expected a dataset with rules, found {dataset!r}.",
                where=str(path),
                hint=f"use one of: {known}.",
            )
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        rules = tuple(
            Rule(_reason(entry, path), check)
            for entry in document["rules"]
            for check in _checks(entry, path)
        )
        _require_safe(rules, path)
        return cls(dataset, rules)

    def reason_sql(self, payload: str = "payload") -> str:
        """Return a `CASE` that gives the reason code, or NULL for a good record.

        `payload` names the column that holds the nested payload; '' addresses a flattened table.
        The text runs unchanged in Flink, DuckDB and ClickHouse but for their quoting of names.
        """
        columns = Columns(payload)
        lines = [f"WHEN {rule.check.sql(columns)} THEN '{rule.reason}'" for rule in self.rules]
        return "\n  ".join(["CASE", *lines]) + "\nEND"

    def reason(self, record: Mapping[str, Any]) -> Reason | None:
        """Return the reason of the first violated rule, or None.

        `record` is nested as on the wire: prices are Decimal, times aware datetimes.
        """
        for rule in self.rules:
            if rule.check.violated(record):
                return rule.reason
        return None


def _value(record: Mapping[str, Any], name: str) -> Any:
    if name.startswith(PAYLOAD):
        return (record.get("payload") or {}).get(name.removeprefix(PAYLOAD))
    return record.get(name)


def _reason(entry: Mapping[str, Any], path: Path) -> Reason:
    try:
        return Reason(entry["reason"])
    except (KeyError, ValueError) as error:
        raise _unreadable(entry, path) from error


def _checks(entry: Mapping[str, Any], path: Path) -> Sequence[Check]:
    try:
        match {key: value for key, value in entry.items() if key != "reason"}:
            case {"filled": [*names], **rest} if not rest:
                return [Present(tuple(names), filled=True)]
            case {"present": [*names], **rest} if not rest:
                return [Present(tuple(names), filled=False)]
            case {"required_by": str(topic), **rest} if not rest:
                return [_required_by(topic)]
            case {"range": {"columns": [*names], **rest}} if rest:
                return [_range(tuple(names), {str(k): v for k, v in rest.items()})]
            case {"ordered": {"lower": [*lower], "upper": [*upper], **rest}} if not rest:
                return [Ordered(tuple(lower), tuple(upper))]
            case {"time": {"column": name, "not_before": instant, **rest}} if not rest:
                datetime.fromisoformat(instant)
                return [NotBefore(name, instant)]
            case {"time": {"column": name, "ahead_of": other, "ahead_minutes": n, **rest}} if (
                not rest
            ):
                return [NotAhead(name, other, int(n))]
    except (TypeError, ValueError) as error:
        raise _unreadable(entry, path) from error
    raise _unreadable(entry, path)


def _range(names: tuple[str, ...], bounds: dict[str, Any]) -> Range:
    integer = bool(bounds.pop("integer", False))
    optional = bool(bounds.pop("optional", False))
    unknown = set(bounds) - set(_BOUNDS)
    if unknown or not bounds:
        raise ValueError(f"unknown bounds: {sorted(unknown)}")
    wanted = tuple((kind, int(bound)) for kind, bound in bounds.items())
    return Range(names, wanted, integer, optional)


def _required_by(topic: str) -> Present:
    """Require what a later contract cannot leave out and the raw record has under that name."""
    later = contract(topic)
    raw = {f.name for f in contract(f"raw.{later.topic.dataset}").payload}
    strict = [f.name for f in later.payload if not f.nullable and f.name in raw]
    return Present(tuple(f"{PAYLOAD}{name}" for name in strict), filled=False)


def _unreadable(entry: object, path: Path) -> UsageError:
    return UsageError(
        "ASKNOWN-QUALITY-002",
        f"expected a known reason and one known kind of rule, found {entry}.",
        where=str(path),
        hint="see the head of schemas/quality/trade.yaml for the kinds of rules.",
    )


def _require_safe(rules: Sequence[Rule], path: Path) -> None:
    required: set[str] = set()
    for rule in rules:
        loose = rule.check.compares - required
        if loose:
            raise UsageError(
                "ASKNOWN-QUALITY-003",
                f"{rule.reason} compares {', '.join(sorted(loose))}, which may be missing there.",
                where=str(path),
                hint="require the column by a `present` or `filled` rule above.",
            )
        required |= rule.check.requires
