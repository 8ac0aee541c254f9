"""Ten motors, each with a bearing whose readings come through the motor's connection."""

from __future__ import annotations

from typing import Any

from gemel.simulate.device import Device, Moment, Readings, number
from gemel.simulate.floor import MOTORS, Floor
from gemel.simulate.lives import lives
from gemel.simulate.noise import Wander, stream
from gemel.simulate.physics.motor import (
    Motor,
    MotorPlate,
    bearing_acceleration,
    bearing_vibration,
)
from gemel.simulate.sensor import Sensor, Sensors

PLATES = {
    "motor-1": MotorPlate(11.0, 1470, 400, 0.914, 0.85),
    "motor-2": MotorPlate(11.0, 1470, 400, 0.914, 0.85),
    "motor-3": MotorPlate(11.0, 1470, 400, 0.914, 0.85),
    "motor-4": MotorPlate(11.0, 1470, 400, 0.914, 0.85),
    "motor-5": MotorPlate(75.0, 1485, 400, 0.950, 0.87),
    "motor-6": MotorPlate(7.5, 1455, 400, 0.904, 0.83),
    "motor-7": MotorPlate(4.0, 1440, 400, 0.886, 0.81),
    "motor-8": MotorPlate(5.5, 1450, 400, 0.896, 0.82),
    "motor-9": MotorPlate(5.5, 1450, 400, 0.896, 0.82),
    "motor-10": MotorPlate(11.0, 1460, 400, 0.914, 0.84),
}
OWN_LOAD = {"motor-7": 2.6, "motor-8": 3.4, "motor-9": 3.1, "motor-10": 7.2}
"""kW at full speed of machines that have no model of their own: conveyor, filler, palletizer,
agitator; their load goes with the speed."""

SENSORS = {
    "temperature": Sensor(0.08, 0.1, -40, 200, 0.0005),
    "housingTemperature": Sensor(0.08, 0.1, -40, 150),
    "current": Sensor(0.15, 0.01, 0, 300),
    "voltage": Sensor(0.4, 0.1, 0, 500),
    "frequency": Sensor(0.005, 0.01, 0, 60),
    "speed": Sensor(0.6, 0.1, 0, 1800),
    "torque": Sensor(0.4, 0.1, 0, 900),
    "power": Sensor(0.03, 0.01, 0, 120),
}
BEARING_SENSORS = {
    "temperature": Sensor(0.06, 0.1, -40, 180, 0.0005),
    "vibration": Sensor(0.04, 0.01, 0, 50, 0.0005),
    "acceleration": Sensor(0.012, 0.001, 0, 50),
    "current": Sensor(0.15, 0.01, 0, 300),
    "speed": Sensor(0.6, 0.1, 0, 1800),
}


