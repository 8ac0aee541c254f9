"""How far the signals of a twin are from what they normally are together: T2 and SPE.

Principal components of the standardised signals span what is normal. Hotelling's T2 is the distance
within that space, SPE (Q) the squared distance from it; the EWMA of SPE sees small faults that
last, T2 of running means (`shifts`) small shifts of some signals at once. Source: MacGregor and
Kourti, Statistical process control of multivariate processes, 1995.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.services.anomaly.shifts import Shifts, ewma, learn_shifts, unknown

Rows = NDArray[np.intp]
SHARE = 0.9
"""Of the variance that the components hold."""
FLOOR = 1e-12
STATISTICS = ("t2", "spe", "spe-ewma", "t2-ewma")


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
    """Of the four `STATISTICS`."""
    level: float
    """The mean SPE while all is well: where its EWMA begins."""
    shifts: Shifts

    def judge(self, value: F64) -> tuple[F64, F64, F64]:
        """T2, SPE and residuals of samples. Shapes: value (n, m) -> (n,), (n,), (n, m)."""
        z = (value - self.mean) / self.deviation
        scores = z @ self.loadings
        residual = z - scores @ self.loadings.T
        t2 = (scores**2 / self.variance).sum(axis=1)
        return t2, (residual**2).sum(axis=1), residual

    def judged(self, value: F64, weight: float) -> F64:
        """All statistics of samples in order of time, each in its own unit. Shapes: (n, 4)."""
        t2, spe, _ = self.judge(value)
        shifted = self.shifts.judge(value, weight)
        return np.stack((t2, spe, ewma(spe, weight, self.level), shifted), axis=1)


def learn_space(
    train: F64, judge: F64, false_alarms: float, weight: float, share: float = SHARE
) -> Space:
    """The space of normal samples.

    Args:
        train: (n, m) samples that are normal, from which components come.
        judge: (n, m) the normal samples after them, from which limits come.
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
    known = vectors[:count].T.copy(), np.maximum(variance[:count], FLOOR)
    found = Space(mean, deviation, *known, np.ones(4), 0.0, unknown(train.shape[1]))
    t2, spe, _ = found.judge(judge)
    level = float(spe.mean())
    three = [np.quantile(v, 1 - false_alarms) for v in (t2, spe, ewma(spe, weight, level))]
    shifts, fourth = learn_shifts(np.concatenate((train, judge)), weight, false_alarms)
    limits = np.maximum(np.array([*three, fourth]), FLOOR)
    return replace(found, limits=limits, level=level, shifts=shifts)


class Multivariate:
    """The spaces of many twins in padded arrays; `step` judges one sample of some of them."""

    FIELDS = ("smooth", "shift")

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
        self._limits = np.ones((len(known), len(STATISTICS)))
        self._usual, self._whitening = np.zeros(shape), np.zeros((*shape, wide))
        self.smooth = np.zeros(len(known))
        self.shift = np.zeros(shape)
        """Running means of all signals, less what they normally are."""
        self.squares, self.whites = np.zeros(shape), np.zeros(shape)
        for i, (space, mine) in enumerate(known):
            m, k = space.loadings.shape
            self.slots[i, :m], self.is_there[i, :m] = mine, True
            self._mean[i, :m], self._scale[i, :m] = space.mean, 1.0 / space.deviation
            self._loadings[i, :m, :k] = space.loadings
            self._inverse[i, :k] = 1.0 / space.variance
            self._limits[i], self.smooth[i] = space.limits, space.level
            self._usual[i, :m] = space.shifts.mean
            self._whitening[i, :m, :m] = space.shifts.whitening

    def step(self, places: Rows, last: F64) -> F64:
        """Judges the last values of some twins; `squares` has their squared residuals then.

        Args:
            places: among `twins`, each once.
            last: of all signals, by slot; NaN where none has come, which counts as the mean.

        Returns:
            The four statistics in units of their limits (n, 4).
        """
        is_all = len(places) == len(self.twins) and bool((places[1:] > places[:-1]).all())
        rows = slice(None) if is_all else places  # all of them need no copies
        value = last[self.slots[rows]]
        z = (value - self._mean[rows]) * self._scale[rows]
        is_missing = ~self.is_there[rows] | ~np.isfinite(z)
        z[is_missing] = 0.0
        loadings = self._loadings[rows]
        scores = np.matmul(z[:, None, :], loadings)
        squares = (z[:, None, :] - np.matmul(scores, loadings.transpose(0, 2, 1)))[:, 0, :] ** 2
        self.squares[rows] = squares
        t2 = (scores[:, 0, :] ** 2 * self._inverse[rows]).sum(axis=1)
        spe = squares.sum(axis=1)
        smooth = self.smooth[rows] + self.weight * (spe - self.smooth[rows])
        self.smooth[rows] = smooth
        moved = self._moved(rows, np.where(is_missing, 0.0, value - self._usual[rows]))
        return np.stack((t2, spe, smooth, moved), axis=1) / self._limits[rows]

    def _moved(self, rows: Rows | slice, off: F64) -> F64:
        """T2 of running means; `whites` has the share of each signal then."""
        shift = self.shift[rows] + self.weight * (off - self.shift[rows])
        self.shift[rows] = shift
        whites = np.matmul(shift[:, None, :], self._whitening[rows])[:, 0, :] ** 2
        self.whites[rows] = whites
        total: F64 = whites.sum(axis=1)
        return total

    def parts(self, place: int, statistic: str) -> F64:
        """What each signal of a twin adds to a statistic, (m,)."""
        found: F64 = (self.whites if statistic == "t2-ewma" else self.squares)[place]
        return found
