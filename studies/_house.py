"""Houses to study on: richer than the models that are fitted to them, in the weather of a place.

A house is the 3R3C network with parameters that differ by seed by up to 8 %, people who come and
go, and a thermometer with noise. All seeds are one array.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gemel.core.batch import F64
from gemel.services.behaviour import behaviour_of
from studies import StudyError
from studies._tables import number_of, text_of

STEP = 900.0
DAY = 96
"""Steps of a day."""
SPREAD = 0.08
CAPACITIES = ("air", "wallCapacity", "massCapacity")


def weather(folder: Path) -> tuple[F64, F64]:
    """Outdoor temperature (°C) and sun on the horizontal (W/m²) of a year in steps of 15 minutes.

    Source: Brussels.mos of BOPTEST, or the first other there is; column 2 dry bulb, column 9 global
    horizontal.
    """
    usual = folder / "bestest_hydronic" / "Brussels.mos.gz"
    file = usual if usual.is_file() else next(iter(sorted(folder.glob("*/*.mos*"))), usual)
    rows = []
    for number, line in enumerate(text_of(file).splitlines(), 1):
        if line[:1].isdigit():
            words = line.split()
            if len(words) < 9:
                raise StudyError(f"{file}, line {number}: {len(words)} cells; 9 are needed")
            rows.append([number_of(words[place], file, number) for place in (0, 1, 8)])
    if not rows:
        raise StudyError(f"{file} has no rows")
    table = np.array(rows)
    times = np.arange(365 * DAY) * STEP
    outdoor = np.interp(times, table[:, 0], table[:, 1])
    sun = np.maximum(np.interp(times, table[:, 0], table[:, 2]), 0.0)
    return outdoor, sun


def at_home(steps: int, first: int = 0) -> np.ndarray:
    """Whether people are in and awake, by the hour: 7-22."""
    hour = ((first + np.arange(steps)) % DAY) / 4
    return (hour >= 7) & (hour < 22)


class Houses:
    """As many as there are seeds; `outer` is what their heat loss is worth by now, 1 at first."""

    def __init__(self, seeds: list[int], kind: str = "rc3") -> None:
        self.behaviour = behaviour_of(kind)
        self.random = [np.random.default_rng([1000, s]) for s in seeds]
        usual = np.array([p.value for p in self.behaviour.parameters])
        spread = np.stack(
            [r.uniform(1 - SPREAD, 1 + SPREAD, len(usual)) for r in self.random], axis=1
        )
        self.parameters = usual[:, None] * spread
        self.state = np.full((len(self.behaviour.states), len(seeds)), 20.0)
        self.outer = 1.0
        self._made = 0.0
        self._row = self.behaviour.place("parameters", "outer")

    def gains(self, is_in: bool) -> F64:
        """From people and appliances, W."""
        middle = 550.0 if is_in else 180.0
        return np.array([middle * r.uniform(0.6, 1.4) for r in self.random])

    def step(self, outdoor: float, heat: F64, sun: float, gains: F64) -> F64:
        """Moves on by 15 minutes; the true temperature at its end."""
        if self._made != self.outer:
            values = self.parameters.copy()
            values[self._row] *= self.outer
            self._step, self._made = self.behaviour.prepare(values, STEP), self.outer
        inputs = np.stack((np.full(len(heat), outdoor), heat, np.full(len(heat), sun), gains))
        self.state, outputs = self._step(self.state, inputs)
        true: F64 = outputs[0].copy()
        return true

    def stored(self) -> F64:
        """Heat in all its parts above 0 °C, J."""
        rows = [self.behaviour.place("parameters", n) for n in CAPACITIES[: len(self.state)]]
        heat: F64 = (self.parameters[rows] * self.state).sum(axis=0)
        return heat

    def noise(self, size: float) -> F64:
        return np.array([r.normal(0.0, size) for r in self.random])
