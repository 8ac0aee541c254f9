"""The production hall's offices and rooms: an air handler with its parts, and five zones."""

from __future__ import annotations

import math
from typing import Any

from gemel.simulate.device import Device, Moment, Readings, number
from gemel.simulate.floor import Floor
from gemel.simulate.noise import Wander
from gemel.simulate.physics.building import OUTDOOR_CO2, AirHandler, Zone, ZonePlan
from gemel.simulate.physics.motor import bearing_vibration
from gemel.simulate.physics.thermal import ramp
from gemel.simulate.physics.weather import occupancy
from gemel.simulate.sensor import Sensor

ROOMS = {
    "zone-1": ZonePlan(900, 150, 1300, 12, 24, 3200, 0.22),
    "zone-2": ZonePlan(750, 130, 1100, 16, 18, 2600, 0.18),
    "zone-3": ZonePlan(600, 110, 900, 8, 14, 4800, 0.20),
    "zone-4": ZonePlan(1100, 190, 1600, 14, 30, 3600, 0.24),
    "zone-5": ZonePlan(500, 90, 800, 6, 10, 2200, 0.16),
}
FAN_SPEED = 1455.0


class ZoneDevice(Device):
    interval = 2.0

    def __init__(self, name: str, seed: int, floor: Floor) -> None:
        super().__init__(name, seed, floor)
        self.zone = Zone(ROOMS[name], 22.0 + self.random.uniform(-0.3, 0.3))
        self.flow = 0.0
        self.add_sensors(
            name,
            {
                "temperature": Sensor(0.02, 0.01, -20, 60, 0.0005),
                "co2": Sensor(3.0, 1.0, 0, 5000),
                "humidity": Sensor(0.2, 0.1, 0, 100),
                "airFlow": Sensor(3.0, 1.0, 0, 10_000),
                "valve": Sensor(0.1, 0.1, 0, 100),
                "heatingPower": Sensor(0.01, 0.01, 0, 50),
                "people": Sensor(0.0, 1.0, 0, 500),
            },
        )
        self.humidity = 45.0

    def step(self, now: Moment) -> None:
        """The air handler steps its zones, since heat goes both ways."""

    def truth(self) -> dict[str, dict[str, float]]:
        zone = self.zone
        return {
            self.name: {
                "temperature": zone.air.temperature,
                "co2": zone.co2,
                "humidity": self.humidity - 1.5 * (zone.air.temperature - 22.0),
                "airFlow": self.flow * 3600,
                "valve": 100 * zone.opening,
                "heatingPower": zone.heating / 1000,
                "people": zone.people,
            }
        }

    def act(self, twin: str, command: str, argument: Any) -> Any:
        if command == "setTemperature":
            return {"temperatureSetpoint": self.desire(twin, "temperatureSetpoint", argument)}
        return super().act(twin, command, argument)

    def desire(self, twin: str, name: str, value: Any) -> Any:
        if name != "temperatureSetpoint":
            return super().desire(twin, name, value)
        self.zone.setpoint = number(value, name, 16.0, 28.0)
        return self.zone.setpoint

    def reported(self) -> Readings:
        return {self.name: {"temperatureSetpoint": self.zone.setpoint}}


