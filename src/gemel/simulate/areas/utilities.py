"""Four pumps between four tanks, the compressed air, the energy meter and the weather mast."""

from __future__ import annotations

import math
from typing import Any

from gemel.simulate.device import Device, Moment, Readings, number
from gemel.simulate.floor import MOTORS, Floor
from gemel.simulate.noise import Wander
from gemel.simulate.physics.compressor import Compressor
from gemel.simulate.physics.pump import (
    DENSITY,
    GRAVITY,
    Operation,
    Pipe,
    PumpCurve,
    Tank,
    duty,
    pump_vibration,
)
from gemel.simulate.physics.thermal import lag, ramp
from gemel.simulate.sensor import Sensor

RATED_SPEED = 1470.0
CURVE = PumpCurve()
PIPE = Pipe()


class TankDevice(Device):
    """A tank; `Circuit` moves the liquid."""

    faults = frozenset({"leak"})

    def __init__(self, name: str, seed: int, floor: Floor) -> None:
        super().__init__(name, seed, floor)
        self.tank = Tank(12.0, 6.0, 3.0 + self.random.uniform(-0.25, 0.25), 18.0)
        self.setpoint = 50.0
        """Level that the pump on its outlet holds, %."""
        self.inflow = self.outflow = 0.0
        self.add_sensors(
            name,
            {
                "level": Sensor(0.003, 0.001, 0, 7),
                "fill": Sensor(0.05, 0.01, 0, 110),
                "volume": Sensor(0.03, 0.01, 0, 80),
                "temperature": Sensor(0.03, 0.01, -20, 120),
                "bottomPressure": Sensor(0.04, 0.01, 0, 200),
                "inflow": Sensor(0.08, 0.01, 0, 250),
                "outflow": Sensor(0.08, 0.01, 0, 250),
            },
        )

    def step(self, now: Moment) -> None:
        leak = 9.0 * self.level("leak") * math.sqrt(max(0.0, self.tank.level / 3.0))
        self.tank.flow(now.dt, 0.0, 0.0, leak, now.sky.temperature)

    def truth(self) -> dict[str, dict[str, float]]:
        tank = self.tank
        return {
            self.name: {
                "level": tank.level,
                "fill": 100 * tank.share,
                "volume": tank.volume,
                "temperature": tank.temperature,
                "bottomPressure": DENSITY * GRAVITY * tank.level / 1000,
                "inflow": self.inflow,
                "outflow": self.outflow,
            }
        }

    def desire(self, twin: str, name: str, value: Any) -> Any:
        if name != "fillSetpoint":
            return super().desire(twin, name, value)
        self.setpoint = number(value, name, 15.0, 85.0)
        return self.setpoint

    def reported(self) -> Readings:
        return {self.name: {"fillSetpoint": self.setpoint}}


