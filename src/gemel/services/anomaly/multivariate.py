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
from gemel.services.anomaly.limits import by_others, limits
from gemel.services.anomaly.shifts import Shifts, ewma, learn_shifts

Rows = NDArray[np.intp]
SHARE = 0.9
"""Of the variance that the components hold."""
MOST = 4
"""Where at least one twin of so many is judged, the matrices of all are multiplied."""
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


def learn_space(value: F64, false_alarms: float, weight: float, share: float = SHARE) -> Space:
    """The space of normal samples, and its limits.

    Args:
        value: (n, m) samples that are normal, in order of time.
        false_alarms: share of normal samples above each limit.
        weight: of the newest SPE in its EWMA.
        share: of the variance that the components hold.
    """
    judged = by_others(
        value, lambda some: _spanned(some, weight, share), lambda space, x: space.judged(x, weight)
    )
    level = float(np.mean([one[:, STATISTICS.index("spe")].mean() for one in judged]))
    return replace(_spanned(value, weight, share), limits=limits(judged, false_alarms), level=level)


def _spanned(value: F64, weight: float, share: float) -> Space:
    """The space of samples, with no limits yet."""
    mean = np.median(value, axis=0)
    deviation = value.std(axis=0)
    deviation = np.where(deviation > 0, deviation, np.abs(mean) * 1e-6 + FLOOR)
    z = (value - mean) / deviation
    off = z - z.mean(axis=0)
    size, vectors = np.linalg.eigh(off.T @ off / max(len(z) - 1, 1))
    variance, vectors = np.maximum(size[::-1], 0.0), vectors[:, ::-1]
    sums = np.cumsum(variance) / max(variance.sum(), FLOOR)
    count = min(int(np.searchsorted(sums, share)) + 1, max(value.shape[1] - 1, 1))
    known = vectors[:, :count].copy(), np.maximum(variance[:count], FLOOR)
    shifts = learn_shifts(value, weight)
    found = Space(mean, deviation, *known, np.ones(len(STATISTICS)), 0.0, shifts)
    return replace(found, level=float(found.judge(value)[1].mean()))


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
        shape = (len(known), wide)
        self.slots: Rows = np.zeros(shape, np.intp)
        self._mean, self._deviation = np.zeros(shape), np.zeros(shape)
        self._axes = np.zeros((*shape, wide))
        """Of each twin: its components, scaled to variance 1, then all directions beside them; as
        in all arrays, what a twin with fewer signals has no use for is 0."""
        self._is_inside, self._is_beside = np.zeros(shape), np.zeros(shape)
        self._limits = np.ones((len(known), len(STATISTICS)))
        self._usual, self._whitening = np.zeros(shape), np.zeros((*shape, wide))
        self.smooth = np.zeros(len(known))
        self.shift = np.zeros(shape)
        """Running means of all signals, less what they normally are."""
        for i, (space, mine) in enumerate(known):
            m, k = space.loadings.shape
            self.slots[i, :m] = mine
            self._mean[i, :m], self._deviation[i, :m] = space.mean, space.deviation
            axes = np.linalg.qr(space.loadings, mode="complete")[0]
            axes[:, :k] = space.loadings / np.sqrt(space.variance)
            self._axes[i, :m, :m] = axes / space.deviation[:, None]
            self._is_inside[i, :k], self._is_beside[i, k:m] = 1.0, 1.0
            self._limits[i], self.smooth[i] = space.limits, space.level
            self._usual[i, :m] = space.shifts.mean
            self._whitening[i, :m, :m] = space.shifts.whitening

    def step(self, places: Rows, last: F64) -> F64:
        """Judges the last values of some twins; `parts` tells of them then.

        Args:
            places: among `twins`, each once and in order.
            last: of all signals, by slot; NaN where none has come, which counts as the mean.

        Returns:
            The four statistics in units of their limits (n, 4).
        """
        is_most = len(places) * MOST > len(self.twins)
        rows = slice(None) if is_most else places  # the matrices of all need no copies
        off, moved = self._off(rows, last)
        moved -= self.shift[rows]
        moved *= self._weights(places) if is_most else self.weight
        moved += self.shift[rows]
        self.shift[rows] = moved
        placed = np.matmul(off[:, None, :], self._axes[rows])[:, 0, :]
        whites = np.matmul(moved[:, None, :], self._whitening[rows])[:, 0, :]
        found = np.empty((len(STATISTICS), len(placed)))
        np.einsum("ij,ij,ij->i", placed, placed, self._is_inside[rows], out=found[0])
        np.einsum("ij,ij,ij->i", placed, placed, self._is_beside[rows], out=found[1])
        np.einsum("ij,ij->i", whites, whites, out=found[3])
        if is_most and len(places) < len(self.twins):
            found = found.take(places, axis=1)
        smooth = self.smooth[places]
        found[2] = smooth + self.weight * (found[1] - smooth)
        self.smooth[places] = found[2]
        return found.T / self._limits.take(places, axis=0)

    def _off(self, rows: Rows | slice, last: F64) -> tuple[F64, F64]:
        """How far values are from the middle, and from the mean; 0 where none has come."""
        value = last[self.slots[rows]]
        off, moved = value - self._mean[rows], value - self._usual[rows]
        if not (is_known := np.isfinite(value)).all():
            off[~is_known] = moved[~is_known] = 0.0
        return off, moved

    def _weights(self, places: Rows) -> float | F64:
        """What the newest sample weighs in the means of all: nothing where there is none."""
        if len(places) == len(self.twins):
            return self.weight
        found = np.zeros((len(self.twins), 1))
        found[places] = self.weight
        return found

    def parts(self, place: int, statistic: str, last: F64) -> F64:
        """What each signal of a twin adds to a statistic, (m,), at the values judged last."""
        if statistic == "t2-ewma":
            whites: F64 = (self.shift[place] @ self._whitening[place]) ** 2
            return whites
        placed = self._off(np.array([place]), last)[0][0] @ self._axes[place]
        beside = self._axes[place] @ (placed * self._is_beside[place])
        residual: F64 = beside * self._deviation[place]
        return residual**2
