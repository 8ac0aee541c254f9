"""Machines: a first-order lag, heat of a machine under load, wear of a bearing, a wind turbine."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.services.behaviour.model import Behaviour, Quantity, Step

HOUR = 3600.0
STANDARD_DENSITY = 1.225
GAS, KELVIN = 287.05, 273.15


def _first_order(values: F64, seconds: float) -> Step:
    gain, offset, memory = values
    kept = np.exp(-seconds / memory)

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        target = offset + gain * inputs[0]
        after = target[None] + (state - target) * kept
        return after, after

    return step


def _machine(values: F64, seconds: float) -> Step:
    by_load, by_speed, memory, rated, best, idle = values
    kept = np.exp(-seconds / memory)

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        load, speed, ambient = inputs
        target = ambient + by_load * load**2 + by_speed * speed
        after = target[None] + (state - target) * kept
        power = rated * (load / best + idle * speed)
        return after, np.stack((after[0], power))

    return step


def _bearing(values: F64, seconds: float) -> Step:
    life, growth, exponent, base, spall = values
    rate = np.log1p(growth) / (growth * life * HOUR)

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        load, speed = inputs
        pace = rate * np.maximum(load, 0.0) ** exponent * np.maximum(speed, 0.0)
        wear = ((1 + growth * state[0]) * np.exp(growth * pace * seconds) - 1) / growth
        wear = np.minimum(wear, 1.0)
        left = np.log((1 + growth) / (1 + growth * wear)) / growth
        hours = left / np.maximum(pace, 1e-15) / HOUR
        vibration = np.sqrt((base * speed) ** 2 + (spall * wear**1.5 * speed) ** 2)
        return wear[None], np.stack((wear, vibration, np.minimum(hours, 1e9)))

    return step


def _turbine(values: F64, _: float) -> Step:
    rated, rated_wind, cut_in, cut_out, exponent = values
    floor = cut_in**exponent
    span = rated_wind**exponent - floor

    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        wind, temperature, pressure = inputs
        density = pressure * 100 / (GAS * (temperature + KELVIN))
        seen = np.maximum(wind, 0.0) * (density / STANDARD_DENSITY) ** (1 / 3)
        share = np.clip((seen**exponent - floor) / span, 0.0, 1.0)
        return state, (rated * np.where(wind > cut_out, 0.0, share))[None]

    return step


FIRST_ORDER = Behaviour(
    "first-order",
    "First-order lag",
    "follows its input with a delay: valves, heaters, sensors, drives",
    2,
    (
        Quantity("gain", "", "of the output for one of the input", 1.0, -1e9, 1e9),
        Quantity("offset", "", "at input 0", 0.0, -1e9, 1e9),
        Quantity("memory", "s", "until 63 % of a change is there", 60.0, 1e-3, 1e9),
    ),
    (Quantity("input", "", "what it follows", 0.0),),
    (Quantity("value", "", "as it is", 0.0),),
    (Quantity("value", "", "as it is", 0.0),),
    _first_order,
)
MACHINE = Behaviour(
    "machine",
    "Machine under load",
    "temperature and power of a motor, gear or compressor by its load and speed",
    2,
    (
        Quantity("byLoad", "K", "rise at full load", 45.0, 0, 500),
        Quantity("bySpeed", "K", "rise at full speed without load", 10.0, 0, 500),
        Quantity("memory", "s", "until 63 % of a change is there", 1800.0, 1, 1e7),
        Quantity("rated", "kW", "at the shaft at full load", 55.0, 1e-3, 1e6),
        Quantity("efficiency", "", "at full load", 0.94, 0.1, 1.0),
        Quantity("idle", "", "share of the rated power at full speed without load", 0.02, 0, 1),
    ),
    (
        Quantity("load", "", "share of full load", 0.7, 0, 3),
        Quantity("speed", "", "share of full speed", 1.0, 0, 2),
        Quantity("ambient", "°C", "around it", 22.0, -60, 90),
    ),
    (Quantity("temperature", "°C", "of winding, oil or housing", 40.0, -60, 300),),
    (
        Quantity("temperature", "°C", "of winding, oil or housing"),
        Quantity("power", "kW", "from the grid"),
    ),
    _machine,
)
BEARING = Behaviour(
    "bearing",
    "Bearing wear",
    "wear that feeds on itself, quicker under load; its vibration and the hours left",
    2,
    (
        Quantity("life", "h", "at full load and speed", 20_000.0, 1, 1e7),
        Quantity("growth", "", "how much worse the end is than the begin", 20.0, 1e-3, 1e4),
        Quantity("exponent", "", "of the load; 3 for balls, 10/3 for rollers", 3.0, 0, 10),
        Quantity("base", "mm/s", "vibration when new at full speed", 1.2, 0, 100),
        Quantity("spall", "mm/s", "vibration at the end of its life", 10.0, 0, 1000),
    ),
    (
        Quantity("load", "", "share of full load", 1.0, 0, 5),
        Quantity("speed", "", "share of full speed", 1.0, 0, 2),
    ),
    (Quantity("wear", "", "0 new, 1 at its end", 0.0, 0, 1),),
    (
        Quantity("wear", "", "0 new, 1 at its end"),
        Quantity("vibration", "mm/s", "RMS at the housing"),
        Quantity("hours", "h", "left at this load and speed"),
    ),
    _bearing,
    "ISO 281 for load and life; exponential degradation",
)
TURBINE = Behaviour(
    "wind-turbine",
    "Wind turbine",
    "power by wind, with the density of the air",
    1,
    (
        Quantity("rated", "kW", "power above the rated wind", 2000.0, 0.1, 1e5),
        Quantity("ratedWind", "m/s", "from which on it gives rated power", 12.0, 4, 30),
        Quantity("cutIn", "m/s", "from which on it turns", 3.5, 0.5, 8),
        Quantity("cutOut", "m/s", "above which it stops", 25.0, 10, 50),
        Quantity("exponent", "", "of the wind between; 3 is all that the wind has", 2.4, 1, 4),
    ),
    (
        Quantity("wind", "m/s", "at the hub", 8.0, 0, 100),
        Quantity("temperature", "°C", "of the air", 15.0, -60, 60),
        Quantity("pressure", "hPa", "of the air", 1013.25, 500, 1100),
    ),
    (),
    (Quantity("power", "kW", "to the grid"),),
    _turbine,
    "IEC 61400-12-1 for the wind at standard density",
)
