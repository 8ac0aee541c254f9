"""Functions of ranges: one number of the readings behind each moment, for all moments at once.

What a sum tells is summed range by range, never as a difference of running sums, which would lose
small values beside large ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.promql.values import Ranges, There

Found = tuple[F64, There]
N = TypeVar("N", np.float64, np.int64)
EDGE = 1.1
"""A range goes on to its end where that is no further than so many usual distances."""


def _sum(ranges: Ranges) -> Found:
    return ranges.reduce(np.add, ranges.value), ranges.counts > 0


def _average(ranges: Ranges) -> Found:
    total, there = _sum(ranges)
    return total / np.maximum(ranges.counts, 1), there


def _count(ranges: Ranges) -> Found:
    return ranges.counts.astype(np.float64), ranges.counts > 0


def _present(ranges: Ranges) -> Found:
    there = ranges.counts > 0
    return np.ones(there.shape), there


def _least(ranges: Ranges) -> Found:
    return ranges.reduce(np.fmin, ranges.value), ranges.counts > 0


def _most(ranges: Ranges) -> Found:
    return ranges.reduce(np.fmax, ranges.value), ranges.counts > 0


def _at(column: NDArray[N], rows: I64) -> NDArray[N]:
    """Rows of a column; of any row where there is none."""
    if not len(column):
        column = np.zeros(1, column.dtype)
    return column[np.clip(rows, 0, len(column) - 1)]


def _last(ranges: Ranges) -> Found:
    return _at(ranges.value, ranges.high - 1), ranges.counts > 0


def _variance(ranges: Ranges) -> Found:
    mean, there = _average(ranges)
    found = np.zeros(mean.size)
    for cells, rows, starts in ranges.pieces():
        sizes = np.diff(starts, append=len(rows))
        distance = ranges.value[rows] - np.repeat(mean.ravel()[cells], sizes)
        found[cells] = np.add.reduceat(distance**2, starts) / sizes
    return found.reshape(mean.shape), there


def _deviation(ranges: Ranges) -> Found:
    variance, there = _variance(ranges)
    return np.sqrt(variance), there


def _pairs(ranges: Ranges) -> tuple[F64, F64]:
    """Each row's value and the one before it; a series' first has itself before it."""
    before = np.concatenate((ranges.value[:1], ranges.value[:-1]))
    firsts = ranges.borders[:-1]
    firsts = firsts[firsts < len(before)]
    before[firsts] = ranges.value[firsts]
    return before, ranges.value


def _changes(ranges: Ranges) -> Found:
    before, after = _pairs(ranges)
    is_change = (before != after) & ~(np.isnan(before) & np.isnan(after))
    return ranges.reduce(np.add, is_change.astype(np.float64), 1), ranges.counts > 0


def _resets(ranges: Ranges) -> Found:
    before, after = _pairs(ranges)
    return ranges.reduce(np.add, (after < before).astype(np.float64), 1), ranges.counts > 0


def _extrapolated(ranges: Ranges, *, is_counter: bool, is_rate: bool) -> Found:
    """What changed over each range, carried on to its ends.

    Source: the functions rate, increase and delta as Prometheus documents them.
    """
    there = ranges.counts > 1
    first, last = _at(ranges.value, ranges.low), _at(ranges.value, ranges.high - 1)
    change = last - first
    if is_counter:
        before, after = _pairs(ranges)
        change = change + ranges.reduce(np.add, np.where(after < before, before, 0.0), 1)
    begin, end = _at(ranges.time, ranges.low), _at(ranges.time, ranges.high - 1)
    sampled = (end - begin) / SECOND
    usual = sampled / np.maximum(ranges.counts - 1, 1)
    to_start = (begin - (ranges.ends - ranges.span)) / SECOND
    to_end = (ranges.ends - end) / SECOND
    if is_counter:
        to_zero = sampled * (first / change)
        to_start = np.where((change > 0) & (first >= 0) & (to_zero < to_start), to_zero, to_start)
    whole = sampled + np.where(to_start < usual * EDGE, to_start, usual / 2)
    whole = whole + np.where(to_end < usual * EDGE, to_end, usual / 2)
    factor = whole / sampled
    return change * (factor / (ranges.span / SECOND) if is_rate else factor), there


def _rate(ranges: Ranges) -> Found:
    return _extrapolated(ranges, is_counter=True, is_rate=True)


def _increase(ranges: Ranges) -> Found:
    return _extrapolated(ranges, is_counter=True, is_rate=False)


def _delta(ranges: Ranges) -> Found:
    return _extrapolated(ranges, is_counter=False, is_rate=False)


def _instant(ranges: Ranges, *, is_rate: bool) -> Found:
    last, before = _at(ranges.value, ranges.high - 1), _at(ranges.value, ranges.high - 2)
    seconds = (_at(ranges.time, ranges.high - 1) - _at(ranges.time, ranges.high - 2)) / SECOND
    there = (ranges.counts > 1) & (seconds != 0)
    change = last - before
    if is_rate:
        change = np.where(last < before, last, change) / seconds
    return change, there


def _irate(ranges: Ranges) -> Found:
    return _instant(ranges, is_rate=True)


def _idelta(ranges: Ranges) -> Found:
    return _instant(ranges, is_rate=False)


def _line(ranges: Ranges, origin: I64 | None) -> tuple[F64, F64, There]:
    """Slope (per second) and height at `origin` of the straight line nearest to each range.

    Without an origin it is the first reading of each range.
    """
    shape = ranges.low.shape
    slope, height = np.zeros(ranges.low.size), np.zeros(ranges.low.size)
    starts_at = _at(ranges.time, ranges.low).ravel()
    zero = starts_at if origin is None else np.broadcast_to(origin, shape).ravel()
    for cells, rows, starts in ranges.pieces():
        sizes = np.diff(starts, append=len(rows))
        x = (ranges.time[rows] - np.repeat(starts_at[cells], sizes)) / SECOND
        y = ranges.value[rows]
        first = y[starts]
        mean_x = np.add.reduceat(x, starts) / sizes
        mean_y = first + np.add.reduceat(y - np.repeat(first, sizes), starts) / sizes
        x = x - np.repeat(mean_x, sizes)
        y = y - np.repeat(mean_y, sizes)
        slope[cells] = np.add.reduceat(x * y, starts) / np.add.reduceat(x * x, starts)
        flat = np.add.reduceat(ranges.value[rows] != np.repeat(first, sizes), starts) == 0
        slope[cells] = np.where(flat, np.where(np.isinf(first), np.nan, 0.0), slope[cells])
        middle = (zero[cells] - starts_at[cells]) / SECOND - mean_x
        height[cells] = mean_y + slope[cells] * middle
        height[cells] = np.where(flat & np.isfinite(first), first, height[cells])
    return slope.reshape(shape), height.reshape(shape), ranges.counts > 1


def _deriv(ranges: Ranges) -> Found:
    slope, _, there = _line(ranges, None)
    return slope, there


def predict_linear(ranges: Ranges, times: I64, seconds: F64) -> Found:
    slope, height, there = _line(ranges, times)
    return slope * seconds + height, there


def quantile(ranges: Ranges, level: F64) -> Found:
    """The level's quantile of each range; level is (moments,)."""
    shape = ranges.low.shape
    found = np.zeros(ranges.low.size)
    levels = np.broadcast_to(level, shape).ravel()
    for cells, rows, starts in ranges.pieces():
        sizes = np.diff(starts, append=len(rows))
        value = ranges.value[rows]
        ordered = value[np.lexsort((value, ~np.isnan(value), np.repeat(cells, sizes)))]
        found[cells] = of_sorted(ordered, starts, sizes, levels[cells])
    return found.reshape(shape), ranges.counts > 0


