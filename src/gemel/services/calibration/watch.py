"""Follows drift of the plant, and tells it from bias of a sensor, which must not be absorbed.

Two ensembles see the same readings. In one parameters move and the sensor is true; in the other
parameters stand still and the sensor may be off. The one that has expected the readings better for
days is right: evidence is the running difference of their log-likelihoods. A plant's drift shows
in how the output answers to its inputs, a bias at every moment alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.services.behaviour.model import Behaviour
from gemel.services.calibration.ensemble import USUAL, Ensemble, Noise, Rows, Told

MOST_JUMPS = 12
"""In a row; if they are still not explained by a bias, the model was wrong, and it takes them."""
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Care:
    """When something counts."""

    evidence: float = 12.0
    """Difference of log-likelihoods at which one explanation is taken over the other."""
    memory: float = 5.0
    """Days after which evidence has half forgotten."""
    jump: float = 6.0
    """Deviations within one step that no plant makes: only a sensor does."""
    least: float = 3.0
    """A bias counts from so many deviations of a reading on."""
    change: float = 0.05
    """A parameter has changed where its 90 % interval lies this share away from its version."""
    held: float = 1.0
    """For so many days."""
    known: float = 5.0
    """So many times the evidence is needed where hindsight has found that the plant has changed."""


CAREFUL = Care()


class Watch:
    """All twins of one instance.

    `biased[i]`: the sensor of twin i is off by `bias(rows)`; meanwhile its parameters stand still.
    `changed[i]`: its parameters are no longer those of the version in use.
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
        care: Care = CAREFUL,
    ) -> None:
        self.care, self.noise = care, noise
        given = (behaviour, output, seconds, follow, seeds, members)
        self.plain = Ensemble(*given, replace(noise, bias=0.0))
        self.other = Ensemble(
            *given, replace(noise, walk=0.0, bias=noise.bias or 2 * noise.reading)
        )
        count = len(seeds)
        self.evidence = np.zeros(count)
        """For a bias, above 0."""
        self.biased: Flags = np.zeros(count, np.bool_)
        self.known: Flags = np.zeros(count, np.bool_)
        """Whether hindsight has found that the plant has changed."""
        self.jumps = np.zeros(count)
        """Readings in a row that no plant would give."""
        self._settled = 86_400.0 / seconds
        self.away = np.zeros((len(follow), count))
        """Steps for which each parameter has been away."""
        self.changed: Flags = np.zeros(count, np.bool_)
        self._kept = 0.5 ** (seconds / 86_400.0 / care.memory)

    def begin(self, rows: Rows, *given: dict[str, float]) -> None:
        """As `Ensemble.begin`."""
        self.plain.begin(rows, *given)
        self.plain.steps[rows] = self.other.steps[rows] = 0
        self.other.take(rows, self.plain)

    def step(self, rows: Rows, inputs: F64, reading: F64) -> Told:
        """Moves twins on; what the better explanation expected of the readings."""
        before = [t[:, rows].copy() for t in self._moving()]
        plain = self.plain.step(rows, inputs, reading)
        jumped = np.abs(np.nan_to_num(plain.surprise)) > self.care.jump
        jumped &= self.plain.steps[rows] > self._settled
        self.jumps[rows] = np.where(jumped, self.jumps[rows] + 1, 0)
        jumped &= (self.jumps[rows] <= MOST_JUMPS) | self.biased[rows]
        if jumped.any():  # not in the plant: it goes on as if nothing had been read
            self._undo(rows[jumped], [t[:, jumped] for t in before], inputs[:, jumped])
            self._widen(rows[jumped], np.abs(reading - plain.mean)[jumped])
        other = self.other.step(rows, inputs, reading)
        gain = _likelihood(other) - _likelihood(plain)
        self.evidence[rows] = self._kept * self.evidence[rows] + np.clip(gain, -20.0, 20.0)
        self._judge(rows)
        is_biased = self.biased[rows]
        pairs = ((getattr(other, n), getattr(plain, n)) for n in ("mean", "deviation", "surprise"))
        return Told(*(np.where(is_biased, a, b) for a, b in pairs))

    def _moving(self) -> tuple[F64, ...]:
        return self.plain.state, self.plain.log, self.plain.pace

    def _undo(self, rows: Rows, before: Sequence[F64], inputs: F64) -> None:
        for table, was in zip(self._moving(), before, strict=True):
            table[:, rows] = was
        self.plain.steps[rows] -= 1
        self.plain.step(rows, inputs, np.full(len(rows), np.nan))

    def _widen(self, rows: Rows, size: F64) -> None:
        """Lets a bias of this size be."""
        steps = np.linspace(-1.5, 1.5, self.other.members)
        narrow = self.other.bias[rows].std(axis=1) < 0.5 * size
        self.other.bias[rows[narrow]] += size[narrow, None] * steps

    def distrust(self, rows: Rows, bias: F64) -> None:
        """Takes sensors as off by so much, and parameters as those of the version."""
        for k, log in enumerate(self.plain.log):
            self.plain.log[k][rows] = log[rows] - log[rows].mean(axis=1, keepdims=True)
        self.plain.pace[:, rows] = 0.0
        unit = self.plain.behaviour.outputs[self.plain.row].unit
        for k, state in enumerate(self.plain.behaviour.states):
            if state.unit == unit:
                self.plain.state[k, rows] -= bias[:, None]
        self.other.take(rows, self.plain)
        steps = np.linspace(-1.5, 1.5, self.other.members)
        self.other.bias[rows] = bias[:, None] + 2 * self.noise.reading * steps
        self.away[:, rows], self.evidence[rows] = 0, self.care.evidence
        self.biased[rows], self.changed[rows] = True, False

    def trust(self, rows: Rows) -> None:
        """Takes sensors as true: what they were off by was the plant."""
        self.biased[rows], self.evidence[rows] = False, 0.0

    def _judge(self, rows: Rows) -> None:
        care = self.care
        bias = np.abs(self.other.bias[rows].mean(axis=1))
        spread = self.other.bias[rows].std(axis=1)
        large = (bias > care.least * self.noise.reading) & (bias > 2 * spread)
        evidence = self.evidence[rows]
        found = large & (evidence > care.evidence * np.where(self.known[rows], care.known, 1.0))
        over = self.biased[rows] & (bias < 0.5 * care.least * self.noise.reading)
        self.plain.take(rows[over], self.other)
        self.evidence[rows[over]] = 0.0
        self.biased[rows] = (self.biased[rows] | found) & ~over
        again = ~self.biased[rows] & (evidence < -care.evidence)
        self.other.take(rows[again], self.plain)
        self.evidence[rows[again]] = 0.0
        self._compare(rows)

    def _compare(self, rows: Rows) -> None:
        low, high = np.quantile(self.plain.log[:, rows], [0.05, 0.95], axis=2)
        edge = np.log1p(self.care.change)
        is_away = ((low > edge) | (high < -edge)) & ~self.biased[rows]
        self.away[:, rows] = np.where(is_away, self.away[:, rows] + 1, 0)
        needed = self.care.held * 86_400.0 / self.plain.seconds
        self.changed[rows] |= (self.away[:, rows] >= needed).any(axis=0)

    def followed(self, rows: Rows) -> F64:
        """Members (p, r, M) of followed parameters by the better explanation."""
        places = self.plain.follow
        both = (self.plain, self.other)
        plain, other = (e.parameters(rows, is_wide=True)[places] for e in both)
        found: F64 = np.where(self.biased[rows][None, :, None], other, plain)
        return found

    def bias(self, rows: Rows) -> F64:
        """What the sensor is off by; 0 where it is true."""
        found: F64 = np.where(self.biased[rows], self.other.bias[rows].mean(axis=1), 0.0)
        return found

    def forecast(self, rows: Rows, inputs: F64) -> F64:
        """As `Ensemble.forecast`, by the better explanation."""
        plain, other = (e.forecast(rows, inputs) for e in (self.plain, self.other))
        found: F64 = np.where(self.biased[rows][None, :, None], other, plain)
        return found


def _likelihood(told: Told) -> F64:
    seen = np.isfinite(told.surprise)
    z = np.where(seen, told.surprise, 0.0)
    found: F64 = np.where(seen, -0.5 * z * z - np.log(told.deviation), 0.0)
    return found
