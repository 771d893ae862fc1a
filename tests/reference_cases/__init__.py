"""The numbered cases of symbols and corporate actions as data, for the engine and for the job."""

from __future__ import annotations

from tests.reference_cases.check import check
from tests.reference_cases.library import ALL_CASES, merged
from tests.reference_cases.vocabulary import Case

__all__ = ["ALL_CASES", "Case", "check", "merged"]
