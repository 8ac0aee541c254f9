"""The wind turbine: one device with sixty sensors."""

from __future__ import annotations

import math
from typing import Any

from gemel.simulate.device import Device, Moment, Readings, number
from gemel.simulate.floor import Floor
from gemel.simulate.noise import Wander
from gemel.simulate.physics.thermal import lag, ramp
from gemel.simulate.physics.turbine import (
    GEAR_RATIO,
    RATED_POWER,
    RATED_SPEED,
    Turbine,
    TurbineHeat,
    air_density,
)
from gemel.simulate.sensor import Sensor

_TEMPERATURE = Sensor(0.08, 0.1, -40, 200)
_STRESS = Sensor(120.0, 10.0, -150_000, 150_000)
_SHAKE = Sensor(0.02, 0.01, 0, 50)
SENSORS: dict[str, Sensor] = {
    "windSpeed": Sensor(0.08, 0.01, 0, 60, 0.0005),
    "windSpeedSecond": Sensor(0.10, 0.01, 0, 60),
    "windDirection": Sensor(0.6, 0.1, 0, 360),
    "turbulence": Sensor(0.05, 0.1, 0, 100),
    "airDensity": Sensor(0.0005, 0.001, 0.8, 1.6),
    "ambientTemperature": _TEMPERATURE,
    "nacelleTemperature": _TEMPERATURE,
    "hubTemperature": _TEMPERATURE,
    "towerBaseTemperature": _TEMPERATURE,
    "rotorSpeed": Sensor(0.01, 0.01, 0, 30),
    "generatorSpeed": Sensor(0.8, 0.1, 0, 2500),
    "generatorTorque": Sensor(15.0, 1.0, -1000, 25_000),
    "activePower": Sensor(1.5, 0.1, -50, 2500, 0.0005),
    "reactivePower": Sensor(1.0, 0.1, -1500, 1500),
    "powerFactor": Sensor(0.0005, 0.001, -1, 1),
    "gridFrequency": Sensor(0.001, 0.001, 45, 55),
    **{f"gridVoltageL{n}": Sensor(0.3, 0.1, 0, 1000) for n in (1, 2, 3)},
    **{f"gridCurrentL{n}": Sensor(1.0, 0.1, 0, 3500) for n in (1, 2, 3)},
    **{f"pitchAngle{b}": Sensor(0.02, 0.01, -5, 95) for b in "ABC"},
    **{f"pitchMotorTemperature{b}": _TEMPERATURE for b in "ABC"},
    **{f"pitchBatteryVoltage{b}": Sensor(0.1, 0.1, 0, 400) for b in "ABC"},
    **{f"bladeStress{b}": _STRESS for b in "ABC"},
    "towerAccelerationX": Sensor(0.002, 0.001, -5, 5),
    "towerAccelerationY": Sensor(0.002, 0.001, -5, 5),
    "mainBearingVibration": _SHAKE,
    "gearboxVibration": _SHAKE,
    "generatorVibration": _SHAKE,
    "gearboxOilPressure": Sensor(0.01, 0.01, 0, 10),
    "gearboxOilLevel": Sensor(0.1, 0.1, 0, 100),
    **{name: Sensor(0.1, 0.1, -40, 200) for name in TurbineHeat.POINTS},
    "converterDcVoltage": Sensor(1.0, 0.1, 0, 1500),
    "hydraulicPressure": Sensor(0.3, 0.1, 0, 300),
    "hydraulicOilTemperature": _TEMPERATURE,
    "brakePad": Sensor(0.02, 0.01, 0, 100),
    "yawAngle": Sensor(0.05, 0.1, 0, 360),
    "yawError": Sensor(0.3, 0.1, -180, 180),
}


