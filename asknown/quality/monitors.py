"""Compare a measurement with what is usual, or with what is allowed.

Pure: every function takes numbers and returns a `Finding`, or None where there is too little to
compare with. Definitions and the reasons for the limits: docs/quality.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

NORMAL = 1.4826  # median absolute deviation of normal numbers -> their standard deviation
NOISE = 1e-9  # less than any column can hold; and of a mean, what the rounding of doubles leaves


@dataclass(frozen=True)
class Limits:
    """What is still unremarkable."""

    volume_score: float = 6.0  # robust standard deviations from the median
    mean_shift: float = 1.0  # pooled standard deviations between two means
    spread_ratio: float = 10.0  # between two standard deviations, either way
    null_rise: float = 0.05  # of a null share above its median
    flagged_share: float = 0.2
    order_violation_share: float = 0.1
    duplicate_share: float = 0.05
    late_share: float = 0.01
    min_windows: int = 5  # to call anything usual
    min_records: int = 30  # to trust a mean


LIMITS = Limits()


@dataclass(frozen=True)
class Finding:
    """One comparison. `reference` is what is usual or allowed; beyond `limit` it is a breach."""

    monitor: str
    value: float
    reference: float
    limit: float
    score: float  # what is held against the limit
    column: str | None = None

    @property
    def breached(self) -> bool:
        """Tell whether the score lies beyond the limit."""
        return self.score > self.limit


@dataclass(frozen=True)
class Moments:
    """Number, mean and standard deviation of the values of a window."""

    count: int
    mean: float
    stddev: float


def volume(count: float, earlier: Sequence[float], limits: Limits = LIMITS) -> Finding | None:
    """Compare a window's records with those of the same minute of earlier sessions.

    The median and the median absolute deviation, because one bad day must not become the measure.
    Counts scatter at least like a Poisson number, so a source that always sent exactly n does not
    make n + 1 a breach.
    """
    if len(earlier) < limits.min_windows:
        return None
    middle = median(earlier)
    spread = NORMAL * median(abs(n - middle) for n in earlier)
    score = abs(count - middle) / max(spread, math.sqrt(middle), 1.0)
    return Finding("volume", count, middle, limits.volume_score, score)


def pooled(windows: Sequence[Moments]) -> Moments | None:
    """Return the moments of all windows' values together, exactly; None without values."""
    count = sum(w.count for w in windows)
    if not count:
        return None
    mean = sum(w.count * w.mean for w in windows) / count
    squares = sum(w.count * (w.stddev**2 + (w.mean - mean) ** 2) for w in windows)
    return Moments(count, mean, math.sqrt(squares / count))


def mean_shift(
    column: str, current: Moments, earlier: Sequence[Moments], limits: Limits = LIMITS
) -> Finding | None:
    """Compare two means in pooled standard deviations (Cohen's d).

    An effect size and no significance: with enough records every difference is significant.
    """
    reference = _comparable(current, earlier, limits)
    if reference is None:
        return None
    spread = math.sqrt((_spread(current) ** 2 + _spread(reference) ** 2) / 2)
    score = abs(current.mean - reference.mean) / spread
    return Finding("mean_shift", current.mean, reference.mean, limits.mean_shift, score, column)


def spread_shift(
    column: str, current: Moments, earlier: Sequence[Moments], limits: Limits = LIMITS
) -> Finding | None:
    """Compare two standard deviations by their ratio, whichever is larger."""
    reference = _comparable(current, earlier, limits)
    if reference is None:
        return None
    low, high = sorted((_spread(current), _spread(reference)))
    return Finding(
        *("spread_shift", current.stddev, reference.stddev),
        *(limits.spread_ratio, high / low, column),
    )


def null_share(
    column: str, share: float, earlier: Sequence[float], limits: Limits = LIMITS
) -> Finding | None:
    """Compare a column's null share with its usual one; fewer nulls than usual are no breach."""
    if len(earlier) < limits.min_windows:
        return None
    usual = median(earlier)
    return Finding("null_share", share, usual, limits.null_rise, share - usual, column)


def share(monitor: str, value: float, limit: float) -> Finding:
    """Hold a share against what is allowed."""
    return Finding(monitor, value, limit, limit, value)


def completeness(value: float, promised: float) -> Finding:
    """Hold the share of records that became normalized against what is promised."""
    return Finding("completeness", value, promised, 0.0, promised - value)


def _comparable(current: Moments, earlier: Sequence[Moments], limits: Limits) -> Moments | None:
    reference = pooled(earlier)
    enough = len(earlier) >= limits.min_windows and current.count >= limits.min_records
    return reference if enough and reference and reference.count >= limits.min_records else None


def _spread(moments: Moments) -> float:
    """Return the standard deviation, at least what cannot be told from rounding."""
    return max(moments.stddev, NOISE, NOISE * abs(moments.mean))
