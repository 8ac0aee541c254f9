"""A small plant that has one of everything that can be said, for conversions to be tried on."""

from __future__ import annotations

from typing import Any

from app.inside import Inside

CONTEXT = ["dtmi:dtdl:context;4", "dtmi:dtdl:extension:quantitativeTypes;3"]
LIMITS = {
    "@type": "Object",
    "fields": [{"name": "low", "schema": "double"}, {"name": "high", "schema": "double"}],
}
MODE = {
    "@type": "Enum",
    "valueSchema": "integer",
    "enumValues": [{"name": "off", "enumValue": 0}, {"name": "auto", "enumValue": 1}],
}
TAGS = {
    "@type": "Map",
    "mapKey": {"name": "tag", "schema": "string"},
    "mapValue": {"name": "text", "schema": "string"},
}


def interface(key: str, contents: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"@context": CONTEXT, "@id": key, "@type": "Interface", "contents": contents, **more}


def prop(name: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"@type": "Property", "name": name, "schema": schema, **more}


def quantity(kind: str, name: str, of: str, unit: str, **more: Any) -> dict[str, Any]:
    return {"@type": [kind, of], "name": name, "schema": "double", "unit": unit, **more}


ASSET, BEARING, PUMP = (f"dtmi:ex:{name};1" for name in ("Asset", "Bearing", "Pump"))
MODELS = [
    interface(
        ASSET,
        [
            prop("name", "string"),
            prop("installed", "date"),
            {"@type": "Relationship", "name": "contains"},
        ],
        displayName={"en": "Asset", "de": "Anlage"},
    ),
    interface(
        BEARING,
        [
            quantity("Telemetry", "temperature", "Temperature", "degreeCelsius"),
            prop("grease", "string", writable=True),
        ],
    ),
    interface(
        PUMP,
        [
            quantity(
                "Telemetry",
                "flow",
                "VolumeFlowRate",
                "cubicMetrePerHour",
                displayName="Flow",
                description="What it moves",
            ),
            {"@type": "Telemetry", "name": "running", "schema": "boolean"},
            {"@type": "Telemetry", "name": "count", "schema": "long"},
            {"@type": "Telemetry", "name": "mode", "schema": MODE},
            quantity("Property", "target", "VolumeFlowRate", "cubicMetrePerHour", writable=True),
            prop("limits", LIMITS, writable=True),
            prop("tags", TAGS),
            prop("points", {"@type": "Array", "elementSchema": "double"}),
            prop("position", "point"),
            {"@type": "Component", "name": "bearing", "schema": BEARING},
            {"@type": "Command", "name": "stop"},
            {
                "@type": "Command",
                "name": "setSpeed",
                "request": {"name": "speed", "schema": "double"},
                "response": {"name": "accepted", "schema": "boolean"},
            },
            {
                "@type": "Relationship",
                "name": "feeds",
                "target": PUMP,
                "properties": [prop("pipe", "string")],
            },
        ],
        extends=ASSET,
        displayName="Pump",
    ),
]
POSITION = {"type": "Point", "coordinates": [4.5, 52.25]}
PLANT: dict[str, Any] = {
    "models": MODELS,
    "twins": {
        "works": {"model": ASSET, "name": "Works", "contains": ["pump-1", "pump-2"]},
        "pump-1": {
            "model": PUMP,
            "name": "Raw water pump",
            "properties": {
                "installed": "2024-05-01",
                "target": 42.5,
                "limits": {"low": 1.0, "high": 90.0},
                "tags": {"area": "north", "1st": "yes"},
                "points": [0.0, 1.5],
                "position": POSITION,
            },
            "components": {"bearing": {"grease": "yellow"}},
            "feeds": [{"to": "pump-2", "properties": {"pipe": "DN80"}}],
        },
        "pump-2": {"model": PUMP},
    },
}
TIME = "2026-01-01T00:00:00Z"


def fill(server: Inside) -> None:
    """Imports the plant and sends one reading of each signal of pump-1."""
    server.ask("POST", "/plant", PLANT)
    server.ingest("pump-1", flow=12.5, running=True, count=7, mode=1, time=TIME)
    server.ask(
        "POST",
        "/digitaltwins/pump-1/components/bearing/telemetry",
        {"temperature": 61.5, "time": TIME},
    )
