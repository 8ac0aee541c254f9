"""Between the truth and a reading: noise, steps of the converter, limits, drift, sticking, gaps."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sensor:
    """What a datasheet says about a sensor."""

    noise: float = 0.0
    """Standard deviation in the unit of the value."""
    quantum: float = 0.01
    """Smallest step of the converter."""
    low: float = -1e9
    high: float = 1e9
    drop: float = 0.0
    """Probability that a reading is missing."""

    @property
    def digits(self) -> int:
        """Decimals that show one quantum, so that JSON stays short."""
        text = f"{self.quantum:.9f}".rstrip("0")
        return len(text.partition(".")[2])


@dataclass(slots=True)
class SensorState:
    """What may be wrong with one sensor now."""

    drift: float = 0.0
    """Severity of its drift."""
    scale: float = 0.0
    """The error at severity 1, taken from the value at which the drift began."""
    frozen: bool = False
    silent: bool = False
    last: float | None = None


class Sensors:
    """The sensors of one twin: truth in, readings out."""

    def __init__(self, specs: dict[str, Sensor], generator: random.Random) -> None:
        self.specs = specs
        self._digits = {name: spec.digits for name, spec in specs.items()}
        self._random = generator
        self.states: dict[str, SensorState] = {name: SensorState() for name in specs}

    def read(self, truth: dict[str, float]) -> dict[str, float]:
        """One reading of each sensor; those that drop out are missing."""
        readings = {}
        gauss, chance = self._random.gauss, self._random.random
        for name, spec in self.specs.items():
            state = self.states[name]
            value = truth[name]
            if state.drift:
                state.scale = state.scale or 0.4 * abs(value) + 20 * max(spec.noise, spec.quantum)
                value += state.drift * state.scale
            else:
                state.scale = 0.0
            if spec.noise:
                value += gauss(0.0, spec.noise)
            gone = spec.drop and chance() < spec.drop
            if state.frozen and state.last is not None:
                value = state.last
            else:
                value = round(round(value / spec.quantum) * spec.quantum, self._digits[name])
                value = float(min(spec.high, max(spec.low, value)))
                state.last = value
            if not (gone or state.silent):
                readings[name] = value
        return readings