class AirHandlerDevice(Device):
    """Carries the twins of its fan, damper and filter; its fan is driven by motor 6."""

    interval = 2.0
    faults = frozenset({"blocked-filter", "stuck-damper", "unbalance"})

    def __init__(self, name: str, seed: int, floor: Floor, zones: list[ZoneDevice]) -> None:
        super().__init__(name, seed, floor)
        self.zones = zones
        self.unit = AirHandler()
        self.share = 0.85
        self.surge = Wander(self.random, 0.0, 1.0, 6.0)
        self.outside = 14.0
        self.returned = 22.0
        self.stuck_at: float | None = None
        temperature = Sensor(0.04, 0.01, -40, 80)
        self.add_sensors(
            name,
            {
                "supplyTemperature": temperature,
                "returnTemperature": temperature,
                "mixedTemperature": temperature,
                "outdoorTemperature": temperature,
                "airFlow": Sensor(25.0, 1.0, 0, 60_000),
                "ductPressure": Sensor(0.8, 0.1, 0, 2500),
                "coolingPower": Sensor(0.05, 0.01, 0, 200),
                "heatingPower": Sensor(0.05, 0.01, 0, 200),
                "coolingValve": Sensor(0.1, 0.1, 0, 100),
                "heatingValve": Sensor(0.1, 0.1, 0, 100),
                "returnCo2": Sensor(3.0, 1.0, 0, 5000),
            },
        )
        self.add_sensors(
            "fan-1",
            {
                "speed": Sensor(0.6, 0.1, 0, 1800),
                "pressureRise": Sensor(1.0, 0.1, 0, 2500),
                "power": Sensor(0.01, 0.01, 0, 40),
                "vibration": Sensor(0.03, 0.01, 0, 50),
            },
        )
        self.add_sensors(
            "damper-1",
            {"position": Sensor(0.1, 0.1, 0, 100), "torque": Sensor(0.05, 0.01, 0, 60)},
        )
        self.add_sensors(
            "filter-1",
            {"pressureDrop": Sensor(1.0, 0.1, 0, 1500), "airFlow": Sensor(25.0, 1.0, 0, 60_000)},
        )

    def _fault(self, kind: str, part: str) -> float:
        return max(self.level(kind), self.level(kind, part))

    def step(self, now: Moment) -> None:
        sky, unit = now.sky, self.unit
        self.share = self.floor["motor-6.speed"] / FAN_SPEED
        self.surge.step(now.dt)
        plans = [(device, device.zone) for device in self.zones]
        opening = sum(zone.opening * zone.plan.share for _, zone in plans)
        unit.air(self.share, self._fault("blocked-filter", "filter-1"), opening)
        self.returned = sum(z.air.temperature * z.plan.share for _, z in plans)
        self.outside = sky.temperature
        stuck = self._fault("stuck-damper", "damper-1") > 0
        unit.coils(now.dt, sky.temperature, self.returned, stuck=stuck)
        supply_co2 = unit.damper * OUTDOOR_CO2 + (1 - unit.damper) * self.return_co2()
        present = occupancy(now.seconds)
        for device, zone in plans:
            device.flow = unit.flow * zone.opening * zone.plan.share / max(opening, 1e-6)
            zone.step(
                now.dt, sky.temperature, sky.irradiance, present, unit.supply, device.flow,
                supply_co2,
            )  # fmt: skip
            device.humidity = ramp(device.humidity, 30.0 + 0.25 * sky.humidity, 0.001 * now.dt)
        self.floor["motor-6.load"] = unit.fan_power

    def return_co2(self) -> float:
        return sum(device.zone.co2 * device.zone.plan.share for device in self.zones)

    def truth(self) -> dict[str, dict[str, float]]:
        unit = self.unit
        flow = unit.flow * 3600 * (1 + 0.004 * self.surge.value)
        own = {
            "supplyTemperature": unit.supply,
            "returnTemperature": self.returned,
            "mixedTemperature": unit.mixed,
            "outdoorTemperature": self.outside,
            "airFlow": flow,
            "ductPressure": unit.duct_pressure,
            "coolingPower": unit.cooling,
            "heatingPower": unit.heating,
            "coolingValve": min(100.0, unit.cooling / 0.95),
            "heatingValve": min(100.0, unit.heating / 1.2),
            "returnCo2": self.return_co2(),
        }
        unbalance = self._fault("unbalance", "fan-1")
        fan = {
            "speed": self.floor["motor-6.speed"],
            "pressureRise": unit.fan_rise,
            "power": unit.fan_power,
            "vibration": bearing_vibration(self.share, 0.0, unbalance),
        }
        moving = abs(unit.damper - unit.damper_setpoint)
        stuck = self._fault("stuck-damper", "damper-1") > 0
        damper = {
            "position": 100 * unit.damper,
            "torque": 3.0 + 20.0 * min(1.0, 4 * moving) + (14.0 if stuck else 0.0),
        }
        drop = {"pressureDrop": unit.filter_drop, "airFlow": flow}
        return {self.name: own, "fan-1": fan, "damper-1": damper, "filter-1": drop}

    def act(self, twin: str, command: str, argument: Any) -> Any:
        names = {"setSupplyTemperature": "supplyTemperatureSetpoint", "setDamper": "damperSetpoint"}
        if command in names:
            return {names[command]: self.desire(twin, names[command], argument)}
        if command == "setFanSpeed":
            return {"fanSpeedSetpoint": self.desire(twin, "fanSpeedSetpoint", argument)}
        if command in ("start", "stop"):
            self.floor["motor-6.run"] = 1.0 if command == "start" else 0.0
            return {"state": "starting" if command == "start" else "stopping"}
        return super().act(twin, command, argument)

    def desire(self, twin: str, name: str, value: Any) -> Any:
        if name == "supplyTemperatureSetpoint" and twin == self.name:
            self.unit.setpoint = number(value, name, 12.0, 30.0)
            return self.unit.setpoint
        if name == "damperSetpoint" and twin in (self.name, "damper-1"):
            percent = number(value, name, 10.0, 100.0)
            self.unit.damper_setpoint = percent / 100
            return percent
        if name == "fanSpeedSetpoint" and twin == self.name:
            percent = number(value, name, 0.0, 100.0)
            self.floor["motor-6.reference"] = percent / 100
            return percent
        return super().desire(twin, name, value)

    def states(self) -> Readings:
        return {self.name: {"state": "running" if self.share > 0.01 else "stopped"}}

    def reported(self) -> Readings:
        damper = round(100 * self.unit.damper_setpoint, 2)
        return {
            self.name: {
                "supplyTemperatureSetpoint": self.unit.setpoint,
                "damperSetpoint": damper,
                "fanSpeedSetpoint": round(100 * self.floor["motor-6.reference"], 2),
            },
            "damper-1": {"damperSetpoint": damper},
        }


