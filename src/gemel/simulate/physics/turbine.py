"""A 2 MW wind turbine with variable speed: Cp curve, rotor, pitch and torque control, heat."""

from __future__ import annotations

import math
from typing import ClassVar

from gemel.simulate.physics.thermal import lag, ramp

RADIUS = 41.0
AREA = math.pi * RADIUS**2
RATED_POWER = 2_000.0
"""kW at the grid."""
RATED_SPEED = 17.0
"""r/min of the rotor."""
LOWEST_SPEED = 8.0
GEAR_RATIO = 98.0
INERTIA = 6.0e6
"""Of the rotor, with the generator seen through the gear, kg m²."""
CUT_IN, CUT_OUT = 3.5, 25.0
EFFICIENCY = 0.93
"""Of gear, generator and converter together at full load."""
DRAG = 12.0
"""kW of friction that turns with the rotor at rated speed."""


def power_coefficient(tip_ratio: float, pitch: float) -> float:
    """Share of the wind's power on the rotor.

    Args:
        tip_ratio: speed of the blade tip over wind speed.
        pitch: degrees; 0 is full power.

    Source: J. G. Slootweg and others, General model for representing variable speed wind turbines
    in power system dynamics simulations, IEEE Transactions on Power Systems 18 (2003).
    """
    effective = tip_ratio - 0.02 * pitch
    if effective <= 0.5:
        return 0.0
    inverse = 1 / effective - 0.003 / (pitch**3 + 1)
    lift = 151 * inverse - 0.58 * pitch - 0.002 * math.pow(pitch, 2.14) - 13.2
    return max(0.0, 0.73 * lift * math.exp(-18.4 * inverse))


def air_density(temperature: float, pressure: float) -> float:
    """kg/m³ from °C and hPa."""
    return pressure * 100 / (287.05 * (temperature + 273.15))


def best_tip_ratio() -> tuple[float, float]:
    """The tip ratio with the highest power coefficient at pitch 0, and that coefficient."""
    ratios = [5 + 0.01 * n for n in range(600)]
    best = max(ratios, key=lambda ratio: power_coefficient(ratio, 0.0))
    return best, power_coefficient(best, 0.0)


BEST_TIP_RATIO, BEST_COEFFICIENT = best_tip_ratio()


