"""History on an even grid: means of each step."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.services.contract import Column

MOST_GAP = 0.2
"""Share of steps without a reading above which nothing is said."""


def grid(column: Column, step: int, needed: int) -> tuple[F64, int, str]:
    """(means of each step, the time of the last, why not); short gaps are straight lines."""
    if not len(column.time):
        return np.empty(0), 0, "no readings in the span"
    place = column.time // step
    first, count = int(place[0]), int(place[-1] - place[0]) + 1
    if count < needed:
        return np.empty(0), 0, f"{count} steps of history, {needed} are needed"
    at = (place - first).astype(np.intp)
    seen = np.bincount(at, minlength=count)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(at, column.value, count) / seen
    empty = seen == 0
    if empty.mean() > MOST_GAP:
        return np.empty(0), 0, f"{empty.mean():.0%} of the steps have no reading"
    where = np.arange(count)
    mean[empty] = np.interp(where[empty], where[~empty], mean[~empty])
    return mean, (first + count - 1) * step, ""
