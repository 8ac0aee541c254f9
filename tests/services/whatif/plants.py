"""A small plant for scenarios: a pump between two tanks, a motor that drives it."""

from __future__ import annotations

from typing import Any

TANK, PUMP = "dtmi:test:Tank;1", "dtmi:test:Pump;1"
AT = 1_700_000_000_000_000_000

BEHAVIOURS: list[dict[str, Any]] = [
    {
        "id": "pumps",
        "model": PUMP,
        "behaviour": "pump",
        "parameters": {"lift": {"value": 8.0, "spread": 0.1}, "friction": 0.0024},
        "inputs": {
            "speed": "speedSetpoint / 100",
            "static": "lift + sum of level in feeds - sum of level in incoming feeds",
            "resistance": "friction",
        },
        "outputs": {"flow": "flow", "power": "power"},
    },
    {
        "id": "tanks",
        "model": TANK,
        "behaviour": "tank",
        "parameters": {"area": 12.0, "height": 6.0},
        "inputs": {
            "inflow": "sum of flow of Pump in incoming feeds + supply",
            "outflow": "sum of flow of Pump in feeds",
        },
        "start": {"level": "level"},
        "outputs": {"level": "level", "fill": "level / height * 100"},
    },
]


def plan(**scenario: Any) -> dict[str, Any]:
    """A pump that moves water from one tank to another, and a second one back."""
    twins = [
        ["tank-1", "Tank 1", [TANK], {"level": 3.0, "fill": 50.0, "supply": 0.0}, True],
        ["tank-2", "Tank 2", [TANK], {"level": 3.0, "fill": 50.0, "supply": 0.0}, True],
        ["pump-1", "Pump 1", [PUMP], {"speedSetpoint": 85.0, "flow": 60.0}, True],
        ["pump-2", "Pump 2", [PUMP], {"speedSetpoint": 85.0, "flow": 60.0}, True],
    ]
    links = [
        ["tank-1", "feeds", "pump-1"],
        ["pump-1", "feeds", "tank-2"],
        ["tank-2", "feeds", "pump-2"],
        ["pump-2", "feeds", "tank-1"],
    ]
    asked = {"twins": ["tank-1"], "hours": 1.0, "members": 8, **scenario}
    return {
        "id": "tried",
        "scenario": asked,
        "fork": {"at": AT, "twins": twins, "links": links},
        "behaviours": BEHAVIOURS,
        "rules": {"full": {"model": TANK, "when": "fill > 70 % for 2 minutes", "priority": 2}},
        "shapes": {TANK: {"fill": ["number", "percent", {}]}, PUMP: {}},
        "signals": [],
        "recorded": [],
        "begin": 0,
        "end": 0,
        "bucket": 0.0,
        "units": {"tank-1": {"fill": "%"}},
        "kpis": [],
    }
