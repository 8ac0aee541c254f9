"""Faults: what can break, and when: a line of time with ramps, holds and repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gemel.core.errors import InvalidInput

FAULTS: dict[str, str] = {
    "bearing-wear": "a rolling bearing spalls: vibration, then temperature rise (motors)",
    "winding-overload": "a weak phase and little cooling: the winding runs hot (motors)",
    "unbalance": "vibration at the speed of the shaft (motors, fan)",
    "cavitation": "too little suction head: flow and head fall, it rattles (pumps)",
    "impeller-wear": "head and efficiency sink (pumps)",
    "leak": "liquid is lost (tanks)",
    "cooler-fouling": "the oil cooler clogs: the discharge runs hot (compressor)",
    "valve-leak": "air flows back: less is delivered (compressor)",
    "gearbox-overheating": "the gearbox oil is cooled badly (turbine)",
    "pitch-stuck": "one blade keeps its angle (turbine)",
    "blocked-filter": "pressure drop rises, air flow falls (air handler)",
    "stuck-damper": "the damper no longer moves (air handler)",
    "jam": "the machine stands still (line machines)",
    "wear": "more micro-stops and rejects (line machines)",
    "sensor-drift": "a reading drifts away from the truth (any; `.property` picks the sensor)",
    "sensor-frozen": "a reading sticks (any; `.property` picks the sensor)",
    "sensor-silent": "a reading is missing (any; `.property` picks the sensor)",
    "link-loss": "the device's network link is down (any)",
}

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SPAN = r"(\d+(?:\.\d+)?)(s|m|min|h)?"
_FORM = re.compile(
    r"(?P<device>[\w-]+):(?P<fault>[a-z-]+)(?:\.(?P<property>\w+))?(?:\*(?P<severity>\d*\.?\d+))?"
    rf"(?:@(?P<start>{_SPAN}))?(?:/(?P<ramp>{_SPAN}))?(?:/(?P<hold>{_SPAN}))?"
    rf"(?:~(?P<every>{_SPAN}))?"
)
FORM = (
    "DEVICE:FAULT[.PROPERTY][*SEVERITY][@START][/RAMP[/HOLD]][~EVERY], motor-3:bearing-wear@60s/60s"
)

DEMO = (
    "motor-3:bearing-wear@60s/45s/10m~40m",
    "filter-1:blocked-filter@4m/60s/8m~40m",
    "compressor-1:cooler-fouling*0.8@7m/90s/8m~40m",
    "turbine-1:gearbox-overheating@11m/2m/8m~40m",
    "pump-2:cavitation*0.7@15m/30s/5m~40m",
    "capper-1:jam@19m/0s/90s~40m",
    "zone-4:sensor-drift.temperature*0.6@22m/4m/6m~40m",
    "damper-1:stuck-damper@25m/0s/6m~40m",
    "motor-8:sensor-frozen.temperature@28m/0s/5m~40m",
    "zone-2:link-loss@31m/0s/90s~40m",
    "motor-7:winding-overload@33m/60s/12m~40m",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault on a device, in seconds since the start; `every` 0 happens once."""

    device: str
    kind: str
    start: float = 0.0
    ramp: float = 0.0
    hold: float = float("inf")
    every: float = 0.0
    severity: float = 1.0
    property: str = ""

    def level(self, elapsed: float) -> float:
        """How bad it is: 0 is not at all, `severity` is fully there."""
        since = elapsed - self.start
        if since < 0:
            return 0.0
        if self.every > 0:
            since %= self.every
        if since < self.ramp:
            return self.severity * since / self.ramp
        return self.severity if since < self.ramp + self.hold else 0.0


def _seconds(text: str | None, default: float) -> float:
    if text is None:
        return default
    match = re.fullmatch(_SPAN, text)
    assert match is not None  # the outer form has checked it
    return float(match[1]) * _UNITS[match[2] or ""]


def known_fault(kind: str) -> str:
    """The fault's name.

    Raises:
        InvalidInput: there is no such fault.
    """
    if kind not in FAULTS:
        raise InvalidInput(
            f"there is no fault '{kind}'", hint=f"there are {', '.join(sorted(FAULTS))}"
        )
    return kind


def parse_fault(text: str) -> Fault:
    """Reads `motor-3:bearing-wear@60s/120s`.

    Raises:
        InvalidInput: the text does not have the form, or names no fault.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(f"'{text}' is not a fault", hint=f"write it like {FORM}")
    fault = Fault(
        match["device"],
        known_fault(match["fault"]),
        _seconds(match["start"], 0.0),
        _seconds(match["ramp"], 0.0),
        _seconds(match["hold"], float("inf")),
        _seconds(match["every"], 0.0),
        float(match["severity"] or 1.0),
        match["property"] or "",
    )
    if fault.every and fault.every < fault.ramp + fault.hold:
        raise InvalidInput(
            f"'{text}' repeats before it is over", hint="give a hold that ends before ~EVERY"
        )
    return fault


def parse_faults(plan: str, extra: Iterable[str] = ()) -> list[Fault]:
    """The faults of `--faults PLAN` and `--fault ...`.

    Raises:
        InvalidInput: no such plan, or a fault is written wrongly.
    """
    if plan not in ("demo", "none"):
        raise InvalidInput(f"there is no fault plan '{plan}'", hint="give demo or none")
    texts = [*(DEMO if plan == "demo" else ()), *extra]
    return [parse_fault(text) for text in texts]
