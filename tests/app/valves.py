"""A valve that fills a tank: a small plant for scenarios, put up over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TANK, VALVE = "dtmi:test:Tank;1", "dtmi:test:Valve;1"
MODELS = [
    {
        "@id": TANK,
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": [
            {"@type": "Telemetry", "name": "level", "schema": "double"},
            {"@type": "Relationship", "name": "feeds"},
        ],
    },
    {
        "@id": VALVE,
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": [
            {"@type": "Telemetry", "name": "flow", "schema": "double"},
            {"@type": "Property", "name": "opening", "schema": "double", "writable": True},
            {"@type": "Property", "name": "trim", "schema": "double", "writable": True},
            {"@type": "Command", "name": "open",
             "request": {"name": "opening", "schema": "double"}},
            {"@type": "Relationship", "name": "feeds"},
        ],
    },
]  # fmt: skip
VALVES = {
    "model": VALVE,
    "parameters": {"most": {"value": 24.0, "spread": 0.05}},
    "outputs": {"flow": "opening / 100 * most + trim"},
    "commands": {"opening": "open"},
}
TANKS = {
    "model": TANK,
    "behaviour": "tank",
    "parameters": {"area": 12.0, "height": 6.0},
    "inputs": {"inflow": "sum of flow in incoming feeds", "outflow": 6.0},
    "start": {"level": "level"},
    "outputs": {"level": "level"},
}
WIDER = {
    "title": "Valve wide open",
    "twins": ["valve-1"],
    "hours": 1,
    "members": 6,
    "changes": [{"twin": "valve-1", "property": "opening", "value": 75}],
    "kpis": [{"id": "level", "twin": "tank-1", "property": "level", "of": "end"}],
}


def put_up(ask: Callable[..., Any]) -> None:
    """Makes models, twins, readings and behaviours; `ask(method, path, body)`."""
    ask("POST", "/models", MODELS)
    limits = {"open": {"minimum": 0, "maximum": 80}, "trim": {"minimum": 0, "maximum": 5}}
    ask("PUT", f"/settings/{VALVE}", {"properties": limits})
    for twin, model in (("tank-1", TANK), ("tank-2", TANK), ("valve-1", VALVE)):
        ask("PUT", f"/digitaltwins/{twin}", {"$metadata": {"$model": model}})
    link(ask, "tank-1")
    readings: list[dict[str, Any]] = [
        {"twin": "tank-1", "level": 2.0},
        {"twin": "tank-2", "level": 1.0},
        {"twin": "valve-1", "flow": 6.0, "opening": 25.0, "trim": 0.0},
    ]
    ask("POST", "/ingest", readings)
    ask("PUT", "/behaviours/valves", VALVES)
    ask("PUT", "/behaviours/tanks", TANKS)


def link(ask: Callable[..., Any], tank: str) -> None:
    body = {"$relationshipName": "feeds", "$targetId": tank}
    ask("PUT", f"/digitaltwins/valve-1/relationships/to-{tank}", body)
