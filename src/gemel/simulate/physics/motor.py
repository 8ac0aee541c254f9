"""An induction motor on a frequency converter, with its losses, its heat and its bearing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gemel.simulate.physics.thermal import HeatNode, ramp

COPPER = 0.00393
"""Rise of the resistance of copper for each K above 20 °C."""


@dataclass(frozen=True, slots=True)
class MotorPlate:
    """What the name plate says."""

    power: float = 55.0
    """Rated power at the shaft, kW."""
    speed: float = 1480.0
    """Rated speed, r/min."""
    voltage: float = 400.0
    efficiency: float = 0.945
    power_factor: float = 0.86
    service_factor: float = 1.15

    @property
    def current(self) -> float:
        """Rated current of one phase, A."""
        watts = self.power * 1000 / self.efficiency
        return watts / (math.sqrt(3) * self.voltage * self.power_factor)

    @property
    def losses(self) -> float:
        """At the rated point, W."""
        return self.power * 1000 * (1 / self.efficiency - 1)


class Motor:
    """Speed follows a ramp; heat goes winding -> housing -> air, and bearing -> housing.

    Shares of the rated losses: winding copper 55 %, iron 25 %, bearings and windage 20 %.
    """

    RAMP = 0.08
    """Most change of speed in one second, as a share of the rated speed."""

    def __init__(self, plate: MotorPlate, ambient: float = 22.0) -> None:
        self.plate = plate
        self.share = 0.0
        """Speed over rated speed."""
        self.current = 0.0
        self.torque = 0.0
        self.shaft = 0.0
        """kW delivered at the shaft."""
        self.electrical = 0.0
        """kW taken from the grid."""
        self.heat_out = 0.0
        """W given to the air, mean over the last step."""
        self.winding = HeatNode(0.5 * plate.power * 1000, ambient)
        self.housing = HeatNode(16.0 * plate.power * 1000, ambient)
        self.bearing = HeatNode(60.0 * plate.power, ambient)
        # At the rated point the winding is 42 K above the housing, that is 20 K above the air.
        self._winding_housing = 0.80 * plate.losses / 42.0
        self._housing_air = plate.losses / 20.0
        self._bearing_housing = 0.02 * plate.losses / 18.0
        self.windings_loss = 0.0
        self.iron_loss = 0.0
        self.friction_loss = 0.0

    @property
    def speed(self) -> float:
        """r/min."""
        return self.share * self.plate.speed

    def stored_heat(self, base: float = 0.0) -> float:
        """Heat in all nodes, J, above `base` °C."""
        nodes = (self.winding, self.housing, self.bearing)
        return sum(n.capacity * (n.temperature - base) for n in nodes)

    def step(
        self, dt: float, reference: float, load: float, ambient: float,
        *, wear: float = 0.0, overload: float = 0.0,
    ) -> None:  # fmt: skip
        """Moves on by `dt` seconds.

        Args:
            dt: seconds.
            reference: speed asked for, as a share of the rated speed; 0 stops it.
            load: kW that the driven machine takes at the shaft at the present speed.
            ambient: °C.
            wear: of the bearing, 0 is new and 1 is at the end of its life.
            overload: 1 is half as much current again (a weak phase) and half the cooling.
        """
        self.share = ramp(self.share, reference, self.RAMP * dt)
        self._losses(max(0.0, load), wear, overload)
        self._heat(dt, ambient, wear, 1.0 - 0.5 * overload)

    def _losses(self, load: float, wear: float, overload: float) -> None:
        plate = self.plate
        turning = self.share > 0.002
        radians = self.share * plate.speed * 2 * math.pi / 60
        self.shaft = load if turning else 0.0
        self.torque = self.shaft * 1000 / radians if turning else 0.0
        rated = plate.power * 1000 / (plate.speed * 2 * math.pi / 60)
        fraction = self.torque / rated
        magnetising = math.sqrt(1 - plate.power_factor**2) if turning else 0.0
        active = plate.power_factor * fraction
        self.current = plate.current * math.sqrt(magnetising**2 + active**2)
        self.current *= 1.0 + 0.5 * overload
        hot = 1 + COPPER * (self.winding.temperature - 75.0)
        self.windings_loss = 0.55 * plate.losses * (self.current / plate.current) ** 2 * hot
        self.iron_loss = 0.25 * plate.losses * self.share**1.5
        self.friction_loss = 0.20 * plate.losses * self.share**2 * (1 + 0.5 * wear)
        losses = self.windings_loss + self.iron_loss + self.friction_loss
        self.electrical = self.shaft + losses / 1000

    def _heat(self, dt: float, ambient: float, wear: float, cooling: float) -> None:
        # A fan on the shaft cools the housing: half of the conductance goes with speed.
        to_air = self._housing_air * cooling * (0.5 + 0.5 * min(1.0, self.share))
        bearing_heat = 0.10 * self.friction_loss * (1 + 3.2 * wear**1.5)
        spread = self.friction_loss - 0.10 * self.friction_loss
        left = dt
        self.heat_out = 0.0
        while left > 1e-9:
            piece = min(5.0, left)
            left -= piece
            housing = self.housing.temperature
            winding = self.winding.step(
                piece, self.windings_loss + self.iron_loss, (self._winding_housing, housing)
            )
            bearing = self.bearing.step(piece, bearing_heat, (self._bearing_housing, housing))
            given = self._winding_housing * (winding - housing)
            given += self._bearing_housing * (bearing - housing)
            mean = self.housing.step(piece, given + spread, (to_air, ambient))
            self.heat_out += to_air * (mean - ambient) * piece
        self.heat_out = self.heat_out / dt if dt > 0 else 0.0

    def settle(self, reference: float, load: float, ambient: float) -> None:
        """Puts it where it ends up after hours at this load, so that a plant starts warm."""
        self.share = reference
        for _ in range(12):
            self._losses(max(0.0, load), 0.0, 0.0)
            to_air = self._housing_air * (0.5 + 0.5 * min(1.0, self.share))
            total = self.windings_loss + self.iron_loss + self.friction_loss
            self.housing.temperature = ambient + total / to_air
            given = self.windings_loss + self.iron_loss
            self.winding.temperature = self.housing.temperature + given / self._winding_housing
            warm = 0.10 * self.friction_loss / self._bearing_housing
            self.bearing.temperature = self.housing.temperature + warm


def bearing_vibration(share: float, wear: float, unbalance: float = 0.0) -> float:
    """RMS of the velocity at a bearing housing, mm/s.

    About 1.8 at full speed when new (zone A/B of ISO 20816-3 for this size), past 7.1 (zone D)
    from a wear of 0.8 on.

    Args:
        share: speed over rated speed.
        wear: 0 new to 1 spalled.
        unbalance: 0 to 1.
    """
    smooth = 0.25 + 1.55 * share**2
    spall = 11.5 * wear**1.5 * share
    eccentric = 6.0 * unbalance * share**2
    turning = 1.0 if share > 0.002 else 0.0
    return turning * math.sqrt(smooth**2 + spall**2 + eccentric**2)


def bearing_acceleration(share: float, wear: float) -> float:
    """RMS of the acceleration at high frequency, g: spalls ring here first."""
    turning = 1.0 if share > 0.002 else 0.0
    return turning * (0.08 + 0.35 * share**2 + 6.5 * math.pow(wear, 0.8) * share)
