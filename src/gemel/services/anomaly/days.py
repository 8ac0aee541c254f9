"""What a signal usually is at an hour of the day, where it has been seen on a day before.

The mean of each hour is folded into that of the same hour of the days before; an hour is judged by
those days alone. What begins a little earlier or later than yesterday is no news: usual is all that
lies between the means of the hour and of the two beside it. Hours are of UTC: that they come again
every day is all that counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64

Rows = NDArray[np.intp] | slice
HOURS = 24
RATE = 0.25
"""What a day weighs in the mean of an hour."""
CLIP = 3.0
"""Deviations of the signal by which a day moves it at most."""


class Days:
    """The hours of many signals; nan where an hour has not been seen."""

    FIELDS = ("hour", "total", "begun", "low", "high", "profile")

    def __init__(self, count: int) -> None:
        self.hour = np.full(count, -1, np.int64)
        self.total, self.begun = np.zeros(count), np.zeros(count)
        """The sum of the hour that is open, and samples before it."""
        self.low, self.high = np.full(count, np.nan), np.full(count, np.nan)
        """Between which it usually is at this hour."""
        self.profile = np.full((HOURS, count), np.nan)

    def turn(
        self, rows: NDArray[np.intp], hour: NDArray[np.int64], seen: F64, deviation: F64
    ) -> None:
        """Another hour begins for these signals, after so many samples of each."""
        count = seen - self.begun[rows]
        is_seen = count > 0
        over, at = rows[is_seen], self.hour[rows[is_seen]]
        mean, before = self.total[over] / count[is_seen], self.profile[at, over]
        most = CLIP * deviation[is_seen]
        after = before + RATE * np.clip(mean - before, -most, most)
        self.profile[at, over] = np.where(np.isnan(before), mean, after)
        self.total[rows] = 0.0
        self.begun[rows], self.hour[rows] = seen, hour
        near = np.stack([self.profile[(hour + by) % HOURS, rows] for by in (0, -1, 1)])
        near[:, np.isnan(near[0])] = np.nan
        self.low[rows], self.high[rows] = np.fmin.reduce(near), np.fmax.reduce(near)

    def take(self, rows: Rows, value: F64) -> F64:
        """Folds samples in; how far they are from what is usual, nan where that is not known."""
        self.total[rows] += value
        found: F64 = np.maximum(self.low[rows] - value, value - self.high[rows])
        return np.maximum(found, 0.0, out=found)
