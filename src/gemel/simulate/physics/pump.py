"""A centrifugal pump in a pipe between two tanks: curves, affinity laws, suction head."""

from __future__ import annotations

import math
from dataclasses import dataclass

GRAVITY = 9.81
DENSITY = 998.0
ATMOSPHERE = 101_325.0


@dataclass(frozen=True, slots=True)
class PumpCurve:
    """Head `shutoff` - `droop` * Q² at rated speed; best efficiency at `best_flow`.

    Units: head m, flow m³/h.
    """

    shutoff: float = 38.0
    droop: float = 0.0020
    best_flow: float = 80.0
    best_efficiency: float = 0.78

    def head(self, flow: float, share: float) -> float:
        """By the affinity laws: flow with speed, head with its square."""
        return self.shutoff * share**2 - self.droop * flow**2

    def efficiency(self, flow: float, share: float) -> float:
        if share <= 0.0:
            return 0.0
        off = flow / share / self.best_flow - 1.0
        return max(0.05, self.best_efficiency * (1.0 - off * off))


@dataclass(frozen=True, slots=True)
class Pipe:
    """What the pump works against: `static` head in m and friction `resistance` * Q²."""

    static: float = 8.0
    resistance: float = 0.0024


@dataclass(frozen=True, slots=True)
class Operation:
    """Where a pump runs."""

    flow: float
    """m³/h"""
    head: float
    """m"""
    efficiency: float
    power: float
    """kW at the shaft"""
    suction: float
    """bar absolute"""
    discharge: float
    """bar absolute"""
    margin: float
    """Available over required net positive suction head, m; below 0 it cavitates."""


def duty(
    curve: PumpCurve, pipe: Pipe, share: float, static: float, suction_level: float,
    *, cavitation: float = 0.0, wear: float = 0.0,
) -> Operation:  # fmt: skip
    """The point where the pump's curve meets the pipe's.

    Args:
        curve: of the pump.
        pipe: between its two ends.
        share: speed over rated speed.
        static: head to lift by, m (the pipe's and the difference of the levels).
        suction_level: liquid above the suction flange, m.
        cavitation: 0 none to 1 full: the suction line is nearly shut.
        wear: of the impeller, 0 to 1.
    """
    lost = (1.0 - 0.35 * cavitation) * (1.0 - 0.3 * wear)
    shutoff = curve.shutoff * share**2 * lost
    spare = shutoff - static
    flow = math.sqrt(spare / (curve.droop + pipe.resistance)) if spare > 0 else 0.0
    head = shutoff - curve.droop * flow**2
    efficiency = curve.efficiency(flow, share) * (1.0 - 0.25 * cavitation) * (1.0 - 0.2 * wear)
    watts = DENSITY * GRAVITY * (flow / 3600) * head / efficiency if efficiency > 0 else 0.0
    watts += 900.0 * share**3  # seals and bearings
    inlet_loss = (0.00012 + 0.00085 * cavitation) * flow**2
    suction = ATMOSPHERE + DENSITY * GRAVITY * (suction_level - inlet_loss)
    discharge = suction + DENSITY * GRAVITY * head
    available = (suction - 2_340.0) / (DENSITY * GRAVITY)
    required = 2.0 + 0.00035 * flow**2 + 6.0 * cavitation
    return Operation(
        flow, head, efficiency, watts / 1000, suction / 1e5, discharge / 1e5, available - required
    )


def pump_vibration(curve: PumpCurve, point: Operation, share: float, cavitation: float) -> float:
    """RMS velocity at the casing, mm/s: lowest at best efficiency, high when it cavitates."""
    if share <= 0.002:
        return 0.0
    off = point.flow / share / curve.best_flow - 1.0
    return (0.4 + 1.2 * share**2) * (1.0 + 0.8 * off * off) + 7.5 * cavitation * share


class Tank:
    """A standing cylinder: mass in less mass out, and the mixing of temperatures."""

    def __init__(self, area: float, height: float, level: float, temperature: float) -> None:
        """Units: m², m, m, °C."""
        self.area = area
        self.height = height
        self.volume = area * level
        self.temperature = temperature
        self.overflow = 0.0
        """m³ that ran over so far."""

    @property
    def level(self) -> float:
        return self.volume / self.area

    @property
    def share(self) -> float:
        return self.level / self.height

    def flow(
        self, dt: float, inflow: float, inlet_temperature: float, outflow: float, ambient: float
    ) -> float:
        """Moves on by `dt` seconds and returns the outflow that there was liquid for, m³/h."""
        coming = max(0.0, inflow) * dt / 3600
        going = min(max(0.0, outflow) * dt / 3600, self.volume + coming)
        if self.volume + coming > 1e-9:
            warm = self.volume * self.temperature + coming * inlet_temperature
            self.temperature = warm / (self.volume + coming)
        self.temperature += (ambient - self.temperature) * (1.0 - math.exp(-dt / 40_000.0))
        self.volume += coming - going
        full = self.area * self.height
        if self.volume > full:
            self.overflow += self.volume - full
            self.volume = full
        return going * 3600 / dt if dt > 0 else 0.0
