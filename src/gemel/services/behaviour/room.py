"""A room that is served with air and heated: its air, its mass, its CO2, and its thermostat.

Source: the balances of heat and CO2 of a well-mixed room (ASHRAE Handbook Fundamentals, 19); the
thermostat is a proportional and integral one that opens the air first and heats below.
"""

from __future__ import annotations

import math

import numpy as np

from gemel.core.batch import F64
from gemel.services.behaviour.model import Behaviour, Quantity, Step

AIR_HEAT = 1206.0
"""Heat capacity of a cubic metre of air, J/(m³ K)."""
OUTDOOR_CO2 = 420.0
PERSON_CO2, PERSON_HEAT = 5.2e-6, 90.0
"""m³/s of CO2 and W from one person at light work."""
LEAK = 0.02
"""m³/s that come in by themselves."""
HOUR = 3600.0
CYCLE = 60.0
"""Seconds in which the thermostat looks at the room at least once; longer steps are cut."""


def _room(values: F64, seconds: float) -> Step:
    cycles = max(1, math.ceil(seconds / CYCLE - 1e-9))
    cycle = _cycle(values, seconds / cycles)

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        for _ in range(cycles - 1):
            state, _ = cycle(state, inputs)
        return cycle(state, inputs)

    return step


def _cycle(values: F64, seconds: float) -> Step:
    volume, air, mass, loss, coupling, aperture, heater, gain, memory, least = values
    shape = values.shape[1]

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        temperature, inside, co2, summed = state
        outdoor, solar, people, equipment, supply, flow, supplied, setpoint = inputs
        moved = flow / HOUR
        error = temperature - setpoint
        summed = np.clip(summed + error * seconds / memory, -1.0, 1.0)
        opening = np.clip(0.45 + gain * error + 0.5 * summed, least, 1.0)
        wanted = np.clip(-0.6 * error - 0.6 * summed - 0.15, 0.0, 1.0)
        heat = heater * wanted
        gains = people * PERSON_HEAT + equipment + aperture * solar + heat * 1000.0
        carried = moved * AIR_HEAT
        every = loss + coupling + carried
        final = (gains + loss * outdoor + coupling * inside + carried * supply) / every
        kept = np.exp(-every / air * seconds)
        after = final + (temperature - final) * kept
        mean = final + (temperature - final) * (1 - kept) / (every / air * seconds)
        inside = mean + (inside - mean) * np.exp(-coupling / mass * seconds)
        fresh = moved + LEAK
        level = (moved * supplied + LEAK * OUTDOOR_CO2 + people * PERSON_CO2 * 1e6) / fresh
        co2 = level + (co2 - level) * np.exp(-fresh / volume * seconds)
        found = np.empty((4, shape))
        found[0], found[1], found[2], found[3] = after, inside, co2, summed
        return found, np.stack((after, co2, 100.0 * opening, heat))

    return step


ROOM = Behaviour(
    "room",
    "Room with supply air",
    "temperature and CO2 of a room with people, sun, supply air, radiator and thermostat",
    2,
    (
        Quantity("volume", "m³", "of the air", 900.0, 1, 1e6),
        Quantity("air", "J/K", "heat capacity of the air and what follows it", 4.3e6, 1e3, 1e12),
        Quantity("mass", "J/K", "of walls, floors and furniture", 8.5e7, 1e3, 1e13),
        Quantity("loss", "W/K", "from the air to the outside", 150.0, 1e-3, 1e6),
        Quantity("coupling", "W/K", "from the air to the mass", 1300.0, 1e-3, 1e7),
        Quantity("aperture", "m²", "sun that comes in, per W/m²", 12.0, 0, 1e5),
        Quantity("heater", "kW", "of the radiator at most", 9.0, 0, 1e5),
        Quantity("gain", "1/K", "of the thermostat on the air", 0.5, 0, 100),
        Quantity("memory", "s", "of its integral", 900.0, 1, 1e7),
        Quantity("least", "", "opening of the air valve", 0.25, 0, 1),
    ),
    (
        Quantity("outdoor", "°C", "temperature outside", 14.0, -60, 60),
        Quantity("solar", "W/m²", "sun on the horizontal", 0.0, 0, 1500),
        Quantity("people", "", "in the room", 0.0, 0, 1e5),
        Quantity("equipment", "W", "that becomes heat", 0.0, 0, 1e7),
        Quantity("supply", "°C", "temperature of the supply air", 16.0, -40, 80),
        Quantity("flow", "m³/h", "of supply air", 2500.0, 0, 1e7),
        Quantity("suppliedCo2", "ppm", "of the supply air", 420.0, 0, 1e5),
        Quantity("setpoint", "°C", "of the thermostat", 22.0, -20, 60),
    ),
    (
        Quantity("temperature", "°C", "of the air", 22.0, -60, 120),
        Quantity("inside", "°C", "of the mass", 22.0, -60, 120),
        Quantity("co2", "ppm", "of the air", 650.0, 0, 1e6),
        Quantity("summed", "", "what the thermostat has added up", 0.0, -1, 1),
    ),
    (
        Quantity("temperature", "°C", "of the air"),
        Quantity("co2", "ppm", "of the air"),
        Quantity("valve", "%", "opening of the air valve"),
        Quantity("heating", "kW", "from the radiator"),
    ),
    _room,
    "ASHRAE Handbook Fundamentals, chapter 19: heat and CO2 balance of a mixed room",
)
