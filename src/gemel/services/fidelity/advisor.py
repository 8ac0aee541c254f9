"""The lowest level whose decisions cost at most a tolerance more than those of the best level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput

SURE = 1.96


@dataclass(frozen=True, slots=True)
class Level:
    """Costs are means over scenarios; regret is in shares of the best level's cost."""

    name: str
    cost: float
    regret: float
    low: float
    high: float
    """95 % interval of the regret, paired over scenarios."""


@dataclass(frozen=True, slots=True)
class Advice:
    level: int
    best: int
    is_sure: bool
    """Whether each level below is surely above the tolerance, and the chosen one surely within.
    Where it is not, the estimate has decided: a bound would count the noise of the trial as cost
    of the level."""
    levels: tuple[Level, ...]
    scenarios: int


def judge(names: tuple[str, ...], costs: F64, tolerance: float) -> Advice:
    """The choice from costs of every level in the same scenarios.

    Shapes: costs (levels, scenarios). Units: tolerance in shares of the best level's cost.

    Raises:
        InvalidInput: the best level costs nothing, so that there are no shares of it.
    """
    mean = costs.mean(axis=1)
    best = int(np.argmin(mean))
    if not mean[best] > 0:
        raise InvalidInput(
            f"the best level costs {mean[best]:g}", hint="costs are to be above 0 on average"
        )
    # Linearised: the error of the best level's mean counts in the ratio too.
    ratio = mean / mean[best]
    residual = (costs - ratio[:, None] * costs[best]) / mean[best]
    half = SURE * residual.std(axis=1, ddof=1) / np.sqrt(costs.shape[1])
    regret = ratio - 1
    level = int(np.flatnonzero(regret <= tolerance)[0])
    below_is_out = bool((regret[:level] - half[:level] > tolerance).all())
    is_in = bool(regret[level] + half[level] <= tolerance)
    rows = tuple(
        Level(name, float(m), float(r), float(r - h), float(r + h))
        for name, m, r, h in zip(names, mean, regret, half, strict=True)
    )
    return Advice(level, best, below_is_out and is_in, rows, costs.shape[1])


def advise(
    names: tuple[str, ...],
    more: Callable[[int], F64],
    tolerance: float,
    first: int = 100,
    most: int = 800,
) -> Advice:
    """Asks for scenarios until the choice is sure, each time as many as there are already.

    Args:
        names: of the levels, the lowest first.
        more: how many -> costs (levels, that many) of new scenarios, the same for every level.
        tolerance: in shares of the best level's cost.
        first: scenarios to begin with.
        most: scenarios at which it says what it has, sure or not.
    """
    costs = more(first)
    while True:
        found = judge(names, costs, tolerance)
        if found.is_sure or costs.shape[1] >= most:
            return found
        costs = np.concatenate([costs, more(min(costs.shape[1], most - costs.shape[1]))], axis=1)
