"""Machines that wear: damage grows exponentially to 1, seen through noise; some fail suddenly."""

from __future__ import annotations

from collections.abc import Sequence
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


LEAST_DAYS, LEAST_LIVES = 5, 2
WORN = 0.5
"""Damage below which a failure has come suddenly."""
BENDS = np.linspace(0.5, 2.0, 31)
BEGINS = np.linspace(0.02, 0.6, 59)


def learnt(history: Lives, prior: Wear) -> Wear:
    """What recorded lives tell of the wear; `prior` where they are too few.

    The course of damage is the same for all lives but for its speed: over the share of its life
    that a part has behind it, all wear alike. So begin and bend come from all lives at once by
    least squares, the speed of each from its end. What readings differ from that course by, beyond
    the noise of the sensor, is growth that varies from day to day: given when a life began and
    ended, a Brownian bridge. Lives that ended suddenly tell their speed by how far they had come.
    """
    lives = [
        row[: int(end)] for row, end in zip(history.seen, history.end, strict=True)
        if end >= LEAST_DAYS
    ]  # fmt: skip
    worn = [seen for seen in lives if seen[-LEAST_DAYS:].mean() >= WORN]
    if len(worn) < LEAST_LIVES:
        return prior
    noise = float(np.median([np.std(np.diff(seen)) for seen in lives]) / np.sqrt(2))
    share = np.concatenate([(np.arange(len(x)) + 1) / (len(x) + 1) for x in worn])
    seen = np.concatenate(worn)
    begin, bend = _course(share, seen)
    needed = -np.log(begin)
    rates = [needed / (len(x) + 1) for x in worn]
    early = [x for x in lives if x[-LEAST_DAYS:].mean() < WORN]
    rates += [needed * _behind(x, begin, bend) / len(x) for x in early]
    logs = np.log(np.maximum(rates, 1e-5))
    exposed = sum(float((x < WORN).sum()) for x in lives)
    return Wear(
        begin,
        float(np.exp(np.median(logs))),
        float(np.std(logs)),
        noise,
        bend,
        _jitter(worn, begin, bend, noise),
        len(early) / max(exposed, 1.0),
    )


def _course(share: F64, seen: F64) -> tuple[float, float]:
    """(begin, bend) of damage over the share of life, by least squares."""
    best, found = np.inf, (0.1, 1.0)
    for bend in BENDS.tolist():
        curve = np.exp(np.log(BEGINS)[:, None] * (1 - share**bend)[None, :])
        error = ((curve - seen) ** 2).sum(axis=1)
        at = int(np.argmin(error))
        if error[at] < best:
            best, found = float(error[at]), (float(BEGINS[at]), bend)
    return found


def _behind(seen: F64, begin: float, bend: float) -> float:
    """The share of life that a part has behind it, by what was seen last."""
    last = float(np.clip(seen[-4 * LEAST_DAYS :].mean(), begin, 1.0))
    grown = max(1 - np.log(last) / np.log(begin), 0.0) ** (1 / bend)
    return max(float(grown), 0.1)


def _jitter(worn: Sequence[F64], begin: float, bend: float, noise: float) -> float:
    """Of growth from day to day, in shares of the rate."""
    over, under = 0.0, 0.0
    for seen in worn:
        share = (np.arange(len(seen)) + 1) / (len(seen) + 1)
        curve = begin ** (1 - share**bend)
        slope = curve * -np.log(begin) * bend * share ** (bend - 1)
        spread = slope**2 * share * (1 - share) / len(seen)
        excess = (seen - curve) ** 2 - noise**2
        over += float((spread * excess).sum())
        under += float((spread**2).sum())
    return float(np.clip(over / under, 0.0, 4.0) ** 0.5) if under else 0.0
