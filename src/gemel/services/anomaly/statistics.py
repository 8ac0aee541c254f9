"""How far each signal is from its own normal: vectorised over all signals, O(1) memory for each.

Two statistics a signal: `z`, the distance of a value from the mean in deviations, sees spikes;
`ewma`, the exponentially weighted mean of z in deviations of its own, sees small shifts that last.
The moments forget exponentially and take clipped residuals, so that an excursion is not soon taken
for normal. Source: Montgomery, Introduction to Statistical Quality Control, chapter 9 (EWMA).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64

Rows = NDArray[np.intp] | slice
LARGEST = 1e3
"""No distance counts for more: a signal that has never moved has no deviation to divide by."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How signals are judged one by one."""

    weight: float = 0.1
    """Of the newest value in the EWMA."""
    memory: float = 10_000.0
    """Samples after which a baseline learnt online has forgotten half to two thirds."""
    warmup: int = 120
    """Samples before a signal counts."""
    sigmas: float = 6.0
    """The limit of both statistics."""
    clip: float = 3.0
    """Residuals beyond so many deviations move the baseline no further."""


class Statistics:
    """The state of all signals; `step` takes one sample of some of them.

    Args:
        count: how many signals.
        settings: how they are judged.
    """

    FIELDS = ("seen", "mean", "variance", "ewma", "spread", "fixed")

    def __init__(self, count: int, settings: Settings) -> None:
        self.settings = settings
        self.seen = np.zeros(count)
        self.mean = np.zeros(count)
        self.variance = np.zeros(count)
        self.ewma = np.zeros(count)
        weight = settings.weight
        self.spread = np.full(count, weight / (2 - weight))
        """Variance of the EWMA while all is well."""
        self.fixed = np.zeros(count)
        """1 where the baseline was learnt from history and stays."""

    def step(self, rows: Rows, value: F64) -> tuple[F64, F64]:
        """Takes a sample; signed `z` and `ewma` in units of their limits (1 is the limit).

        Both are 0 while a signal is new. Cost: about 25 numpy operations over the signals.
        """
        settings = self.settings
        seen = self.seen[rows] + 1.0
        mean, variance = self.mean[rows], self.variance[rows]
        fixed = self.fixed[rows] > 0
        deviation = np.sqrt(variance) + 1e-9 * np.abs(mean) + 1e-300
        is_known = (seen > settings.warmup) | fixed
        residual = value - mean
        with np.errstate(over="ignore"):
            z = np.clip(residual / deviation, -LARGEST, LARGEST)
        moved = np.clip(z, -settings.clip, settings.clip)
        step = np.where(is_known, moved * deviation, residual)
        ewma = self.ewma[rows]
        ewma += settings.weight * (np.where(is_known, z, np.where(seen > 2, moved, 0.0)) - ewma)
        spread = self.spread[rows]
        shift = ewma / np.sqrt(spread)
        self._learn(rows, seen, mean, variance, step, ewma, spread, fixed)
        self.ewma[rows] = ewma
        self.seen[rows] = seen
        z = np.where(is_known, z / settings.sigmas, 0.0)
        shift = np.where(is_known, shift / settings.sigmas, 0.0)
        return z, shift

    def _learn(
        self,
        rows: Rows,
        seen: F64,
        mean: F64,
        variance: F64,
        moved: F64,
        ewma: F64,
        spread: F64,
        fixed: NDArray[np.bool_],
    ) -> None:
        rate = np.maximum(1.0 / seen, 1.0 / self.settings.memory)
        rate[fixed] = 0.0
        self.mean[rows] = mean + rate * moved
        self.variance[rows] = (1.0 - rate) * (variance + rate * moved * moved)
        slow = rate * (seen > self.settings.warmup / 2)
        bound = self.settings.clip * np.sqrt(spread)
        small = np.clip(ewma, -bound, bound)
        least = self.settings.weight / (2 - self.settings.weight)
        self.spread[rows] = np.maximum(spread + slow * (small * small - spread), least)

    def fix(self, rows: NDArray[np.intp], mean: F64, deviation: F64, spread: F64) -> None:
        """Sets baselines that were learnt from history."""
        self.mean[rows], self.variance[rows] = mean, deviation**2
        self.spread[rows], self.fixed[rows] = spread, 1.0
