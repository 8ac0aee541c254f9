"""Machines that wear: damage grows exponentially to 1, seen through noise; some fail suddenly."""

from __future__ import annotations

import math
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


LEAST_DAYS, LEAST_LIVES = 5, 2
USUAL = 0.5
"""Deviation of a day's growth in shares of its mean, as sure as its square is large."""
EXPOSED = 0.7
"""Share of its life in which a part is not worn: a failure then is told to be sudden."""
WORN = 0.5
"""Damage below which a failure has come suddenly."""
BENDS = np.linspace(0.5, 2.0, 31)
BEGINS = np.linspace(0.02, 0.6, 59)
BINS = 100


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
    share = np.concatenate([_shares(x) for x in worn])
    begin, bend = _course(share, np.concatenate(worn))
    noise, varied = _spreads(lives, worn, begin, bend)
    jitter = float(np.interp(varied, VARIED, JITTERS))
    pace = _pace(jitter)[0]
    needed = -np.log(begin)
    rates = [needed / (len(x) + 1) for x in worn]
    early = [x for x in lives if x[-LEAST_DAYS:].mean() < WORN]
    rates += [needed * _behind(x, begin, bend) / len(x) for x in early]
    logs = np.log(np.maximum(rates, 1e-5) / pace)
    by_chance = varied**2 * np.mean([1 / len(x) for x in lives])
    exposed = sum(float((x < WORN).sum()) for x in lives)
    return Wear(
        begin,
        float(np.exp(np.median(logs))),
        float(np.sqrt(max(np.var(logs, ddof=1) - by_chance, 0.0))),
        noise,
        bend,
        jitter,
        len(early) / max(exposed, 1.0),
    )


def plausible(middle: Wear, lives: int, count: int, random: np.random.Generator) -> list[Wear]:
    """Plants from which so many lives may well have been recorded that tell `middle`.

    From as many lives of `middle` it is learnt again. By as much as that misses, `middle` may have
    missed the other way (the basic bootstrap): so they are as far apart as recorded lives leave
    open, and what the method learns too high is put right. Sudden failures are counted, and their
    rate is as sure as the count.

    Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), 5.2.
    """
    found = []
    for _ in range(count):
        drawn = draw(middle, lives, random)
        again = learnt(drawn, middle)
        exposed = max(float(drawn.end.sum()) * EXPOSED, 1.0)
        found.append(
            Wear(
                min(middle.begin**2 / again.begin, 0.95),
                middle.rate**2 / again.rate,
                max(2 * middle.rate_spread - again.rate_spread, 0.0),
                middle.noise**2 / max(again.noise, 1e-6),
                middle.bend**2 / again.bend,
                max(2 * middle.jitter - again.jitter, 0.0),
                float(random.gamma(middle.sudden * exposed + 0.5) / exposed),
            )
        )
    return found


def _shares(seen: F64) -> F64:
    """Of a life behind it at each reading; it ended half a day after the last, on average."""
    found: F64 = (np.arange(len(seen)) + 1) / (len(seen) + 1)
    return found


def _pace(jitter: float) -> tuple[float, float]:
    """(mean, deviation in shares of it) of a day's growth, which is never below 0."""
    if jitter <= 0:
        return 1.0, 0.0
    at = 1 / jitter
    density = np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi)
    above = (1 + math.erf(at / np.sqrt(2))) / 2
    mean = above + jitter * density
    square = (1 + jitter**2) * above + jitter * density
    return float(mean), float(np.sqrt(square - mean**2) / mean)


JITTERS = np.linspace(0.0, 3.0, 61)
VARIED = np.array([_pace(float(j))[1] for j in JITTERS])


def _course(share: F64, seen: F64) -> tuple[float, float]:
    """(begin, bend) of damage over the share of life, by least squares; readings in `BINS`."""
    place = np.minimum((share * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    count = np.maximum(count, 1e-9)
    share = np.bincount(place, share, BINS) / count
    seen = np.bincount(place, seen, BINS) / count
    curves = BEGINS[:, None, None] ** (1 - share ** BENDS[:, None])
    error = (count * (curves - seen) ** 2).sum(axis=-1)
    begin, bend = np.unravel_index(int(np.argmin(error)), error.shape)
    return float(BEGINS[begin]), float(BENDS[bend])


def _behind(seen: F64, begin: float, bend: float) -> float:
    """The share of life that a part has behind it, by what was seen last."""
    last = float(np.clip(seen[-4 * LEAST_DAYS :].mean(), begin, 1.0))
    grown = max(1 - np.log(last) / np.log(begin), 0.0) ** (1 / bend)
    return max(float(grown), 0.1)


def _spreads(
    lives: Sequence[F64], worn: Sequence[F64], begin: float, bend: float
) -> tuple[float, float]:
    """(noise of the sensor, deviation of a day's growth in shares of its mean).

    From one reading to the next the noise counts twice and one day's growth once; over a life the
    growth is a Brownian bridge. Each tells both by itself; they are weighed by how sure they are.
    """
    curves = [begin ** (1 - _shares(seen) ** bend) for seen in worn]
    moves = np.concatenate([np.diff(curve) for curve in curves])
    odd = np.concatenate([np.diff(seen) for seen in worn]) - moves
    noise2, varied2, unsure = _two(2.0 * np.ones(len(odd)), moves**2, odd**2)
    over, under, again = 0.0, 0.0, 0.0
    for seen, curve in zip(worn, curves, strict=True):
        share = _shares(seen)
        slope = np.gradient(curve)
        spread = slope**2 * share * (1 - share) * len(seen)
        one = float((spread * ((seen - curve) ** 2 - noise2)).sum())
        own = float((spread**2).sum())
        over, under = over + one, under + own
        again += one**2
    bridge2 = over / under
    unsure2 = max(again / under**2 - bridge2**2 / len(worn), 1e-6)
    found = np.array([varied2, bridge2, USUAL**2])
    weights = 1 / np.array([unsure, unsure2, USUAL**4])
    varied2 = float((found * weights).sum() / weights.sum())
    return math.sqrt(max(noise2, 1e-12)), math.sqrt(max(varied2, 0.0))


def _two(first: F64, second: F64, seen: F64) -> tuple[float, float, float]:
    """Two variances of which `seen` squares are sums, and the variance of the second."""
    sizes = np.full(len(seen), seen.mean())
    table = np.stack([first, second], axis=1)
    for _ in range(4):
        weighed = table / sizes[:, None] ** 2
        square = weighed.T @ table + 1e-30 * np.eye(2)
        found = np.linalg.solve(square, weighed.T @ seen)
        sizes = np.maximum(table @ np.maximum(found, 0), 1e-3 * seen.mean())
    unsure = 2 * float(np.linalg.inv(square)[1, 1])
    return float(found[0]), float(found[1]), unsure
