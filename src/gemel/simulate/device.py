"""A device: one machine with one connection; its truth, its sensors, its actuators, its faults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gemel.simulate.fault import FAULTS
from gemel.simulate.floor import Floor
from gemel.simulate.noise import stream
from gemel.simulate.physics.weather import Sky
from gemel.simulate.sensor import Sensor, Sensors, SensorState

Readings = dict[str, dict[str, Any]]
"""Twin to the values of its telemetry."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The circumstances of one step."""

    dt: float
    """Seconds of this step."""
    seconds: float
    """Seconds since 1970 UTC at the end of the step."""
    sky: Sky


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device says to a command."""

    succeeded: bool
    message: str = ""
    result: Any = None


class Refusal(Exception):
    """The device does not do what it was told; the text says why."""


def number(value: Any, name: str, low: float, high: float) -> float:
    """The number in a command or a desired value, bare or as `{"name": number}`.

    Raises:
        Refusal: it is no number, or out of range.
    """
    if isinstance(value, dict):
        value = value.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refusal(f"{name} must be a number from {low:g} to {high:g}")
    if not low <= value <= high:
        raise Refusal(f"{name} {value:g} is not within {low:g} to {high:g}")
    return float(value)


class Device:
    """Base of all devices. A subclass says `sensors`, `faults`, and overrides what it needs.

    A device has its own twin, named as itself, and may carry `parts`: twins whose readings come
    through its connection (the bearing of a motor, the filter of an air handler).
    """

    interval: ClassVar[float] = 1.0
    """Seconds between telemetry messages."""
    faults: ClassVar[frozenset[str]] = frozenset()
    """Faults of its own kind; the sensor and link faults work on every device."""

    def __init__(self, name: str, seed: int, floor: Floor) -> None:
        self.name = name
        self.floor = floor
        self.random = stream(seed, name)
        self.sensors: dict[str, Sensors] = {}
        self.levels: dict[tuple[str, str, str], float] = {}
        """(twin, fault, property) to how bad it is now."""
        self._seed = seed

    def add_sensors(self, twin: str, specs: dict[str, Sensor]) -> None:
        self.sensors[twin] = Sensors(specs, stream(self._seed, f"{twin}/sensors"))

    @property
    def twins(self) -> tuple[str, ...]:
        """Its own twin first, then its parts."""
        parts = [twin for twin in self.sensors if twin != self.name]
        return (self.name, *parts)

    # What a subclass overrides.

    def step(self, now: Moment) -> None:
        """Moves the machine on."""
        raise NotImplementedError

    def truth(self) -> dict[str, dict[str, float]]:
        """The true values of all sensors, by twin."""
        raise NotImplementedError

    def states(self) -> Readings:
        """Readings that need no sensor: states, counters, set points in force."""
        return {}

    def act(self, twin: str, command: str, argument: Any) -> Any:
        """Does a command and returns its result.

        Raises:
            Refusal: no such command here, or it cannot be done.
        """
        raise Refusal(f"{twin} knows no command '{command}'")

    def desire(self, twin: str, name: str, value: Any) -> Any:
        """Applies one desired property and returns the value now in force.

        Raises:
            Refusal: no such property here, or the value is not possible.
        """
        raise Refusal(f"{twin} has no property '{name}' that can be set")

    def reported(self) -> Readings:
        """Properties as the device has them, told on connecting and after each change."""
        return {}

    # What all devices share.

    def level(self, fault: str, twin: str = "") -> float:
        """How bad a fault is now, 0 to its severity."""
        return self.levels.get((twin or self.name, fault, ""), 0.0)

    def set_fault(self, twin: str, fault: str, level: float, sensor: str = "") -> None:
        """Sets how bad a fault is; 0 repairs it.

        Raises:
            Refusal: this device cannot have that fault.
        """
        general = fault.startswith("sensor-") or fault == "link-loss"
        if fault not in FAULTS or not (general or fault in self.faults):
            known = sorted(self.faults | {f for f in FAULTS if f.startswith("sensor-")})
            raise Refusal(
                f"{twin} cannot have '{fault}'; it can have {', '.join(known)}, link-loss"
            )
        if fault.startswith("sensor-"):
            self._set_sensor_fault(twin, fault, level, sensor)
        if level > 0:
            self.levels[twin, fault, sensor] = level
        else:
            self.levels.pop((twin, fault, sensor), None)

    def _set_sensor_fault(self, twin: str, fault: str, level: float, sensor: str) -> None:
        sensors = self.sensors.get(twin)
        name = sensor or (next(iter(sensors.specs), "") if sensors else "")
        if sensors is None or name not in sensors.specs:
            known = ", ".join(sensors.specs) if sensors else "none"
            raise Refusal(f"{twin} has no sensor '{name}'; it has {known}")
        state: SensorState = sensors.states[name]
        if fault == "sensor-drift":
            state.drift = level
        elif fault == "sensor-frozen":
            state.frozen = level > 0
        else:
            state.silent = level > 0

    def repair(self, twin: str = "") -> list[str]:
        """Ends all faults of a twin (or of the whole device) and returns their names."""
        gone = [key for key in self.levels if twin in ("", key[0])]
        for owner, fault, sensor in gone:
            self.set_fault(owner, fault, 0.0, sensor)
        return [fault for _, fault, _ in gone]

    def lived(self, days: int) -> list[tuple[int, Readings]]:
        """Lives through so many days of wear; what was read on each, by how many days ago.

        Only what wears has such a past; it goes on from where that ended.
        """
        del days
        return []

    @property
    def linked(self) -> bool:
        """False while its network link is down."""
        return not any(fault == "link-loss" for _, fault, _ in self.levels)

    def readings(self) -> Readings:
        """One set of readings of the machine and its parts as it is now."""
        truth, states = self.truth(), self.states()
        rows: Readings = {}
        for twin in dict.fromkeys((*truth, *states)):
            values: dict[str, Any] = {}
            if twin in truth:
                values.update(self.sensors[twin].read(truth[twin]))
            values.update(states.get(twin, {}))
            rows[twin] = values
        return rows
