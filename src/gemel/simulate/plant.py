"""An area of the plant in time: steps its devices, follows its faults, passes commands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gemel.core.errors import InvalidInput
from gemel.simulate.areas import building, line, motors, turbine, utilities
from gemel.simulate.device import Answer, Device, Moment, Readings, Refusal, number
from gemel.simulate.fault import Fault
from gemel.simulate.floor import AREAS, Floor
from gemel.simulate.physics.weather import Weather

BUILDERS: dict[str, Callable[[int, Floor], list[Device]]] = {
    "motors": motors.build,
    "utilities": utilities.build,
    "turbine": turbine.build,
    "building": building.build,
    "line": line.build,
}
assert tuple(BUILDERS) == AREAS
MOST_STEP = 1.0
"""Seconds; longer advances are cut into steps of at most this."""


class Area:
    """Devices that live together, stepped in lockstep; pure: the same calls, the same values."""

    def __init__(
        self, names: Sequence[str], seed: int, floor: Floor, start: float,
        faults: Sequence[Fault] = (),
    ) -> None:  # fmt: skip
        """`start` in seconds since 1970 UTC; `faults` of other areas are left out."""
        self.devices = [device for name in names for device in BUILDERS[name](seed, floor)]
        self.owner: dict[str, Device] = {t: d for d in self.devices for t in d.twins}
        self.plan = [fault for fault in faults if fault.device in self.owner]
        self.weather = Weather(seed)
        self.start = start
        self.elapsed = 0.0
        self._levels: dict[Fault, float] = {}
        self._ramps: list[tuple[str, str, str, float, float, float]] = []
        self._step(0.0)

    @property
    def now(self) -> float:
        """Seconds since 1970 UTC."""
        return self.start + self.elapsed

    def advance(self, seconds: float) -> None:
        """Moves all devices on."""
        left = seconds
        while left > 1e-9:
            piece = min(MOST_STEP, left)
            left -= piece
            self.elapsed += piece
            self._apply_faults()
            self._step(piece)

    def _step(self, dt: float) -> None:
        moment = Moment(dt, self.now, self.weather.at(self.now))
        for device in self.devices:
            device.step(moment)

    def _apply_faults(self) -> None:
        for fault in self.plan:
            level = fault.level(self.elapsed)
            if level != self._levels.get(fault, 0.0):
                self._levels[fault] = level
                owner = self.owner[fault.device]
                owner.set_fault(fault.device, fault.kind, level, fault.property)
        for twin, kind, sensor, start, ramp, severity in self._ramps:
            share = min(1.0, (self.elapsed - start) / ramp) if ramp > 0 else 1.0
            self.owner[twin].set_fault(twin, kind, max(1e-6, severity * share), sensor)
        self._ramps = [r for r in self._ramps if self.elapsed - r[3] < r[4]]

    def command(self, twin: str, name: str, argument: Any) -> Answer:
        """Does a command and says how it went; never raises."""
        device = self.owner.get(twin)
        if device is None:
            return Answer(False, f"there is no '{twin}' here")
        try:
            if name == "injectFault":
                return Answer(True, "", self._inject(device, twin, argument))
            if name == "repair":
                return Answer(True, "", {"repaired": self._repair(device, twin)})
            return Answer(True, "", device.act(twin, name, argument))
        except Refusal as refusal:
            return Answer(False, str(refusal))

    def desire(self, twin: str, values: Any) -> tuple[Readings, list[str]]:
        """Applies desired properties.

        Returns:
            What the device now reports, by twin, and what it refused.
        """
        device = self.owner.get(twin)
        if device is None or not isinstance(values, dict):
            return {}, [f"{twin}: not a set of properties"]
        refused = []
        for name, value in values.items():
            try:
                device.desire(twin, name, value)
            except Refusal as refusal:
                refused.append(f"{name}: {refusal}")
        return device.reported(), refused

    def _inject(self, device: Device, twin: str, argument: Any) -> Any:
        if not isinstance(argument, dict) or not isinstance(argument.get("fault"), str):
            raise Refusal('say which: {"fault": "bearing-wear", "severity": 1, "ramp": 60}')
        kind, _, sensor = argument["fault"].partition(".")
        severity = number(argument.get("severity", 1.0), "severity", 0.0, 1.0)
        ramp = number(argument.get("ramp", 0.0), "ramp", 0.0, 86_400.0)
        device.set_fault(twin, kind, 1e-6 if ramp else severity, sensor)
        if ramp:
            self._ramps.append((twin, kind, sensor, self.elapsed, ramp, severity))
        return {"fault": argument["fault"], "severity": severity, "ramp": ramp}

    def _repair(self, device: Device, twin: str) -> list[str]:
        own = device.twins if twin == device.name else (twin,)
        self._ramps = [r for r in self._ramps if r[0] not in own]
        return sorted({fault for name in own for fault in device.repair(name)})


def check_faults(faults: Sequence[Fault], devices: Sequence[Device]) -> None:
    """Refuses faults on devices that do not exist or cannot have them.

    Raises:
        InvalidInput: one does not fit.
    """
    owner = {twin: device for device in devices for twin in device.twins}
    for fault in faults:
        device = owner.get(fault.device)
        if device is None:
            raise InvalidInput(
                f"there is no '{fault.device}' to break", hint=f"there are {', '.join(owner)}"
            )
        try:
            device.set_fault(fault.device, fault.kind, 1e-6, fault.property)
        except Refusal as refusal:
            raise InvalidInput(str(refusal), hint="see gemel simulate --list-faults") from refusal
        device.set_fault(fault.device, fault.kind, 0.0, fault.property)
