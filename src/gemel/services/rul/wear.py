"""What one cycle by itself says of how long remains: all signals in one line, in each condition.

A signal tells much of wear under one condition and little under another, and trees see one signal
at a time. So the signals of a cycle are weighed together, for each condition by itself, by ridge
regression on the remaining cycles: lines of wear, which are then averaged, compared with their own
beginning and drawn on as signals are (`features`). One line looks far ahead, one near.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64

REACHES = (1.0, 0.4)
"""Of the most that is told apart: how far each line looks ahead."""
RIDGE = 0.01
LEAST_ROWS = 20
"""For each signal: a condition with fewer cycles is weighed as all together."""


@dataclass(frozen=True, slots=True)
class Wear:
    """Shapes: weight (c, k, m), level (c, m), for c conditions, k signals, m lines."""

    weight: F64
    level: F64

    @property
    def names(self) -> list[str]:
        """Of the lines; they are no signals."""
        return [f"wear {i + 1}" for i in range(self.level.shape[1])]

    @property
    def parts(self) -> F64:
        """How much each signal has in each line, (k, m); the parts of a line add up to 1."""
        size = np.abs(self.weight).mean(axis=0)
        found: F64 = size / np.maximum(size.sum(axis=0), 1e-12)
        return found

    def apply(self, condition: NDArray[np.intp], rows: F64) -> F64:
        """The lines at each cycle, (n, m), of scaled rows (n, k); sums go in one order always."""
        found = self.level[condition]
        for signal in range(rows.shape[1]):
            found = found + self.weight[condition, signal] * rows[:, signal, None]
        return found


def learn(condition: NDArray[np.intp], rows: F64, remaining: F64, weight: F64, most: float,
          count: int) -> Wear:  # fmt: skip
    """Lines of lives that failed; of all conditions, `count`.

    Shapes: condition, remaining, weight (n,), rows (n, k) scaled.
    """
    k = rows.shape[1]
    weights, level = np.zeros((count, k, len(REACHES))), np.zeros((count, len(REACHES)))
    for line, reach in enumerate(REACHES):
        target = np.minimum(remaining, reach * most)
        together = _solved(rows, target, weight)
        for at in range(count):
            mine = condition == at
            enough = mine.sum() >= LEAST_ROWS * k
            found = _solved(rows[mine], target[mine], weight[mine]) if enough else together
            weights[at, :, line], level[at, line] = found
    return Wear(_rounded(weights), _rounded(level))


def _rounded(values: F64) -> F64:
    """To 24 bits: in what order sums went, which hangs on the number of threads, is not seen."""
    return values.astype(np.float32).astype(np.float64)


def _solved(rows: F64, target: F64, weight: F64) -> tuple[F64, float]:
    share = weight / weight.sum()
    middle, mean = share @ rows, float(share @ target)
    away = rows - middle
    table = (away * share[:, None]).T @ away + RIDGE * np.eye(rows.shape[1])
    found = np.linalg.solve(table, (away * share[:, None]).T @ (target - mean))
    return found, mean - float(middle @ found)
