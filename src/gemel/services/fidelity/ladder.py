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
AT_ONCE = 40
"""Scenarios in memory together."""
SETTINGS = 40
LONGEST = 2_000.0


@dataclass(frozen=True, slots=True)
class Views:
    """What each level looks at; larger means nearer to failure. Shape: (levels, lives, days)."""

    score: F64
    end: F64


def views(lives: Lives) -> Views:
    """Cost: numpy over lives, a Python step for each day."""
    seen = lives.seen
    days = seen.shape[1]
    level, slope = _holt(np.where(np.isnan(seen), 0.0, seen))
    log, growth = _holt(np.log(np.maximum(np.where(np.isnan(seen), 1.0, seen), 0.02)))
    with np.errstate(divide="ignore"):
        straight = np.clip((1 - level) / np.maximum(slope, 1e-9), 0, LONGEST)
        bent = np.clip(-log / np.maximum(growth, 1e-9), 0, LONGEST)
    age = np.broadcast_to(np.arange(days, dtype=np.float64), seen.shape)
    return Views(np.stack([age, level, -straight, -bent]), lives.end.astype(np.float64))


def _holt(values: F64) -> tuple[F64, F64]:
    """Level and slope a day, smoothed."""
    level, slope = np.empty_like(values), np.zeros_like(values)
    level[:, 0] = values[:, 0]
    for day in range(1, values.shape[1]):
        ahead = level[:, day - 1] + slope[:, day - 1]
        level[:, day] = ahead + WEIGHT * (values[:, day] - ahead)
        moved = level[:, day] - level[:, day - 1]
        slope[:, day] = slope[:, day - 1] + SLOPE_WEIGHT * (moved - slope[:, day - 1])
    return level, slope


def outcome(score: F64, end: F64, limit: float, prices: Prices) -> tuple[F64, F64]:
    """(cost, days) of each life when the order is made once the score reaches the limit."""
    asks = score[:, 5:] >= limit
    first = np.where(asks.any(axis=1), asks.argmax(axis=1) + 5, score.shape[1])
    arrives = first + prices.lead
    is_late = end <= arrives
    cost = np.where(is_late, prices.failure, prices.planned)
    return cost, np.where(is_late, end, arrives) + 1.0


def tuned(seen: Views, prices: Prices) -> tuple[float, ...]:
    """The limit of each level with the least cost a day on these lives."""
    limits = []
    for score in seen.score:
        last = [row[max(0, int(e) - 1)] for row, e in zip(score, seen.end, strict=True)]
        middle = score[:, 5:][np.arange(5, score.shape[1])[None, :] < seen.end[:, None]]
        grid = np.unique(np.quantile(np.concatenate([middle, last]), np.linspace(0, 1, SETTINGS)))
        costs = [_rate(*outcome(score, seen.end, limit, prices)) for limit in grid]
        limits.append(float(grid[int(np.argmin(costs))]))
    return tuple(limits)


def _rate(cost: F64, days: F64) -> float:
    return float(cost.sum() / days.sum())


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
