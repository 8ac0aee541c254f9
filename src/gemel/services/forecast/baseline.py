"""Energy as it would have been: a baseline on weather and calendar, savings with an interval.

Source: ASHRAE Guideline 14-2014: CV(RMSE) <= 30 % and |NMBE| <= 10 % for hourly, 15 % and 5 % for
monthly data; the interval here is of the residuals' own spread and persistence, not its formula.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64

KNOTS = 6


@dataclass(frozen=True, slots=True)
class Baseline:
    knots: F64
    groups: int
    weights: F64
    cv_rmse: float
    """Root mean square error over the mean, degrees of freedom taken off."""
    nmbe: float
    """Mean error over the mean, measured less modelled."""
    spread: float
    persistence: float
    """Correlation of an error with the one before."""
    count: int

    @property
    def meets_hourly(self) -> bool:
        return self.cv_rmse <= 0.30 and abs(self.nmbe) <= 0.10

    def expected(self, temperature: F64, group: np.ndarray[tuple[int], np.dtype[np.int64]]) -> F64:
        return _features(temperature, group, self.knots, self.groups) @ self.weights


def learn(
    energy: F64, temperature: F64, group: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> Baseline:
    """A piecewise line in temperature plus a level for each group (hour of week, day kind).

    Shapes: all (n,); groups count from 0.
    """
    groups = int(group.max()) + 1
    knots = np.unique(np.quantile(temperature, np.linspace(0.1, 0.9, KNOTS)))
    x = _features(temperature, group, knots, groups)
    weights, _, rank, _ = np.linalg.lstsq(x, energy, rcond=None)
    error = energy - x @ weights
    free = max(len(energy) - int(rank), 1)
    mean = float(energy.mean())
    deviation = float(np.sqrt((error**2).sum() / free))
    follows = float(np.corrcoef(error[:-1], error[1:])[0, 1]) if error.std() > 0 else 0.0
    return Baseline(
        np.asarray(knots, np.float64),
        groups,
        np.asarray(weights, np.float64),
        deviation / mean,
        float(error.sum() / free / mean),
        deviation,
        float(np.clip(follows, 0.0, 0.99)),
        len(energy),
    )


@dataclass(frozen=True, slots=True)
class Savings:
    value: float
    low: float
    high: float
    share: float
    expected: float


def savings(
    base: Baseline,
    energy: F64,
    temperature: F64,
    group: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> Savings:
    """Expected less measured over a span, with a 90 % interval.

    Errors that follow each other count as fewer: n (1 - r) / (1 + r) of them, in the span and in
    the data of the baseline.
    """
    expected = float(base.expected(temperature, group).sum())
    value = expected - float(energy.sum())
    thinner = (1 + base.persistence) / (1 - base.persistence)
    count = len(energy)
    deviation = base.spread * np.sqrt(count * thinner * (1 + count / base.count))
    half = 1.645 * float(deviation)
    return Savings(value, value - half, value + half, value / expected, expected)


def _features(
    temperature: F64,
    group: np.ndarray[tuple[int], np.dtype[np.int64]],
    knots: F64,
    groups: int,
) -> F64:
    bends = np.maximum(temperature[:, None] - knots[None, :], 0)
    levels = (group[:, None] == np.arange(groups)[None, :]).astype(np.float64)
    return np.concatenate([temperature[:, None], bends, levels], axis=1)
