"""Machines that wear: damage grows exponentially to 1, seen through noise; some fail suddenly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64


@dataclass(frozen=True, slots=True)
class Wear:
    """Days are the steps."""

    begin: float = 0.1
    """Damage of a new part, in shares of failure."""
    rate: float = 0.02
    """Median growth a day, of the logarithm."""
    rate_spread: float = 0.3
    """Of the logarithm of the rate, from life to life."""
    noise: float = 0.03
    """Of the sensor, in shares of failure."""
    bend: float = 1.0
    """1: exponential; above it starts slower and ends faster."""
    jitter: float = 0.0
    """Random growth from day to day, in shares of the rate."""
    sudden: float = 0.0
    """Chance a day of a failure that nothing announces."""


@dataclass(frozen=True, slots=True)
class Prices:
    failure: float = 10.0
    planned: float = 1.0
    lead: int = 10
    """Days from the order to the replacement."""


@dataclass(frozen=True, slots=True)
class Lives:
    """Shapes: seen (lives, days), NaN after the failure; end (lives,), the day of it."""

    seen: F64
    end: np.ndarray[tuple[int], np.dtype[np.int64]]


def draw(wear: Wear, lives: int, random: np.random.Generator) -> Lives:
    """Lives from new to failure. In memory the lives of one day lie side by side."""
    needed = -np.log(wear.begin)
    rate = wear.rate * np.exp(wear.rate_spread * random.standard_normal(lives))
    most = int(min(4 * needed / wear.rate, 2_000))
    grown = random.standard_normal((most, lives))
    grown *= wear.jitter
    grown += 1
    np.maximum(grown, 0, out=grown)
    grown *= rate / needed
    np.cumsum(grown, axis=0, out=grown)
    end = np.minimum((grown < 1).sum(axis=0), most - 1)
    if wear.sudden > 0:
        end = np.minimum(end, random.geometric(wear.sudden, lives))
    days = int(end.max()) + 1
    damage = wear.begin ** (1 - np.minimum(grown[:days], 1.5) ** wear.bend)
    seen = damage + wear.noise * random.standard_normal((days, lives))
    seen[np.arange(days)[:, None] >= end] = np.nan
    return Lives(seen.T, end.astype(np.int64))
