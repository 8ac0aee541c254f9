"""What recorded lives tell of a plant: the plants that they leave possible, as likely as they are.

Growth of damage is a random walk with the speed of its life. Where a life began and ended is
known, so in between it is a Brownian bridge, seen through a curve and the noise of the sensor: an
extended Kalman filter gives the likelihood of all readings for many plants at once. Population
Monte Carlo finds the courses (curve, noise, variation of growth) that are likely; the speeds of
lives, and how far apart they are, are summed over a grid. A life that ended while its part was not
worn has failed suddenly; how far it had come is as open as its readings leave it. A part that was
renewed before it failed has come so far too, and no sudden failure has ended it before.

Source: Cappe, Guillin, Marin and Robert, Population Monte Carlo, J. Comput. Graph. Stat. 13 (2004).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.services.fidelity.wear import Lives, Wear

LEAST_DAYS, LEAST_LIVES = 5, 2
DRAWS, LAST_DRAWS, ROUNDS = 64, 192, 20
ENOUGH = 0.15
"""Share of the draws that must count, else the likelihood is flattened for a round."""
START = np.array([0.2, 0.3, 0.3, 0.4])
"""How far the first draws lie apart: logarithms of begin, bend and noise; variation of growth."""
LEAST = np.array([0.005, 0.005, 0.003, 0.01])
BEND, VARIED, SPREAD = 0.5, 1.0, 1.0
"""Usual size of the bend's logarithm, of the growth's variation and of the speeds' logarithm."""
PROGRESS = ((np.arange(24) + 0.5) / 24) ** 2
"""How far a part may have come that failed suddenly, and how much each of these stands for."""
PARTS = np.gradient(PROGRESS)
SPEEDS, SPREADS = np.linspace(-5, 5, 81), np.linspace(0.02, 3, 100)
"""Grid of the middle speed, in standard errors, and of their spread, in deviations."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """Plants that may have had the recorded lives.

    Shapes: courses (draws, 4) with weights (draws,); speeds, spreads and chances (cells,).
    """

    courses: F64
    """Logarithms of begin, bend and noise, and the variation of a day's growth."""
    weights: F64
    speeds: F64
    """Logarithm of the middle share of a life that passes in a day."""
    spreads: F64
    chances: F64
    sudden: float
    """Lives that failed suddenly, by their likelihood."""
    days: float

    def middle(self) -> Wear:
        return _wear(
            self.weights @ self.courses,
            float(self.chances @ self.speeds),
            float(self.chances @ self.spreads),
            self.sudden / self.days,
        )

    def drawn(self, count: int, random: np.random.Generator) -> list[Wear]:
        """So many of them, by chance."""
        courses = random.choice(len(self.weights), count, p=self.weights)
        cells = random.choice(len(self.chances), count, p=self.chances)
        sudden = random.gamma(self.sudden + 0.5, size=count) / self.days
        return [
            _wear(self.courses[one], self.speeds[cell], self.spreads[cell], chance)
            for one, cell, chance in zip(courses, cells, sudden.tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Readings:
    """Shapes: table (days, lives), NaN where there is none; end, has_failed (lives,)."""

    table: F64
    end: F64
    has_failed: NDArray[np.bool_]

    def only(self, which: NDArray[np.bool_]) -> _Readings:
        return _Readings(self.table[:, which], self.end[which], self.has_failed[which])


def posterior(
    history: Lives, random: np.random.Generator, has_failed: NDArray[np.bool_] | None = None
) -> Posterior | None:
    """From lives recorded to their end; None where too few of them ended worn.

    Args:
        history: the lives.
        random: draws the courses.
        has_failed: of each life, or its part was renewed before or still runs; None: all have.

    Cost: some 0.1 s for 40 lives of 100 days.
    """
    failed = np.ones(len(history.end), np.bool_) if has_failed is None else has_failed
    keep = history.end >= LEAST_DAYS
    readings = _Readings(history.seen[keep].T, history.end[keep].astype(float), failed[keep])
    is_worn = _looks_worn(readings) & readings.has_failed
    if is_worn.sum() < LEAST_LIVES:
        return None
    mean, spread = _first_guess(readings), np.diag(START**2)
    for turn in range(ROUNDS):
        courses, weights, is_flattened = _drawn(mean, spread, DRAWS, readings.only(is_worn), random)
        mean, spread = _about(courses, weights, 2.0 if is_flattened else 1.3)
        if is_flattened and turn < ROUNDS - 1:
            continue
        sudden, chances = _suddenly(readings, is_worn, mean)
        again = (sudden < 0.5) & readings.has_failed
        if turn and (again == is_worn).all():
            break
        is_worn = again if again.sum() >= LEAST_LIVES else is_worn
    courses, weights, _ = _drawn(mean, spread, LAST_DRAWS, readings.only(is_worn), random)
    grid = _speeds(readings.end, is_worn, chances, float(weights @ courses[:, 3]))
    return Posterior(courses, weights, *grid, float(sudden.sum()), float(history.end.sum()))


def _looks_worn(readings: _Readings) -> NDArray[np.bool_]:
    """By the mean of the last readings, before anything is known."""
    day = np.arange(len(readings.table))[:, None]
    is_last = (day >= readings.end - LEAST_DAYS) & np.isfinite(readings.table)
    seen = np.where(is_last, readings.table, 0.0).sum(axis=0)
    found: NDArray[np.bool_] = seen / np.maximum(is_last.sum(axis=0), 1) >= 0.6
    return found


def _first_guess(readings: _Readings) -> F64:
    begin = _middle(readings.table[:LEAST_DAYS], 0.1)
    moves = np.abs(np.diff(readings.table[: 2 * LEAST_DAYS], axis=0))
    noise = _middle(moves, 0.03) / (0.6745 * math.sqrt(2))
    return np.array([math.log(min(max(begin, 0.01), 0.9)), 0.0, math.log(max(noise, 1e-4)), 0.5])


def _middle(values: F64, usual: float) -> float:
    """The median of those that are there."""
    there = values[np.isfinite(values)]
    return float(np.median(there)) if len(there) else usual


def _about(courses: F64, weights: F64, wider: float) -> tuple[F64, F64]:
    """Where to draw next: (mean, covariance), the latter so many times wider than these are."""
    mean = weights @ courses
    away = courses - mean
    return mean, wider * (away.T * weights) @ away + np.diag(LEAST**2)


def _drawn(
    mean: F64, spread: F64, count: int, worn: _Readings, random: np.random.Generator
) -> tuple[F64, F64, bool]:
    """(courses, weights, whether the likelihood had to be flattened)."""
    courses = random.multivariate_normal(mean, spread, count)
    courses[:, 3] = np.abs(courses[:, 3])
    ends = np.ones((1, len(worn.end)))
    fits = _likelihood(worn, courses, ends, worn.end + 0.5).sum(axis=1)
    fits -= 0.5 * ((courses[:, 3] / VARIED) ** 2 + (courses[:, 1] / BEND) ** 2)
    away = courses - mean
    fits += 0.5 * np.einsum("ij,jk,ik->i", away, np.linalg.inv(spread), away)
    fits = np.where(np.isfinite(fits) & (courses[:, 0] < 0), fits, -np.inf)
    fits -= fits.max()
    power = 1.0
    while True:
        weights = np.exp(power * fits)
        weights /= weights.sum()
        if 1 / (weights**2).sum() >= ENOUGH * count or power < 1e-4:
            return courses, weights, power < 1
        power *= 0.7


def _likelihood(readings: _Readings, courses: F64, far: F64, last: F64) -> F64:
    """Of the readings of each life, by the courses, if it had come `far` on the day `last`.

    Shapes: courses (C, 4) or (1, 4), far (1, N) or (C, N), last (N,) -> (C, N), logarithms.
    """
    log_begin, bend = courses[:, :1], np.exp(courses[:, 1:2])
    noise2 = np.exp(2 * courses[:, 2:3])
    pace = far / last
    grown2 = (courses[:, 3:] * pace) ** 2
    off = np.zeros(np.broadcast_shapes(pace.shape, grown2.shape))
    unsure, found = np.zeros_like(off), np.zeros_like(off)
    for day, seen in enumerate(readings.table, 1):
        is_there = np.isfinite(seen) & (day <= readings.end)
        left = np.maximum(last - day, 0.0)
        share = left / (left + 1)
        off *= share
        unsure = unsure * share**2 + grown2 * share
        grown = np.clip(pace * day + off, 1e-4, 1.5)
        power = grown ** (bend - 1)
        damage = np.exp(log_begin * (1 - power * grown))
        slope = -log_begin * bend * power * damage
        total = unsure * slope**2 + noise2
        miss = np.where(is_there, seen - damage, 0.0)
        found -= np.where(is_there, 0.5 * (np.log(total) + miss**2 / total), 0.0)
        gain = np.where(is_there, unsure * slope / total, 0.0)
        off += gain * miss
        unsure *= 1 - gain * slope
    return found


def _suddenly(readings: _Readings, is_worn: NDArray[np.bool_], course: F64) -> tuple[F64, F64]:
    """(how likely each life failed suddenly, how likely it had come how far if it is not worn).

    Shapes: (lives,), (PROGRESS, lives).
    """
    end = readings.end
    one = course[None, :]
    worn = _likelihood(readings, one, np.ones((1, len(end))), end + 0.5)[0]
    far = PROGRESS[:, None] * np.ones(len(end))
    each = _likelihood(readings, one, far, end)
    highest = each.max(axis=0)
    chances = np.exp(each - highest) * (PARTS / PROGRESS)[:, None]
    speeds = -np.log(end[is_worn] + 0.5)
    middle = np.median(speeds)
    spread = max(1.4826 * float(np.median(np.abs(speeds - middle))), 0.1)
    by_wear = -0.5 * ((np.log(end + 0.5) + middle) / spread) ** 2 - np.log(end + 0.5)
    apart = (np.log(PROGRESS)[:, None] - np.log(end) - middle) / spread
    other = np.log((chances * np.exp(-0.5 * apart**2)).sum(axis=0) + 1e-300) + highest - worn
    sudden = np.zeros(len(end))
    for _ in range(5):
        rate = (sudden.sum() + 0.5) / end.sum()
        likely = 1 / (1 + np.exp(np.clip(by_wear - other - np.log(rate), -50, 50)))
        sudden = np.where(readings.has_failed, likely, 0.0)
    return sudden, chances


def _speeds(
    end: F64, is_worn: NDArray[np.bool_], chances: F64, varied: float
) -> tuple[F64, F64, F64]:
    """(speeds, spreads, how likely): logarithms, over a grid."""
    by_chance = varied**2 / end
    seen = -np.log(end + (1 - varied**2) / 2) - by_chance / 2
    worn = seen[is_worn]
    apart = max(float(worn.std(ddof=1)), 0.02)
    speeds, spreads = np.meshgrid(
        worn.mean() + SPEEDS * apart / math.sqrt(len(worn)), SPREADS * apart, indexing="ij"
    )
    total = -0.5 * (spreads / SPREAD) ** 2
    for i, ended in enumerate(is_worn.tolist()):
        square = spreads**2 + by_chance[i]
        if ended:
            total -= 0.5 * ((seen[i] - speeds) ** 2 / square + np.log(square))
            continue
        miss = (np.log(PROGRESS) - math.log(end[i]))[:, None, None] - speeds
        each = chances[:, i, None, None] * np.exp(-0.5 * miss**2 / square)
        total += np.log(each.sum(axis=0) + 1e-300) - 0.5 * np.log(square)
    likely = np.exp(total - total.max()).ravel()
    return speeds.ravel(), spreads.ravel(), likely / likely.sum()


def _wear(course: F64, speed: float, spread: float, sudden: float) -> Wear:
    log_begin, bend, noise, varied = course.tolist()
    jitter = jitter_of(varied)
    rate = -log_begin * math.exp(speed) / pace_of(jitter)[0]
    return Wear(
        math.exp(log_begin), rate, float(spread), math.exp(noise), math.exp(bend), jitter, sudden
    )


def pace_of(jitter: float) -> tuple[float, float]:
    """(mean, deviation in shares of it) of a day's growth, which is never below 0."""
    if jitter <= 0:
        return 1.0, 0.0
    at = 1 / jitter
    density = math.exp(-(at**2) / 2) / math.sqrt(2 * math.pi)
    above = (1 + math.erf(at / math.sqrt(2))) / 2
    mean = above + jitter * density
    square = (1 + jitter**2) * above + jitter * density
    return mean, math.sqrt(square - mean**2) / mean


def jitter_of(varied: float) -> float:
    """The jitter that makes a day's growth so varied."""
    return float(np.interp(varied, _VARIED, _JITTERS))


_JITTERS = np.linspace(0.0, 3.0, 61)
_VARIED = np.array([pace_of(float(jitter))[1] for jitter in _JITTERS])
