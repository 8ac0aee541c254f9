"""How far each signal is from its own normal: vectorised over all signals, O(1) memory for each.

Three statistics a signal: `z`, the distance of a value from the mean in deviations, sees spikes;
`ewma`, the exponentially weighted mean of z in deviations of its own, small shifts that last;
`daily`, the distance from what the signal usually is at this hour of the day (`days`), what comes
at the wrong time or not at all. The moments forget exponentially and take clipped residuals, so
that an excursion is not soon taken for normal. Limits follow each signal's own peaks (`peaks`), or
are those learnt from history; `daily` is only of signals that have no such baseline.
Source: Montgomery, Introduction to Statistical Quality Control, chapter 9 (EWMA).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.services.anomaly.days import Days
from gemel.services.anomaly.peaks import Peaks, columns

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
    """The limit of `z` and `ewma` until a signal's peaks are known; at least, if it was learnt."""
    samples: float = 600_000.0
    """Of a signal, among which one false alarm is promised."""
    clip: float = 3.0
    """Residuals beyond so many deviations move the baseline no further."""


ALONE = ("z", "ewma", "daily")
LEAST = (2.5, 2.5, 0.1)
"""Limits of the three, in deviations, are never lower."""


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
        start = (settings.sigmas, settings.sigmas, np.inf)
        self.peaks = Peaks(start, LEAST, count, settings.samples)
        self.days = Days(count)

    def step(self, rows: Rows, value: F64) -> F64:
        """Takes a sample; signed `z` and `ewma`, and `daily`, in units of their limits.

        All are 0 while a signal is new. Cost: 30 to 50 numpy operations over the signals.
        """
        settings = self.settings
        seen = self.seen[rows] + 1.0
        self.seen[rows] = seen
        mean, variance, fixed = self.mean[rows], self.variance[rows], self.fixed[rows] > 0
        deviation = np.sqrt(variance) + (1e-9 * np.abs(mean) + 1e-300)
        residual = value - mean
        found = np.zeros((len(ALONE), len(seen)))
        with np.errstate(over="ignore"):
            z = np.clip(residual / deviation, -LARGEST, LARGEST, out=found[0])
        is_known = (seen > settings.warmup) | fixed
        are_known, are_fixed = bool(is_known.all()), bool(fixed.all())
        clipped = np.clip(z, -settings.clip, settings.clip)
        ewma, spread = self.ewma[rows], self.spread[rows]
        so = z if are_known else np.where(is_known, z, np.where(seen > 2, clipped, 0.0))
        ewma = ewma + settings.weight * (so - ewma)
        self.ewma[rows] = ewma
        np.divide(ewma, np.sqrt(spread), out=found[1])
        if are_fixed:
            found[:2] /= columns(self.peaks.limit[:2], rows)
            return found
        self._follow(rows, value, deviation, found, is_known & ~fixed)
        clipped *= deviation
        step = clipped if are_known else np.where(is_known, clipped, residual)
        self._learn(rows, seen, mean, variance, step, ewma, spread, fixed)
        if not are_known:
            found[:, ~is_known] = 0.0
        return found

    def _follow(
        self, rows: Rows, value: F64, deviation: F64, found: F64, is_counted: NDArray[np.bool_]
    ) -> None:
        """Adds `daily`, takes limits from all, and lets the limits follow."""
        with np.errstate(over="ignore"):
            np.minimum(self.days.take(rows, value) / deviation, LARGEST, out=found[2])
        size = np.abs(found)
        found /= columns(self.peaks.limit, rows)
        np.fmax(found[2], 0.0, out=found[2])
        self.peaks.take(rows, size, None if is_counted.all() else is_counted)

    def distances(self, value: F64) -> F64:
        """Of all signals from their means in deviations; 0 where they are not known yet."""
        deviation = np.sqrt(self.variance) + (1e-9 * np.abs(self.mean) + 1e-300)
        is_known = (self.seen > self.settings.warmup) | (self.fixed > 0)
        with np.errstate(over="ignore"):
            found = np.where(is_known & np.isfinite(value), (value - self.mean) / deviation, 0.0)
        return np.clip(found, -LARGEST, LARGEST)

    def usual(self, value: F64) -> F64:
        """The values next to these that all signals usually have at this hour."""
        return np.clip(value, self.days.low, self.days.high)

    def turn(self, rows: NDArray[np.intp], hour: NDArray[np.int64]) -> None:
        """Another hour of the day begins for these signals."""
        self.days.turn(rows, hour, self.seen[rows], np.sqrt(self.variance[rows]))

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
        if fixed.any():
            rate[fixed] = 0.0
        by = rate * moved
        self.mean[rows] = mean + by
        self.variance[rows] = (1.0 - rate) * (variance + by * moved)
        slow = rate * (seen > self.settings.warmup / 2)
        small = np.minimum(ewma * ewma, self.settings.clip**2 * spread)
        least = self.settings.weight / (2 - self.settings.weight)
        self.spread[rows] = np.maximum(spread + slow * (small - spread), least)

    def fix(
        self,
        rows: NDArray[np.intp],
        mean: F64,
        deviation: F64,
        spread: F64,
        limits: F64 | None = None,
    ) -> None:
        """Sets baselines that were learnt from history.

        Args:
            rows: of which signals.
            mean: of each.
            deviation: of each.
            spread: the variance of its EWMA.
            limits: of `z` and `ewma` in deviations, (n, 2); they count where above `sigmas`.
        """
        self.mean[rows], self.variance[rows] = mean, deviation**2
        self.spread[rows], self.fixed[rows] = spread, 1.0
        if limits is not None:
            self.peaks.limit[:2, rows] = np.maximum(limits, self.settings.sigmas).T
