"""Energy as it would have been: a baseline on weather and calendar, savings with an interval.

Source: ASHRAE Guideline 14-2014: CV(RMSE) <= 30 % and |NMBE| <= 10 % for hourly, 15 % and 5 % for
monthly data. The interval here is not its formula, which takes what a model leaves as chance: homes
change by themselves from season to season. Parts of the data before are left out in turn and their
sums predicted from the rest; how far these were off is how far the sum after the change may be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64

KNOTS = 6
LEAST_PARTS = 4
T_LIMIT = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782)
"""Of 90 %, Student's, by so many parts that were left out."""


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
    # the normal equations: columns are few and tame, rows are the hours of years
    weights, _, rank, _ = np.linalg.lstsq(x.T @ x, x.T @ energy, rcond=1e-12)
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


Groups = np.ndarray[tuple[int], np.dtype[np.int64]]


def left_out(energy: F64, temperature: F64, group: Groups, after: int) -> F64:
    """How far the sums of parts were off, as shares, each predicted from all the others.

    Args:
        energy: (n,) in order of time, before the change.
        temperature: (n,)
        group: (n,)
        after: steps after the change; parts are as long where at least four are.
    """
    count = int(np.clip(len(energy) // max(after, 1), LEAST_PARTS, len(T_LIMIT)))
    found = []
    for part in np.array_split(np.arange(len(energy)), count):
        rest = np.ones(len(energy), np.bool_)
        rest[part] = False
        if not np.isin(group[part], group[rest]).all():
            continue  # a part of the week that the rest has never seen
        model = learn(energy[rest], temperature[rest], group[rest])
        expected = float(model.expected(temperature[part], group[part]).sum())
        if expected > 0:
            found.append(float(energy[part].sum()) / expected - 1)
    return np.array(found)


def savings(base: Baseline, energy: F64, temperature: F64, group: Groups, off: F64) -> Savings:
    """Expected less measured over a span, with a 90 % interval.

    The wider of two: errors of steps, those that follow each other counted as fewer (n (1 - r) /
    (1 + r) of them, in the span and in the data of the baseline); and of whole parts left out.

    Args:
        base: the baseline from before the change.
        energy: (n,) after it.
        temperature: (n,)
        group: (n,)
        off: what `left_out` gave; with fewer than four parts it does not count.
    """
    expected = float(base.expected(temperature, group).sum())
    value = expected - float(energy.sum())
    thinner = (1 + base.persistence) / (1 - base.persistence)
    count = len(energy)
    deviation = base.spread * np.sqrt(count * thinner * (1 + count / base.count))
    half = 1.645 * float(deviation)
    if len(off) >= LEAST_PARTS:
        wide = T_LIMIT[len(off) - 1] * np.sqrt((off**2).mean() * (1 + 1 / len(off)))
        half = max(half, float(wide) * abs(expected))
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