def of_sorted(value: F64, starts: I64, sizes: I64, level: F64) -> F64:
    """Quantiles of stretches of sorted values, the not-a-numbers first."""
    rank = np.clip(level, 0.0, 1.0) * (sizes - 1)
    whole = np.nan_to_num(np.floor(rank))
    low = np.maximum(whole, 0).astype(np.int64)
    high = np.minimum(low + 1, sizes - 1)
    part = rank - whole
    found = value[starts + low] * (1 - part) + value[starts + high] * part
    found = np.where(level < 0, -np.inf, np.where(level > 1, np.inf, found))
    return np.where(np.isnan(level), np.nan, found)


WINDOWS: dict[str, Callable[[Ranges], Found]] = {
    "avg_over_time": _average,
    "changes": _changes,
    "count_over_time": _count,
    "delta": _delta,
    "deriv": _deriv,
    "idelta": _idelta,
    "increase": _increase,
    "irate": _irate,
    "last_over_time": _last,
    "max_over_time": _most,
    "min_over_time": _least,
    "present_over_time": _present,
    "rate": _rate,
    "resets": _resets,
    "stddev_over_time": _deviation,
    "stdvar_over_time": _variance,
    "sum_over_time": _sum,
}
KEEPS_NAME = ("last_over_time",)