class MotorDevice(Device):
    faults = frozenset({"bearing-wear", "winding-overload", "unbalance"})

    def __init__(self, name: str, seed: int, floor: Floor) -> None:
        super().__init__(name, seed, floor)
        self.bearing = f"{name}-bearing"
        self.add_sensors(name, SENSORS)
        self.add_sensors(self.bearing, BEARING_SENSORS)
        self.motor = Motor(PLATES[name])
        self.rough = Wander(self.random, 0.0, 0.10, 25.0)
        self.hall = Wander(self.random, 23.0, 0.8, 1800.0)
        self.settled = False
        self.coupled = False
        self.hours = 4_000.0 + self.random.uniform(0, 9_000)
        self.starts = 0
        self.worn, self.days = 0.0, self.hours / 24
        """Of the bearing: wear of its age alone, and days since it was renewed."""

    def step(self, now: Moment) -> None:
        name, motor = self.name, self.motor
        running = self.floor[f"{name}.run"] > 0.5
        reference = self.floor[f"{name}.reference"] if running else 0.0
        ambient = self.hall.step(now.dt)
        load = self._load(reference)
        if not self.settled:
            motor.settle(reference, load, ambient)
            self.settled = True
        overload = self.level("winding-overload")
        motor.step(now.dt, reference, load, ambient, wear=self.wear, overload=overload)
        self.rough.step(now.dt)
        if motor.share > 0.01:
            self.hours += now.dt / 3600
            self.days += now.dt / 86_400
        self.floor[f"{name}.speed"] = motor.speed
        self.floor[f"{name}.power"] = motor.electrical

    def _load(self, reference: float) -> float:
        """Power asked at the shaft, kW."""
        own = OWN_LOAD.get(self.name)
        if own is not None:
            return own * (self.motor.share if self.settled else reference)
        load = self.floor[f"{self.name}.load"]
        self.coupled = self.coupled or load > 0.0
        if self.coupled:
            return load
        # What it drives has not spoken yet, as in the first moments of a plant.
        return 0.52 * self.motor.plate.power * (self.motor.share if self.settled else 1.0)

    @property
    def wear(self) -> float:
        faults = (self.level("bearing-wear"), self.level("bearing-wear", self.bearing))
        return max(self.worn, *faults)

    def truth(self) -> dict[str, dict[str, float]]:
        motor, wear = self.motor, self.wear
        shake = bearing_vibration(motor.share, wear, self.level("unbalance"))
        shake = max(0.0, shake * (1 + 0.5 * self.rough.value))
        own = {
            "temperature": motor.winding.temperature,
            "housingTemperature": motor.housing.temperature,
            "current": motor.current,
            "voltage": motor.plate.voltage * min(1.0, motor.share) if motor.share > 0 else 0.0,
            "frequency": 50.0 * motor.share,
            "speed": motor.speed,
            "torque": motor.torque,
            "power": motor.electrical,
        }
        bearing = {
            "temperature": motor.bearing.temperature,
            "vibration": shake,
            "acceleration": bearing_acceleration(motor.share, wear),
            "current": motor.current,
            "speed": motor.speed,
        }
        return {self.name: own, self.bearing: bearing}

    def states(self) -> Readings:
        turning = self.motor.share > 0.01
        state = "running" if turning else "stopped"
        return {
            self.name: {"state": state, "operatingHours": round(self.hours, 3)},
            self.bearing: {"daysInService": round(self.days, 3)},
        }

    def lived(self, days: int) -> list[tuple[int, Readings]]:
        """Lives of the bearing, read once a day as the motor runs now."""
        sensors = Sensors(BEARING_SENSORS, stream(self._seed, f"{self.bearing}/lives"))
        found: list[tuple[int, Readings]] = []
        for day in lives(stream(self._seed, f"{self.bearing}/wear"), days):
            self.worn, self.days = day.wear, day.age
            row = {**sensors.read(self.truth()[self.bearing]), "daysInService": day.age}
            found.append((day.ago, {self.bearing: row}))
        return found

    def repair(self, twin: str = "") -> list[str]:
        """A bearing that is repaired is a new one."""
        if twin in ("", self.bearing):
            self.worn = self.days = 0.0
        return super().repair(twin)

    def act(self, twin: str, command: str, argument: Any) -> Any:
        if twin != self.name:
            return super().act(twin, command, argument)
        if command == "setSpeed":
            percent = number(argument, "speedSetpoint", 0.0, 100.0)
            self.floor[f"{self.name}.reference"] = percent / 100
            return {"speedSetpoint": percent}
        if command in ("start", "stop"):
            self.floor[f"{self.name}.run"] = 1.0 if command == "start" else 0.0
            return {"state": "starting" if command == "start" else "stopping"}
        return super().act(twin, command, argument)

    def desire(self, twin: str, name: str, value: Any) -> Any:
        if (twin, name) != (self.name, "speedSetpoint"):
            return super().desire(twin, name, value)
        percent = number(value, name, 0.0, 100.0)
        self.floor[f"{self.name}.reference"] = percent / 100
        return percent

    def reported(self) -> Readings:
        return {self.name: {"speedSetpoint": round(100 * self.floor[f"{self.name}.reference"], 2)}}


def build(seed: int, floor: Floor) -> list[Device]:
    return [MotorDevice(name, seed, floor) for name in MOTORS]
