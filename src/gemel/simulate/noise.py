"""Seeded randomness by name, and processes that do not depend on how finely they are stepped."""

from __future__ import annotations

import math
import random


def stream(seed: int, name: str) -> random.Random:
    """A generator of its own for each name: adding a device changes no other device's values."""
    return random.Random(f"{seed}/{name}")


class Wander:
    """An Ornstein-Uhlenbeck process: wanders about `mean` with a standard deviation and memory.

    The discretisation is exact, so its distribution is the same for every step size.
    """

    __slots__ = ("_random", "deviation", "mean", "memory", "value")

    def __init__(
        self, generator: random.Random, mean: float, deviation: float, memory: float
    ) -> None:
        """`memory` is the correlation time in seconds."""
        self._random = generator
        self.mean = mean
        self.deviation = deviation
        self.memory = memory
        self.value = mean + deviation * generator.gauss(0.0, 1.0)

    def step(self, dt: float) -> float:
        kept = math.exp(-dt / self.memory)
        spread = self.deviation * math.sqrt(1.0 - kept * kept)
        pull = self.mean + (self.value - self.mean) * kept
        self.value = pull + spread * self._random.gauss(0.0, 1.0)
        return self.value


def hum(generator: random.Random, periods: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """(angular frequency, phase) pairs for `swing`."""
    return tuple((2 * math.pi / p, generator.uniform(0, 2 * math.pi)) for p in periods)


def swing(waves: tuple[tuple[float, float], ...], seconds: float) -> float:
    """A smooth function of time alone, about within -1 to 1."""
    total = sum(math.sin(frequency * seconds + phase) for frequency, phase in waves)
    return total / math.sqrt(2 * len(waves))
