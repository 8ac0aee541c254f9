"""How well what was predicted met what was then measured: error, bias, coverage, drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.document import Json

LEAST = 10
"""Pairs below which nothing is said."""
GAP = 3.0
"""Predictions further from measured readings than so many of their usual distances are left out."""


@dataclass(frozen=True, slots=True)
class Column:
    time: I64
    value: F64


def fidelity(
    measured: Column, predicted: Column, low: Column | None = None, high: Column | None = None
) -> Json:
    """Of one signal; figures are None where there are too few pairs.

    nRMSE is in units of the 5 to 95 % range of what was measured; drift is the nRMSE of the last
    third over that of the first; coverage is the share between `low` and `high`.
    """
    times, values = _finite(predicted)
    is_near, truth = _at(measured, times)
    times, values, truth = times[is_near], values[is_near], truth[is_near]
    empty = dict.fromkeys(("nrmse", "rmse", "bias", "coverage", "drift"), None)
    if len(times) < LEAST:
        return {"pairs": len(times), **empty}
    spread = float(np.subtract(*np.quantile(truth, (0.95, 0.05))))
    error = values - truth
    rmse = _root(error)
    third = len(error) // 3
    first = _root(error[:third])
    return {
        "pairs": len(times),
        "rmse": rmse,
        "nrmse": rmse / spread if spread > 0 else None,
        "bias": float(error.mean()),
        "coverage": _coverage(times, truth, low, high),
        "drift": _root(error[-third:]) / first if first > 0 else None,
    }


def _root(error: F64) -> float:
    return float(np.sqrt(np.mean(error**2)))


def _finite(column: Column) -> tuple[I64, F64]:
    keep = np.isfinite(column.value)
    return column.time[keep], column.value[keep]


def _at(column: Column, times: I64) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], F64]:
    """(whether a reading is near, the value between readings) at each of some times."""
    time, value = _finite(column)
    if len(time) < 2 or not len(times):
        return np.zeros(len(times), np.bool_), np.zeros(len(times))
    usual = float(np.median(np.diff(time)))
    place = np.searchsorted(time, times).clip(1, len(time) - 1)
    away = np.minimum(np.abs(times - time[place - 1]), np.abs(time[place] - times))
    origin = time[0]
    found = np.interp(
        (times - origin).astype(np.float64), (time - origin).astype(np.float64), value
    )
    return away <= GAP * max(usual, 1.0), found


def _coverage(times: I64, truth: F64, low: Column | None, high: Column | None) -> float | None:
    if low is None or high is None or not len(low.time) or not len(high.time):
        return None
    _, at_low, in_low = np.intersect1d(times, low.time, return_indices=True)
    _, at_high, in_high = np.intersect1d(times, high.time, return_indices=True)
    rows, a, b = np.intersect1d(at_low, at_high, return_indices=True)
    if len(rows) < LEAST:
        return None
    below, above = low.value[in_low[a]], high.value[in_high[b]]
    return float(np.mean((below <= truth[rows]) & (truth[rows] <= above)))
