"""Percentiles of many windows, with linear interpolation: compiled, else in numpy.

Both give the same to the last bit.
"""

from __future__ import annotations

import numpy as np

from gemel.core import fast
from gemel.core.batch import F64, I64

BLOCK = 20_000
"""Ranges that numpy sorts at a time."""


def percentile_of(samples: F64, share: float) -> F64:
    """By column, among those that are not NaN."""
    ordered = np.sort(samples.T, axis=1)
    return _ranked(ordered, np.isfinite(ordered).sum(axis=1), share)


def slide(ordered: F64, known: I64, before: F64, after: F64, share: float, out: F64) -> None:
    """Replaces one sample of each window and tells the percentiles.

    Args:
        ordered: the samples of each window in a row, in order; what lies beyond `known` is
            infinite or has no meaning.
        known: how many samples each has.
        before: what leaves each window and is in it, NaN for nothing; becomes what joined.
        after: what joins it, NaN for nothing; there is room for it.
        share: of the percentile, 0 to 1.
        out: receives the percentiles, NaN where there is no sample.
    """
    way = fast.slide if fast.IS_COMPILED else plain_slide
    way(ordered, known, before, after, share, out)


def percentiles(value: F64, since: I64, upto: I64, room: int, share: float) -> F64:
    """The percentile of value[since:upto] for many ranges whose ends never run back.

    Args:
        value: all samples.
        since: where each range begins.
        upto: where it ends.
        room: the longest of them.
        share: of the percentile, 0 to 1.
    """
    found: F64 = np.empty(len(since))
    way = fast.percentiles if fast.IS_COMPILED else plain_percentiles
    way(value, since, upto, room, share, found)
    return found


def plain_slide(ordered: F64, known: I64, before: F64, after: F64, share: float, out: F64) -> None:
    is_there, joins = np.isfinite(before), np.isfinite(after)
    is_changed = (is_there | joins) & ~(before == after)
    rows = ordered[is_changed]
    was, now = before[is_changed], after[is_changed]
    at = np.where(np.isnan(was), known[is_changed], (rows < was[:, None]).sum(axis=1))
    rows[np.arange(len(rows)), at] = np.where(np.isnan(now), np.inf, now)
    rows.sort(axis=1)
    ordered[is_changed] = rows
    known += joins
    known -= is_there
    before[:] = after
    out[:] = _ranked(ordered, known, share)


def plain_percentiles(value: F64, since: I64, upto: I64, room: int, share: float, out: F64) -> None:
    ages = np.arange(room)
    for begin in range(0, len(since), BLOCK):
        rows = slice(begin, begin + BLOCK)
        at = since[rows, None] + ages
        is_inside = at < upto[rows, None]
        samples = np.full(at.shape, np.nan)
        samples[is_inside] = value[at[is_inside]]
        samples.sort(axis=1)
        out[rows] = _ranked(samples, is_inside.sum(axis=1), share)


def _ranked(ordered: F64, known: I64, share: float) -> F64:
    """Of rows in order, of which the first `known` count."""
    top = np.maximum(known - 1, 0)
    place = share * top
    below = np.floor(place).astype(np.int64)
    every = np.arange(len(known))
    low, high = ordered[every, below], ordered[every, np.minimum(below + 1, top)]
    with np.errstate(invalid="ignore"):
        found: F64 = np.where(known > 0, low + (high - low) * (place - below), np.nan)
    return found
