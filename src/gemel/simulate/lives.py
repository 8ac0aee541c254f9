"""Lives of a part that wears and is renewed: how worn it was on each of many days, until today."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

WORN_OUT = 0.48
"""Wear at which a bearing is renewed: its vibration nears 4.5 mm/s."""
GROWTH = 20.0
"""How much quicker it wears at its end than at its begin."""
LIFE, SPREAD = 130.0, 0.22
"""Days of a usual life, and the spread of its logarithm."""
YOUNG, OLD = 0.05, 0.86
"""Shares of their lives that parts have behind them today."""


@dataclass(frozen=True, slots=True)
class Day:
    """Of one day: how many days ago it was, the part's days in service then, and its wear."""

    ago: int
    age: float
    wear: float


def wear_at(share: float) -> float:
    """Wear after a share of a life: each bit of wear speeds up the next."""
    return math.expm1(share * math.log1p(GROWTH * WORN_OUT)) / GROWTH


def lives(generator: random.Random, days: int) -> list[Day]:
    """One life after the other until today, the oldest day first; the last life goes on."""
    length = LIFE * generator.lognormvariate(0.0, SPREAD)
    age = round(generator.uniform(YOUNG, OLD) * length)
    found: list[Day] = []
    for ago in range(days + 1):
        if age < 0:
            length = LIFE * generator.lognormvariate(0.0, SPREAD)
            age = round(length)
        found.append(Day(ago, float(age), wear_at(min(1.0, age / length))))
        age -= 1
    return found[::-1]