class TurbineDevice(Device):
    interval = 2.0
    faults = frozenset({"gearbox-overheating", "pitch-stuck"})

    def __init__(self, name: str, seed: int, floor: Floor) -> None:
        super().__init__(name, seed, floor)
        self.add_sensors(name, SENSORS)
        self.wind_slow = Wander(self.random, 10.2, 1.2, 2_700.0)
        self.wind_gust = Wander(self.random, 0.0, 0.8, 18.0)
        self.direction = Wander(self.random, 245.0, 14.0, 3_600.0)
        self.frequency = Wander(self.random, 50.0, 0.012, 40.0)
        self.wind = max(0.0, self.wind_slow.value)
        self.turbine = Turbine(self.wind)
        self.yaw = self.direction.value
        self.azimuth = 0.0
        self.density = 1.225
        self.ambient = 14.0
        self.heat: TurbineHeat | None = None
        self.frozen_pitch: float | None = None
        self.pitch_heat = 24.0
        self.energy = 18_432.0
        """MWh so far."""
        self.hours = 31_250.0
        self.seconds = 0.0

    def step(self, now: Moment) -> None:
        self.ambient = now.sky.temperature - 0.5
        self.density = air_density(self.ambient, now.sky.pressure)
        gust = self.wind_gust.step(now.dt) * self.wind_slow.value / 9.0
        self.wind = max(0.0, self.wind_slow.step(now.dt) + gust)
        self.direction.step(now.dt)
        self.frequency.step(now.dt)
        if self.heat is None:
            self._settle()
        stuck = self.level("pitch-stuck")
        self.turbine.step(now.dt, self.wind, self.density, stuck=stuck)
        self.frozen_pitch = (
            None if not stuck else self.turbine.pitch if self.frozen_pitch is None
            else self.frozen_pitch
        )  # fmt: skip
        self._follow_wind(now.dt)
        load, speed = self._shares()
        assert self.heat is not None
        self.heat.step(now.dt, load, speed, self.ambient, self.level("gearbox-overheating"))
        self.pitch_heat = lag(self.pitch_heat, self.ambient + 9 + 14 * load, now.dt, 600.0)
        self.azimuth = (self.azimuth + self.turbine.omega * now.dt) % (2 * math.pi)
        self.seconds = now.seconds
        self.energy += max(0.0, self.turbine.power) * now.dt / 3.6e6
        self.hours += now.dt / 3600 if self.turbine.state == "running" else 0.0
        self.floor["turbine.power"] = self.turbine.power

    def _settle(self) -> None:
        for _ in range(90):
            self.turbine.step(2.0, self.wind, self.density)
        self.heat = TurbineHeat(*self._shares(), self.ambient)

    def _shares(self) -> tuple[float, float]:
        return max(0.0, self.turbine.power) / RATED_POWER, self.turbine.rotor_speed / RATED_SPEED

    def _follow_wind(self, dt: float) -> None:
        if abs(self.direction.value - self.yaw) > 8.0:
            self.yaw = ramp(self.yaw, self.direction.value, 0.4 * dt)

    def truth(self) -> dict[str, dict[str, float]]:
        values = {**self._wind_values(), **self._power_values(), **self._blade_values()}
        values.update(self._drive_values())
        return {self.name: values}

    def _wind_values(self) -> dict[str, float]:
        load, _ = self._shares()
        nacelle = TurbineHeat.nacelle(load, self.ambient)
        return {
            "windSpeed": self.wind,
            "windSpeedSecond": self.wind * 1.008,
            "windDirection": self.direction.value % 360,
            "turbulence": 100 * 0.8 / max(3.0, self.wind_slow.value) + 2.0,
            "airDensity": self.density,
            "ambientTemperature": self.ambient,
            "nacelleTemperature": nacelle,
            "hubTemperature": self.ambient + 4.0 + 2.0 * load,
            "towerBaseTemperature": self.ambient + 3.0,
            "yawAngle": self.yaw % 360,
            "yawError": self.direction.value - self.yaw,
        }

    def _power_values(self) -> dict[str, float]:
        turbine = self.turbine
        power = turbine.power
        reactive = 0.06 * power
        apparent = math.hypot(power, reactive)
        volts = {1: 690.0, 2: 688.9, 3: 691.2}
        return {
            "rotorSpeed": turbine.rotor_speed,
            "generatorSpeed": turbine.rotor_speed * GEAR_RATIO,
            "generatorTorque": turbine.torque * 1000,
            "activePower": power,
            "reactivePower": reactive,
            "powerFactor": power / apparent if apparent > 0.1 else 1.0,
            "gridFrequency": self.frequency.value,
            **{f"gridVoltageL{n}": v for n, v in volts.items()},
            **{f"gridCurrentL{n}": apparent * 1000 / math.sqrt(3) / v for n, v in volts.items()},
            "converterDcVoltage": 1_080.0 + 20.0 * max(0.0, power) / RATED_POWER,
        }

    def _blade_values(self) -> dict[str, float]:
        turbine = self.turbine
        load, _ = self._shares()
        # Thrust bends the blades, gravity swings once a turn; kPa at the root.
        bending = 24_000.0 * min(1.4, load + 0.25 * (self.wind / 12.0) ** 2)
        values: dict[str, float] = {}
        for index, blade in enumerate("ABC"):
            angle = self.azimuth + index * 2 * math.pi / 3
            stuck = blade == "A" and self.frozen_pitch is not None
            pitch = self.frozen_pitch if stuck and self.frozen_pitch is not None else turbine.pitch
            values[f"pitchAngle{blade}"] = pitch
            values[f"pitchMotorTemperature{blade}"] = self.pitch_heat + 0.4 * index
            values[f"pitchBatteryVoltage{blade}"] = 288.0 + 0.7 * index
            gravity = 9_000.0 * math.sin(angle)
            values[f"bladeStress{blade}"] = bending * (1.15 if stuck else 1.0) + gravity
        return values

    def _drive_values(self) -> dict[str, float]:
        load, speed = self._shares()
        heat = self.level("gearbox-overheating")
        sway = 0.02 + 0.10 * load
        assert self.heat is not None
        return {
            **self.heat.values,
            "towerAccelerationX": sway * math.sin(0.35 * 2 * math.pi * self.seconds),
            "towerAccelerationY": 0.6 * sway * math.cos(0.35 * 2 * math.pi * self.seconds),
            "mainBearingVibration": 0.2 + 0.7 * speed,
            "gearboxVibration": 0.3 + 1.6 * speed * (0.5 + load) + 1.2 * heat,
            "generatorVibration": 0.2 + 1.3 * speed,
            "gearboxOilPressure": 3.2 * speed * (1 - 0.2 * heat) + 0.3,
            "gearboxOilLevel": 78.0 - 3.0 * speed,
            "hydraulicPressure": 205.0 + 4.0 * math.sin(self.seconds / 47.0),
            "hydraulicOilTemperature": self.ambient + 22.0 + 6.0 * load,
            "brakePad": 71.5,
        }

    def states(self) -> Readings:
        values: dict[str, Any] = {
            "state": self.turbine.state,
            "energyTotal": round(self.energy, 4),
            "operatingHours": round(self.hours, 3),
        }
        return {self.name: values}

    def act(self, twin: str, command: str, argument: Any) -> Any:
        if command in ("start", "stop"):
            self.turbine.running = command == "start"
            return {"state": "starting" if command == "start" else "stopping"}
        if command == "setPowerLimit":
            return {"powerLimit": self.desire(twin, "powerLimit", argument)}
        return super().act(twin, command, argument)

    def desire(self, twin: str, name: str, value: Any) -> Any:
        if name != "powerLimit":
            return super().desire(twin, name, value)
        percent = number(value, name, 20.0, 100.0)
        self.turbine.limit = percent / 100
        return percent

    def reported(self) -> Readings:
        return {self.name: {"powerLimit": round(100 * self.turbine.limit, 2)}}


def build(seed: int, floor: Floor) -> list[Device]:
    return [TurbineDevice("turbine-1", seed, floor)]
