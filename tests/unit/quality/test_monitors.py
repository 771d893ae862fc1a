"""What the monitors call unusual."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.quality import monitors
from asknown.quality.monitors import Limits, Moments

counts = st.integers(0, 1_000_000)
values = st.floats(-1e6, 1e6)
samples = st.lists(values, min_size=30, max_size=60)
shares = st.floats(0, 1)


def of(sample: list[float]) -> Moments:
    return Moments(len(sample), statistics.fmean(sample), statistics.pstdev(sample))


@given(counts, st.lists(counts, min_size=5, max_size=20))
def test_volume_of_the_usual_size_is_no_breach(count: int, earlier: list[int]) -> None:
    found = monitors.volume(statistics.median(earlier), earlier)
    assert found is not None
    assert not found.breached
    other = monitors.volume(count, earlier)
    assert other is not None
    assert other.score >= 0


@pytest.mark.parametrize(
    ("count", "earlier", "breached"),
    [
        (550, [540, 560, 555, 548, 552], False),
        (0, [540, 560, 555, 548, 552], True),  # silence where there never is any
        (1100, [540, 560, 555, 548, 552], True),  # everything twice
        (560, [550, 550, 550, 550, 550], False),  # Poisson, though it never moved before
        (4, [0, 0, 0, 0, 1], False),  # few and fewer
        (550, [540, 560, 555, 548, 9_000_000], False),  # one bad day is not the measure
    ],
)
def test_volume_is_compared_with_the_same_minute(
    count: int, earlier: list[int], breached: bool
) -> None:
    found = monitors.volume(count, earlier)
    assert found is not None
    assert found.breached is breached


@given(counts, st.lists(counts, max_size=4))
def test_volume_without_enough_sessions_says_nothing(count: int, earlier: list[int]) -> None:
    assert monitors.volume(count, earlier) is None


@given(st.lists(st.lists(values, min_size=1, max_size=20), min_size=1, max_size=8))
def test_pooled_moments_are_those_of_all_values(windows: list[list[float]]) -> None:
    found = monitors.pooled([of(w) for w in windows])
    everything = [v for w in windows for v in w]
    assert found is not None
    assert found.count == len(everything)
    assert found.mean == pytest.approx(statistics.fmean(everything), abs=1e-6)
    assert found.stddev == pytest.approx(statistics.pstdev(everything), abs=1e-4)


def test_pooled_moments_of_nothing_are_none() -> None:
    assert monitors.pooled([Moments(0, 0.0, 0.0)]) is None


@given(samples)
def test_same_values_again_are_no_shift(sample: list[float]) -> None:
    windows = [of(sample)] * 5
    for monitor in (monitors.mean_shift, monitors.spread_shift):
        found = monitor("price", of(sample), windows)
        assert found is not None
        assert not found.breached


@given(st.lists(st.floats(1, 1000), min_size=30, max_size=60), st.sampled_from([0.01, 100.0]))
def test_wrong_unit_is_a_shift(sample: list[float], factor: float) -> None:
    """Rupees that come as paise, or the other way round."""
    scaled = of([v * factor for v in sample])
    windows = [of(sample)] * 5
    found = [m("price", scaled, windows) for m in (monitors.mean_shift, monitors.spread_shift)]
    alike = statistics.pstdev(sample) < statistics.fmean(sample) / 2
    assert all(f is not None for f in found)
    assert any(f.breached for f in found if f) or not alike


@given(samples, st.integers(0, 29))
def test_few_records_or_windows_are_not_compared(sample: list[float], count: int) -> None:
    few = Moments(count, 5.0, 1.0)
    assert monitors.mean_shift("price", few, [of(sample)] * 5) is None
    assert monitors.spread_shift("price", of(sample), [of(sample)] * 4) is None


def test_values_without_any_spread_have_a_finite_score() -> None:
    still, moved = Moments(50, 10.0, 0.0), Moments(50, 11.0, 0.0)
    found = monitors.mean_shift("price", moved, [still] * 5)
    assert found is not None
    assert found.breached
    assert math.isfinite(found.score)


@given(shares, st.lists(shares, min_size=5, max_size=20))
def test_null_share_breaches_only_where_it_rises(share: float, earlier: list[float]) -> None:
    found = monitors.null_share("isin", share, earlier)
    assert found is not None
    assert found.breached == (share - statistics.median(earlier) > Limits().null_rise)


def test_column_that_is_always_null_is_no_breach() -> None:
    found = monitors.null_share("isin", 1.0, [1.0] * 5)
    assert found is not None
    assert not found.breached


@given(shares, shares)
def test_share_breaches_above_its_limit_and_completeness_below(value: float, other: float) -> None:
    assert monitors.share("late_share", value, other).breached == (value > other)
    assert monitors.completeness(value, other).breached == (value < other)
