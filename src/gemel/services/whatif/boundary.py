"""What comes from outside a fork: its future from what is known of it, with how unsure that is.

- `hold`: as it was at the fork, sure;
- `repeat`: as in the day before;
- `recorded`: as it then was, where the fork lies in the past;
- `likely`: a first-order autoregression fitted to the span before: back towards its mean, the
  further the less sure (Box and Jenkins, Time Series Analysis, 5.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND

DAY = 86_400.0
FEWEST = 8
"""Steps of history below which what is outside is held, and said to be unsure of nothing."""
LEAST_MEMORY = 0.5
MOST_MEMORY = 0.9999


@dataclass(frozen=True, slots=True)
class Future:
    """Shapes: course (T,); spread of what moves about it, at one step (0: sure)."""

    course: F64
    memory: float = 0.0
    """Share of a deviation that is left after a step."""
    shock: float = 0.0
    """Deviation of what comes new in a step."""
    how: str = "hold"


def sampled(time: I64, value: F64, moments: I64) -> F64:
    """The value that held at each moment; NaN before the first."""
    if not len(time):
        return np.full(len(moments), np.nan)
    row = np.searchsorted(time, moments, side="right") - 1
    return np.where(row >= 0, value[np.maximum(row, 0)], np.nan)


def future_of(
    how: str, time: I64, value: F64, now: float, at: int, steps: int, seconds: float, span: float
) -> Future:
    """The future of one signal.

    Args:
        how: as above.
        time: of its readings before (and after, where that is known), ns.
        value: of them.
        now: its value at the fork.
        at: the fork, ns.
        steps: how many.
        seconds: of a step.
        span: seconds of history that count.
    """
    width = round(seconds * SECOND)
    ahead = at + np.arange(steps, dtype=np.int64) * width
    held = Future(np.full(steps, now))
    if how == "hold" or not len(time):
        return held
    if how == "recorded":
        then = sampled(time, value, ahead)
        return Future(np.where(np.isfinite(then), then, now), how="recorded")
    before = time <= at
    time, value = time[before], value[before]
    if how == "repeat":
        return _repeated(time, value, ahead, now) or held
    back = min(int(span / seconds), 5_000)
    past = sampled(time, value, at - np.arange(back, -1, -1, dtype=np.int64) * width)
    past = past[np.isfinite(past)]
    if len(past) < FEWEST or not np.ptp(past) > 0:
        return held
    return _likely(past, time, value, ahead, now)


def _repeated(time: I64, value: F64, ahead: I64, now: float) -> Future | None:
    """The day before, moved so that it begins where things stand."""
    day = round(DAY * SECOND)
    if not len(time) or time[0] > ahead[0] - day:
        return None
    ago = ahead - day * (1 + (ahead - ahead[0]) // day)
    course = sampled(time, value, ago)
    return Future(course + (now - course[0]), how="repeat") if np.isfinite(course).all() else None


def _likely(past: F64, time: I64, value: F64, ahead: I64, now: float) -> Future:
    middle = float(past.mean())
    away = past - middle
    memory = float((away[1:] * away[:-1]).sum() / max((away[:-1] ** 2).sum(), 1e-300))
    memory = min(max(memory, 0.0), MOST_MEMORY)
    # Of two readings of one quiet signal noise is all there is: the last is no better than the mean
    start = now - middle if memory > LEAST_MEMORY else (now - middle) * memory
    shock = float(np.std(away[1:] - memory * away[:-1]))
    course = np.asarray(middle + start * memory ** np.arange(len(ahead)), np.float64)
    return Future(course, memory, shock, "likely")


def deviations(future: Future, draws: F64) -> F64:
    """How members move about the course: (T, M) from standard normal draws (T, M)."""
    found = np.zeros_like(draws)
    if future.shock <= 0:
        return found
    now = np.zeros(draws.shape[1])
    for k in range(1, len(draws)):
        now = future.memory * now + future.shock * draws[k]
        found[k] = now
    return found
