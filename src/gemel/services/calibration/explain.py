"""What changed since the calibration, in hindsight: the plant, or its sensor.

From the inputs alone the calibrated model says what the output should have been. If the sensor has
gone off, the readings differ from that by a curve of its own, whatever the weather; if a parameter
has changed, they differ by what the inputs make of it. Each explanation is fitted over the whole
span, as a line that bends every day from nothing on, and the likelier one is the better one. Lines
are thought to move little from day to day but for a rare jump (Student's t, `TAIL`): a plant whose
heat loss would have to follow the weather to look like a bias is not likely, one that changes at
once and stays is. What a filter cannot tell from step to step shows over weeks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput
from gemel.services.behaviour.model import Behaviour
from gemel.services.calibration.offline import Data

QUARTER, DAY = 900.0, 86_400.0
BEND, STAND = 1.0, 0.5
"""Days between two bends of a sensor's line; days for which a parameter stands still."""
LEAST_DAYS = 5.0
NUDGE = 0.02
"""Of a parameter, as a share, to find what it does to the output."""
ROUNDS, RIDGES = 2, 8
MOVES, SHIFTS = 0.01, 1.5
"""Of a parameter from day to day, as a share; of a sensor, in deviations of a reading."""
TAIL = 2.0
"""Degrees of freedom of these moves."""
LEAST_BIAS, MOST_LACK = 8.0, 15.0
"""Deviations of a reading from which on a sensor is off; and what both explanations together may
add in log-likelihood: more means that it is something else."""
SURE, CHANGE = 18.0, 0.05
"""Evidence that is needed; share from which on a parameter counts as changed."""
EXPLANATIONS = ("sensor", "plant", "both")
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
    noise: float, *, is_since: bool = True,
) -> Explained:  # fmt: skip
    """As `explain_alike`, of one twin."""
    (found,) = explain_alike(behaviour, [data], [parameters], follow, noise, is_since=is_since)
    return found


def explain_alike(
    behaviour: Behaviour, data: Sequence[Data], parameters: Sequence[Mapping[str, float]],
    follow: Sequence[str], noise: float, *, is_since: bool = True,
) -> list[Explained]:  # fmt: skip
    """Holds the sensor against the followed parameters as what has changed, for twins alike.

    Args:
        behaviour: the model; its output is the first state or follows from states.
        data: of each twin, all of one length.
        parameters: of each one's calibration.
        follow: parameters that may have changed; positive.
        noise: deviation of a reading; a sensor counts as off from LEAST_BIAS of it on.
        is_since: whether the calibration held where the data begin; else either may be off there.

    Raises:
        InvalidInput: too short, or nothing may have changed.

    Cost: some ten runs of the model over the span, a few columns wide for each twin.
    """
    if not follow:
        raise InvalidInput("no parameter may change", hint="name some in 'follow'")
    span = _Span(behaviour, data, parameters, follow, is_since)
    if span.days < LEAST_DAYS:
        raise InvalidInput(f"{span.days:.1f} days are too few", hint=f"at least {LEAST_DAYS:g}")
    span.learn_noise()
    scales = (MOVES, SHIFTS * noise)
    found = {name: span.fitted(name != "sensor", name != "plant", scales) for name in EXPLANATIONS}
    return [
        _judged({name: found[name][i] for name in EXPLANATIONS}, follow, noise)
        for i in range(len(data))
    ]


def _judged(found: Mapping[str, _Fitted], follow: Sequence[str], noise: float) -> Explained:
    """The verdict on one twin, from what each explanation comes to."""
    rmse = {name: float(np.sqrt(np.mean(one.rest**2))) for name, one in found.items()}
    evidence = found["plant"].cost - found["sensor"].cost
    lack = found["sensor"].cost - found["both"].cost
    bias = float(found["sensor"].lines[-1])
    ends = found["plant"].lines.reshape(len(follow), -1)[:, -1]
    changes = {n: float(np.expm1(v)) for n, v in zip(follow, ends, strict=True)}
    is_off = abs(bias) > LEAST_BIAS * noise
    has_changed = max(abs(v) for v in changes.values()) > CHANGE
    verdict = UNCLEAR
    if not is_off and not has_changed:
        verdict = AS_CALIBRATED
    elif is_off and evidence > SURE and lack < max(MOST_LACK, evidence):
        verdict = SENSOR
    elif has_changed and evidence < -SURE:
        verdict = CHANGED
    return Explained(verdict, bias, changes, evidence, lack, rmse)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """One explanation of one twin."""

    rest: F64
    """What it leaves of each step with a reading."""
    lines: F64
    """Its numbers: of the sensor, else of the parameters."""
    cost: float
    """Less its log-likelihood, but for what all explanations share."""
    moved: F64
    """All numbers of this round: of states at the begin, of parameters, of the sensor."""


