"""A building: zones of heat and CO2, and the air handler that serves them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gemel.simulate.physics.thermal import HeatNode, lag

AIR_HEAT = 1_206.0
"""Heat capacity of a cubic metre of air, J/(m³ K)."""
OUTDOOR_CO2 = 420.0
PERSON_CO2 = 5.2e-6
"""m³ of CO2 from one person in a second at light work."""
PERSON_HEAT = 90.0


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """The building physics of one zone."""

    volume: float = 900.0
    """m³"""
    loss: float = 160.0
    """W/K through walls and windows"""
    coupling: float = 1_400.0
    """W/K between air and the mass of the building"""
    window: float = 14.0
    """m² times what the glass lets through"""
    people: float = 25.0
    equipment: float = 3_500.0
    """W when in use"""
    share: float = 0.2
    """of the supply air"""


class Zone:
    """Two nodes of heat (air and mass) and a balance of CO2."""

    def __init__(self, plan: ZonePlan, temperature: float = 22.0) -> None:
        self.plan = plan
        self.air = HeatNode(plan.volume * AIR_HEAT * 4.0, temperature)  # with furniture
        self.mass = HeatNode(plan.volume * 95_000.0, temperature)
        self.co2 = 650.0
        """ppm"""
        self.people = 0.0
        self.setpoint = 22.0
        self.opening = 0.6
        """Of its supply air valve, 0.25 to 1."""
        self.heating = 0.0
        """W from the radiator."""
        self._sum = 0.0

    def step(
        self, dt: float, outside: float, sun: float, present: float, supply: float, flow: float,
        supply_co2: float,
    ) -> None:  # fmt: skip
        """Moves on by `dt` seconds.

        Args:
            dt: seconds.
            outside: °C.
            sun: W/m².
            present: share of the people who are there.
            supply: temperature of the supply air, °C.
            flow: of supply air into this zone, m³/s.
            supply_co2: ppm.
        """
        plan = self.plan
        self.people = plan.people * present
        self._control(dt)
        gains = self.people * PERSON_HEAT + plan.equipment * (0.25 + 0.75 * present)
        gains += plan.window * sun + self.heating
        left = dt
        while left > 1e-9:
            piece = min(10.0, left)
            left -= piece
            mean = self.air.step(
                piece, gains, (plan.loss, outside), (plan.coupling, self.mass.temperature),
                (flow * AIR_HEAT, supply),
            )  # fmt: skip
            self.mass.step(piece, 0.0, (plan.coupling, mean))
        rate = (flow + 0.02) / plan.volume  # with a little infiltration
        fresh = (flow * supply_co2 + 0.02 * OUTDOOR_CO2) / (flow + 0.02)
        final = fresh + self.people * PERSON_CO2 * 1e6 / (flow + 0.02)
        self.co2 = final + (self.co2 - final) * math.exp(-rate * dt)

    def _control(self, dt: float) -> None:
        error = self.air.temperature - self.setpoint
        self._sum = min(1.0, max(-1.0, self._sum + error * dt / 900.0))
        cool = 0.45 + 0.5 * error + 0.5 * self._sum
        self.opening = min(1.0, max(0.25, cool))
        self.heating = 9_000.0 * min(1.0, max(0.0, -0.6 * error - 0.6 * self._sum - 0.15))


@dataclass(slots=True)
class AirHandler:
    """Mixing box, filter, coils and a fan on a curve."""

    flow: float = 4.0
    """m³/s"""
    filter_drop: float = 120.0
    """Pa"""
    duct_pressure: float = 250.0
    """Pa after the fan"""
    fan_rise: float = 700.0
    fan_power: float = 6.0
    """kW at the shaft"""
    damper: float = 0.4
    """Share of outdoor air"""
    mixed: float = 18.0
    supply: float = 16.0
    setpoint: float = 16.0
    damper_setpoint: float = 0.4
    cooling: float = 0.0
    """kW drawn from the chilled water"""
    heating: float = 0.0
    """kW drawn from the hot water"""

    SHUTOFF = 1_150.0
    DROOP = 18.0
    DUCT = 22.0
    CLEAN = 9.0

    def air(self, share: float, blocked: float, opening: float) -> None:
        """Where the fan's curve meets filter and ducts; `opening` is the mean of the zones."""
        resistance = self.CLEAN * (1.0 + 5.5 * blocked)
        duct = self.DUCT * (0.65 / max(0.2, opening)) ** 1.2
        pressure = self.SHUTOFF * share**2
        self.flow = math.sqrt(pressure / (self.DROOP + resistance + duct)) if share > 0 else 0.0
        self.filter_drop = resistance * self.flow**2
        self.duct_pressure = duct * self.flow**2 * 0.7
        self.fan_rise = pressure - self.DROOP * self.flow**2
        best = 5.0 * share
        efficiency = 0.70 * max(0.35, 1 - ((self.flow - best) / best) ** 2) if share > 0 else 1.0
        self.fan_power = self.flow * self.fan_rise / efficiency / 1000 if share > 0 else 0.0

    def coils(
        self, dt: float, outside: float, returned: float, *, stuck: bool, cooling: float = 1.0
    ) -> None:
        """Mixes outdoor and return air and brings it to the set point as far as the coils can."""
        if not stuck:
            self.damper = lag(self.damper, self.damper_setpoint, dt, 8.0)
        self.mixed = self.damper * outside + (1 - self.damper) * returned
        carried = self.flow * AIR_HEAT / 1000
        need = carried * (self.setpoint - self.mixed - 0.8)
        most_cold, most_hot = 95.0 * cooling, 120.0
        given = min(most_hot, max(-most_cold, need))
        self.cooling, self.heating = max(0.0, -given), max(0.0, given)
        reached = self.mixed + 0.8 + (given / carried if carried > 0.05 else 0.0)
        self.supply = lag(self.supply, reached, dt, 25.0)
