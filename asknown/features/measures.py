"""Rolling measures of a listing's daily bars. Arrays in, arrays out; NaN where there is no value.

Each takes the sessions of one listing in their order and returns, per session, the value at its
close and how many sessions it was computed from. Prices are divided by C(t) and shares by S(t), so
an action inside a window leaves no trace. Volatilities are those of TTR, per year of 252 sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Measured = tuple[Array, Array]
YEAR = 252
ALPHA = 1.34  # Yang and Zhang (2000), as TTR has it


@dataclass(frozen=True)
class Definition:
    """One feature: a measure over `window` sessions, the newest `lag` of them left out.

    With fewer than `least` observations there is no value.
    """

    name: str
    version: int
    measure: str
    window: int
    unit: str
    lag: int = 0
    least: int = 0


@dataclass(frozen=True)
class Sessions:
    """Consecutive sessions of a listing: prices and volume as traded, factors C(t) and S(t).

    `market` is the adjusted close of the benchmark on the same days, NaN where it has none.
    """

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    price_factor: Array
    share_factor: Array
    market: Array

    @property
    def adjusted(self) -> Array:
        """Return closes that actions do not move: P(t) / C(t)."""
        return self.close / self.price_factor


def simple_return(days: Sessions, of: Definition) -> Measured:
    """Return P(t - lag) / P(t - window) - 1, adjusted; of two prices."""
    price, values = days.adjusted, np.full(len(days.close), np.nan)
    end = len(price) - of.lag
    if len(price) > of.window:
        values[of.window :] = price[of.window - of.lag : end] / price[: -of.window] - 1
    return values, np.full(len(price), 2.0)


def close_to_close(days: Sessions, of: Definition) -> Measured:
    """Return the deviation of the log returns between `window` closes, a year."""
    returns = _windows(_log_returns(days.adjusted), of.window - 1)
    return np.sqrt(YEAR) * returns.std(axis=1, ddof=1), _count(days, of.window)


def parkinson(days: Sessions, of: Definition) -> Measured:
    """Return the volatility by the ranges of `window` sessions, a year."""
    ranges = np.log(days.high / days.low) ** 2 / (4 * np.log(2))
    return np.sqrt(YEAR * _mean(ranges, of.window)), _count(days, of.window)


def garman_klass(days: Sessions, of: Definition) -> Measured:
    """Return the volatility by ranges and moves from open to close of `window` sessions, a year."""
    moves = (2 * np.log(2) - 1) * np.log(days.close / days.open) ** 2
    terms = np.log(days.high / days.low) ** 2 / 2 - moves
    return np.sqrt(YEAR * _mean(terms, of.window)), _count(days, of.window)


def rogers_satchell(days: Sessions, of: Definition) -> Measured:
    """Return the volatility that no drift disturbs, by `window` sessions, a year."""
    return np.sqrt(YEAR * _mean(_drift_free(days), of.window)), _count(days, of.window)


def yang_zhang(days: Sessions, of: Definition) -> Measured:
    """Return the volatility of nights, days and ranges together, by `window` sessions, a year."""
    night = np.full(len(days.close), np.nan)
    night[1:] = np.log((days.open / days.price_factor)[1:] / days.adjusted[:-1])
    overnight = _windows(night, of.window).var(axis=1, ddof=1)
    within = _windows(np.log(days.close / days.open), of.window).var(axis=1, ddof=1)
    k = (ALPHA - 1) / (ALPHA + (of.window + 1) / (of.window - 1))
    daily = overnight + k * within + (1 - k) * _mean(_drift_free(days), of.window)
    return np.sqrt(YEAR * daily), _count(days, of.window + 1)


def mean_volume(days: Sessions, of: Definition) -> Measured:
    """Return the mean volume of `window` sessions, in shares of the last of them."""
    mean = _mean(days.volume / days.share_factor, of.window)
    return mean * days.share_factor, _count(days, of.window)


def mean_value(days: Sessions, of: Definition) -> Measured:
    """Return the mean of close times volume over `window` sessions, as traded."""
    return _mean(days.close * days.volume, of.window), _count(days, of.window)


def beta(days: Sessions, of: Definition) -> Measured:
    """Return cov(r, m) / var(m) of log returns over `window` sessions, m those of the market.

    A session without one of the two returns does not count; the last one must have both.
    """
    own, market = _log_returns(days.adjusted), _log_returns(days.market)
    both = np.isfinite(own) & np.isfinite(market)
    seen = _windows(both.astype(float), of.window, filled=0.0)
    count = seen.sum(axis=1)
    x = _centred(np.where(both, market, 0.0), seen, of.window)
    y = _centred(np.where(both, own, 0.0), seen, of.window)
    slope = (x * y).sum(axis=1) / (x * x).sum(axis=1)
    return np.where(both & (count >= of.least), slope, np.nan), count


MEASURES: Mapping[str, Callable[[Sessions, Definition], Measured]] = {
    one.__name__: one
    for one in (
        *(simple_return, close_to_close, parkinson, garman_klass, rogers_satchell, yang_zhang),
        *(mean_volume, mean_value, beta),
    )
}
OF_MARKET = frozenset({"beta"})  # what needs a benchmark


def measured(name: str, days: Sessions, of: Definition) -> Measured:
    """Return what a measure says; what is not finite is no value."""
    with np.errstate(all="ignore"):  # a day without trades divides by nothing: that is no value
        values, count = MEASURES[name](days, of)
    return np.where(np.isfinite(values), values, np.nan), count


def _log_returns(price: Array) -> Array:
    returns = np.full(len(price), np.nan)
    returns[1:] = np.log(price[1:] / price[:-1])
    return returns


def _drift_free(days: Sessions) -> Array:
    up: Array = np.log(days.high / days.close) * np.log(days.high / days.open)
    down: Array = np.log(days.low / days.close) * np.log(days.low / days.open)
    return up + down


def _windows(values: Array, size: int, *, filled: float = np.nan) -> Array:
    """Return, for each place, the `size` values that end there; before the first, `filled`."""
    padded = np.concatenate([np.full(size - 1, filled), values])
    windows: Array = np.lib.stride_tricks.sliding_window_view(padded, size)
    return windows


def _mean(values: Array, size: int) -> Array:
    return np.asarray(_windows(values, size).mean(axis=1))


def _count(days: Sessions, size: int) -> Array:
    return np.full(len(days.close), float(size))


def _centred(values: Array, seen: Array, size: int) -> Array:
    """Return windows of values less the mean of those seen; the others are nought."""
    held = _windows(values, size, filled=0.0)
    centred: Array = (held - (held.sum(axis=1) / seen.sum(axis=1))[:, None]) * seen
    return centred
