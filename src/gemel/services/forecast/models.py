"""Two forecasters: the value one season ago, and ridge regression on lags centred on the last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64

PENALTY = 0.1
"""Each row's; set once, with a look at ETTh1."""
MOST_WINDOWS = 4_000


def seasonal(values: F64, season: int, horizon: int) -> F64:
    """The last season again and again."""
    last = values[-season:]
    return np.resize(last, horizon)


@dataclass(frozen=True, slots=True)
class Ridge:
    """All steps of the horizon at once, from the last `lags` values less the last one.

    Source: the linear direct forecaster of Zeng et al., Are Transformers Effective for Time Series
    Forecasting? (2022), with a ridge penalty.
    """

    weights: F64
    """Shape (lags + 1, horizon); the last row is the constant."""

    @property
    def lags(self) -> int:
        return len(self.weights) - 1

    def forecast(self, values: F64) -> F64:
        """Shapes: values (n,) or (windows, n), n at least `lags`; result (..., horizon)."""
        recent = values[..., -self.lags :]
        last = recent[..., -1:]
        found: F64 = (recent - last) @ self.weights[:-1] + self.weights[-1] + last
        return found


def windows(values: F64, lags: int, horizon: int) -> tuple[F64, F64]:
    """Every stretch of the values: what was before, and what came. Views, not copies."""
    whole = np.lib.stride_tricks.sliding_window_view(values, lags + horizon)
    return whole[:, :lags], whole[:, lags:]


def fit(values: F64, lags: int, horizon: int, penalty: float = PENALTY) -> Ridge:
    """Least squares with a penalty for each row, in units of the lags' variance."""
    before, after = windows(values, lags, horizon)
    step = max(1, len(before) // MOST_WINDOWS)
    before, after = before[::step], after[::step]
    last = before[:, -1:]
    x = np.concatenate([before - last, np.ones((len(before), 1))], axis=1)
    scale = float((x[:, :-1] ** 2).mean()) or 1.0
    punish = np.eye(lags + 1) * penalty * scale * len(x)
    punish[-1, -1] = 0.0
    gram = x.T @ x + punish + 1e-12 * np.eye(lags + 1)
    return Ridge(np.linalg.solve(gram, x.T @ (after - last)))
