"""The packaging line: four machines, the line as a process, event by event."""

from __future__ import annotations

from typing import Any

from gemel.simulate.device import Device, Moment, Readings, number
from gemel.simulate.floor import Floor
from gemel.simulate.noise import stream
from gemel.simulate.physics.line import RUNNING, STOPPED, Line, Machine, MachinePlan, Oee
from gemel.simulate.sensor import Sensor

PLANS = [
    MachinePlan("filler-1", 7.9, 420.0, 30.0, 0.010),
    MachinePlan("capper-1", 7.4, 420.0, 26.0, 0.006),
    MachinePlan("labeller-1", 7.2, 460.0, 26.0, 0.008),
    MachinePlan("palletizer-1", 7.5, 520.0, 28.0, 0.002),
]
CAPACITY = 12
IDEAL = 3600 / 485.0
"""Seconds for one unit by the line's design."""
LITRES = 20.0
"""In one unit (a canister)."""


class MachineDevice(Device):
    """One station of the line; `LineDevice` steps them all."""

    faults = frozenset({"jam", "wear"})

    def __init__(self, name: str, seed: int, floor: Floor, machine: Machine) -> None:
        super().__init__(name, seed, floor)
        self.machine = machine
        self.now = 0.0
        self.rate = 3600 / machine.plan.cycle * 0.85
        self.last = 0
        self.add_sensors(
            name,
            {
                "rate": Sensor(0.0, 0.1, 0, 2000),
                "cycleTime": Sensor(0.02, 0.01, 0, 600),
                "rejectRate": Sensor(0.0, 0.01, 0, 100),
                "power": Sensor(0.02, 0.01, 0, 40),
                "temperature": Sensor(0.06, 0.1, -20, 120),
            },
        )
        self.warmth = 34.0

    def apply_faults(self) -> None:
        self.machine.jammed = self.level("jam") > 0.5
        self.machine.wear = self.level("wear")

    def step(self, now: Moment) -> None:
        machine = self.machine
        made = machine.units - self.last
        self.last = machine.units
        kept = 2.718281828459045 ** (-now.dt / 180.0)
        if now.dt > 0:
            self.rate = self.rate * kept + made / now.dt * 3600 * (1 - kept)
        running = 1.0 if machine.state == RUNNING else 0.3
        self.warmth += (26.0 + 11.0 * running - self.warmth) * (1 - kept**0.5)

    def truth(self) -> dict[str, dict[str, float]]:
        machine = self.machine
        busy = machine.state == RUNNING
        cycle = machine.plan.cycle / 0.97
        return {
            self.name: {
                "rate": self.rate,
                "cycleTime": cycle,
                "rejectRate": 100 * machine.rejects / max(1, machine.units),
                "power": 1.9 if busy else 0.6,
                "temperature": self.warmth,
            }
        }

    def states(self) -> Readings:
        machine = self.machine
        return {
            self.name: {
                "state": machine.state,
                "unitCount": machine.units,
                "rejectCount": machine.rejects,
            }
        }

    def act(self, twin: str, command: str, argument: Any) -> Any:
        if command in ("start", "stop"):
            self.machine.stopped = command == "stop"
            return {"state": "starting" if command == "start" else "stopped"}
        if command == "clearJam":
            self.repair(twin)
            self.apply_faults()
            return {"state": "cleared"}
        return super().act(twin, command, argument)


