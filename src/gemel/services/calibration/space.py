"""Parameters and starting states of a behaviour as free numbers without units, and back.

What is positive by its bounds is seen as a logarithm, all else in units of its usual value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.services.behaviour.model import Behaviour

WIDE = 100.0
"""A parameter is looked for between its usual value over this and times this, within its bounds."""
DEGREES = 15.0
"""How far a starting state may be from where it is thought to be."""


@dataclass(frozen=True, slots=True)
class Space:
    """Free numbers: first the parameters, then the starting states.

    Shapes: all (k,).
    """

    names: tuple[str, ...]
    count: int
    """How many of them are parameters."""
    is_log: np.ndarray[tuple[int], np.dtype[np.bool_]]
    scale: F64
    middle: F64
    low: F64
    high: F64

    def values(self, free: F64) -> F64:
        """From free numbers (k,) or (k, S) to values in their units."""
        shape = (-1, *([1] * (free.ndim - 1)))
        log, scale = self.is_log.reshape(shape), self.scale.reshape(shape)
        with np.errstate(over="ignore"):
            found: F64 = np.where(log, scale * np.exp(np.where(log, free, 0.0)), scale * free)
        return found

    def slope(self, free: F64) -> F64:
        """By how much values change with the free numbers, (k,)."""
        found: F64 = np.where(self.is_log, self.values(free), self.scale)
        return found


def space_of(
    behaviour: Behaviour,
    fitted: Sequence[str],
    parameters: Mapping[str, float],
    start: Mapping[str, float],
    reach: Mapping[str, float],
) -> Space:
    """The space of some parameters and all starting states.

    Args:
        behaviour: the model.
        fitted: the names of the parameters.
        parameters: usual values that are not the model's own.
        start: where states are thought to begin.
        reach: how far from there they may be, where that is known.

    Raises:
        InvalidInput: a name is not known.
    """
    rows: list[tuple[float, ...]] = []
    for name in fitted:
        one = behaviour.parameters[behaviour.place("parameters", name)]
        usual = float(parameters.get(name, one.value))
        if one.low > 0:
            low, high = max(one.low, usual / WIDE), min(one.high, usual * WIDE)
            rows.append((True, usual, 0.0, np.log(low / usual), np.log(high / usual)))
        else:
            scale = abs(usual) or 1.0
            low, high = max(one.low / scale, -WIDE), min(one.high / scale, WIDE)
            rows.append((False, scale, usual / scale, low, high))
    for one in behaviour.states:
        usual = float(start.get(one.name, one.value))
        wide = DEGREES if one.unit == "°C" else max(abs(usual), 1.0)
        wide = reach.get(one.name, wide)
        low, high = max(one.low, usual - wide), min(one.high, usual + wide)
        rows.append((False, 1.0, usual, low, high))
    names = (*fitted, *(f"start:{s.name}" for s in behaviour.states))
    log, scale_, middle, lows, highs = np.array(rows, float).reshape(-1, 5).T
    return Space(names, len(fitted), log > 0, scale_, middle, lows, highs)
