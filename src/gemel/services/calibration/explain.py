"""What changed since the calibration, in hindsight: the plant, or its sensor.

From the inputs alone the calibrated model says what the output should have been. If the sensor has
gone off, the readings differ from that by a smooth curve, whatever the weather; if a parameter has
changed, they differ by what the inputs make of it. Each explanation is fitted over the whole span,
as a line that bends every few days from nothing on, and the one that leaves less is the better one.
What a filter cannot tell from step to step shows over weeks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput
from gemel.services.behaviour.model import Behaviour
from gemel.services.calibration.offline import Data

QUARTER, DAY = 900.0, 86_400.0
BEND = 2.5
"""Days between two bends of a line."""
LEAST_DAYS = 5.0
NUDGE = 0.02
"""Of a parameter, as a share, to find what it does to the output."""
ROUNDS = 3
LEAST_BIAS, MOST_LACK = 4.0, 2.0
"""Deviations of a reading from which on a sensor is off; and what both explanations together may
add, over the evidence for the sensor: more means that it is something else."""
AS_CALIBRATED, CHANGED, SENSOR, UNCLEAR = "as calibrated", "changed", "sensor", "unclear"


@dataclass(frozen=True, slots=True)
class Explained:
    """Which explanation is better, and what it comes to at the end of the span."""

    verdict: str
    bias: float
    """Of the sensor, if it is the sensor."""
    changes: dict[str, float]
    """Of followed parameters as shares, if it is the plant."""
    evidence: float
    """Difference of log-likelihoods, above 0 for the sensor."""
    lack: float
    """What both together explain beyond the sensor alone."""
    rmse: dict[str, float]
    """Of what is left by each explanation, in the output's unit."""


def explain(
    behaviour: Behaviour, data: Data, parameters: Mapping[str, float], follow: Sequence[str],
    noise: float, *, sure: float = 20.0, change: float = 0.05,
) -> Explained:  # fmt: skip
    """Holds the sensor against the followed parameters as what has changed since the begin.

    Args:
        behaviour: the model; its output is the first state or follows from states.
        data: since the calibration, which held at its begin.
        parameters: of the calibration.
        follow: parameters that may have changed; positive.
        noise: deviation of a reading; a sensor counts as off from LEAST_BIAS of it on.
        sure: evidence that is needed.
        change: share from which on a parameter counts as changed.

    Raises:
        InvalidInput: too short, or nothing may have changed.

    Cost: some ten runs of the model over the span, a few columns wide.
    """
    if not follow:
        raise InvalidInput("no parameter may change", hint="name some in 'follow'")
    span = _Span(behaviour, data, parameters, follow)
    if span.days < LEAST_DAYS:
        raise InvalidInput(f"{span.days:.1f} days are too few", hint=f"at least {LEAST_DAYS:g}")
    left, numbers = {}, {}
    for name in ("sensor", "plant", "both"):
        left[name], numbers[name] = span.fitted(name != "sensor", name != "plant")
    rmse = {name: float(np.sqrt(np.mean(rest**2))) for name, rest in left.items()}
    rest = left["both"] - left["both"].mean()
    alike = float(np.clip(rest[1:] @ rest[:-1] / max(rest @ rest, 1e-300), 0.0, 0.98))
    count = len(rest) * (1 - alike) / (1 + alike)
    evidence = count * float(np.log(rmse["plant"] / rmse["sensor"]))
    lack = count * float(np.log(rmse["sensor"] / rmse["both"]))
    bias = float(numbers["sensor"][-1])
    ends = numbers["plant"].reshape(len(follow), -1)[:, -1]
    changes = {n: float(np.expm1(v)) for n, v in zip(follow, ends, strict=True)}
    is_off, has_changed = (
        abs(bias) > LEAST_BIAS * noise,
        max(abs(v) for v in changes.values()) > change,
    )
    verdict = UNCLEAR
    if not is_off and not has_changed:
        verdict = AS_CALIBRATED
    elif is_off and evidence > sure and lack < MOST_LACK * evidence:
        verdict = SENSOR
    elif has_changed and evidence < -sure:
        verdict = CHANGED
    return Explained(verdict, bias, changes, evidence, lack, rmse)


