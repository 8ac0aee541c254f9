"""Heat in lumps: a node with a capacity, joined to its surroundings by conductances."""

from __future__ import annotations

import math


class HeatNode:
    """One temperature; stepped exactly for heat and surroundings that hold during the step.

    C dT/dt = heat + sum(conductance_i * (T_i - T))
    Units: capacity J/K, conductance W/K, heat W, temperature °C.
    """

    __slots__ = ("capacity", "temperature")

    def __init__(self, capacity: float, temperature: float) -> None:
        self.capacity = capacity
        self.temperature = temperature

    def step(self, dt: float, heat: float, *surroundings: tuple[float, float]) -> float:
        """Moves on by `dt` seconds; `surroundings` are (conductance, temperature) pairs.

        Returns:
            The mean temperature over the step (what a flow of heat out of the node sees).
        """
        conductance = sum(g for g, _ in surroundings)
        start = self.temperature
        if conductance <= 0.0:
            self.temperature = start + heat * dt / self.capacity
            return (start + self.temperature) / 2
        final = (heat + sum(g * t for g, t in surroundings)) / conductance
        rate = conductance / self.capacity
        kept = math.exp(-rate * dt)
        self.temperature = final + (start - final) * kept
        if dt <= 0.0:
            return start
        return final + (start - final) * (1.0 - kept) / (rate * dt)


def lag(value: float, target: float, dt: float, memory: float) -> float:
    """First-order approach to `target` with time constant `memory` seconds; exact for any step."""
    return target + (value - target) * math.exp(-dt / memory)


def ramp(value: float, target: float, most: float) -> float:
    """`value` moved towards `target` by at most `most`."""
    return value + max(-most, min(most, target - value))
