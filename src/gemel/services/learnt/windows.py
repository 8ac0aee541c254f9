"""What a signal was over a window that ends at each of many moments, all at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.services.contract import Column

Rows = np.ndarray[tuple[int], np.dtype[np.intp]]


def last(column: Column, moments: I64, window: float) -> F64:
    """The newest reading that is no older than the window."""
    begin, end = _places(column, moments, window)
    known = end > begin
    found: F64 = np.where(known, _at(column.value, end - 1), np.nan)
    return found


def samples(column: Column, moments: I64, window: float, count: int) -> F64:
    """(T, count) readings at even distances over the window, the newest last.

    Each is the newest reading at its moment, no older than the window.
    """
    apart = round(window * SECOND) // count
    back = np.arange(count - 1, -1, -1) * apart
    return np.stack([last(column, moments - one, window) for one in back], axis=1)


def _mean(column: Column, begin: Rows, end: Rows) -> F64:
    centre = _centre(column)
    total = _running(column.value - centre)
    return _divided(total[end] - total[begin], end - begin) + centre


def _sum(column: Column, begin: Rows, end: Rows) -> F64:
    return _mean(column, begin, end) * (end - begin)


def _std(column: Column, begin: Rows, end: Rows) -> F64:
    off = column.value - _centre(column)
    first, second = _running(off), _running(off * off)
    count = end - begin
    mean = _divided(first[end] - first[begin], count)
    square = _divided(second[end] - second[begin], count)
    found: F64 = np.sqrt(np.maximum(square - mean * mean, 0.0))
    return found


def _slope(column: Column, begin: Rows, end: Rows) -> F64:
    """A straight line's, per second; NaN from fewer than two readings."""
    origin = int(column.time[0]) if len(column.time) else 0
    time = (column.time - origin) / SECOND
    time = time - (time.mean() if len(time) else 0.0)
    value = column.value - _centre(column)
    sums = [_running(x) for x in (time, value, time * value, time * time)]
    count = end - begin
    t, v, tv, tt = (_divided(s[end] - s[begin], count) for s in sums)
    spread = tt - t * t
    with np.errstate(divide="ignore", invalid="ignore"):
        found: F64 = np.where((count > 1) & (spread > 1e-12), (tv - t * v) / spread, np.nan)
    return found


def _extreme(function: np.ufunc) -> Callable[[Column, Rows, Rows], F64]:
    def found(column: Column, begin: Rows, end: Rows) -> F64:
        values = np.append(column.value, 0.0)  # so that a window at the end has a place to end
        pairs = np.stack((begin, np.maximum(end, begin + 1)), axis=1).reshape(-1)
        pairs = np.minimum(pairs, len(column.value))
        reduced: F64 = function.reduceat(values, pairs)[::2]
        return np.where(end > begin, reduced, np.nan)

    return found


MEASURES: dict[str, Callable[[Column, Rows, Rows], F64]] = {
    "mean": _mean,
    "sum": _sum,
    "std": _std,
    "slope": _slope,
    "min": _extreme(np.minimum),
    "max": _extreme(np.maximum),
}
WAYS = ("last", "samples", *MEASURES)


def measured(how: str, column: Column, moments: I64, window: float) -> F64:
    """(T,) of one of `MEASURES`; NaN where the window holds no reading.

    Cost: numpy over readings and moments; a window of any width costs the same.
    """
    begin, end = _places(column, moments, window)
    return MEASURES[how](column, begin, end)


def _places(column: Column, moments: I64, window: float) -> tuple[Rows, Rows]:
    """Rows of the readings within (moment - window, moment]."""
    begin = np.searchsorted(column.time, moments - round(window * SECOND), side="right")
    return begin, np.searchsorted(column.time, moments, side="right")


def _at(values: F64, rows: Rows) -> F64:
    if not len(values):
        return np.full(len(rows), np.nan)
    found: F64 = values[np.clip(rows, 0, len(values) - 1)]
    return found


def _centre(column: Column) -> float:
    return float(column.value.mean()) if len(column.value) else 0.0


def _running(values: F64) -> F64:
    return np.concatenate(([0.0], np.cumsum(values)))


def _divided(total: F64, count: Rows) -> F64:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: F64 = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found
