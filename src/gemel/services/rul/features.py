"""What is known at one cycle of a life: levels, trends and distance from its own beginning.

Everything comes from this cycle and those before it. The last `WINDOW` rows and the mean of the
first `OWN` say all, so live and history give the same numbers to the last bit: sums go over the
same lags in the same order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64

WINDOWS = (5, 10, 20, 40)
WINDOW = WINDOWS[-1]
SLOPES = (20, 40)
OWN = 20


def names(paths: list[str]) -> list[tuple[str, str]]:
    """(what, path) of each feature; the age in cycles comes last and has no path."""
    found = [(f"mean of {w}", p) for w in WINDOWS for p in paths]
    found += [(f"slope of {w}", p) for w in SLOPES for p in paths]
    found += [("distance from its beginning", p) for p in paths]
    found += [("recent distance from its beginning", p) for p in paths]
    return [*found, ("age", "")]


def level_of(count: int) -> slice:
    """Where in a row the means of so many signals over the last `WINDOWS[1]` cycles are."""
    return slice(count, 2 * count)


def joined(signals: F64, lines: F64, age: F64) -> F64:
    """Features of signals and of lines of wear as one table; the age in cycles comes last."""
    return np.concatenate((signals[:, :-1], lines[:, :-1], age[:, None]), axis=1)


def of_life(rows: F64) -> F64:
    """Features of every cycle of one life.

    Shapes: rows (n, k) scaled values, the oldest first; gives (n, f).
    """
    n, k = rows.shape
    recent = np.zeros((WINDOW, n, k))
    for lag in range(min(WINDOW, n)):
        recent[lag, lag:] = rows[: n - lag]
    first = np.cumsum(rows[:OWN], axis=0)
    own = np.concatenate((first, np.repeat(first[-1:], max(0, n - OWN), axis=0)))[:n]
    return of_moment(recent, own, np.arange(1, n + 1))


def of_moment(recent: F64, own: F64, age: NDArray[np.int64]) -> F64:
    """Features of n moments.

    Shapes: recent (WINDOW, n, k), lag 0 first, zeros where there was nothing yet; own (n, k): the
    sum of the first `OWN` rows, or of those there are; age (n,): rows so far, this one counted.
    """
    total, moment = np.zeros_like(own), np.zeros_like(own)
    means: dict[int, F64] = {}
    slopes: dict[int, F64] = {}
    for lag in range(WINDOW):
        total = total + recent[lag]
        moment = moment + lag * recent[lag]
        size = lag + 1
        if size in WINDOWS:
            count = np.minimum(age, size).astype(np.float64)[:, None]
            means[size] = total / count
            if size in SLOPES:
                spread = np.maximum(count * (count**2 - 1) / 12, 1.0)
                slopes[size] = -(moment - total * (count - 1) / 2) / spread
    beginning = own / np.minimum(age, OWN).astype(np.float64)[:, None]
    return np.concatenate(
        [
            *(means[w] for w in WINDOWS),
            *(slopes[w] for w in SLOPES),
            means[20] - beginning,
            means[5] - beginning,
            age.astype(np.float64)[:, None],
        ],
        axis=1,
    )