class Turbine:
    """Rotor, control and grid power; temperatures are in `TurbineHeat`."""

    def __init__(self, wind: float = 9.0) -> None:
        self.omega = self._optimal(wind)
        """Of the rotor, rad/s."""
        self.pitch = 0.0
        """Degrees; 90 is feathered."""
        self.power = 0.0
        """kW at the grid."""
        self.aero = 0.0
        """kW that the wind gives to the rotor."""
        self.torque = 0.0
        """Of the generator, kN m at its own shaft."""
        self._surplus = 0.0
        """Power that speeds the rotor up, as a share of the rated power."""
        self.running = True
        self.state = "running"
        self.limit = 1.0
        """Share of the rated power allowed."""

    @staticmethod
    def _optimal(wind: float) -> float:
        omega = BEST_TIP_RATIO * wind / RADIUS
        low, high = LOWEST_SPEED * math.pi / 30, RATED_SPEED * math.pi / 30
        return min(high, max(low, omega))

    @property
    def rotor_speed(self) -> float:
        """r/min."""
        return self.omega * 30 / math.pi

    def step(self, dt: float, wind: float, density: float, *, stuck: float = 0.0) -> None:
        """Moves on by `dt` seconds; `stuck` is how much power a stuck blade costs, 0 to 1."""
        left = dt
        while left > 1e-9:
            piece = min(0.25, left)
            left -= piece
            self._piece(piece, wind, density, stuck)

    def _piece(self, dt: float, wind: float, density: float, stuck: float) -> None:
        self.state = self._state(wind)
        generating = self.state == "running"
        self._steer(dt, wind, generating)
        tip = self.omega * RADIUS / wind if wind > 0.5 else 0.0
        coefficient = power_coefficient(tip, self.pitch) * (1 - 0.12 * stuck)
        self.aero = 0.5 * density * AREA * coefficient * wind**3 / 1000
        demand = self._generator(density) if generating else 0.0
        feathered = max(0.0, self.pitch - 60.0) / 30.0  # blades across their path brake
        friction = DRAG * (1 + 20 * feathered) * (self.rotor_speed / RATED_SPEED) ** 2
        change = (self.aero - demand - friction) * 1000
        self._surplus = (self.aero - demand - friction) / RATED_POWER
        energy = 0.5 * INERTIA * self.omega**2 + change * dt
        self.omega = math.sqrt(max(0.0, 2 * energy / INERTIA))
        self.power = demand * EFFICIENCY if generating else -8.0
        turns = self.omega * GEAR_RATIO
        self.torque = demand / turns if turns > 1.0 else 0.0

    def _state(self, wind: float) -> str:
        if not self.running:
            return "stopped"
        if wind > CUT_OUT:
            return "storm"
        return "waiting" if wind < CUT_IN else "running"

    def _steer(self, dt: float, wind: float, generating: bool) -> None:
        if not generating:
            self.pitch = ramp(self.pitch, 88.0, 4.0 * dt)
            return
        over = self.rotor_speed - RATED_SPEED
        rate = 2.2 * over + 14.0 * max(-0.6, min(0.6, self._surplus))
        self.pitch = max(0.0, ramp(self.pitch, self.pitch + rate * dt, 5.0 * dt))

    def _generator(self, density: float) -> float:
        """Power taken from the rotor, kW: torque with the square of the speed, up to rated."""
        gain = 0.5 * density * AREA * BEST_COEFFICIENT * (RADIUS / BEST_TIP_RATIO) ** 3
        wish = gain * self.omega**3 / 1000
        speed = self.rotor_speed
        if speed > RATED_SPEED * 0.97:  # hold the speed with torque before the blades pitch
            wish += (speed / (RATED_SPEED * 0.97) - 1) * 40_000.0
        if speed < LOWEST_SPEED * 0.9:
            wish = 0.0
        return min(wish, RATED_POWER / EFFICIENCY * self.limit)


class TurbineHeat:
    """Temperatures of the drive train, each a first-order lag behind load and surroundings."""

    POINTS: ClassVar[dict[str, tuple[float, float, float]]] = {  # rises by load, speed; lag
        "gearboxOilTemperature": (26.0, 10.0, 420.0),
        "gearboxBearingTemperatureHss": (31.0, 14.0, 300.0),
        "gearboxBearingTemperatureLss": (22.0, 9.0, 360.0),
        "mainBearingTemperature": (12.0, 8.0, 900.0),
        "generatorWindingTemperatureU": (62.0, 12.0, 500.0),
        "generatorWindingTemperatureV": (61.0, 12.0, 500.0),
        "generatorWindingTemperatureW": (63.0, 12.0, 500.0),
        "generatorBearingTemperatureDe": (24.0, 16.0, 350.0),
        "generatorBearingTemperatureNde": (20.0, 14.0, 350.0),
        "converterTemperature": (28.0, 4.0, 150.0),
        "transformerTemperatureL1": (48.0, 3.0, 1500.0),
        "transformerTemperatureL2": (49.0, 3.0, 1500.0),
        "transformerTemperatureL3": (47.0, 3.0, 1500.0),
    }

    def __init__(self, load: float, speed: float, ambient: float) -> None:
        self.values = {
            name: self.nacelle(load, ambient) + a * load**1.6 + b * speed
            for name, (a, b, _) in self.POINTS.items()
        }

    @staticmethod
    def nacelle(load: float, ambient: float) -> float:
        return ambient + 6.0 + 5.0 * load

    def step(self, dt: float, load: float, speed: float, ambient: float, overheat: float) -> None:
        """`load` and `speed` are shares of the rated values; `overheat` of the gearbox 0 to 1."""
        base = self.nacelle(load, ambient)
        for name, (rise, turning, memory) in self.POINTS.items():
            target = base + rise * max(0.0, load) ** 1.6 + turning * speed
            if name.startswith("gearbox"):
                target += 60.0 * overheat * (0.4 + 0.6 * speed)
                memory *= 1.0 - 0.75 * overheat
            self.values[name] = lag(self.values[name], target, dt, memory)
