"""Rules of a dataset, read from `schemas/quality/<dataset>.yaml`, as portable SQL and as Python.

Both mean the same. A rule with `severity: reject` gives a record its reason: that of the first one
violated, or nothing. A rule with `severity: flag` lets the record pass and is named in its
`quality_flags`. A missing value never slips through three-valued logic, because a file in which a
comparison is not preceded by a rule that requires its columns is refused.
"""

from __future__ import annotations

from asknown.quality.rules.check import Check, Columns, Record
from asknown.quality.rules.history import Gap, KeyHistory, Monotonic
from asknown.quality.rules.ruleset import FOLDER, Rule, RuleSet, Severity
from asknown.quality.rules.values import Present

__all__ = [
    "FOLDER",
    "Check",
    "Columns",
    "Gap",
    "KeyHistory",
    "Monotonic",
    "Present",
    "Record",
    "Rule",
    "RuleSet",
    "Severity",
]
