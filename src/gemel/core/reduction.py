"""Fewer points for the same curve, within a bound: deadband and swinging door; sums that stay true.

A point is left out only where what the reader rebuilds is nowhere further than `bound` from what
was there: held values for the deadband, straight lines for the swinging door. Means and sums of
what is left must weigh time (`integral`): stored points lie close together where much happens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.errors import InvalidInput

WINDOW = 16
MOST_WINDOW = 4096
Rows = NDArray[np.intp]


def deadband(value: F64, bound: float) -> Rows:
    """Rows to keep so that the value last kept is never further than `bound`.

    Cost: some numpy calls for each row that is kept.
    """
    _check(value, bound)
    kept = []
    at, count = 0, len(value)
    while at < count:
        kept.append(at)
        at = _first(np.abs, value, at, bound)
    return np.array(kept, np.intp)


def _first(size: np.ufunc, value: F64, at: int, bound: float) -> int:
    """The first row after `at` that is further from it than `bound`; the end if there is none."""
    begin, window = at + 1, WINDOW
    while begin < len(value):
        out = size(value[begin : begin + window] - value[at]) > bound
        place = int(out.argmax())
        if out[place]:
            return begin + place
        begin += window
        window = min(2 * window, MOST_WINDOW)
    return len(value)


def swinging_door(time: I64, value: F64, bound: float) -> Rows:
    """Rows to keep so that straight lines between them are never further than `bound`.

    A line goes to the furthest row whose own slope lies between the doors that all rows before it
    leave open. The plain algorithm stores the row before the doors close, whose line may lie
    outside of them; this one keeps the bound exactly.

    Raises:
        InvalidInput: times do not increase, values are not finite, or the bound is below 0.
    """
    _check(value, bound)
    count = len(value)
    if count != len(time) or (count > 1 and not (np.diff(time) > 0).all()):
        raise InvalidInput("times must increase, one for each value")
    kept, at = [0] if count else [], 0
    # An ulp of room in the doors would break the bound; this much less of it keeps it.
    room = bound * (1 - 1e-12)
    while at < count - 1:
        at = _reach(time, value, at, room)
        kept.append(at)
    return np.array(kept, np.intp)


def _reach(time: I64, value: F64, at: int, bound: float) -> int:
    """The furthest row to which a straight line stays within the bound."""
    best, begin, window = at + 1, at + 1, WINDOW
    low, high = -np.inf, np.inf
    while begin < len(value):
        part = slice(begin, begin + window)
        span = (time[part] - time[at]).astype(np.float64)
        rise = value[part] - value[at]
        lows = np.maximum.accumulate(np.maximum((rise - bound) / span, low))
        highs = np.minimum.accumulate(np.minimum((rise + bound) / span, high))
        slope = rise / span
        fits = np.flatnonzero((lows <= slope) & (slope <= highs))
        if len(fits):
            best = begin + int(fits[-1])
        if lows[-1] > highs[-1]:
            return best
        low, high = float(lows[-1]), float(highs[-1])
        begin += window
        window = min(2 * window, MOST_WINDOW)
    return best


def held(rows: Rows, value: F64) -> F64:
    """What a reader has at every row who holds the value last kept."""
    place = np.searchsorted(rows, np.arange(len(value)), side="right") - 1
    return value[rows[place]]


def interpolated(rows: Rows, time: I64, value: F64) -> F64:
    """What a reader has at every row who draws straight lines between rows that were kept."""
    since = (time - time[:1]).astype(np.float64)
    return np.interp(since, since[rows], value[rows])


def integral(time: I64, value: F64, *, is_held: bool = False) -> float:
    """Value times seconds, of straight lines between the points or of held values."""
    seconds = np.diff(time) / 1e9
    if is_held:
        return float((value[:-1] * seconds).sum())
    return float(((value[1:] + value[:-1]) / 2 * seconds).sum())


def _check(value: F64, bound: float) -> None:
    if not bound >= 0:
        raise InvalidInput(f"bound: {bound}", hint="0 or more, in the unit of the values")
    if not np.isfinite(value).all():
        raise InvalidInput("values must be finite", hint="keep readings that are not, as they are")