class PumpDevice(Device):
    """Driven by the motor of its number; holds the level of its source unless told a speed."""

    faults = frozenset({"cavitation", "impeller-wear"})

    def __init__(self, name: str, seed: int, floor: Floor, source: TankDevice, sink: TankDevice):
        super().__init__(name, seed, floor)
        self.motor = name.replace("pump", "motor")
        self.source, self.sink = source, sink
        self.mode = "auto"
        self.share = 0.85
        self.casing = 31.0
        self.surge = Wander(self.random, 0.0, 1.0, 3.0)
        self.point = self._duty(0.85)
        self.add_sensors(
            name,
            {
                "flow": Sensor(0.12, 0.01, 0, 200, 0.0005),
                "suctionPressure": Sensor(0.003, 0.001, 0, 6),
                "dischargePressure": Sensor(0.008, 0.001, 0, 16),
                "head": Sensor(0.05, 0.01, 0, 100),
                "power": Sensor(0.02, 0.01, 0, 60),
                "efficiency": Sensor(0.15, 0.1, 0, 100),
                "speed": Sensor(0.6, 0.1, 0, 1800),
                "vibration": Sensor(0.04, 0.01, 0, 50),
                "temperature": Sensor(0.05, 0.1, -20, 150),
                "npshMargin": Sensor(0.03, 0.01, -20, 30),
            },
        )

    def _duty(self, share: float) -> Operation:
        static = PIPE.static + self.sink.tank.level - self.source.tank.level
        cavitation = self.level("cavitation")
        if self.source.tank.level < 0.05:
            cavitation = 1.0
        return duty(
            CURVE, PIPE, share, static, self.source.tank.level + 0.5,
            cavitation=cavitation, wear=self.level("impeller-wear"),
        )  # fmt: skip

    def step(self, now: Moment) -> None:
        if self.mode == "auto":
            surplus = self.source.tank.share - self.source.setpoint / 100
            wish = min(1.0, max(0.45, 0.85 + 1.2 * surplus))
            slot = f"{self.motor}.reference"
            self.floor[slot] = ramp(self.floor[slot], wish, 0.01 * now.dt)
        self.share = self.floor[f"{self.motor}.speed"] / RATED_SPEED
        self.surge.step(now.dt)
        self.point = self._duty(self.share)
        self.floor[f"{self.motor}.load"] = self.point.power
        warm = self.source.tank.temperature + 6.0 + 0.9 * self.point.power
        self.casing = lag(self.casing, warm + 14.0 * self.level("cavitation"), now.dt, 240.0)

    def truth(self) -> dict[str, dict[str, float]]:
        point, cavitation = self.point, self.level("cavitation")
        rough = 1.0 + (0.004 + 0.06 * cavitation) * self.surge.value
        return {
            self.name: {
                "flow": max(0.0, point.flow * rough),
                "suctionPressure": point.suction,
                "dischargePressure": point.discharge * (1 + (rough - 1) * 0.5),
                "head": point.head,
                "power": point.power,
                "efficiency": 100 * point.efficiency,
                "speed": self.floor[f"{self.motor}.speed"],
                "vibration": pump_vibration(CURVE, point, self.share, cavitation),
                "temperature": self.casing,
                "npshMargin": point.margin,
            }
        }

    def states(self) -> Readings:
        return {self.name: {"state": "running" if self.share > 0.01 else "stopped"}}

    def act(self, twin: str, command: str, argument: Any) -> Any:
        if command == "setSpeed":
            return {"speedSetpoint": self.desire(twin, "speedSetpoint", argument), "mode": "manual"}
        if command in ("start", "stop"):
            self.floor[f"{self.motor}.run"] = 1.0 if command == "start" else 0.0
            return {"state": "starting" if command == "start" else "stopping"}
        if command == "auto":
            self.mode = "auto"
            return {"mode": "auto"}
        return super().act(twin, command, argument)

    def desire(self, twin: str, name: str, value: Any) -> Any:
        if name != "speedSetpoint":
            return super().desire(twin, name, value)
        percent = number(value, name, 0.0, 100.0)
        self.mode = "manual"
        self.floor[f"{self.motor}.reference"] = percent / 100
        return percent

    def reported(self) -> Readings:
        percent = round(100 * self.floor[f"{self.motor}.reference"], 2)
        return {self.name: {"speedSetpoint": percent, "mode": self.mode}}


class Circuit(Device):
    """The pump station as a whole: moves the liquid between tanks, and adds it up.

    Each step takes exactly as much from one tank as it gives to the next; fresh water replaces
    what the filler draws from tank 4.
    """

    def __init__(self, seed: int, floor: Floor, pumps: list[PumpDevice], tanks: list[TankDevice]):
        super().__init__("pump-station", seed, floor)
        self.pumps, self.tanks = pumps, tanks
        self.fresh = self.drawn = 0.0
        """m³/h now."""
        self.total_fresh = self.total_drawn = 0.0
        """m³ so far."""
        self.add_sensors(
            self.name,
            {
                "totalFlow": Sensor(0.2, 0.1, 0, 800),
                "storedVolume": Sensor(0.05, 0.01, 0, 300),
                "freshWater": Sensor(0.01, 0.01, 0, 60),
                "power": Sensor(0.03, 0.01, 0, 200),
                "specificEnergy": Sensor(0.0002, 0.0001, 0, 2),
            },
        )

    def volume(self) -> float:
        return sum(device.tank.volume for device in self.tanks)

    def step(self, now: Moment) -> None:
        hours = now.dt / 3600
        order = self.tanks
        moved = []
        for pump in self.pumps:
            most = pump.source.tank.volume / hours if hours > 0 else 0.0
            moved.append(min(pump.point.flow, most))
        self.drawn = min(self.floor["line.liquid"], order[3].tank.volume / max(hours, 1e-9))
        short = self.tanks[0].setpoint / 100 - self.tanks[0].tank.share
        self.fresh = min(30.0, max(0.0, 3.0 + 90.0 * short)) if short > -0.03 else 0.0
        for index, device in enumerate(order):
            inflow = moved[index - 1] + (self.fresh if index == 0 else 0.0)
            outflow = moved[index] + (self.drawn if index == 3 else 0.0)
            source = order[index - 1].tank.temperature
            device.outflow = device.tank.flow(now.dt, inflow, source, outflow, now.sky.temperature)
            device.inflow = inflow
        self.total_fresh += self.fresh * hours
        self.total_drawn += self.drawn * hours

    def truth(self) -> dict[str, dict[str, float]]:
        flow = sum(pump.point.flow for pump in self.pumps)
        power = sum(self.floor[f"{pump.motor}.power"] for pump in self.pumps)
        return {
            self.name: {
                "totalFlow": flow,
                "storedVolume": self.volume(),
                "freshWater": self.fresh,
                "power": power,
                "specificEnergy": power / flow if flow > 1.0 else 0.0,
            }
        }


