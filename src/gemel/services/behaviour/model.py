"""The contract of behaviour models: what one declares, and `simulate`, over many scenarios at once.

A `Behaviour` names its parameters, inputs, states and outputs, each with unit and bounds, and makes
a `Step` for given parameters and a given step width. A step moves all scenarios on at once, so that
the cost of Python is one round for each step, not for each scenario. Rows of its arrays are
quantities in the order declared; columns are scenarios.

docs/how-to/model-behaviour.md has an example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput

Step = Callable[[F64, F64], tuple[F64, F64]]
"""(states (n, S), inputs (u, S)) -> (states at the end of the step, outputs (m, S) there)."""
Whole = Callable[[F64, F64, F64, float], tuple[F64, F64]]
"""(parameters (p, S), start (n, S), inputs (T, u, 1 or S), seconds of a step) -> (states
(T + 1, n, S), outputs (T, m, S)): all steps at once."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A parameter, input, state or output."""

    name: str
    unit: str
    """A symbol for people, such as `W/K`; "" for none."""
    about: str
    value: float = 0.0
    """Of a parameter or input that is not given; of a state at the begin."""
    low: float = -np.inf
    high: float = np.inf
    is_fitted: bool = True
    """Of a parameter: whether calibration may move it where it is not named; not a switch."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How something behaves."""

    name: str
    title: str
    about: str
    fidelity: int
    """0 a rule or table, 1 regression or curve, 2 reduced physics, 3 physics."""
    parameters: tuple[Quantity, ...]
    inputs: tuple[Quantity, ...]
    states: tuple[Quantity, ...]
    outputs: tuple[Quantity, ...]
    prepare: Callable[[F64, float], Step]
    """(parameters (p, S), seconds of a step) -> the step; done once for many steps."""
    source: str = ""
    """Paper, standard or textbook."""
    whole: Whole | None = None
    """For a model that runs elsewhere, and may keep states to itself: all steps in one go."""
    follow: Callable[[F64, float], Step] | None = None
    """As `prepare`, for such a model: each step goes on from the one before, and the newest
    step that was prepared is the only one that may."""
    starts: tuple[Quantity, ...] = ()
    """What may be set before the first step of one without states of its own; they take the
    place of states where it is followed, and setting them later does nothing."""

    def place(self, what: str, name: str) -> int:
        """The row of a parameter, input, state or output.

        Raises:
            InvalidInput: there is none of this name.
        """
        known: tuple[Quantity, ...] = getattr(self, what)
        for row, one in enumerate(known):
            if one.name == name:
                return row
        raise InvalidInput(
            f"behaviour '{self.name}' has no {name!r} among its {what}",
            hint="it has: " + (", ".join(q.name for q in known) or "none"),
        )


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What became of all scenarios.

    Shapes: states (T + 1, n, S), from the start on; outputs (T, m, S), each at the end of its step.
    """

    behaviour: Behaviour
    seconds: float
    states: F64
    outputs: F64

    def state(self, name: str) -> F64:
        """Its values (T + 1, S), from the start on."""
        found: F64 = self.states[:, self.behaviour.place("states", name)]
        return found

    def output(self, name: str) -> F64:
        """Its values (T, S), at the ends of steps."""
        found: F64 = self.outputs[:, self.behaviour.place("outputs", name)]
        return found


def simulate(
    behaviour: Behaviour,
    inputs: Mapping[str, ArrayLike],
    seconds: float,
    parameters: Mapping[str, ArrayLike] | None = None,
    start: Mapping[str, ArrayLike] | None = None,
) -> Trajectory:
    """Runs all scenarios from their start through their inputs.

    Args:
        behaviour: what is run.
        inputs: columns by name: a number, (T,) for all scenarios alike, or (T, S); each value holds
            during its step. One that is not given holds its default.
        seconds: of a step.
        parameters: by name: a number or (S,); one that is not given has its default.
        start: states at the begin, as parameters.

    Raises:
        InvalidInput: a name is not known, lengths differ, a number is not finite or out of bounds.

    Cost: one `Step` a step; memory of all states and outputs, 8 (n + m) S bytes a step.
    """
    if not seconds > 0:
        raise InvalidInput(f"a step of {seconds} s", hint="above 0")
    given = {name: _column(name, value) for name, value in inputs.items()}
    parameters, start = parameters or {}, start or {}
    for what, names in (("parameters", parameters), ("inputs", given), ("states", start)):
        for name in names:
            behaviour.place(what, name)
    steps = _length("steps", [c.shape[0] for c in given.values() if c.ndim])
    fixed = [np.asarray(v, float) for v in (*parameters.values(), *start.values())]
    wide = [c.shape[1] for c in given.values() if c.ndim == 2]
    scenarios = _length("scenarios", wide + [v.shape[0] for v in fixed if v.ndim])
    values = _rows(behaviour.parameters, parameters, scenarios)
    state = _rows(behaviour.states, start, scenarios)
    _check_bounds(behaviour, values)
    if behaviour.whole is not None:
        table = _table(behaviour.inputs, given, steps)
        found = behaviour.whole(values, state, table, float(seconds))
        return Trajectory(behaviour, float(seconds), *found)
    step = behaviour.prepare(values, float(seconds))
    states = np.empty((steps + 1, len(behaviour.states), scenarios))
    outputs = np.empty((steps, len(behaviour.outputs), scenarios))
    states[0] = state
    now = np.empty((len(behaviour.inputs), scenarios))
    moving: list[tuple[int, Any]] = []
    for row, quantity in enumerate(behaviour.inputs):
        column = given.get(quantity.name)
        if column is None or not column.ndim:
            now[row] = quantity.value if column is None else column
        else:
            moving.append((row, column))
    for k in range(steps):
        for row, column in moving:
            now[row] = column[k]
        state, outputs[k] = step(state, now)
        states[k + 1] = state
    return Trajectory(behaviour, float(seconds), states, outputs)


def _table(quantities: tuple[Quantity, ...], given: Mapping[str, F64], steps: int) -> F64:
    """Inputs (T, u, 1 or S)."""
    wide = max((c.shape[1] for c in given.values() if c.ndim == 2), default=1)
    found = np.empty((steps, len(quantities), wide))
    for row, quantity in enumerate(quantities):
        column = given.get(quantity.name, np.array(quantity.value))
        found[:, row] = column[:, None] if column.ndim == 1 else column
    return found


def _column(name: str, value: ArrayLike) -> F64:
    column = np.asarray(value, float)
    if column.ndim > 2:
        raise InvalidInput(f"input '{name}' has {column.ndim} dimensions", hint="(T,) or (T, S)")
    if not np.isfinite(column).all():
        raise InvalidInput(f"input '{name}' has gaps", hint="fill them before")
    return column


def _length(what: str, found: list[int]) -> int:
    wide = sorted(set(found) - {1})
    if len(wide) > 1:
        raise InvalidInput(f"columns have different numbers of {what}: {wide}")
    return wide[0] if wide else 1


def _rows(quantities: tuple[Quantity, ...], given: Mapping[str, ArrayLike], scenarios: int) -> F64:
    found = np.empty((len(quantities), scenarios))
    for row, quantity in enumerate(quantities):
        found[row] = np.asarray(given.get(quantity.name, quantity.value), float)
    return found


def _check_bounds(behaviour: Behaviour, values: F64) -> None:
    for quantity, row in zip(behaviour.parameters, values, strict=True):
        is_within = (row >= quantity.low) & (row <= quantity.high)
        if not is_within.all():
            worst = float(row[~is_within][0])
            raise InvalidInput(
                f"behaviour '{behaviour.name}': {quantity.name} is {worst:g}",
                hint=f"from {quantity.low:g} to {quantity.high:g} {quantity.unit}".rstrip(),
            )
