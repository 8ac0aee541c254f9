"""How far the signals of a twin are from what they normally are together: T2 and SPE.

Principal components of the standardised signals span what is normal. Hotelling's T2 is the distance
within that space, SPE (Q) the squared distance from it; the EWMA of SPE sees small faults that
last. Source: MacGregor and Kourti, Statistical process control of multivariate processes, 1995.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64

Rows = NDArray[np.intp]
SHARE = 0.9
"""Of the variance that the components hold."""
FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class Space:
    """What was learnt of one twin.

    Shapes: mean and deviation (m,), loadings (m, k), variance (k,).
    """

    mean: F64
    deviation: F64
    loadings: F64
    variance: F64
    limits: F64
    """Of T2, SPE and the EWMA of SPE."""
    level: float
    """The mean SPE while all is well: where its EWMA begins."""

    def judge(self, value: F64) -> tuple[F64, F64, F64]:
        """T2, SPE and residuals of samples. Shapes: value (n, m) -> (n,), (n,), (n, m)."""
        z = (value - self.mean) / self.deviation
        scores = z @ self.loadings
        residual = z - scores @ self.loadings.T
        t2 = (scores**2 / self.variance).sum(axis=1)
        return t2, (residual**2).sum(axis=1), residual


def learn_space(
    train: F64, judge: F64, false_alarms: float, weight: float, share: float = SHARE
) -> Space:
    """The space of normal samples.

    Args:
        train: (n, m) samples that are normal, from which components come.
        judge: (n, m) other normal samples in order of time, from which limits come.
        false_alarms: share of normal samples above each limit.
        weight: of the newest SPE in its EWMA.
        share: of the variance that the components hold.
    """
    mean = np.median(train, axis=0)
    deviation = train.std(axis=0)
    deviation = np.where(deviation > 0, deviation, np.abs(mean) * 1e-6 + FLOOR)
    z = (train - mean) / deviation
    _, size, vectors = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    variance = size**2 / max(len(z) - 1, 1)
    sums = np.cumsum(variance) / max(variance.sum(), FLOOR)
    count = min(int(np.searchsorted(sums, share)) + 1, max(train.shape[1] - 1, 1))
    found = Space(
        mean,
        deviation,
        vectors[:count].T.copy(),
        np.maximum(variance[:count], FLOOR),
        np.ones(3),
        0.0,
    )
    t2, spe, _ = found.judge(judge)
    smooth = ewma(spe, weight, float(spe.mean()))
    limits = [np.quantile(one, 1 - false_alarms) for one in (t2, spe, smooth)]
    return Space(
        found.mean,
        found.deviation,
        found.loadings,
        found.variance,
        np.maximum(np.array(limits), FLOOR),
        float(spe.mean()),
    )


def ewma(value: F64, weight: float, start: float) -> F64:
    """Exponentially weighted means of a series, begun at `start`."""
    found = np.empty(len(value))
    level = start
    for i, one in enumerate(value.tolist()):
        level += weight * (one - level)
        found[i] = level
    return found


class Multivariate:
    """The spaces of many twins in padded arrays; `step` judges one sample of some of them."""

    FIELDS = ("smooth",)

    def __init__(
        self, spaces: Sequence[Space | None], slots: Sequence[Rows], weight: float
    ) -> None:
        self.weight = weight
        self.twins: Rows = np.array([i for i, s in enumerate(spaces) if s is not None], np.intp)
        self.place: Rows = np.full(len(spaces), -1, np.intp)
        self.place[self.twins] = np.arange(len(self.twins))
        known = [(s, slots[i]) for i, s in enumerate(spaces) if s is not None]
        wide = max((len(s.mean) for s, _ in known), default=0)
        deep = max((len(s.variance) for s, _ in known), default=0)
        shape = (len(known), wide)
        self.slots: Rows = np.zeros(shape, np.intp)
        self.is_there = np.zeros(shape, np.bool_)
        self._mean, self._scale = np.zeros(shape), np.zeros(shape)
        self._loadings = np.zeros((*shape, deep))
        self._inverse = np.zeros((len(known), deep))
        self._limits = np.ones((len(known), 3))
        self.smooth = np.zeros(len(known))
        self.squares = np.zeros(shape)
        for i, (space, mine) in enumerate(known):
            m, k = space.loadings.shape
            self.slots[i, :m], self.is_there[i, :m] = mine, True
            self._mean[i, :m], self._scale[i, :m] = space.mean, 1.0 / space.deviation
            self._loadings[i, :m, :k] = space.loadings
            self._inverse[i, :k] = 1.0 / space.variance
            self._limits[i], self.smooth[i] = space.limits, space.level

    def step(self, places: Rows, last: F64) -> F64:
        """Judges the last values of some twins; `squares` has their squared residuals then.

        Args:
            places: among `twins`, each once.
            last: of all signals, by slot; NaN where none has come, which counts as the mean.

        Returns:
            The three statistics in units of their limits (n, 3).
        """
        is_all = len(places) == len(self.twins) and bool((places[1:] > places[:-1]).all())
        rows = slice(None) if is_all else places  # all of them need no copies
        value = last[self.slots[rows]]
        z = (value - self._mean[rows]) * self._scale[rows]
        z[~self.is_there[rows] | ~np.isfinite(z)] = 0.0
        loadings = self._loadings[rows]
        scores = np.matmul(z[:, None, :], loadings)
        squares = (z[:, None, :] - np.matmul(scores, loadings.transpose(0, 2, 1)))[:, 0, :] ** 2
        self.squares[rows] = squares
        t2 = (scores[:, 0, :] ** 2 * self._inverse[rows]).sum(axis=1)
        spe = squares.sum(axis=1)
        smooth = self.smooth[rows] + self.weight * (spe - self.smooth[rows])
        self.smooth[rows] = smooth
        return np.stack((t2, spe, smooth), axis=1) / self._limits[rows]
