"""A small plant with three hours of readings, in Gemel and as lines of OpenMetrics."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import httpx

from app.inside import Inside

BASE = 1_700_000_000
SPAN = 10_800
STEP = 15
MACHINE = "dtmi:test:Machine;1"
PRESS = "dtmi:test:Press;1"
TWINS = {f"p-{n}": PRESS if n > 6 else MACHINE for n in range(1, 9)}


def _model(key: str) -> dict[str, Any]:
    context = ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"]
    warm = {"name": "temperature", "schema": "double", "unit": "degreeCelsius"}
    temperature = {"@type": ["Telemetry", "Temperature"], **warm}
    parts = [
        {"@type": "Telemetry", "name": "flow", "schema": "double"},
        {"@type": "Telemetry", "name": "energy_total", "schema": "double"},
        {"@type": "Telemetry", "name": "running", "schema": "boolean"},
        {"@type": "Telemetry", "name": "mode", "schema": "string"},
        {"@type": "Component", "name": "bearing", "schema": "dtmi:test:Bearing;1"},
        temperature,
    ]
    return {"@id": key, "@type": "Interface", "@context": context, "contents": parts}


def models() -> list[dict[str, Any]]:
    bearing = _model("dtmi:test:Bearing;1")
    bearing["contents"] = bearing["contents"][-1:]
    return [bearing, _model(MACHINE), _model(PRESS)]


def readings(twin: str, seed: int) -> list[dict[str, Any]]:
    """Rows at uneven times, with gaps beyond the look-back, and a counter that starts anew."""
    chance = random.Random(seed)
    rows, energy, at = [], chance.random() * 40, float(BASE)
    while at < BASE + SPAN:
        energy = 0.0 if chance.random() < 0.01 else energy + chance.random() * 3
        row: dict[str, Any] = {"time": round(at * 1000), "energy_total": energy}
        if chance.random() < 0.9:
            row["flow"] = chance.gauss(10, 40)
        if chance.random() < 0.3:
            row["temperature"] = float(chance.randrange(20, 90))
            row["bearing"] = {"temperature": chance.random() * 5}
        if chance.random() < 0.1:
            row["running"] = chance.random() < 0.7
            row["mode"] = chance.choice(["a", "b"])
        rows.append(row)
        at += STEP + chance.choice([0, 0, 0, 0.137, -3.2])
        if chance.random() < 0.004:
            at += chance.choice([200, 420, 1500])
    return rows


def fill(server: Inside) -> None:
    twins = {twin: {"model": model} for twin, model in TWINS.items()}
    server.ask("POST", "/plant", {"models": models(), "twins": twins})
    for seed, twin in enumerate(TWINS):
        server.ask("POST", f"/ingest/{twin}", readings(twin, seed))


def open_metrics(server: Inside) -> Iterator[str]:
    """What history has, under the labels that the face of Prometheus gives it."""
    root = "/prometheus/api/v1"
    found = data(server.http.get(f"{root}/series", params={"match[]": '{twin=~".+"}'}))
    at = {"query": f'{{twin=~".+"}}[{SPAN + 100}s]', "time": BASE + SPAN}
    raw = data(server.http.get(f"{root}/query", params=at))["result"]
    assert len(raw) == len(found) == 5 * len(TWINS)
    for one in sorted(raw, key=lambda one: str(one["metric"]["__name__"])):
        labels = ",".join(f'{n}="{v}"' for n, v in one["metric"].items() if n != "__name__")
        for time, value in one["values"]:
            yield f"{one['metric']['__name__']}{{{labels}}} {value} {time}"


def data(answer: httpx.Response) -> Any:
    body = answer.json()
    assert body["status"] == "success", body
    return body["data"]