class BuildingDevice(Device):
    """The building as a system: what comfort costs."""

    interval = 2.0

    def __init__(
        self, name: str, seed: int, floor: Floor, unit: AirHandlerDevice, zones: list[ZoneDevice]
    ) -> None:
        super().__init__(name, seed, floor)
        self.unit, self.zones = unit, zones
        self.present = 0.0
        self.energy = 214_000.0
        self.electrical = 0.0
        self.add_sensors(
            name,
            {
                "power": Sensor(0.05, 0.01, 0, 500),
                "meanTemperature": Sensor(0.01, 0.01, -20, 60),
                "worstDeviation": Sensor(0.01, 0.01, 0, 40),
                "highestCo2": Sensor(2.0, 1.0, 0, 5000),
                "occupancy": Sensor(0.2, 0.1, 0, 100),
                "energy": Sensor(0.0, 0.001),
            },
        )

    def step(self, now: Moment) -> None:
        self.present = occupancy(now.seconds)
        heat = sum(device.zone.heating for device in self.zones) / 1000
        plant = self.unit.unit.cooling / 3.2 + (self.unit.unit.heating + heat) / 3.6
        lights = (
            sum(d.zone.plan.equipment for d in self.zones) / 1000 * (0.25 + 0.75 * self.present)
        )
        self.electrical = plant + lights
        self.floor["building.power"] = self.electrical
        self.energy += (self.electrical + self.floor["motor-6.power"]) * now.dt / 3600

    def truth(self) -> dict[str, dict[str, float]]:
        air = [device.zone.air.temperature for device in self.zones]
        off = [abs(d.zone.air.temperature - d.zone.setpoint) for d in self.zones]
        return {
            self.name: {
                "power": self.electrical + self.floor["motor-6.power"],
                "meanTemperature": math.fsum(air) / len(air),
                "worstDeviation": max(off),
                "highestCo2": max(device.zone.co2 for device in self.zones),
                "occupancy": 100 * self.present,
                "energy": self.energy,
            }
        }


def build(seed: int, floor: Floor) -> list[Device]:
    zones = [ZoneDevice(name, seed, floor) for name in ROOMS]
    unit = AirHandlerDevice("ahu-1", seed, floor, zones)
    return [unit, *zones, BuildingDevice("building-1", seed, floor, unit, zones)]
