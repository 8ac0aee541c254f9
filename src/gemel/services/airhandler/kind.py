"""The kind `air-handler`: learns zones and equipment, and recommends the cheapest set points."""

from __future__ import annotations

from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.services.contract import Instance, Kind, Need, Plant, Run, Signal

SIGNALS = {
    "outdoor": "temperature outside, °C",
    "solar": "sun on the horizontal, W/m²",
    "supply": "temperature of the supply air, °C",
    "pressure": "in the duct, Pa",
    "fresh": "share of outdoor air, 0 to 1",
    "fan": "meter of the fan, kW",
    "cooling": "meter of the chiller, kW",
    "heating": "meter of the heat source, kW",
}
"""Of the air handler, with paths of the same name unless told otherwise."""
ZONE_SIGNALS = ("temperature", "flow", "heat", "co2")
COMMANDS = ("supply", "pressure", "fresh", "fan")


def _number(default: float, about: str, low: float, high: float, unit: str = "") -> Json:
    found = {"type": "number", "default": default, "description": about}
    return found | {"minimum": low, "maximum": high} | ({"unit": unit} if unit else {})


def _path(default: str, about: str) -> Json:
    return {"type": "string", "default": default, "description": about}


def _numbers(default: list[float], about: str) -> Json:
    given = {"type": "array", "items": {"type": "number"}, "default": default}
    return given | {"description": about}


ZONE: Json = {
    "type": "object",
    "properties": {
        "temperature": _path("", "path, °C"),
        "flow": _path("", "path, supply air in m³/s"),
        "heat": _path("", "path, W that air and reheat bring; negative where they cool"),
        "co2": _path("", "path, ppm"),
        "least": _number(0.1, "flow while the fan runs", 0, 1e4, "m³/s"),
        "most": _number(0.5, "flow at `design` Pa", 1e-6, 1e4, "m³/s"),
        "reheat": _number(0, "of its coil at most", 0, 1e7, "W"),
        "volume": _number(300, "of its air", 1, 1e7, "m³"),
    },
    "required": list(ZONE_SIGNALS),
}
PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "zones": {
            "type": "array",
            "items": ZONE,
            "description": "each with its paths on the twin of the air handler",
        },
        **{name: _path(name, f"path: {about}") for name, about in SIGNALS.items()},
        "low": _number(21, "least temperature in hours of use", -50, 60, "°C"),
        "high": _number(24, "most then", -50, 60, "°C"),
        "lowOutside": _number(16, "least in other hours", -50, 60, "°C"),
        "highOutside": _number(28, "most then", -50, 80, "°C"),
        "from": _number(8, "hour of the day (UTC) from which the zones are used", 0, 24),
        "to": _number(18, "hour until which they are", 0, 24),
        "days": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 6},
            "default": [0, 1, 2, 3, 4],
            "description": "of use; 0 is Monday",
        },
        "limit": _number(1000, "CO2 that should not be exceeded in use", 420, 1e5, "ppm"),
        "design": _number(250, "duct pressure at which boxes give their `most`", 1, 1e5, "Pa"),
        "step": _number(900, "seconds of a step", 60, 3600, "s"),
    },
    "required": ["zones"],
}
LEARN: Json = {
    "type": "object",
    "properties": {
        "span": _number(14 * 86_400, "seconds of history", 3 * 86_400, 1e9, "s"),
        "worst": _number(1.5, "K: RMSE of a free run above which a twin does not pass", 0, 100),
    },
}
PLAN: Json = {
    "type": "object",
    "properties": {
        "span": _number(2 * 86_400, "seconds of readings, from which the state is found", 1e5, 1e7),
        "period": _number(3600, "until the next plan; less lets it start sooner", 60, 86_400, "s"),
        "hours": _number(12, "to plan at most", 1, 24, "h"),
        "supplies": _numbers([12, 13.5, 15, 16.5, 18, 20], "°C of supply air to choose from"),
        "pressures": _numbers([40, 60, 80, 110, 150, 200, 250], "Pa to choose from"),
        "shares": _numbers([0.05, 0.1, 0.15, 0.25, 0.4], "least shares of outdoor air"),
        "margin": _number(0.2, "K within the band that is aimed for", 0, 5),
        "degree": _number(10, "kWh that a K.h of one zone outside the band is worth", 0, 1e9),
        "co2": _number(10, "kWh that 1000 ppm.h of one zone above the limit are worth", 0, 1e9),
        "commands": {
            "type": "object",
            "default": {},
            "description": "by set point (" + ", ".join(COMMANDS) + "): the twin's command",
        },
    },
}


def paths_of(parameters: Json) -> list[str]:
    """Every signal's path, those of zones after those of the air handler."""
    zones = [zone[name] for name in ZONE_SIGNALS for zone in parameters["zones"]]
    return [parameters[name] for name in SIGNALS] + zones


def _reads(signal: Signal, parameters: Json) -> bool:
    return signal.path in paths_of(parameters)


def _need(parameters: Json, instance: Instance, _: Plant, now: int) -> Need:
    begin = now - round(float(parameters["span"]) * SECOND)
    return Need(instance.signals, begin, now + 1)


_EXAMPLE_ZONE: Json = {"temperature": "t", "flow": "f", "heat": "h", "co2": "c"}
KIND = Kind(
    name="air-handler",
    title="Air handler",
    about="the cheapest supply temperature, duct pressure, outdoor air and running hours",
    fidelity=2,
    parameters=PARAMETERS,
    reads=_reads,
    runs=(
        Run(
            "learn",
            "zones and equipment from history, judged on a part that is held out",
            "gemel.services.airhandler.runs:learn_twins",
            LEARN,
            _need,
        ),
        Run(
            "plan",
            "the set points for the hours to come, as commands for the first of them",
            "gemel.services.airhandler.runs:plan_twins",
            PLAN,
            _need,
        ),
    ),
    example={"zones": [_EXAMPLE_ZONE]},
)
