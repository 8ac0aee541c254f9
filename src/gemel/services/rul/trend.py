"""The middle level: one line of wear, drawn on to where machines have failed.

The line is the mean of the signals that move with wear, each as its distance from the life's own
beginning, signed so that it rises; it ends at the median of what it was at failures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.services.rul import features

LEAST_CORRELATION = 0.3
SLOWEST = 1e-6


@dataclass(frozen=True, slots=True)
class Trend:
    """Shapes: weight (k,), of each signal."""

    weight: F64
    limit: float

    def remaining(self, rows: F64, most: float) -> F64:
        """Cycles until the line meets its limit, at the slope it has now; at most `most`."""
        k = len(self.weight)
        slope = rows[:, _slopes(k)] @ self.weight
        level = rows[:, _recent(k)] @ self.weight
        left = np.maximum(self.limit - level, 0.0) / np.maximum(slope, SLOWEST)
        return np.minimum(left, most)


def _slopes(k: int) -> slice:
    start = (len(features.WINDOWS) + len(features.SLOPES) - 1) * k
    return slice(start, start + k)


def _recent(k: int) -> slice:
    start = (len(features.WINDOWS) + len(features.SLOPES) + 1) * k
    return slice(start, start + k)


def learn(rows: F64, remaining: F64, k: int) -> Trend:
    """The weights and the end from rows of lives that failed."""
    away = rows[:, _recent(k)]
    spread = away.std(axis=0) * remaining.std()
    moves = ((away - away.mean(axis=0)) * (remaining - remaining.mean())[:, None]).mean(axis=0)
    correlation = np.divide(moves, spread, out=np.zeros(k), where=spread > 0)
    weight = np.where(np.abs(correlation) >= LEAST_CORRELATION, -np.sign(correlation), 0.0)
    if not weight.any() and k:
        best = int(np.argmax(np.abs(correlation)))
        weight[best] = -np.sign(correlation[best]) or 1.0
    weight = weight / max(float(np.abs(weight).sum()), 1.0)
    ends = away[remaining == 0] @ weight
    return Trend(weight, float(np.median(ends)) if len(ends) else 0.0)