class CompressorDevice(Device):
    """Driven by motor 5; loads and unloads about its set point."""

    faults = frozenset({"cooler-fouling", "valve-leak"})

    def __init__(self, name: str, seed: int, floor: Floor) -> None:
        super().__init__(name, seed, floor)
        self.compressor = Compressor()
        self.demand = Wander(self.random, 0.088, 0.012, 240.0)
        self.hall = Wander(self.random, 24.0, 0.6, 1800.0)
        self.share = 0.85
        self.add_sensors(
            name,
            {
                "suctionPressure": Sensor(0.0008, 0.0001, 0, 2),
                "dischargePressure": Sensor(0.006, 0.001, 0, 16),
                "receiverPressure": Sensor(0.004, 0.001, 0, 16),
                "dischargeTemperature": Sensor(0.12, 0.1, -20, 200, 0.0005),
                "oilTemperature": Sensor(0.08, 0.1, -20, 150),
                "airFlow": Sensor(0.5, 0.1, 0, 1200),
                "power": Sensor(0.08, 0.01, 0, 150),
                "speed": Sensor(0.6, 0.1, 0, 1800),
                "vibration": Sensor(0.05, 0.01, 0, 50),
            },
        )

    def step(self, now: Moment) -> None:
        self.share = self.floor["motor-5.speed"] / 1485.0
        demand = max(0.02, self.demand.step(now.dt))
        self.compressor.step(
            now.dt, self.share, demand, self.hall.step(now.dt),
            fouling=self.level("cooler-fouling"), valve_leak=self.level("valve-leak"),
        )  # fmt: skip
        self.floor["motor-5.load"] = self.compressor.shaft

    def truth(self) -> dict[str, dict[str, float]]:
        unit = self.compressor
        shake = 2.1 * self.share**2 + (0.5 if unit.loaded else 0.0) + self.level("valve-leak")
        return {
            self.name: {
                "suctionPressure": 0.985,
                "dischargePressure": unit.pressure + (0.24 if unit.delivered > 0 else 0.0),
                "receiverPressure": unit.pressure,
                "dischargeTemperature": unit.discharge_temperature,
                "oilTemperature": unit.oil_temperature,
                "airFlow": unit.delivered / 1.2 * 3600,
                "power": unit.shaft,
                "speed": self.floor["motor-5.speed"],
                "vibration": shake if self.share > 0.01 else 0.0,
            }
        }

    def states(self) -> Readings:
        running = "loaded" if self.compressor.loaded else "unloaded"
        return {self.name: {"state": running if self.share > 0.01 else "stopped"}}

    def act(self, twin: str, command: str, argument: Any) -> Any:
        if command in ("start", "stop"):
            self.floor["motor-5.run"] = 1.0 if command == "start" else 0.0
            return {"state": "starting" if command == "start" else "stopping"}
        if command == "setPressure":
            return {"pressureSetpoint": self.desire(twin, "pressureSetpoint", argument)}
        return super().act(twin, command, argument)

    def desire(self, twin: str, name: str, value: Any) -> Any:
        if name != "pressureSetpoint":
            return super().desire(twin, name, value)
        self.compressor.setpoint = number(value, name, 5.0, 9.0)
        return self.compressor.setpoint

    def reported(self) -> Readings:
        return {self.name: {"pressureSetpoint": self.compressor.setpoint}}


