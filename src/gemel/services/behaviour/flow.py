"""Pumps, fans and tanks: curves at any speed by the affinity laws, and a balance of volume."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.services.behaviour.model import Behaviour, Quantity, Step

GRAVITY, HOUR = 9.80665, 3600.0
SPEED = Quantity("speed", "", "share of the rated speed", 1.0, 0, 1.5)


def _pump(values: F64, _: float) -> Step:
    shutoff, droop, best_flow, best, density, fixed = values

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        speed, static, resistance = inputs
        spare = shutoff * speed**2 - static
        flow = np.sqrt(np.maximum(spare, 0.0) / (droop + resistance))
        head = np.where(flow > 0, shutoff * speed**2 - droop * flow**2, shutoff * speed**2)
        efficiency = _efficiency(flow, speed, best_flow, best)
        lifted = density * GRAVITY * flow / HOUR * head / 1000
        power = lifted / np.maximum(efficiency, 0.05) + fixed * speed**3
        return state, np.stack((flow, head, power, efficiency))

    return step


def _fan(values: F64, _: float) -> Step:
    shutoff, droop, best_flow, best, fixed = values

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        speed, resistance = inputs
        flow = speed * np.sqrt(shutoff / (droop + resistance))
        pressure = resistance * flow**2
        efficiency = _efficiency(flow, speed, best_flow, best)
        power = flow * pressure / np.maximum(efficiency, 0.05) / 1000 + fixed * speed**3
        return state, np.stack((flow, pressure, power, efficiency))

    return step


def _efficiency(flow: F64, speed: F64, best_flow: F64, best: F64) -> F64:
    """A parabola through 0 and its best point, which moves with the speed."""
    share = flow / np.maximum(speed * best_flow, 1e-9)
    found: F64 = np.maximum(best * share * (2.0 - share), 0.0)
    return found


def _tank(values: F64, seconds: float) -> Step:
    area, height = values
    full = area * height
    hours = seconds / HOUR

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        volume = state[0] * area
        there = volume + np.maximum(inputs[0], 0.0) * hours
        taken = np.minimum(np.maximum(inputs[1], 0.0) * hours, there)
        over = np.maximum(there - taken - full, 0.0)
        level = (there - taken - over) / area
        return level[None], np.stack((level, taken / hours, over / hours))

    return step


PUMP = Behaviour(
    "pump",
    "Centrifugal pump",
    "where the pump's curve meets that of its pipe, at any speed",
    1,
    (
        Quantity("shutoff", "m", "head at no flow and rated speed", 38.0, 0.1, 5000),
        Quantity("droop", "m/(m³/h)²", "fall of the head with flow", 0.002, 1e-9, 1e3),
        Quantity("bestFlow", "m³/h", "flow of best efficiency at rated speed", 80.0, 1e-3, 1e6),
        Quantity("bestEfficiency", "", "of pump and motor there", 0.72, 0.05, 1.0),
        Quantity("density", "kg/m³", "of the liquid", 998.0, 100, 20_000),
        Quantity("fixed", "kW", "seals and bearings at rated speed", 0.5, 0.0, 1e4),
    ),
    (
        SPEED,
        Quantity("static", "m", "head to lift by", 8.0, -1000, 5000),
        Quantity("resistance", "m/(m³/h)²", "of the pipe", 0.0024, 0, 1e3),
    ),
    (),
    (
        Quantity("flow", "m³/h", "through the pump"),
        Quantity("head", "m", "over the pump"),
        Quantity("power", "kW", "from the grid"),
        Quantity("efficiency", "", "of pump and motor"),
    ),
    _pump,
    "affinity laws; ISO 9906 for the curve",
)
FAN = Behaviour(
    "fan",
    "Fan",
    "where the fan's curve meets that of its ducts; power goes with the cube of the speed",
    1,
    (
        Quantity("shutoff", "Pa", "pressure at no flow and rated speed", 1150.0, 1, 1e5),
        Quantity("droop", "Pa/(m³/s)²", "fall of the pressure with flow", 18.0, 1e-9, 1e9),
        Quantity("bestFlow", "m³/s", "flow of best efficiency at rated speed", 5.0, 1e-4, 1e4),
        Quantity("bestEfficiency", "", "of fan and motor there", 0.65, 0.05, 1.0),
        Quantity("fixed", "kW", "belts and bearings at rated speed", 0.1, 0.0, 1e3),
    ),
    (SPEED, Quantity("resistance", "Pa/(m³/s)²", "of filter, coils and ducts", 30.0, 1e-6, 1e9)),
    (),
    (
        Quantity("flow", "m³/s", "of air"),
        Quantity("pressure", "Pa", "over the fan"),
        Quantity("power", "kW", "from the grid"),
        Quantity("efficiency", "", "of fan and motor"),
    ),
    _fan,
    "fan laws; ISO 5801 for the curve",
)
TANK = Behaviour(
    "tank",
    "Tank",
    "what comes in less what goes out; it neither goes below empty nor above full",
    2,
    (
        Quantity("area", "m²", "of the surface", 10.0, 1e-4, 1e6),
        Quantity("height", "m", "at which it runs over", 5.0, 1e-3, 1e3),
    ),
    (
        Quantity("inflow", "m³/h", "into it", 0.0, 0, 1e7),
        Quantity("outflow", "m³/h", "that is asked of it", 0.0, 0, 1e7),
    ),
    (Quantity("level", "m", "of the liquid", 2.0, 0, 1e3),),
    (
        Quantity("level", "m", "of the liquid"),
        Quantity("outflow", "m³/h", "for which there was liquid"),
        Quantity("overflow", "m³/h", "that ran over"),
    ),
    _tank,
)