class LineDevice(Device):
    """The line as one process."""

    faults = frozenset({"jam"})

    def __init__(self, seed: int, floor: Floor) -> None:
        super().__init__("line-1", seed, floor)
        self.line = Line(PLANS, CAPACITY, stream(seed, "line-1/events"))
        self.stations = [
            MachineDevice(machine.plan.name, seed, floor, machine) for machine in self.line.machines
        ]
        self.oee = Oee(IDEAL, 0.93, 0.90, 0.975)
        self.seen = (0, 0, 0.0)
        self.add_sensors(
            self.name,
            {
                "oee": Sensor(0.0, 0.1, 0, 100),
                "availability": Sensor(0.0, 0.1, 0, 100),
                "performance": Sensor(0.0, 0.1, 0, 100),
                "quality": Sensor(0.0, 0.1, 0, 100),
                "throughput": Sensor(0.0, 0.1, 0, 2000),
                "rejectRate": Sensor(0.0, 0.01, 0, 100),
                "power": Sensor(0.05, 0.01, 0, 200),
                "liquidDrawn": Sensor(0.01, 0.01, 0, 50),
                "workInProgress": Sensor(0.0, 1.0, 0, 1000),
            },
        )

    def step(self, now: Moment) -> None:
        for station in self.stations:
            station.apply_faults()
            if self.level("jam") > 0.5:
                station.machine.jammed = True
        self.line.speed = self._speed()
        self.line.step(now.dt)
        slowest = self.line.machines[0]
        made, bad, up = self.line.made, self.line.rejected, slowest.time[RUNNING]
        up += slowest.time["starved"] + slowest.time["blocked"]
        units = made + bad
        self.oee.add(now.dt, up - self.seen[2], units - self.seen[0], made - self.seen[1])
        self.seen = (units, made, up)
        filling = self.line.machines[0].state == RUNNING
        drawn = LITRES / PLANS[0].cycle * self.line.speed * 3.6 if filling else 0.0
        self.floor["line.liquid"] = drawn
        self.floor["line.power"] = sum(s.truth()[s.name]["power"] for s in self.stations)

    def _speed(self) -> float:
        """The line's speed is that of its main drive, motor 7 on the conveyor."""
        return max(0.0, self.floor["motor-7.speed"] / 1440.0 / 0.85)

    def truth(self) -> dict[str, dict[str, float]]:
        oee = self.oee
        units, made, _ = self.seen
        motors = sum(self.floor[f"motor-{n}.power"] for n in (7, 8, 9))
        return {
            self.name: {
                "oee": 100 * oee.value,
                "availability": 100 * oee.availability,
                "performance": 100 * oee.performance,
                "quality": 100 * oee.quality,
                "throughput": oee.throughput,
                "rejectRate": 100 * (units - made) / max(1, units),
                "power": self.floor["line.power"] + motors,
                "liquidDrawn": self.floor["line.liquid"],
                "workInProgress": sum(self.line.buffers) + self.line.in_hand(),
            }
        }

    def states(self) -> Readings:
        stopped = all(machine.state == STOPPED for machine in self.line.machines)
        down = next((m.state for m in self.line.machines if m.state in ("jammed", "down")), "")
        state = "stopped" if stopped else down or RUNNING
        return {
            self.name: {
                "state": state,
                "goodCount": self.line.made,
                "rejectCount": self.line.rejected,
                "palletCount": self.line.made // 40,
            }
        }

    def act(self, twin: str, command: str, argument: Any) -> Any:
        if command == "setSpeed":
            return {"speedSetpoint": self.desire(twin, "speedSetpoint", argument)}
        if command in ("start", "stop"):
            for station in self.stations:
                station.machine.stopped = command == "stop"
            return {"state": "starting" if command == "start" else "stopped"}
        return super().act(twin, command, argument)

    def desire(self, twin: str, name: str, value: Any) -> Any:
        if name != "speedSetpoint":
            return super().desire(twin, name, value)
        percent = number(value, name, 20.0, 115.0)
        self.floor["motor-7.reference"] = 0.85 * percent / 100
        return percent

    def reported(self) -> Readings:
        percent = self.floor["motor-7.reference"] / 0.85 * 100
        return {self.name: {"speedSetpoint": round(percent, 2)}}


def build(seed: int, floor: Floor) -> list[Device]:
    line = LineDevice(seed, floor)
    return [line, *line.stations]
