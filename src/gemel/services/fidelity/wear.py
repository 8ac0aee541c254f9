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
    """Lives from new to failure."""
    needed = -np.log(wear.begin)
    rate = wear.rate * np.exp(wear.rate_spread * random.standard_normal(lives))
    days = int(min(4 * needed / wear.rate, 2_000))
    steps = 1 + wear.jitter * random.standard_normal((lives, days))
    grown = np.cumsum(np.maximum(steps, 0) * rate[:, None], axis=1) / needed
    damage = wear.begin ** (1 - np.minimum(grown, 1.5) ** wear.bend)
    over = damage >= 1
    end = np.where(over.any(axis=1), over.argmax(axis=1), days - 1)
    if wear.sudden > 0:
        end = np.minimum(end, random.geometric(wear.sudden, lives))
    seen = damage + wear.noise * random.standard_normal((lives, days))
    seen[np.arange(days)[None, :] >= end[:, None]] = np.nan
    return Lives(seen, end.astype(np.int64))


def learnt(history: Lives, prior: Wear) -> Wear:
    """The plain exponential model with the parameters that recorded lives tell."""
    begin, slopes, noises = [], [], []
    for row, end in zip(history.seen, history.end, strict=True):
        seen = row[: int(end)]
        if len(seen) < 5:
            continue
        log = np.log(np.maximum(seen, 0.02))
        slope, start = np.polyfit(np.arange(len(seen)), log, 1, w=np.maximum(seen, 0.05))
        begin.append(start)
        slopes.append(max(slope, 1e-4))
        noises.append(np.std(np.diff(seen)) / np.sqrt(2))
    if len(slopes) < 2:
        return prior
    return Wear(
        float(np.clip(np.exp(np.median(begin)), 0.01, 0.9)),
        float(np.median(slopes)),
        float(np.std(np.log(slopes))),
        float(np.median(noises)),
        sudden=_sudden(history),
    )


def _sudden(history: Lives) -> float:
    """Failures a day that came while little damage was seen."""
    last = np.array(
        [
            np.nanmean(row[max(0, int(e) - 5) : int(e)]) if e > 0 else 0.0
            for row, e in zip(history.seen, history.end, strict=True)
        ]
    )
    return float((last < 0.5).sum() / max(history.end.sum(), 1))