class MeterDevice(Device):
    """The energy meter at the grid connection: what all machines take, less the wind turbine."""

    def __init__(self, seed: int, floor: Floor) -> None:
        super().__init__("meter-1", seed, floor)
        self.grid = Wander(self.random, 231.5, 0.7, 120.0)
        self.frequency = Wander(self.random, 50.0, 0.012, 40.0)
        self.imported, self.exported = 1_284_000.0, 962_000.0
        self.lighting = 18.0
        self.add_sensors(
            self.name,
            {
                "sitePower": Sensor(0.15, 0.1, 0, 5000),
                "gridPower": Sensor(0.2, 0.1, -5000, 5000),
                "reactivePower": Sensor(0.2, 0.1, -5000, 5000),
                "powerFactor": Sensor(0.0005, 0.001, -1, 1),
                "frequency": Sensor(0.001, 0.001, 45, 55),
                "voltageL1": Sensor(0.05, 0.1, 0, 300),
                "voltageL2": Sensor(0.05, 0.1, 0, 300),
                "voltageL3": Sensor(0.05, 0.1, 0, 300),
                "currentL1": Sensor(0.3, 0.1, 0, 6000),
                "currentL2": Sensor(0.3, 0.1, 0, 6000),
                "currentL3": Sensor(0.3, 0.1, 0, 6000),
                "energyImported": Sensor(0.0, 0.001),
                "energyExported": Sensor(0.0, 0.001),
            },
        )

    def site_power(self) -> float:
        """KW that the site uses."""
        motors = sum(self.floor[f"{motor}.power"] for motor in MOTORS)
        return motors + self.floor["building.power"] + self.floor["line.power"] + self.lighting

    def step(self, now: Moment) -> None:
        self.grid.step(now.dt)
        self.frequency.step(now.dt)
        energy = (self.site_power() - self.floor["turbine.power"]) * now.dt / 3600
        self.imported += max(0.0, energy)
        self.exported += max(0.0, -energy)

    def truth(self) -> dict[str, dict[str, float]]:
        site = self.site_power()
        grid = site - self.floor["turbine.power"]
        reactive = 0.42 * site
        apparent = math.hypot(grid, reactive)
        volts = {n: self.grid.value + shift for n, shift in ((1, 0.0), (2, -0.8), (3, 0.6))}
        amps = {n: apparent * 1000 / 3 / v for n, v in volts.items()}
        return {
            self.name: {
                "sitePower": site,
                "gridPower": grid,
                "reactivePower": reactive,
                "powerFactor": grid / apparent if apparent > 0.1 else 1.0,
                "frequency": self.frequency.value,
                **{f"voltageL{n}": v for n, v in volts.items()},
                **{f"currentL{n}": a * (1 + 0.02 * (n - 2)) for n, a in amps.items()},
                "energyImported": self.imported,
                "energyExported": self.exported,
            }
        }


class MastDevice(Device):
    """The site itself: its weather."""

    def __init__(self, seed: int, floor: Floor) -> None:
        super().__init__("plant", seed, floor)
        self.now: Moment | None = None
        self.add_sensors(
            self.name,
            {
                "outdoorTemperature": Sensor(0.04, 0.01, -50, 60),
                "humidity": Sensor(0.3, 0.1, 0, 100),
                "irradiance": Sensor(1.5, 1.0, 0, 1500),
                "airPressure": Sensor(0.05, 0.1, 800, 1100),
            },
        )

    def step(self, now: Moment) -> None:
        self.now = now

    def truth(self) -> dict[str, dict[str, float]]:
        assert self.now is not None, "read before the first step"
        sky = self.now.sky
        return {
            self.name: {
                "outdoorTemperature": sky.temperature,
                "humidity": sky.humidity,
                "irradiance": sky.irradiance,
                "airPressure": sky.pressure,
            }
        }


def build(seed: int, floor: Floor) -> list[Device]:
    tanks = [TankDevice(f"tank-{n}", seed, floor) for n in range(1, 5)]
    pumps = [
        PumpDevice(f"pump-{n + 1}", seed, floor, tanks[n], tanks[(n + 1) % 4]) for n in range(4)
    ]
    circuit = Circuit(seed, floor, pumps, tanks)
    air = CompressorDevice("compressor-1", seed, floor)
    return [*pumps, *tanks, circuit, air, MeterDevice(seed, floor), MastDevice(seed, floor)]
