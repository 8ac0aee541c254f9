"""Weather as a smooth function of time: every process of the plant sees the same sky."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gemel.simulate.noise import hum, stream, swing

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Sky:
    temperature: float
    """°C."""
    humidity: float
    """% relative."""
    irradiance: float
    """W/m² on the horizontal."""
    pressure: float
    """hPa."""


class Weather:
    """A temperate spring: a daily swing, passing clouds, slow fronts."""

    def __init__(self, seed: int) -> None:
        generator = stream(seed, "weather")
        self._front = hum(generator, (3.1 * DAY, 1.7 * DAY, 0.61 * DAY))
        self._cloud = hum(generator, (5400.0, 1900.0, 710.0, 260.0))

    def at(self, seconds: float) -> Sky:
        """The weather at a moment in seconds since 1970 UTC."""
        hour = (seconds % DAY) / 3600.0
        sun = max(0.0, math.sin(math.pi * (hour - 5.5) / 14.0)) if 5.5 < hour < 19.5 else 0.0
        front = swing(self._front, seconds)
        cover = min(1.0, max(0.0, 0.35 + 0.3 * swing(self._cloud, seconds) + 0.15 * front))
        daily = -math.cos(2 * math.pi * (hour - 3.5) / 24.0)
        temperature = 14.0 + 4.5 * daily + 2.5 * front
        humidity = min(98.0, max(25.0, 66.0 - 14.0 * daily + 8.0 * cover))
        return Sky(temperature, humidity, 850.0 * sun * (1.0 - 0.72 * cover), 1013.0 - 6.0 * front)


def occupancy(seconds: float) -> float:
    """Share of people present, 0 to 1; the demo building works round the clock in two shifts."""
    hour = (seconds % DAY) / 3600.0
    day = 1.0 / (1.0 + math.exp(-(hour - 7.5) / 0.35)) - 1.0 / (
        1.0 + math.exp(-(hour - 18.0) / 0.5)
    )
    return 0.25 + 0.7 * day
