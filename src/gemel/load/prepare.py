"""A plant for a load: one model, a twin for each device, one threshold rule for each signal."""

from __future__ import annotations

from typing import Any

MODEL = "dtmi:gemel:load:Device;1"
LIMIT = 95
"""Above every value of a plan: rules are judged on each reading, and raise nothing."""


def plant(names: list[str], signals: list[str], is_judged: bool = True) -> dict[str, Any]:
    """As `gemel import` takes it."""
    document = {
        "@id": MODEL,
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": [{"@type": "Telemetry", "name": n, "schema": "double"} for n in signals],
    }
    made: dict[str, Any] = {
        "models": [document],
        "twins": {name: {"model": MODEL} for name in names},
    }
    if is_judged:
        made["rules"] = [
            {"id": f"load-{n}", "model": MODEL, "when": f"{n} > {LIMIT} for 10 s"} for n in signals
        ]
    return made
