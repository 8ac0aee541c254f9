"""An oil-injected screw compressor and its receiver: polytropic compression, load and unload."""

from __future__ import annotations

import math

from gemel.simulate.physics.thermal import lag

GAS = 287.0
"""Specific gas constant of air, J/(kg K)."""
HEAT_RATIO = 1.4


def polytropic_temperature(inlet: float, ratio: float, exponent: float) -> float:
    """Temperature after compression: T2 = T1 * ratio ** ((n - 1) / n).

    Units: °C in and out; `ratio` of absolute pressures; `exponent` n (1 is isothermal, 1.4 is
    adiabatic for air).
    """
    return (inlet + 273.15) * math.pow(ratio, (exponent - 1) / exponent) - 273.15


def polytropic_power(mass_flow: float, inlet: float, ratio: float, exponent: float) -> float:
    """Power in kW to compress `mass_flow` kg/s of air from `inlet` °C."""
    rise = math.pow(ratio, (exponent - 1) / exponent) - 1
    return mass_flow * GAS * (inlet + 273.15) * exponent / (exponent - 1) * rise / 1000


class Compressor:
    """Delivers into a receiver; loads below and unloads above its pressure band."""

    def __init__(self, displacement: float = 0.14, receiver: float = 6.0) -> None:
        """`displacement` m³/s at rated speed, `receiver` m³."""
        self.displacement = displacement
        self.receiver = receiver
        self.setpoint = 7.0
        """Middle of the band, bar above the atmosphere."""
        self.band = 0.35
        self.pressure = 7.0
        """In the receiver, bar above the atmosphere."""
        self.loaded = True
        self.delivered = 0.0
        """kg/s into the receiver."""
        self.shaft = 0.0
        """kW."""
        self.discharge_temperature = 88.0
        self.oil_temperature = 62.0

    @property
    def ratio(self) -> float:
        return (self.pressure + 1.013) / 0.985  # the inlet filter takes a little

    def air_mass(self, ambient: float) -> float:
        """Mass in the receiver, kg."""
        return (self.pressure + 1.013) * 1e5 * self.receiver / (GAS * (ambient + 273.15))

    def step(
        self, dt: float, share: float, demand: float, ambient: float,
        *, fouling: float = 0.0, valve_leak: float = 0.0,
    ) -> None:  # fmt: skip
        """Moves on by `dt` seconds; `demand` is kg/s drawn from the receiver at 7 bar."""
        self._switch()
        exponent = 1.105 + 0.075 * fouling
        density = 1e5 / (GAS * (ambient + 273.15))
        ideal = self.displacement * share * density
        full = ideal * (0.92 - 0.006 * self.ratio) * (1 - 0.35 * valve_leak)
        running = share > 0.02
        self.delivered = full if self.loaded and running else 0.0
        work = polytropic_power(ideal, ambient, self.ratio, exponent) / 0.86
        self.shaft = work * (1.0 if self.loaded else 0.28) if running else 0.0
        # d(absolute)/dt = gain * (delivered - slope * absolute), solved exactly.
        gain = GAS * (ambient + 273.15) / self.receiver / 1e5
        slope = max(0.0, demand) / 8.013
        absolute = self.pressure + 1.013
        if slope > 1e-9:
            final = self.delivered / slope
            absolute = final + (absolute - final) * math.exp(-gain * slope * dt)
        else:
            absolute += gain * self.delivered * dt
        self.pressure = max(0.0, absolute - 1.013)
        self._temperatures(dt, exponent, running, ambient, fouling)

    def _switch(self) -> None:
        if self.pressure < self.setpoint - self.band:
            self.loaded = True
        elif self.pressure > self.setpoint + self.band:
            self.loaded = False

    def _temperatures(
        self, dt: float, exponent: float, running: bool, ambient: float, fouling: float
    ) -> None:
        hot = polytropic_temperature(ambient + 6.0, self.ratio, exponent) if running else ambient
        unloaded = 0.0 if self.loaded or not running else 6.0
        self.discharge_temperature = lag(self.discharge_temperature, hot - unloaded, dt, 45.0)
        oil = ambient + (0.60 + 0.12 * fouling) * (hot - ambient)
        self.oil_temperature = lag(self.oil_temperature, oil, dt, 160.0)
