"""The rules of one dataset: reasons, flags and words, in SQL and in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from asknown.errors import UsageError
from asknown.quality.reasons import Reason
from asknown.quality.rules import reading, ticks
from asknown.quality.rules.check import SCALE, Check, Columns, Record, text_sql, value
from asknown.quality.rules.history import OFFSET, Gap, with_history
from asknown.settings import CHECKOUT

FOLDER = CHECKOUT / "schemas" / "quality"
NO_TEXT = "CAST(NULL AS STRING)"


class Severity(StrEnum):
    """What a violated rule does to its record."""

    REJECT = "reject"
    FLAG = "flag"


@dataclass(frozen=True)
class Rule:
    """A check, the reason a record gets when it violates it, and where it is written."""

    reason: Reason
    check: Check
    severity: Severity
    number: int  # in its file, from 1


@dataclass(frozen=True)
class RuleSet:
    """The rules of one dataset, in the order in which they are asked."""

    dataset: str
    rules: tuple[Rule, ...]

    @classmethod
    def load(cls, dataset: str, folder: Path = FOLDER) -> RuleSet:
        """Read the rules of a dataset such as `trade`.

        Raises `UsageError` ASKNOWN-QUALITY-001 (no such file), -002 (a rule that cannot be read),
        -003 (a comparison of a column that no earlier rule requires), -004 (a rule that needs
        what came before, but is to reject, or a second one that keeps a price).
        """
        path = folder / f"{dataset}.yaml"
        if not path.is_file() or path.name == ticks.FILE:
            raise UsageError(
                "ASKNOWN-QUALITY-001",
                f"expected a dataset with rules, found {dataset!r}.",
                where=str(path),
                hint=f"use one of: {', '.join(datasets(folder))}.",
            )
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = enumerate(document["rules"], start=1)
        rules = tuple(_rule(number, entry, dataset, path) for number, entry in entries)
        _require_safe(rules, path)
        _require_possible(rules, path)
        return cls(dataset, rules)

    @property
    def rejecting(self) -> tuple[Rule, ...]:
        """Return the rules that refuse a record."""
        return tuple(rule for rule in self.rules if rule.severity is Severity.REJECT)

    @property
    def flagging(self) -> tuple[Rule, ...]:
        """Return the rules that let a record pass and are named with it."""
        return tuple(rule for rule in self.rules if rule.severity is Severity.FLAG)

    @property
    def gap(self) -> Gap | None:
        """Return the rule that compares with the previous price, if there is one."""
        return next((r.check for r in self.rules if isinstance(r.check, Gap)), None)

    @property
    def remembers(self) -> bool:
        """Tell whether a rule needs what came before a record."""
        return any(rule.check.remembers for rule in self.rules)

    def reason_sql(self, payload: str = "payload") -> str:
        """Return a `CASE` that gives the reason code, or NULL for a good record.

        `payload` names the column that holds the nested payload; '' addresses a flattened table.
        The text runs unchanged in Flink and DuckDB but for their quoting of names and, of a
        pattern, the name of REGEXP.
        """
        columns = Columns(payload)
        return _case((rule.check.sql(columns), text_sql(rule.reason)) for rule in self.rejecting)

    def detail_sql(self, payload: str = "payload") -> str:
        """Return a `CASE` that gives the violated rule in words, with the numbers found."""
        columns = Columns(payload)
        return _case(
            (rule.check.sql(columns), _detail_sql(self._words(rule), rule.check, columns))
            for rule in self.rejecting
        )

    def flags_sql(self, columns: Columns, also: str = "TRUE") -> str:
        """Return the reason codes of the violated flag rules, joined by a comma, or NULL.

        Of an ordinary row no more than the conditions is computed. `also` must hold too.
        """
        conditions: dict[Reason, str] = {}
        for rule in self.flagging:
            condition = f"({rule.check.sql(columns)})"
            before = conditions.get(rule.reason)
            conditions[rule.reason] = f"{before} OR {condition}" if before else condition
        if not conditions:
            return NO_TEXT
        codes = ", ".join(f"CASE WHEN {sql} THEN '{code}' END" for code, sql in conditions.items())
        anything = " OR ".join(conditions.values())
        return f"CASE WHEN ({anything}) AND {also} THEN CONCAT_WS(',', {codes}) END"

    def reason(self, record: Record) -> Reason | None:
        """Return the reason of the first violated rule, or None.

        `record` is nested as on the wire: prices are Decimal, times aware datetimes.
        """
        violated = self._violated(record)
        return violated.reason if violated else None

    def detail(self, record: Record) -> str | None:
        """Return the first violated rule in words, with the numbers found, or None."""
        rule = self._violated(record)
        if rule is None:
            return None
        return self._words(rule) + _found(rule.check, record)

    def flags(self, record: Record) -> str | None:
        """Return the codes of the violated flag rules of a record with its memory, or None.

        Without one (see `KeyHistory`) the rules that need it flag nothing.
        """
        codes = dict.fromkeys(r.reason for r in self.flagging if r.check.violated(record))
        return ",".join(codes) or None

    def flags_of_key(self, rows: Iterable[Record]) -> dict[int, str | None]:
        """Return the flags, by offset, of the records of one key among its change points."""
        return {row[OFFSET]: self.flags(row) for row in with_history(rows, self.gap)}

    def _violated(self, record: Record) -> Rule | None:
        return next((rule for rule in self.rejecting if rule.check.violated(record)), None)

    def _words(self, rule: Rule) -> str:
        return f"{self.dataset}.yaml rule {rule.number}: {rule.check.words()}"


def datasets(folder: Path = FOLDER) -> list[str]:
    """Return the datasets that have rules."""
    return sorted(path.stem for path in folder.glob("*.yaml") if path.name != ticks.FILE)


def _case(branches: Iterable[tuple[str, str]]) -> str:
    lines = [f"WHEN {condition} THEN {result}" for condition, result in branches]
    return "\n  ".join(["CASE", *lines]) + "\nEND"


def _detail_sql(words: str, check: Check, columns: Columns) -> str:
    if not check.found:
        return text_sql(words)
    parts = [text_sql(f"{words}; found")]
    for name in check.found:
        label = f" {name} " if len(check.found) > 1 else " "
        parts += [text_sql(label), f"COALESCE(CAST({columns.sql(name)} AS STRING), 'nothing')"]
    return f"CONCAT({', '.join(parts)})"


def _found(check: Check, record: Record) -> str:
    if not check.found:
        return ""
    several = len(check.found) > 1
    shown = (f"{f'{name} ' if several else ''}{_text(value(record, name))}" for name in check.found)
    return f"; found {' '.join(shown)}"


def _text(number: Any) -> str:
    if number is None:
        return "nothing"
    return f"{number:.{SCALE}f}" if isinstance(number, Decimal) else str(number)


def _rule(number: int, entry: Mapping[str, Any], dataset: str, path: Path) -> Rule:
    kind = {key: body for key, body in entry.items() if key not in ("reason", "severity")}
    try:
        reason = Reason(entry["reason"])
        severity = Severity(entry.get("severity", Severity.REJECT))
        check = reading.check(kind, dataset, path.parent)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise UsageError(
            "ASKNOWN-QUALITY-002",
            f"expected a known reason and one known kind of rule, found {entry} ({error}).",
            where=f"{path} rule {number}",
            hint="see the head of schemas/quality/trade.yaml for the kinds of rules.",
        ) from error
    return Rule(reason, check, severity, number)


def _require_safe(rules: Sequence[Rule], path: Path) -> None:
    required: set[str] = set()
    for rule in rules:
        loose = rule.check.compares - required
        if loose:
            raise UsageError(
                "ASKNOWN-QUALITY-003",
                f"{rule.reason} compares {', '.join(sorted(loose))}, which may be missing there.",
                where=f"{path} rule {rule.number}",
                hint="require the column by a `present` or `filled` rule above.",
            )
        if rule.severity is Severity.REJECT:
            required |= rule.check.requires


def _require_possible(rules: Sequence[Rule], path: Path) -> None:
    keeping = 0
    for rule in rules:
        keeping += isinstance(rule.check, Gap)
        if rule.check.remembers and (rule.severity is Severity.REJECT or keeping > 1):
            raise UsageError(
                "ASKNOWN-QUALITY-004",
                f"{rule.reason} needs what came before a record, which is known only when the "
                "record has been accepted; and one price of a key is kept.",
                where=f"{path} rule {rule.number}",
                hint="give it `severity: flag`; of `gap` have one rule a dataset.",
            )
