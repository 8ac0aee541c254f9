"""Rooms and houses as networks of resistances and capacities: 1R1C, 2R2C, 3R3C.

Source: Bacher and Madsen, Identifying suitable models for the heat dynamics of buildings, Energy
and Buildings 43 (2011). Conductances are the inverse of resistances.
"""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.services.behaviour.linear import network_step
from gemel.services.behaviour.model import Behaviour, Quantity, Step

INPUTS = (
    Quantity("outdoor", "°C", "temperature outside", 10.0, -60, 60),
    Quantity("heat", "W", "heating, negative for cooling", 0.0),
    Quantity("solar", "W/m²", "sun on the horizontal or facade", 0.0, 0, 1500),
    Quantity("gains", "W", "from people and appliances", 0.0),
)
OUTDOOR, HEAT, SOLAR, GAINS = range(4)
INDOOR = Quantity("temperature", "°C", "of the air inside", 20.0, -60, 120)
WALL = Quantity("wall", "°C", "of walls and what they hold", 18.0, -60, 120)
MASS = Quantity("mass", "°C", "of floor and furniture", 19.5, -60, 120)


def _conductance(name: str, about: str, value: float) -> Quantity:
    return Quantity(name, "W/K", about, value, 1e-3, 1e6)


def _capacity(name: str, about: str, value: float) -> Quantity:
    return Quantity(name, "J/K", about, value, 10.0, 1e12)


def _aperture(name: str, about: str, value: float) -> Quantity:
    return Quantity(name, "m²", about, value, 0.0, 1e4)


def _one(values: F64, seconds: float) -> Step:
    loss, capacity, aperture = values
    a = (-loss / capacity)[:, None, None]
    b = np.stack((loss, np.ones_like(loss), aperture, np.ones_like(loss)), axis=1)
    return network_step(a, (b / capacity[:, None])[:, None, :], seconds, 1)


def _two(values: F64, seconds: float) -> Step:
    inner, outer, air, wall, to_air, to_wall = values
    a = np.zeros((len(inner), 2, 2))
    b = np.zeros((len(inner), 2, 4))
    a[:, 0, 0], a[:, 0, 1] = -inner / air, inner / air
    a[:, 1, 0], a[:, 1, 1] = inner / wall, -(inner + outer) / wall
    b[:, 0, HEAT] = b[:, 0, GAINS] = 1 / air
    b[:, 0, SOLAR], b[:, 1, SOLAR] = to_air / air, to_wall / wall
    b[:, 1, OUTDOOR] = outer / wall
    return network_step(a, b, seconds, 1)


def _three(values: F64, seconds: float) -> Step:
    inner, outer, floor, air, wall, mass, to_air, to_mass = values
    a = np.zeros((len(inner), 3, 3))
    b = np.zeros((len(inner), 3, 4))
    a[:, 0, 0] = -(inner + floor) / air
    a[:, 0, 1], a[:, 0, 2] = inner / air, floor / air
    a[:, 1, 0], a[:, 1, 1] = inner / wall, -(inner + outer) / wall
    a[:, 2, 0], a[:, 2, 2] = floor / mass, -floor / mass
    b[:, 0, HEAT] = b[:, 0, GAINS] = 1 / air
    b[:, 0, SOLAR], b[:, 2, SOLAR] = to_air / air, to_mass / mass
    b[:, 1, OUTDOOR] = outer / wall
    return network_step(a, b, seconds, 1)


RC1 = Behaviour(
    "rc1",
    "Room, 1R1C",
    "one temperature that leaks to the outside; for small changes and quick answers",
    1,
    (
        _conductance("loss", "from inside to outside", 200.0),
        _capacity("capacity", "of everything inside", 2e7),
        _aperture("aperture", "sun that comes in, per W/m²", 3.0),
    ),
    INPUTS,
    (INDOOR,),
    (INDOOR,),
    _one,
)
RC2 = Behaviour(
    "rc2",
    "House, 2R2C",
    "air and walls: quick and slow heat apart; the usual choice for control of a day",
    2,
    (
        _conductance("inner", "from the air to the walls", 800.0),
        _conductance("outer", "from the walls to the outside", 250.0),
        _capacity("air", "of the air and what follows it", 3e6),
        _capacity("wallCapacity", "of the walls", 3e7),
        _aperture("aperture", "sun on the air, per W/m²", 2.0),
        _aperture("wallAperture", "sun on the walls, per W/m²", 1.0),
    ),
    INPUTS,
    (INDOOR, WALL),
    (INDOOR,),
    _two,
)
RC3 = Behaviour(
    "rc3",
    "House, 3R3C",
    "air, walls and the mass inside; needs richer data to be told apart",
    3,
    (
        _conductance("inner", "from the air to the walls", 600.0),
        _conductance("outer", "from the walls to the outside", 250.0),
        _conductance("floor", "from the air to the mass inside", 400.0),
        _capacity("air", "of the air and what follows it", 2e6),
        _capacity("wallCapacity", "of the walls", 3e7),
        _capacity("massCapacity", "of floor and furniture", 1e7),
        _aperture("aperture", "sun on the air, per W/m²", 1.0),
        _aperture("massAperture", "sun on the mass inside, per W/m²", 2.0),
    ),
    INPUTS,
    (INDOOR, WALL, MASS),
    (INDOOR,),
    _three,
)
