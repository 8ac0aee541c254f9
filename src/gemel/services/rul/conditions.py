"""Operating conditions: signals are scaled within each, so that only wear is left in them.

A machine that flies at six altitudes has six normals. Where the settings come in clear groups,
each group has a mean and a deviation of its own; where they do not, there is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.services.rul.lives import carried

RADIUS = 0.1
"""Of the range of each setting: nearer ones are one condition."""
MOST = 12
CLEAR = 0.05
"""Groups count if settings vary within them by less than this share of how they vary at all."""
LEAST_DEVIATION = 1e-9


@dataclass(frozen=True, slots=True)
class Scaling:
    """Shapes: centres (c, s), width (s,), mean and deviation (c, k)."""

    centres: F64
    width: F64
    mean: F64
    deviation: F64

    def condition(self, settings: F64) -> NDArray[np.intp]:
        """The nearest condition of each row."""
        if len(self.centres) == 1:
            return np.zeros(len(settings), np.intp)
        away = (settings[:, None, :] - self.centres[None]) / self.width
        found: NDArray[np.intp] = np.argmin((away**2).sum(axis=2), axis=1)
        return found

    def apply(self, settings: F64, values: F64) -> F64:
        """Values in deviations from the mean of their condition."""
        at = self.condition(settings)
        return (values - self.mean[at]) / self.deviation[at]

    def moved(self, before: F64, values: F64, now: F64) -> F64:
        """What was read under the settings `before`, as far from usual under those of `now`.

        Shapes: before and now (n, s), values (n, k).
        """
        a, b = self.condition(before), self.condition(now)
        found = (values - self.mean[a]) / self.deviation[a] * self.deviation[b] + self.mean[b]
        return np.where((a == b)[:, None], values, found)

    def filled(self, settings: F64, values: F64) -> F64:
        """What was not read is as far from usual as it was before; NaN at the beginning.

        Cost: a step of Python for each row in which something is missing.
        """
        if len(self.centres) == 1:
            return carried(values, np.nan)
        found = values.copy()
        for row in np.flatnonzero(np.isnan(values[1:]).any(axis=1)) + 1:
            last = slice(row - 1, row)
            before = self.moved(settings[last], found[last], settings[row : row + 1])[0]
            found[row] = np.where(np.isnan(found[row]), before, found[row])
        return found


def learn(settings: F64, values: F64) -> Scaling:
    """Conditions and the scale of each signal in each; NaN values are left out.

    Shapes: settings (n, s), values (n, k).
    """
    centres, width = _centres(settings)
    scaling = Scaling(centres, width, np.empty(0), np.empty(0))
    at = scaling.condition(settings)
    mean, deviation = (
        np.zeros((len(centres), values.shape[1])),
        np.ones((len(centres), values.shape[1])),
    )
    whole = np.nanstd(some_known(values), axis=0) if len(values) else np.ones(values.shape[1])
    for condition in range(len(centres)):
        mine = some_known(values[at == condition])
        if len(mine):
            mean[condition] = np.nanmean(mine, axis=0)
            spread = np.nanstd(mine, axis=0)
            deviation[condition] = np.where(spread > LEAST_DEVIATION * (1 + whole), spread, 1.0)
    return Scaling(centres, width, mean, deviation)


def some_known(values: F64) -> F64:
    """The same; a signal of which nothing at all was read is 0."""
    found: F64 = np.where(np.isnan(values).all(axis=0), 0.0, values)
    return found


def _centres(settings: F64) -> tuple[F64, F64]:
    width = np.ptp(settings, axis=0) if len(settings) else np.zeros(settings.shape[1])
    width = np.where(width > 0, width, 1.0)
    one = settings.mean(axis=0, keepdims=True) if len(settings) else np.zeros((1, len(width)))
    if not settings.shape[1]:
        return one, width
    rest, found = settings, list[F64]()
    while len(rest):
        if len(found) == MOST:
            return one, width
        near = (np.abs(rest - rest[0]) <= RADIUS * width).all(axis=1)
        found.append(rest[near].mean(axis=0))
        rest = rest[~near]
    centres = np.array(found)
    nearest = centres[Scaling(centres, width, one, one).condition(settings)]
    within = np.sqrt(((settings - nearest) ** 2).mean(axis=0))
    moves = settings.std(axis=0)
    is_clear = (within <= CLEAR * moves + 1e-12).all()
    return (centres, width) if is_clear and len(centres) > 1 else (one, width)
