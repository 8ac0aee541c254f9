"""The simplest level: how long such machines last, whatever their signals say.

A Weibull distribution of lives, with those that were renewed before they failed counted as what
they are: at least so long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput

STEPS = 200
TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Weibull:
    """Units: scale in the unit of the lives."""

    shape: float
    scale: float

    def remaining(self, age: F64, share: float) -> F64:
        """The time after which this share of machines of this age has failed."""
        passed = (np.asarray(age, np.float64) / self.scale) ** self.shape
        found: F64 = self.scale * (passed - np.log1p(-share)) ** (1 / self.shape) - age
        return found


def fit(lives: F64, failed: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Weibull:
    """Maximum likelihood with right censoring.

    Raises:
        InvalidInput: fewer than two lives ended in failure.
    """
    if int(failed.sum()) < 2:
        raise InvalidInput(
            f"{int(failed.sum())} lives ended in failure", hint="at least two are needed"
        )
    logs = np.log(np.maximum(lives, 1e-9))
    middle = float(logs[failed].mean())

    def slope(shape: float) -> float:
        """Of the likelihood; falls with the shape."""
        raised = np.exp(shape * (logs - logs.max()))
        return 1 / shape + middle - float((raised * logs).sum() / raised.sum())

    low, high = 1e-3, 1e3
    for _ in range(STEPS):
        shape = (low * high) ** 0.5
        low, high = (shape, high) if slope(shape) > 0 else (low, shape)
        if high / low - 1 < TOLERANCE:
            break
    shape = (low * high) ** 0.5
    raised = np.exp(shape * (logs - logs.max()))
    scale = np.exp(logs.max()) * (raised.sum() / failed.sum()) ** (1 / shape)
    return Weibull(shape, float(scale))
