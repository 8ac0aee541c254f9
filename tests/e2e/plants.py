"""A small plant of motors: quick to set up, and every value is sent by the test."""

from __future__ import annotations

import time
from typing import Any

from running import Running

MOTOR = "dtmi:test:Motor;1"
HALL = "dtmi:test:Hall;1"
NAME = {"@type": "Property", "name": "name", "schema": "string"}
STALE_AFTER = 600.0
TOO_MUCH = 9.0
"""mm/s; above the limit of the rule."""


def model() -> list[dict[str, Any]]:
    context = ["dtmi:dtdl:context;4", "dtmi:dtdl:extension:quantitativeTypes;3"]
    speed = {"name": "speed", "displayName": "Speed", "schema": "double"}
    return [
        {
            "@context": context,
            "@id": MOTOR,
            "@type": "Interface",
            "displayName": "Motor",
            "contents": [
                NAME,
                {
                    "@type": ["Telemetry", "Velocity"],
                    "name": "vibration",
                    "displayName": "Vibration",
                    "schema": "double",
                    "unit": "millimetrePerSecond",
                },
                {
                    "@type": ["Telemetry", "Temperature"],
                    "name": "temperature",
                    "displayName": "Temperature",
                    "schema": "double",
                    "unit": "degreeCelsius",
                },
                {"@type": "Telemetry", "name": "mode", "displayName": "Mode", "schema": "string"},
                {
                    "@type": "Property",
                    "name": "setpoint",
                    "displayName": "Set point",
                    "schema": "double",
                    "writable": True,
                },
                {
                    "@type": "Command",
                    "name": "setSpeed",
                    "displayName": "Set speed",
                    "request": speed,
                },
                {"@type": "Command", "name": "stop", "displayName": "Stop"},
            ],
        },
        {
            "@context": context,
            "@id": HALL,
            "@type": "Interface",
            "displayName": "Hall",
            "contents": [NAME, {"@type": "Relationship", "name": "contains"}],
        },
    ]


def motors(count: int, *, stale_after: float = STALE_AFTER) -> dict[str, Any]:
    """A hall with motors, limits, and a rule for each of two priorities."""
    names = [f"motor-{n}" for n in range(1, count + 1)]
    return {
        "name": "Test plant",
        "models": model(),
        "settings": {
            MOTOR: {
                "staleAfter": stale_after,
                "properties": {
                    "temperature": {"minimum": -40, "maximum": 200},
                    "vibration": {"minimum": 0, "maximum": 50},
                    "setSpeed": {"minimum": 0, "maximum": 100},
                },
            }
        },
        "twins": {
            "hall-1": {"model": HALL, "name": "Hall 1", "contains": names},
            **{name: {"model": MOTOR, "name": name.replace("motor-", "Motor ")} for name in names},
        },
        "rules": [
            {
                "id": "rough",
                "model": MOTOR,
                "when": "vibration > 7 mm/s",
                "priority": 1,
                "title": "Runs rough",
            },
            {
                "id": "hot",
                "model": MOTOR,
                "when": "temperature > 80 °C",
                "priority": 2,
                "title": "Winding hot",
            },
        ],
    }


def set_up(running: Running, plant: dict[str, Any]) -> None:
    running.call("POST", "/plant", plant)


def send(running: Running, twin: str, **values: Any) -> None:
    """A reading of now."""
    now = time.time_ns() // 1_000_000
    answer = running.call("POST", f"/ingest/{twin}", {"time": now, **values})
    assert answer["readings"] == len(values), answer


def running_plant(running: Running, count: int = 3) -> None:
    """Set up, with good values everywhere and a critical alarm of each motor but the last."""
    set_up(running, motors(count))
    for number in range(1, count + 1):
        vibration = TOO_MUCH if number < count else 1.2
        send(running, f"motor-{number}", vibration=vibration, temperature=41.5, mode="running")


def scene_of_motors(count: int) -> dict[str, Any]:
    """Pumps in a row, a cabinet beside them, a zone below and a pipe behind."""
    return {
        "version": 1,
        "name": "Test plant",
        "zones": [
            {"id": "hall", "label": "Hall", "at": [5, 0], "size": [24, 12], "twin": "hall-1"}
        ],
        "objects": [
            *(
                {"kind": "pump", "twin": f"motor-{n}", "at": [n * 5 - 5, 0, 0]}
                for n in range(1, count + 1)
            ),
            {"kind": "cabinet", "at": [-4, 0, 4]},
        ],
        "pipes": [{"points": [[0, 1, -3], [10, 1, -3], [10, 1, -1]], "diameter": 0.3}],
    }


KINDS = (
    *("pump", "tank", "silo", "compressor", "heat-exchanger", "valve", "motor", "air-handler"),
    *("conveyor", "robot", "cnc", "press", "furnace", "agv", "rack", "cabinet"),
)


def large_scene(machines: int, sensors: int) -> dict[str, Any]:
    """Machines of 16 kinds on a grid, each in two sizes, with sensors above them."""
    side = max(1, round(machines**0.5))
    places = [(i % side * 9.0, i // side * 9.0) for i in range(machines)]
    things: list[dict[str, Any]] = []
    for i, (x, z) in enumerate(places):
        kind = KINDS[i % len(KINDS)]
        sizes = {"length": 2.5} if kind == "pump" and i % 2 else {}
        things.append(
            {"kind": kind, "twin": f"motor-{i + 1}", "at": [x, 0, z], "parameters": sizes}
        )
    for i in range(sensors):
        x, z = places[i % machines]
        at = [x + i % 7 * 0.4 - 1.2, 2.5 + i % 3 * 0.4, z + i % 5 * 0.4 - 0.8]
        things.append({"kind": "sensor", "twin": f"motor-{i % machines + 1}", "at": at})
    zones = [
        {
            "id": f"z{i}",
            "label": f"Hall {i + 1}",
            "at": [side * 4.5, i * side * 2 + side],
            "size": [side * 9, side * 2],
        }
        for i in range(4)
    ]
    return {"version": 1, "name": "Large", "zones": zones, "objects": things, "pipes": []}
