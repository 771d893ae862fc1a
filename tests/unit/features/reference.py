"""The features once more, over pandas and numpy's least squares: an oracle that shares no code.

Each takes a frame of consecutive sessions (open, high, low, close, volume, price_factor,
share_factor, market) and returns a value per session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

YEAR = 252


def _adjusted(frame: pd.DataFrame) -> pd.Series:
    return frame["close"] / frame["price_factor"]


def _return(sessions: int) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: _adjusted(frame).pct_change(sessions, fill_method=None)


def _momentum(start: int, end: int) -> Callable[[pd.DataFrame], pd.Series]:
    def compute(frame: pd.DataFrame) -> pd.Series:
        price = _adjusted(frame)
        return price.shift(end) / price.shift(start) - 1

    return compute


def _close_to_close(frame: pd.DataFrame) -> pd.Series:
    return np.log(_adjusted(frame)).diff().rolling(20).std() * np.sqrt(YEAR)


def _parkinson(frame: pd.DataFrame) -> pd.Series:
    ranges = np.log(frame["high"] / frame["low"]) ** 2
    return np.sqrt(YEAR / (4 * 21 * np.log(2)) * ranges.rolling(21).sum())


def _garman_klass(frame: pd.DataFrame) -> pd.Series:
    terms = 0.5 * np.log(frame["high"] / frame["low"]) ** 2
    terms -= (2 * np.log(2) - 1) * np.log(frame["close"] / frame["open"]) ** 2
    return np.sqrt(YEAR / 21 * terms.rolling(21).sum())


def _satchell(frame: pd.DataFrame) -> pd.Series:
    high, low, close, open_ = (frame[n] for n in ("high", "low", "close", "open"))
    up, down = (
        np.log(high / close) * np.log(high / open_),
        np.log(low / close) * np.log(low / open_),
    )
    return (up + down).rolling(21).sum() / 21


def _rogers_satchell(frame: pd.DataFrame) -> pd.Series:
    return np.sqrt(YEAR * _satchell(frame))


def _yang_zhang(frame: pd.DataFrame) -> pd.Series:
    night = np.log(frame["open"] / frame["price_factor"] / _adjusted(frame).shift(1))
    within = np.log(frame["close"] / frame["open"])
    k = 0.34 / (1.34 + 22 / 20)
    daily = night.rolling(21).var() + k * within.rolling(21).var() + (1 - k) * _satchell(frame)
    return np.sqrt(YEAR * daily)


def _adv(frame: pd.DataFrame) -> pd.Series:
    # Volumes in shares of the last session: each window adjusted on its own.
    factor = frame["share_factor"]
    return (frame["volume"] / factor).rolling(20).mean() * factor


def _adv_value(frame: pd.DataFrame) -> pd.Series:
    return (frame["close"] * frame["volume"]).rolling(20).mean()


def _beta(frame: pd.DataFrame) -> pd.Series:
    """Return the slope of an ordinary least-squares line with an intercept."""
    y = np.log(_adjusted(frame)).diff().to_numpy()
    x = np.log(frame["market"]).diff().to_numpy()
    both = np.isfinite(x) & np.isfinite(y)
    values = np.full(len(frame), np.nan)
    for end in np.flatnonzero(both):
        held = np.arange(max(0, end - 251), end + 1)
        held = held[both[held]]
        if len(held) >= 126:
            line = np.column_stack([np.ones(len(held)), x[held]])
            values[end] = np.linalg.lstsq(line, y[held], rcond=None)[0][1]
    return pd.Series(values, index=frame.index)


FEATURES: Mapping[str, Callable[[pd.DataFrame], pd.Series]] = {
    "return_1d": _return(1),
    "return_5d": _return(5),
    "return_21d": _return(21),
    "momentum_6_1": _momentum(126, 21),
    "momentum_12_1": _momentum(252, 21),
    "volatility_close_to_close_21d": _close_to_close,
    "volatility_parkinson_21d": _parkinson,
    "volatility_garman_klass_21d": _garman_klass,
    "volatility_rogers_satchell_21d": _rogers_satchell,
    "volatility_yang_zhang_21d": _yang_zhang,
    "adv_20d": _adv,
    "adv_value_20d": _adv_value,
    "beta_252d": _beta,
}
