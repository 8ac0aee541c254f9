"""An ensemble Kalman filter over states, parameters and a sensor's bias, for many twins at once.

The members of a twin are as likely as what was seen makes them. A step moves all members of all
twins on by the behaviour itself; a reading then pulls them. The pull is that of the square-root
filter for one reading, so only parameters' and states' own noise is drawn, from a generator seeded
by twin and step: the same readings give the same members.

Source: Evensen, The ensemble Kalman filter, Ocean Dynamics 53 (2003); Whitaker and Hamill, Ensemble
data assimilation without perturbed observations, Monthly Weather Review 130 (2002).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.services.behaviour.model import Behaviour

DAY = 86_400.0
SHARE_UNSURE, LAG, MEMORY = 0.15, 1.5, 3.0
"""How much wider followed parameters are than their members while they move: a share of how far
they have gone from their base (a model with fewer states than the plant maps a change of the plant
to one of its parameters only about), and as far as they go in LAG days, by their pace of the last
MEMORY days. Set on four 3R3C houses and three 2R2C ones, judged on others."""
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Noise:
    """How much moves by itself."""

    reading: float = 0.1
    """Deviation of a reading, in the output's unit."""
    state: float = 0.3
    """Of states, in their unit and in the root of a day."""
    walk: float = 0.02
    """Of followed parameters, as a share of their value, in the root of a day."""
    bias: float = 0.0
    """Of the sensor's bias, in the output's unit and in the root of a day."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was expected of readings before they were used. Shapes: (r,)."""

    mean: F64
    deviation: F64
    """Of members and reading noise together."""
    surprise: F64
    """(reading - mean) / deviation; NaN without a reading."""


USUAL = Noise()


