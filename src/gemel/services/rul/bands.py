"""Intervals from residuals of lives that were left out: conformal, by how long is predicted.

What a model knows of a machine grows as the end comes nearer, so residuals are taken apart by the
prediction: a band of 100 cycles far away, of a few near the end. One life counts as much as
another, however many cycles it has.
Source: Lei et al., "Distribution-free predictive inference for regression", 2018 (split conformal
and its locally weighted form); cross-validated residuals as in Barber et al., "Predictive inference
with the jackknife+", 2021; wider for few lives as a tolerance interval is.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64

KNOTS = 16
LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, slots=True)
class Bands:
    """Residuals (true minus predicted) at each level, at predictions in between linearly.

    Shapes: at (b,), offset (3, b).
    """

    at: F64
    offset: F64
    most: float

    def apply(self, centre: F64) -> tuple[F64, F64, F64]:
        """Low, middle and high for each prediction; between 0 and the most that is told apart.

        The middle is the prediction itself where it lies within: on lives that were left out it
        is nearer than the median of the residuals, which the many cycles far away pull up.
        """
        low, _, high = (
            np.clip(centre + np.interp(centre, self.at, row), 0.0, self.most) for row in self.offset
        )
        return low, np.clip(centre, low, high), high


def learn(
    centre: F64, target: F64, unit: NDArray[np.int64], weight: F64, most: float, share: float
) -> Bands:
    """Bands that hold this share, also if these lives are by chance easier than those to come.

    They are wider by one deviation of what is chance with so many lives.

    Args:
        centre: predictions of models that had not seen the row's life.
        target: what was true, at most `most`.
        unit: the life of each row.
        weight: of each row within its life.
        most: beyond this, lives are not told apart.
        share: of true values within, such as 0.9.
    """
    _, place, counts = np.unique(unit, return_inverse=True, return_counts=True)
    weight = weight / np.bincount(place, weight)[place]
    edges = np.quantile(centre, np.linspace(0, 1, KNOTS + 1))
    lives = max(len(counts), 1)
    chance = (share * (1 - share) / lives) ** 0.5  # lives, not rows, are what can be exchanged
    reach = min(1.0, share + chance)
    levels = ((1 - reach) / 2, 0.5, (1 + reach) / 2)
    at: list[float] = []
    rows: list[list[float]] = []
    for begin, end in itertools.pairwise(edges.tolist()):
        mine = (centre >= begin) & (centre <= end)
        if mine.sum() < 2 or (at and centre[mine].mean() <= at[-1]):
            continue
        at.append(float(centre[mine].mean()))
        rows.append(_quantiles((target - centre)[mine], weight[mine], levels))
    if not at:
        at, rows = [0.0], [[-most, 0.0, most]]
    return Bands(np.array(at), np.array(rows).T.copy(), most)


def _quantiles(values: F64, weight: F64, levels: tuple[float, ...]) -> list[float]:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    places = [min(int(np.searchsorted(reached, level)), len(order) - 1) for level in levels]
    return [float(values[order[place]]) for place in places]
