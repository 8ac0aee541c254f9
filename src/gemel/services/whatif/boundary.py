"""What comes from outside a fork: its future from what is known of it, with how unsure that is.

- `hold`: as it was at the fork, sure;
- `repeat`: as in the day before;
- `recorded`: as it then was, where the fork lies in the past;
- `likely`: as the day before or about its mean, whichever was less off in the span before; it
  begins where things stand and, if it moves slowly, stays as far off that as it is now. How unsure
  that is, for each time ahead, is how far off the same guess was in the span before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND

DAY = 86_400.0
FEWEST = 8
FEWEST_DAILY = 60
"""Steps known a day apart, from which on the day before is a guide."""
MOST_BACK = 5_000
"""Steps of history below which what is outside is held, and said to be unsure of nothing."""
SLOW = 0.9
"""Share of a deviation left after a step, from which on it is taken to stay."""
MOST_MEMORY = 0.998


@dataclass(frozen=True, slots=True)
class Future:
    """Shapes: course and spread (T,)."""

    course: F64
    spread: F64 | None = None
    """Standard deviation at each step; None: sure."""
    memory: float = 0.0
    """Correlation of what is unsure from a step to the next."""
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
    back = min(int(span / seconds), MOST_BACK)
    before_ = at - np.arange(back, -1, -1, dtype=np.int64) * width
    past = sampled(time, value, before_)
    known = np.isfinite(past)
    if int(known.sum()) < FEWEST or not np.ptp(past[known]) > 0:
        return held
    past, before_ = past[known], before_[known]
    day = round(DAY * SECOND)
    ago = sampled(time, value, before_ - day)
    is_daily = np.isfinite(ago)
    about = _likely(past - past.mean(), np.full(steps, float(past.mean())), now)
    if int(is_daily.sum()) < max(FEWEST_DAILY, 2 * steps) or ahead[-1] - day > at:
        return about
    daily = _likely(past[is_daily] - ago[is_daily], sampled(time, value, ahead - day), now)
    return daily if _at(daily, steps - 1) < _at(about, steps - 1) else about


def _at(future: Future, step: int) -> float:
    return 0.0 if future.spread is None else float(future.spread[step])


def _repeated(time: I64, value: F64, ahead: I64, now: float) -> Future | None:
    """The day before, moved so that it begins where things stand."""
    day = round(DAY * SECOND)
    if not len(time) or time[0] > ahead[0] - day:
        return None
    ago = ahead - day * (1 + (ahead - ahead[0]) // day)
    course = sampled(time, value, ago)
    return Future(course + (now - course[0]), how="repeat") if np.isfinite(course).all() else None


def _likely(away: F64, base: F64, now: float) -> Future:
    """A guess about a base, and how far off such guesses were.

    Args:
        away: by how much the signal was off its base in the past, a value a step.
        base: in the steps to come.
        now: the signal's value.
    """
    memory = float((away[1:] * away[:-1]).sum() / max(float((away[:-1] ** 2).sum()), 1e-300))
    memory = min(max(memory, 0.0), MOST_MEMORY)
    ahead = np.arange(len(base))
    left = np.ones(len(base)) if memory > SLOW else memory**ahead
    lags = np.unique(np.geomspace(1, max(len(away) // 2, 1), 16).astype(int))
    kept = [1.0 if memory > SLOW else memory**lag for lag in lags.tolist()]
    errors = [
        float(np.sqrt(np.mean((away[lag:] - share * away[:-lag]) ** 2)))
        for lag, share in zip(lags.tolist(), kept, strict=True)
    ]
    spread = np.interp(ahead, [0, *lags.tolist()], [0.0, *errors])
    if memory > SLOW:  # beyond what the past can tell it goes on growing, as a random walk does
        spread = spread * np.sqrt(np.maximum(ahead / max(int(lags[-1]), 1), 1.0))
    course = np.asarray(base + left * (now - base[0]), np.float64)
    return Future(course, spread, memory, "likely")


def deviations(future: Future, draws: F64) -> F64:
    """How members move about the course: (T, M) from standard normal draws (T, M)."""
    found = np.zeros_like(draws)
    if future.spread is None:
        return found
    now = draws[0]
    fresh = float(np.sqrt(1 - future.memory**2))
    for k in range(1, len(draws)):
        now = future.memory * now + fresh * draws[k]
        found[k] = future.spread[k] * now
    return found
