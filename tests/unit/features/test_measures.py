"""Measures of days, against the same formulas written once more over pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from asknown.features.definitions import definitions
from asknown.features.measures import Sessions, measured
from tests.unit.features import reference

FEATURES = {one.name: one for one in definitions().features}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Return invented days, with a split and a dividend inside."""
    rng = np.random.default_rng(7)
    count = 700
    close = 80 * np.exp(np.cumsum(rng.normal(0, 0.02, count)))
    open_ = close * np.exp(rng.normal(0, 0.01, count))
    price_factor = np.where(np.arange(count) < 300, 1.0, 0.5) * np.where(
        np.arange(count) < 500, 1.0, 0.99
    )
    share_factor = np.where(np.arange(count) < 300, 1.0, 2.0)
    traded = price_factor
    frame = pd.DataFrame(
        {
            "open": open_ * traded,
            "close": close * traded,
            "high": np.maximum(open_, close) * traded * (1 + rng.random(count) / 50),
            "low": np.minimum(open_, close) * traded * (1 - rng.random(count) / 50),
            "volume": rng.integers(1_000, 9_000, count) * share_factor,
            "price_factor": price_factor,
            "share_factor": share_factor,
            "market": 100 * np.exp(np.cumsum(rng.normal(0, 0.01, count))),
        }
    )
    frame.loc[[40, 41, 333], "market"] = np.nan
    return frame


def sessions(frame: pd.DataFrame) -> Sessions:
    """Return the columns as the measures take them."""
    return Sessions(**{name: frame[name].to_numpy(float) for name in frame.columns})


@pytest.mark.parametrize("name", FEATURES)
def test_measure_over_all_days_is_what_pandas_gives(frame: pd.DataFrame, name: str):
    values, _ = measured(FEATURES[name].measure, sessions(frame), FEATURES[name])
    expected = reference.FEATURES[name](frame).to_numpy(float)
    assert np.isfinite(expected).sum() > 300
    assert values == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def test_split_inside_a_window_leaves_no_trace(frame: pd.DataFrame):
    whole = frame.assign(
        **{n: frame[n] / frame["price_factor"] for n in ("open", "high", "low", "close")},
        price_factor=1.0,
    )
    for name in ("return_5d", "momentum_12_1", "volatility_yang_zhang_21d", "beta_252d"):
        found, _ = measured(FEATURES[name].measure, sessions(frame), FEATURES[name])
        expected, _ = measured(FEATURES[name].measure, sessions(whole), FEATURES[name])
        assert found == pytest.approx(expected, rel=1e-9, nan_ok=True), name


def test_momentum_12_1_begins_on_the_253rd_session(frame: pd.DataFrame):
    values, _ = measured("simple_return", sessions(frame), FEATURES["momentum_12_1"])
    assert np.flatnonzero(np.isfinite(values))[0] == 252


def test_beta_counts_the_pairs_it_was_computed_from(frame: pd.DataFrame):
    values, count = measured("beta", sessions(frame), FEATURES["beta_252d"])
    first = int(np.flatnonzero(np.isfinite(values))[0])
    assert first == 129  # the two days missing so far take three returns
    assert count[first] == 126
    assert np.isnan(values[333])


def test_price_of_nought_gives_no_value_rather_than_an_infinite_one(frame: pd.DataFrame):
    broken = frame.copy()
    broken.loc[100, ["open", "high", "low", "close"]] = 0.0
    for one in definitions().features:
        values, _ = measured(one.measure, sessions(broken), one)
        assert not np.isinf(values).any(), one.name


def test_fewer_days_than_the_window_give_no_value(frame: pd.DataFrame):
    for one in definitions().features:
        needed = one.least or one.window
        values, _ = measured(one.measure, sessions(frame.head(max(1, needed - 1))), one)
        assert np.isnan(values).all(), one.name
