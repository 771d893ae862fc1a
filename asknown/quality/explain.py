"""What a reason code means, which rules give it, where its records are and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from asknown.errors import UsageError
from asknown.quality.reasons import Reason
from asknown.quality.rules import RuleSet, Severity
from asknown.quality.rules.ruleset import datasets

_LANES = {
    Reason.LATE_BEYOND_WATERMARK: "late.event",
    Reason.LOST: "late.event",
    Reason.DUPLICATE: "duplicate.event",
}
FLAGGED = "quality_flags of normalized.*"
QUARANTINE = "quarantine.event"


@dataclass(frozen=True)
class RuleLine:
    """A rule that gives a reason, as a page shows it."""

    file: str
    number: int
    severity: Severity
    words: str


@dataclass(frozen=True)
class Explanation:
    """All there is to say about a reason."""

    reason: Reason
    rules: tuple[RuleLine, ...]
    goes_to: tuple[str, ...]


def explain(code: str) -> Explanation:
    """Return what a code means.

    Raises `UsageError` ASKNOWN-QUALITY-005 for a code that is none of ours.
    """
    try:
        reason = Reason(code.upper())
    except ValueError as error:
        raise UsageError(
            "ASKNOWN-QUALITY-005",
            f"expected a reason code, found {code!r}.",
            hint="asknown explain lists them all.",
        ) from error
    rules = tuple(rule for rule_reason, rule in _rules() if rule_reason is reason)
    return Explanation(reason, rules, tuple(_places(reason, rules)))


def everything() -> list[Explanation]:
    """Return the explanations of all reasons, in their order."""
    return [explain(reason) for reason in Reason]


def _places(reason: Reason, rules: tuple[RuleLine, ...]) -> Iterator[str]:
    severities = {rule.severity for rule in rules}
    if not rules or Severity.REJECT in severities:
        yield _LANES.get(reason, QUARANTINE)
    if Severity.FLAG in severities:
        yield FLAGGED


@cache
def _rules() -> tuple[tuple[Reason, RuleLine], ...]:
    return tuple(
        (
            rule.reason,
            RuleLine(
                f"schemas/quality/{dataset}.yaml", rule.number, rule.severity, rule.check.words()
            ),
        )
        for dataset in datasets()
        for rule in RuleSet.load(dataset).rules
    )
