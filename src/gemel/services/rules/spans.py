"""Sliding windows over a whole span: the statistic at every moment, in blocks of bounded memory.

Gives what `windows` gives step by step; sums of whole numbers are exact in both.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.ranks import percentiles
from gemel.services.rules.features import Window
from gemel.services.rules.windows import (
    HIGHEST,
    LOWEST,
    SUMS,
    result_of,
)

BLOCK = 200_000
"""Moments that are worked on at a time."""
EMPTY: I64 = np.zeros(0, np.int64)


def over_window(window: Window, at: I64, value: F64, moments: I64, now: F64) -> F64:
    """The statistic at each moment.

    Args:
        window: which.
        at: seconds of the samples, in order.
        value: of the samples.
        moments: seconds at which it is wanted, in order.
        now: the value of the source at each moment.
    """
    if window.statistic == "edges":
        return _edges(window, value, moments)
    if window.statistic == "percentile":
        return _percentiles(window, at, value, moments)
    found = np.full(len(moments), np.nan)
    for begin in range(0, len(moments), BLOCK):
        rows = slice(begin, begin + BLOCK)
        found[rows] = _block(window, at, value, moments[rows], now[rows])
    return found


def _first_second(window: Window, moments: I64) -> I64:
    found: I64 = (moments // window.bucket - window.buckets + 1) * window.bucket
    return found


def _edges(window: Window, truth: F64, moments: I64) -> F64:
    known = np.flatnonzero(np.isfinite(truth))
    if not len(known):
        return np.full(len(moments), np.nan)
    states = truth[known] == 1.0
    rising = moments[known[1:][states[1:] & ~states[:-1]]]
    upto = np.searchsorted(rising, moments, "right")
    before = np.searchsorted(rising, _first_second(window, moments), "left")
    is_known = np.arange(len(moments)) >= known[0]
    return np.where(is_known, (upto - before).astype(np.float64), np.nan)


def _block(window: Window, at: I64, value: F64, moments: I64, now: F64) -> F64:
    upto = np.searchsorted(at, moments, "right")
    since = np.minimum(np.searchsorted(at, _first_second(window, moments), "left"), upto)
    low, high = int(since.min()), int(upto.max())
    ever = upto > 0
    seconds, values = at[low:high], value[low:high]
    since, upto = since - low, np.maximum(upto - low, 0)
    since = np.maximum(since, 0)
    origin = np.where(ever, 0.0, np.nan)
    least = _extremes(values, since, upto) if window.statistic in LOWEST else np.zeros(0)
    most = -_extremes(-values, since, upto) if window.statistic in HIGHEST else np.zeros(0)
    totals = _totals(window, seconds, values, since, upto)
    return result_of(window.statistic, totals, least, most, now, origin)


def _totals(window: Window, at: I64, value: F64, since: I64, upto: I64) -> dict[str, F64]:
    names = SUMS.get(window.statistic, ())
    if not names:
        return {}
    is_shifted = window.statistic in ("sd", "slope")
    above = value - value[0] if is_shifted and len(value) else value
    t = (at - at[0]).astype(np.float64) if len(at) else np.zeros(0)
    factors = {"s": (above,), "ss": (above, above), "t": (t,), "tt": (t, t), "st": (t, above)}
    found = {"n": (upto - since).astype(np.float64)}
    for name in names[1:]:
        running = np.concatenate((np.zeros(1), np.cumsum(reduce(np.multiply, factors[name]))))
        found[name] = running[upto] - running[since]
    return found


def _extremes(value: F64, since: I64, upto: I64) -> F64:
    """The least value of each range; inf where it is empty."""
    length = upto - since
    longest = int(length.max(initial=0))
    found = np.full(len(since), np.inf)
    level, width, table = 0, 1, value
    while width <= longest:
        mine = (length >= width) & (length < 2 * width)
        if mine.any():
            found[mine] = np.minimum(table[since[mine]], table[upto[mine] - width])
        if 2 * width > longest:
            break
        table = np.minimum(table[:-width], table[width:])
        level, width = level + 1, 2 * width
    return found


def _percentiles(window: Window, at: I64, value: F64, moments: I64) -> F64:
    """Over the last sample of each bucket: each counts until a later one or until it leaves."""
    bucket = at // window.bucket
    leaves = (bucket + window.buckets) * window.bucket
    leaves[:-1] = np.where(bucket[1:] == bucket[:-1], at[1:], leaves[:-1])
    begin, end = np.searchsorted(moments, at), np.searchsorted(moments, leaves)
    counts = begin < end
    begin, end = begin[counts], end[counts]
    size = len(moments)
    upto = np.cumsum(np.bincount(begin, minlength=size))
    since = np.cumsum(np.bincount(end, minlength=size + 1)[:size])
    return percentiles(value[counts], since, upto, window.buckets, window.share)
