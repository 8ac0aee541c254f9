"""Four levels of model for one decision: when to order the replacement of a part that wears.

0 `age`: after so many days. 1 `level`: the smoothed sensor above a limit. 2 `trend`: a straight
line through it reaches failure within so many days. 3 `growth`: an exponential does. Each has one
number to set, and it is set on the same lives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.services.fidelity.wear import Lives, Prices, Wear, draw

LEVELS = ("age", "level", "trend", "growth")
WEIGHT, SLOPE_WEIGHT = 0.2, 0.05
FLEET = 50
"""Lives in one scenario."""
AT_ONCE = 10
"""Scenarios in memory together."""
SETTINGS, FINE = 40, 25
"""Limits that are tried, and then again about the best of them."""
TUNING_LIVES = 2_000
LONGEST = 2_000.0
FIRST = 5
"""The first day on which an order may be made."""
NEVER = 1e9


@dataclass(frozen=True, slots=True)
class Views:
    """What each level looks at; larger means nearer to failure. Shape: (levels, days, lives)."""

    score: F64
    end: F64


def views(lives: Lives) -> Views:
    """Cost: numpy over lives, a Python step for each day."""
    seen = np.nan_to_num(lives.seen.T, nan=1.0)
    score = np.empty((len(LEVELS), *seen.shape))
    score[0] = np.arange(len(seen))[:, None]
    level, slope = _holt(seen, score[1])
    np.subtract(1, level, out=score[2])
    score[2] /= np.maximum(slope, 1e-9, out=slope)
    log, growth = _holt(np.log(np.maximum(seen, 0.02, out=seen), out=seen), score[3])
    log /= np.maximum(growth, 1e-9, out=growth)
    np.negative(score[2], out=score[2])
    np.clip(score[2:], -LONGEST, 0, out=score[2:])
    return Views(score, lives.end.astype(np.float64))


def _holt(values: F64, level: F64) -> tuple[F64, F64]:
    """Level, into the array given, and slope a day, smoothed. Shapes: (days, lives)."""
    slope = np.empty_like(values)
    level[0], slope[0] = values[0], 0.0
    for day in range(1, len(values)):
        ahead = level[day - 1] + slope[day - 1]
        level[day] = ahead + WEIGHT * (values[day] - ahead)
        moved = level[day] - level[day - 1]
        slope[day] = slope[day - 1] + SLOPE_WEIGHT * (moved - slope[day - 1])
    return level, slope


def outcome(score: F64, end: F64, limit: float, prices: Prices) -> tuple[F64, F64]:
    """(cost, days) of each life when the order is made once the score reaches the limit.

    Shapes: score (days, lives), all others (lives,).
    """
    asks = score[FIRST:] >= limit
    return _ordered(np.where(asks.any(axis=0), asks.argmax(axis=0) + FIRST, NEVER), end, prices)


def _ordered(first: F64, end: F64, prices: Prices) -> tuple[F64, F64]:
    """(cost, days) of lives with an order on the day `first`."""
    arrives = first + prices.lead
    is_late = end <= arrives
    cost = np.where(is_late, prices.failure, prices.planned)
    return cost, np.where(is_late, end, arrives) + 1.0


def tuned(seen: Views, prices: Prices) -> tuple[float, ...]:
    """The limit of each level with the least cost a day on these lives."""
    lives = np.arange(len(seen.end))
    last = np.maximum(seen.end.astype(int) - 1, 0)
    is_alive = np.arange(FIRST, seen.score.shape[1])[:, None] < seen.end
    limits = []
    for score in seen.score:
        met = np.concatenate([score[FIRST:][is_alive], score[last, lives]])
        most = np.maximum.accumulate(score[FIRST:], axis=0)
        coarse = np.unique(np.quantile(met, np.linspace(0, 1, SETTINGS)))
        at = int(np.argmin(_rates(most, coarse, seen.end, prices)))
        fine = np.linspace(coarse[max(at - 1, 0)], coarse[min(at + 1, len(coarse) - 1)], FINE)
        limits.append(_lowest(fine, _rates(most, fine, seen.end, prices)))
    return tuple(limits)


def settled(
    wear: Wear,
    prices: Prices,
    random: np.random.Generator,
    lives: int = TUNING_LIVES,
    times: int = 4,
) -> tuple[float, ...]:
    """The limit of each level for a plant: the mean of those tuned on so many lives, each time."""
    each = [tuned(views(draw(wear, lives, random)), prices) for _ in range(times)]
    return tuple(np.mean(each, axis=0).tolist())


def _rates(most: F64, limits: F64, end: F64, prices: Prices) -> F64:
    """Cost a day with each limit."""
    found = [_ordered(_reached(most, limit), end, prices) for limit in limits]
    return np.array([cost.sum() / days.sum() for cost, days in found])


def _lowest(limits: F64, rates: F64) -> float:
    """Where a parabola through the costs is lowest: less by chance than the cheapest of them."""
    if limits[-1] <= limits[0]:
        return float(limits[0])
    place = (limits - limits[0]) / (limits[-1] - limits[0])
    square, slope, _ = np.polyfit(place, rates, 2)
    if square <= 0:
        return float(limits[int(np.argmin(rates))])
    best = float(np.clip(-slope / (2 * square), 0, 1))
    return float(limits[0] + best * (limits[-1] - limits[0]))


def _reached(most: F64, limit: float) -> F64:
    """The day on which each life's highest score so far reaches the limit."""
    days = (most < limit).sum(axis=0)
    found: F64 = np.where(days < len(most), days + FIRST, NEVER)
    return found


def costs(
    wear: Wear, prices: Prices, limits: tuple[float, ...], fleets: int, random: np.random.Generator
) -> F64:
    """Cost a day of each level in each fleet, the same lives for every level.

    Shapes: (levels, fleets).
    """
    parts = []
    for begin in range(0, fleets, AT_ONCE):
        count = min(AT_ONCE, fleets - begin)
        parts.append(_costs(views(draw(wear, count * FLEET, random)), prices, limits, count))
    return np.concatenate(parts, axis=1)


def _costs(seen: Views, prices: Prices, limits: tuple[float, ...], fleets: int) -> F64:
    found = []
    for score, limit in zip(seen.score, limits, strict=True):
        cost, days = outcome(score, seen.end, limit, prices)
        by_fleet = (fleets, FLEET)
        found.append(cost.reshape(by_fleet).mean(axis=1) / days.reshape(by_fleet).mean(axis=1))
    return np.array(found)
