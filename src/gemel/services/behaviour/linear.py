"""Linear networks dx/dt = A x + B u, stepped exactly for inputs that hold during a step."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.services.behaviour.model import Step

TERMS = 12
"""Of the series after scaling below 1/2: the rest is under 1e-13."""


def exponential(matrices: F64) -> F64:
    """The matrix exponential of many small matrices at once, (S, n, n).

    Source: scaling and squaring; Golub and Van Loan, Matrix Computations, 9.3.
    """
    size = np.abs(matrices).sum(axis=2).max(initial=0.0)
    halvings = max(0, int(np.ceil(np.log2(max(size, 1e-300)))) + 1)
    small = matrices / 2.0**halvings
    found = np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape).copy()
    term = found
    for k in range(1, TERMS + 1):
        term = term @ small / k
        found = found + term
    for _ in range(halvings):
        found = found @ found
    return found


def discrete(a: F64, b: F64, seconds: float) -> tuple[F64, F64]:
    """The exact step of many networks: x(t + dt) = F x(t) + G u.

    Shapes: a (S, n, n) 1/s, b (S, n, u); F as a, G as b.
    """
    count, n, u = b.shape
    whole = np.zeros((count, n + u, n + u))
    whole[:, :n, :n], whole[:, :n, n:] = a * seconds, b * seconds
    found = exponential(whole)
    return found[:, :n, :n], found[:, :n, n:]


def network_step(a: F64, b: F64, seconds: float, outputs: int) -> Step:
    """A step whose outputs are the first `outputs` states."""
    first, second = discrete(a, b, seconds)
    whole = np.ascontiguousarray(np.concatenate((first, second), axis=2))
    if len(whole) == 1:
        only = whole[0]

        def step_one(state: F64, inputs: F64) -> tuple[F64, F64]:
            after = only @ np.concatenate((state, inputs))
            return after, after[:outputs]

        return step_one

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        both = np.concatenate((state, inputs)).T[:, :, None]
        after = (whole @ both)[:, :, 0].T
        return after, after[:outputs]

    return step