class _Span:
    """Free runs of calibrated models over all of the data, by the quarter of an hour."""

    def __init__(
        self, behaviour: Behaviour, data: Sequence[Data],
        parameters: Sequence[Mapping[str, float]], follow: Sequence[str], is_since: bool,
    ) -> None:  # fmt: skip
        self.behaviour, first = behaviour, data[0]
        self.output = behaviour.place("outputs", first.output)
        self.rows = [behaviour.place("parameters", name) for name in follow]
        self.base = np.array(
            [[one.get(p.name, p.value) for one in parameters] for p in behaviour.parameters]
        )
        each = max(1, round(QUARTER / first.seconds))
        self.seconds = each * first.seconds
        self.steps = len(first) // each
        self.inputs = np.stack(
            [[_by(one, i.name, i.value, each) for one in data] for i in behaviour.inputs]
        ).transpose(2, 0, 1)
        self.read = np.stack([one.observed[each - 1 : self.steps * each : each] for one in data])
        self.days = self.steps * self.seconds / DAY
        if not np.isfinite(self.read).any(axis=1).all():
            raise InvalidInput("there is no reading of the output", hint="a longer 'span'")
        begin = [float(row[np.isfinite(row)][0]) for row in self.read]
        self.start = np.array(
            [begin if s.unit == "°C" else [s.value] * len(data) for s in behaviour.states]
        )
        bends = np.linspace(0, self.days, max(1, round(self.days / BEND)) + 1)
        time = (np.arange(self.steps) + 0.5) * self.seconds / DAY
        hats = np.eye(len(bends))[1 if is_since else 0 :]
        self.lines = np.stack([np.interp(time, bends, row) for row in hats], axis=1)
        self.stand = max(1, round(STAND * DAY / self.seconds))
        """Steps for which parameters stand still."""
        self.stands = -(-self.steps // self.stand)
        self.first = 1.0 if is_since else 1e-3
        """How far from 0 lines begin, as a share of a move's likelihood."""
        self.noise = np.stack((np.zeros(len(data)), np.ones(len(data))))
        """Memory from step to step, and deviation, of what is left of each twin."""

    def learn_noise(self) -> None:
        """How what both explanations leave moves from step to step: memory and deviation."""
        for twin, one in enumerate(self.fitted(True, True, (np.inf, np.inf), 1)):
            before, after = one.rest[:-1], one.rest[1:]
            alike = float(np.sum(after * before) / max(float(np.sum(before**2)), 1e-300))
            alike = min(max(alike, 0.0), 0.98)
            self.noise[0, twin], fresh = alike, after - alike * before
            self.noise[1, twin] = max(float(fresh.std()), 1e-9)

    def fitted(
        self, may_change: bool, may_be_off: bool, scales: tuple[float, float], rounds: int = ROUNDS
    ) -> list[_Fitted]:
        """Each twin's readings as explained by either or both; `scales` are of a day's moves."""
        states = len(self.start)
        lines = len(self.rows) * self.stands if may_change else 0
        start, log = self.start.copy(), np.zeros((len(self.rows), self.stands, len(self.read)))
        found: list[_Fitted] = []
        for _ in range(rounds if may_change else 1):
            ran = self._run(start, log, lines)
            found = [
                self._solved(
                    twin, ran[:, twin], may_be_off, log[..., twin] if may_change else None, scales
                )
                for twin in range(len(self.read))
            ]
            for twin, one in enumerate(found):
                start[:, twin] += one.moved[:states]
                if may_change:
                    moved = one.moved[states : states + lines].reshape(log.shape[:2])
                    log[..., twin] = np.clip(log[..., twin] + moved, -1.5, 1.5)
        if may_be_off:
            return found
        return [replace(one, lines=log[..., twin].ravel()) for twin, one in enumerate(found)]

    def _solved(
        self, twin: int, ran: F64, may_be_off: bool, log: F64 | None, scales: tuple[float, float]
    ) -> _Fitted:
        """The likeliest numbers for one twin; ran (T, 1 + states + lines of parameters)."""
        states = len(self.start)
        table = ran[:, 1:] - ran[:, :1]
        table[:, states:] /= NUDGE
        if may_be_off:
            table = np.concatenate((table, self.lines), axis=1)
        seen = np.isfinite(self.read[twin])
        off, table = (self.read[twin] - ran[:, 0])[seen], table[seen]
        memory, deviation = self.noise[:, twin]
        fresh = (table[1:] - memory * table[:-1]) / deviation
        wanted = (off[1:] - memory * off[:-1]) / deviation
        known = np.zeros(table.shape[1])
        if log is not None:
            known[states : states + log.size] = log.ravel()
        moves = np.concatenate(
            [
                _moves(table.shape[1], at, count, self.first) / scale
                for at, count, scale in self._groups(log is not None, may_be_off, scales)
            ]
        )
        solved = _likeliest(fresh, wanted, moves, known)
        rest = off - table @ solved
        far = moves @ (known + solved)
        cost = 0.5 * np.sum((wanted - fresh @ solved) ** 2) + np.sum(_unlikely(far))
        return _Fitted(rest, solved[-self.lines.shape[1] :], float(cost), solved)

    def _groups(
        self, may_change: bool, may_be_off: bool, scales: tuple[float, float]
    ) -> list[tuple[int, int, float]]:
        """Lines among the numbers: where each begins, its length, the scale of its moves."""
        at = len(self.start)
        found = []
        for _ in self.rows if may_change else ():
            found.append((at, self.stands, scales[0] * STAND**0.5))
            at += self.stands
        if may_be_off:
            found.append((at, self.lines.shape[1], scales[1] * BEND**0.5))
        return found

    def _run(self, start: F64, log: F64, lines: int) -> F64:
        """The output (T, twins, 1 + states + lines): as it is, then with each nudged."""
        states, twins = start.shape
        wide = 1 + states + lines
        shape = (twins, wide)
        state = np.repeat(start[:, :, None], wide, axis=2)
        state[np.arange(states), :, 1 + np.arange(states)] += 1.0
        state = state.reshape(states, -1)
        values = np.repeat(self.base[:, :, None], wide, axis=2)
        found = np.empty((self.steps, *shape))
        for stand in range(self.stands):
            now = values.copy()
            for i, row in enumerate(self.rows):
                one = self.behaviour.parameters[row]
                moved = np.repeat(log[i, stand][:, None], wide, axis=1)
                if lines:
                    moved[:, 1 + states + i * self.stands + stand] += NUDGE
                now[row] = np.clip(now[row] * np.exp(moved), one.low, one.high)
            step = self.behaviour.prepare(now.reshape(len(now), -1), self.seconds)
            for k in range(stand * self.stand, min((stand + 1) * self.stand, self.steps)):
                state, outputs = step(state, np.repeat(self.inputs[k], wide, axis=1))
                found[k] = outputs[self.output].reshape(shape)
        return found


def _moves(width: int, at: int, count: int, first: float) -> F64:
    """From all numbers to how a line of `count` of them, at `at`, moves from each to the next."""
    found = np.zeros((count, width))
    found[:, at : at + count] = np.eye(count) - np.eye(count, k=-1)
    found[0, at] = first
    return found


def _unlikely(far: F64) -> F64:
    """Less the log-likelihood of moves so far from none, in their scale."""
    return np.asarray((TAIL + 1) / 2 * np.log1p(far**2 / TAIL))


def _likeliest(table: F64, wanted: F64, moves: F64, known: F64) -> F64:
    """Numbers that explain what is wanted while moves are few, by reweighted least squares."""
    gram, right = table.T @ table, table.T @ wanted
    tiny = 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram))
    solved: F64 = np.zeros(len(gram))
    weight = np.full(len(moves), 0.1)
    for _ in range(RIDGES):
        pull = moves.T * weight
        solved = np.linalg.solve(gram + tiny + pull @ moves, right - pull @ (moves @ known))
        weight = (TAIL + 1) / (TAIL + (moves @ (known + solved)) ** 2)
    return solved


def _by(data: Data, name: str, usual: float, each: int) -> F64:
    """Means of an input over so many steps."""
    steps = len(data) // each
    column = np.broadcast_to(np.asarray(data.inputs.get(name, usual), float), len(data))
    found: F64 = column[: steps * each].reshape(steps, each).mean(axis=1)
    return found