class _Span:
    """Free runs of the calibrated model over all of the data, by the quarter of an hour."""

    def __init__(
        self, behaviour: Behaviour, data: Data, parameters: Mapping[str, float],
        follow: Sequence[str],
    ) -> None:  # fmt: skip
        self.behaviour = behaviour
        self.output = behaviour.place("outputs", data.output)
        self.rows = [behaviour.place("parameters", name) for name in follow]
        self.base = np.array([parameters.get(p.name, p.value) for p in behaviour.parameters])
        each = max(1, round(QUARTER / data.seconds))
        self.seconds = each * data.seconds
        self.steps = len(data) // each
        self.inputs = np.stack([_by(data, i.name, i.value, each) for i in behaviour.inputs], axis=1)
        self.read = data.observed[each - 1 : self.steps * each : each]
        self.seen = np.isfinite(self.read)
        self.days = self.steps * self.seconds / DAY
        if not self.seen.any():
            raise InvalidInput("there is no reading of the output", hint="a longer 'span'")
        first = float(self.read[self.seen][0])
        self.start = np.array([first if s.unit == "°C" else s.value for s in behaviour.states])
        bends = np.linspace(0, self.days, max(1, round(self.days / BEND)) + 1)
        time = (np.arange(self.steps) + 0.5) * self.seconds / DAY
        self.lines = np.stack(
            [np.interp(time, bends, row) for row in np.eye(len(bends))[1:]], axis=1
        )

    def fitted(self, may_change: bool, may_be_off: bool) -> tuple[F64, F64]:
        """What is left (of steps with a reading), and the numbers of the lines."""
        states, bends = len(self.start), self.lines.shape[1]
        lines = len(self.rows) * bends if may_change else 0
        start, log = self.start.copy(), np.zeros((len(self.rows), bends))
        rest: F64 = np.zeros(0)
        numbers: F64 = np.zeros(0)
        for _ in range(ROUNDS if may_change else 1):
            ran = self._run(start, log, lines)
            table = ran[:, 1:] - ran[:, :1]
            table[:, states:] /= NUDGE
            if may_be_off:
                table = np.concatenate((table, self.lines), axis=1)
            off = (self.read - ran[:, 0])[self.seen]
            solved: F64 = np.asarray(np.linalg.lstsq(table[self.seen], off, rcond=None)[0], float)
            rest = off - table[self.seen] @ solved
            start += solved[:states]
            if may_change:
                log = np.clip(log + solved[states : states + lines].reshape(log.shape), -1.5, 1.5)
            numbers = solved[states + lines :] if may_be_off else log.ravel()
        return rest, numbers

    def _run(self, start: F64, log: F64, lines: int) -> F64:
        """The output (T, 1 + states + lines): as it is, then with each nudged."""
        states, bends = len(start), self.lines.shape[1]
        columns = 1 + states + lines
        state = np.repeat(start[:, None], columns, axis=1)
        state[np.arange(states), 1 + np.arange(states)] += 1.0
        values = np.repeat(self.base[:, None], columns, axis=1)
        paths = log @ self.lines.T
        found = np.empty((self.steps, columns))
        a_day = max(1, round(DAY / self.seconds))
        for begin in range(0, self.steps, a_day):
            middle = min(begin + a_day // 2, self.steps - 1)
            now = values.copy()
            for i, row in enumerate(self.rows):
                one = self.behaviour.parameters[row]
                moved = np.full(columns, paths[i, middle])
                if lines:
                    mine = 1 + states + i * bends
                    moved[mine : mine + bends] += NUDGE * self.lines[middle]
                now[row] = np.clip(now[row] * np.exp(moved), one.low, one.high)
            step = self.behaviour.prepare(now, self.seconds)
            for k in range(begin, min(begin + a_day, self.steps)):
                state, outputs = step(state, np.repeat(self.inputs[k][:, None], columns, axis=1))
                found[k] = outputs[self.output]
        return found


def _by(data: Data, name: str, usual: float, each: int) -> F64:
    """Means of an input over so many steps."""
    steps = len(data) // each
    column = np.broadcast_to(np.asarray(data.inputs.get(name, usual), float), len(data))
    found: F64 = column[: steps * each].reshape(steps, each).mean(axis=1)
    return found