class Ensemble:
    """Members of all twins.

    Args:
        behaviour: the model.
        output: which output is read.
        seconds: of a step.
        follow: the parameters that may drift; they must be positive.
        seeds: one a twin.
        members: of each twin.
        noise: how much moves by itself.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        output: str,
        seconds: float,
        follow: Sequence[str],
        seeds: Sequence[int],
        members: int = 60,
        noise: Noise = USUAL,
    ) -> None:
        self.behaviour, self.seconds, self.noise = behaviour, seconds, noise
        self.row = behaviour.place("outputs", output)
        self.follow = [behaviour.place("parameters", name) for name in follow]
        self.seeds, self.members = list(seeds), members
        count = len(self.seeds)
        self.base = np.zeros((len(behaviour.parameters), count))
        self.state = np.zeros((len(behaviour.states), count, members))
        self.log = np.zeros((len(self.follow), count, members))
        """Of followed parameters, over their base."""
        self.pace = np.zeros((len(self.follow), count))
        """By how much readings have moved followed parameters lately: logarithm, a day."""
        self.bias = np.zeros((count, members))
        self.steps = np.zeros(count, np.int64)

    def begin(
        self,
        rows: Rows,
        parameters: Mapping[str, float],
        start: Mapping[str, float],
        spread: Mapping[str, float] | None = None,
    ) -> None:
        """Sets twins to where they are thought to be.

        Args:
            rows: which.
            parameters: by name; others have the behaviour's own values.
            start: states by name.
            spread: deviations of states (in their unit) and of followed parameters (as a share).
        """
        wide = spread or {}
        for k, one in enumerate(self.behaviour.parameters):
            self.base[k, rows] = parameters.get(one.name, one.value)
        for row in rows.tolist():
            draw = np.random.default_rng([self.seeds[row], 2**31]).standard_normal(
                (len(self.state) + len(self.log), self.members)
            )
            draw -= draw.mean(axis=1, keepdims=True)
            for k, one in enumerate(self.behaviour.states):
                width = wide.get(one.name, 0.5)
                self.state[k, row] = start.get(one.name, one.value) + width * draw[k]
            for k, place in enumerate(self.follow):
                width = wide.get(self.behaviour.parameters[place].name, 0.02)
                self.log[k, row] = width * draw[len(self.state) + k]
        self.bias[rows], self.pace[:, rows] = 0.0, 0.0

    def step(self, rows: Rows, inputs: F64, reading: F64) -> Told:
        """Moves twins on by a step and takes what was read at its end.

        Args:
            rows: twins, each once.
            inputs: (u, r), in the behaviour's order.
            reading: (r,), NaN where nothing was read.
        """
        expected = self._forward(rows, inputs)
        before = self.log[:, rows].mean(axis=2)
        mean = expected.mean(axis=1)
        variance = expected.var(axis=1, ddof=1)
        total = variance + self.noise.reading**2
        seen = np.isfinite(reading)
        off = np.where(seen, reading - mean, 0.0)
        away = expected - mean[:, None]
        share = 1.0 / (1.0 + self.noise.reading / np.sqrt(total))
        for part in (*self.state, *self.log, self.bias):
            mine = part[rows]
            middle = mine.mean(axis=1, keepdims=True)
            gain = ((mine - middle) * away).sum(axis=1) / (self.members - 1) / total * seen
            pull = gain[:, None] * (off[:, None] - share[:, None] * away)
            part[rows] = mine + pull
        np.clip(self.log, -2.0, 2.0, out=self.log)
        kept = np.exp(-self.seconds / DAY / MEMORY)
        moved = (self.log[:, rows].mean(axis=2) - before) * DAY / self.seconds
        self.pace[:, rows] = kept * self.pace[:, rows] + (1 - kept) * moved
        return Told(mean, np.sqrt(total), np.where(seen, off / np.sqrt(total), np.nan))

    def _forward(self, rows: Rows, inputs: F64) -> F64:
        days = np.sqrt(self.seconds / DAY)
        k, p = len(self.state), len(self.log)
        draw = np.stack([self._draw(row) for row in rows.tolist()], axis=1)
        self.steps[rows] += 1
        state = self.state[:, rows] + self.noise.state * days * draw[:k]
        self.log[:, rows] += self.noise.walk * days * draw[k : k + p]
        self.bias[rows] += self.noise.bias * days * draw[k + p]
        columns = len(rows) * self.members
        step = self.behaviour.prepare(self.parameters(rows).reshape(-1, columns), self.seconds)
        wide = np.repeat(inputs, self.members, axis=1)
        after, outputs = step(state.reshape(k, columns), wide)
        self.state[:, rows] = after.reshape(k, len(rows), self.members)
        found: F64 = outputs[self.row].reshape(len(rows), self.members) + self.bias[rows]
        return found

    def _draw(self, row: int) -> F64:
        random = np.random.default_rng([self.seeds[row], int(self.steps[row])])
        found = random.standard_normal((len(self.state) + len(self.log) + 1, self.members))
        centred: F64 = found - found.mean(axis=1, keepdims=True)
        return centred

    def parameters(self, rows: Rows, *, is_wide: bool = False) -> F64:
        """(P, r, M), each within its bounds; wide: as unsure as they are while they move."""
        found = np.repeat(self.base[:, rows, None], self.members, axis=2)
        for k, place in enumerate(self.follow):
            one = self.behaviour.parameters[place]
            log = self.log[k][rows]
            if is_wide:
                middle = log.mean(axis=1, keepdims=True)
                more = (SHARE_UNSURE * middle[:, 0]) ** 2 + (LAG * self.pace[k, rows]) ** 2
                factor = np.sqrt(1 + more / np.maximum(log.var(axis=1), 1e-12))
                log = middle + factor[:, None] * (log - middle)
            found[place] = np.clip(found[place] * np.exp(log), one.low, one.high)
        return found

    def forecast(self, rows: Rows, inputs: F64) -> F64:
        """The output (T, r, M) from here on, without the bias of the sensor; inputs (T, u, r)."""
        columns = len(rows) * self.members
        values = self.parameters(rows, is_wide=True).reshape(-1, columns)
        step = self.behaviour.prepare(values, self.seconds)
        state = self.state[:, rows].reshape(-1, columns)
        found = np.empty((len(inputs), len(rows), self.members))
        for t, now in enumerate(inputs):
            state, outputs = step(state, np.repeat(now, self.members, axis=1))
            found[t] = outputs[self.row].reshape(len(rows), self.members)
        return found

    def take(self, rows: Rows, other: Ensemble) -> None:
        """Makes twins what they are in another ensemble of the same model; bias 0."""
        self.base[:, rows] = other.base[:, rows]
        self.state[:, rows], self.log[:, rows] = other.state[:, rows], other.log[:, rows]
        self.pace[:, rows] = other.pace[:, rows]
        self.bias[rows] = 0.0
