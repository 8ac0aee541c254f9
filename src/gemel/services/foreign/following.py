"""In the sandbox: scenarios of one FMU that are followed step by step, each on its own instance.

So that what only the instance knows (states of co-simulation, an open valve, its time) goes on from
step to step, while inputs come from models beside it that step in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from fmpy.fmi1 import FMICallException


class One(Protocol):
    """An instance that can be moved on."""

    outputs: list[Any]

    def begin_following(self, parameters: Any, state: Any, inputs: Any) -> None: ...

    def move_on(self, begin: float, seconds: float, inputs: Any, state: Any | None) -> None: ...

    def now(self) -> tuple[Any, Any]: ...


class Following:
    """Scenarios from their begin on.

    Args:
        number: which course of the model it is.
        instances: one a scenario.
        parameters: (p, S).
        seconds: of a step.
    """

    def __init__(
        self, number: int, instances: Sequence[One], parameters: Any, seconds: float
    ) -> None:
        self.number = number
        self._instances, self._parameters, self._seconds = instances, parameters, seconds
        self._steps = 0
        self._last: Any = None

    def step(self, state: Any, inputs: Any) -> tuple[Any, Any]:
        """States (n, S) and outputs (m, S) at the end of the next step.

        Shapes: state (n, S), from where it begins, or as it was with what has been moved since;
        inputs (u, S).

        Raises:
            ValueError: one refused; says which and when.

        Cost: a few calls into the model a scenario.
        """
        begin = self._steps * self._seconds
        outputs = np.empty((len(self._instances[0].outputs), len(self._instances)))
        states = np.empty_like(state)
        moved = np.zeros(len(self._instances), bool)
        if self._last is not None:
            moved = (state != self._last).any(axis=0)
        for s, one in enumerate(self._instances):
            try:
                if self._last is None:
                    one.begin_following(self._parameters[:, s], state[:, s], inputs[:, s])
                one.move_on(begin, self._seconds, inputs[:, s], state[:, s] if moved[s] else None)
                states[:, s], outputs[:, s] = one.now()
            except (FMICallException, RuntimeError, ValueError) as error:
                which = f"scenario {s + 1} of {len(self._instances)}"
                raise ValueError(f"{error} (from {begin:g} s on, {which})") from error
        self._steps += 1
        self._last = states
        return states, outputs
