"""An FMU in the real server: imported, bound to a twin, calibrated, simulated; a crash told."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.inside import Inside, inside, until
from services.foreign.tank import needs_fmi, packed, reference, tank

pytestmark = needs_fmi
SECOND = 1_000_000_000
STEPS, WIDTH = 60, 10
MODEL = {
    "@id": "dtmi:example:Tank;1", "@type": "Interface", "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": n, "schema": "double"} for n in ("pump", "height")],
}  # fmt: skip
PARAMETERS = {
    "behaviour": "basin", "observed": "height", "inputs": {"inflow": "pump"}, "step": WIDTH,
}  # fmt: skip
SERVICE = {"kind": "behaviour", "model": MODEL["@id"], "parameters": PARAMETERS}

CALLED = {"inputs": {"in": "inflow"}, "outputs": {"h": "level"}}
LADDER = {
    "levels": [
        {
            "name": "tight", "behaviour": "tank", "values": {"area": 1}, "start": {"level": 1},
            **CALLED,
        },
        {"name": "fmu", "behaviour": "basin", **CALLED},
    ],
    "step": 1,
}  # fmt: skip
CHOICE = {
    "chosen": "in", "candidates": [0, 0.05, 0.1], "cost": {"in": 0.1}, "window": 20, "draws": 4,
    "limits": {"h": {"low": 1, "price": 1}}, "vary": {"leak": 0.3},
}  # fmt: skip


def run(server: Inside, name: str, **parameters: Any) -> dict[str, Any]:
    return finished(server, {"run": name, "service": "tanks", "parameters": parameters})


def finished(server: Inside, asked: dict[str, Any]) -> dict[str, Any]:
    found = server.ask("POST", "/runs", asked)
    return until(
        lambda: (r := server.ask("GET", f"/runs/{found['id']}"))["ended"] and r, "the run's end"
    )


def upload(server: Inside, name: str, data: bytes, **query: Any) -> httpx.Response:
    return server.http.put(f"/imported-models/{name}", content=data, params=query, timeout=60)


def test_an_fmu_from_its_file_to_what_it_says(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/models", [MODEL])
        server.ask("PUT", "/digitaltwins/t1", {"$metadata": {"$model": MODEL["@id"]}})
        early = server.http.put("/services/tanks", json=SERVICE)
        assert early.status_code == 404
        assert "gemel behaviour import" in early.json()["error"]["hint"]

        data = tank(2)
        taken = upload(server, "basin", data)
        assert taken.status_code == 200, taken.text
        assert taken.json()["mode"] == "co-simulation"
        assert taken.json()["sha256"] == hashlib.sha256(data).hexdigest()
        names = [one["name"] for one in server.ask("GET", "/imported-models")["value"]]
        assert names == ["basin"]

        server.ask("PUT", "/services/tanks", SERVICE)
        _readings(server)
        done = run(server, "calibrate", span=3600, starts=1, fitted=["leak"], holdout=0.2)
        assert done["state"] == "succeeded", done
        found = server.ask("GET", f"/runs/{done['id']}/result")["result"]["twins"]["t1"]
        assert found["parameters"]["leak"] == pytest.approx(0.013, rel=0.05)

        done = run(server, "simulate", span=3600)
        assert done["message"] == "", server.http.get(f"/runs/{done['id']}/log").text
        told = server.ask("GET", f"/runs/{done['id']}/result")
        assert told["result"]["twins"]["t1"]["rmseToReadings"] < 0.1
        stored = server.ask(
            "GET", "/history", twin="t1", property="behaviour.simulated", provenance="simulated",
            **{"from": "-2h", "to": "now"},
        )  # fmt: skip
        assert len(stored["series"][0]["value"]) == told["result"]["twins"]["t1"]["steps"]
        dry = run(server, "simulate", span=3600, hold={"inflow": 0.0})
        told = server.ask("GET", f"/runs/{dry['id']}/result")["result"]["twins"]["t1"]
        assert told["outputs"]["level"]["last"] < 0.6

        crash = {"fault": 1}
        done = run(server, "simulate", span=3600, change=crash)
        assert done["state"] == "failed"
        assert "model 'basin' crashed (SIGSEGV)" in done["message"]
        assert server.ask("GET", "/services/tanks")["isRunning"]

        server.ask("PUT", "/services/ladder", {"kind": "fidelity", "parameters": LADDER})
        asked = {"run": "compare", "service": "ladder", "parameters": CHOICE}
        done = finished(server, asked)
        assert done["state"] == "succeeded", done
        found = server.ask("GET", f"/runs/{done['id']}/result")["result"]
        assert (found["level"], found["reference"], found["isSure"]) == ("fmu", "fmu", True)

        refused = server.http.delete("/imported-models/basin")
        assert refused.status_code == 409
        assert "ladder, tanks" in refused.json()["error"]["message"]
        server.ask("DELETE", "/services/ladder")
        server.ask("DELETE", "/services/tanks")
        server.ask("DELETE", "/imported-models/basin")
        assert list((tmp_path / "data" / "models").iterdir()) == []


def _readings(server: Inside) -> None:
    now = server.clock() // SECOND
    begin = now - STEPS * WIDTH - 5
    begin -= begin % WIDTH
    inflow = np.random.default_rng(1).uniform(0, 0.02, 10).repeat(6)
    height = reference(inflow, WIDTH, leak=0.013)
    rows: list[dict[str, Any]] = []
    for k in range(STEPS):
        rows.append({"twin": "t1", "time": (begin + k * WIDTH) * 1000, "pump": inflow[k]})
        at = (begin + k * WIDTH + WIDTH - 1) * 1000
        rows.append({"twin": "t1", "time": at, "height": height[k]})
    server.ask("POST", "/ingest", rows)


def test_what_is_no_model_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        for data, status, words in (
            (b"", 400, "no body"),
            (b"neither", 400, "model 'x'"),
            (packed({"modelDescription.xml": b"<no/>"}), 400, "model 'x'"),
            (packed({"../modelDescription.xml": b""}), 400, "leads out"),
            (packed({"other": b""}), 400, "has no modelDescription"),
        ):
            answer = upload(server, "x", data)
            assert answer.status_code == status, answer.text
            assert words in answer.json()["error"]["message"]
        assert upload(server, "rc2", tank(2)).status_code == 409
        assert upload(server, "a%2Fb", tank(2)).status_code in (400, 404)
        assert upload(server, "x", tank(2), mode="sideways").status_code == 400
        assert server.http.get("/imported-models/x").status_code == 404
        folder = tmp_path / "data" / "models"
        assert not folder.exists() or list(folder.iterdir()) == []


def test_a_what_if_runs_an_fmu_whose_state_can_be_set(tmp_path: Path) -> None:
    attached = {
        "model": MODEL["@id"], "behaviour": "basin", "inputs": {"inflow": "pump"},
        "start": {"level": "height"}, "outputs": {"height": "level"},
    }  # fmt: skip
    scenario = {
        "title": "Pump off", "twins": ["t1"], "hours": 0.5, "step": 60, "members": 1,
        "changes": [{"twin": "t1", "property": "pump", "value": 0.0}],
        "kpis": [{"id": "end", "twin": "t1", "property": "height", "of": "end"}],
    }  # fmt: skip
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/models", [MODEL])
        server.ask("PUT", "/digitaltwins/t1", {"$metadata": {"$model": MODEL["@id"]}})
        assert upload(server, "basin", tank(2), mode="model-exchange").status_code == 200
        server.ask("PUT", "/behaviours/basins", {**attached, "parameters": {"leak": 0.001}})
        assert server.ask("GET", "/imported-models/basin")["usedBy"] == ["basins"]
        server.ask("POST", "/ingest", [{"twin": "t1", "pump": 0.001, "height": 1.0}])
        server.ask("PUT", "/scenarios/off", scenario)
        server.ask("POST", "/scenarios/off/run")

        def ended() -> Any:
            found = server.ask("GET", "/scenarios/off")
            return found if found["run"]["state"] in ("succeeded", "failed") else None

        assert until(ended, "the end of the run")["run"]["message"] == ""
        told = server.ask("GET", "/scenarios/off/result")["kpis"][0]
        assert told["scenario"]["mean"] == pytest.approx(np.exp(-0.001 * 1800), rel=1e-3)
        assert told["baseline"]["mean"] == pytest.approx(1.0, rel=1e-3)


def test_fmus_are_coupled_along_relationships_in_a_what_if(tmp_path: Path) -> None:
    """Two tanks in a row, each a co-simulation: what the upper loses, the lower gets."""
    height = {"@type": "Telemetry", "name": "height", "schema": "double"}
    flow = {**height, "name": "flow"}
    contents = [*MODEL["contents"], flow, {"@type": "Relationship", "name": "feeds"}]
    twins = [{"$metadata": {"$model": MODEL["@id"]}}] * 2
    attached = {
        "model": MODEL["@id"], "behaviour": "basin", "parameters": {"leak": 0.001},
        "inputs": {"inflow": "pump + sum of flow in incoming feeds"},
        "start": {"level": "height"},
        "outputs": {"height": "level", "flow": "outflow"},
    }  # fmt: skip
    hours, step = 0.5, 60
    scenario = {
        "title": "Pump on", "twins": ["t1"], "hours": hours, "step": step, "members": 2,
        "changes": [{"twin": "t1", "property": "pump", "value": 0.002}],
        "kpis": [{"id": "end", "twin": "t2", "property": "height", "of": "end"}],
    }  # fmt: skip
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/models", [{**MODEL, "contents": contents}])
        for name, twin in zip(("t1", "t2"), twins, strict=True):
            server.ask("PUT", f"/digitaltwins/{name}", twin)
        server.ask(
            "PUT", "/digitaltwins/t1/relationships/down",
            {"$targetId": "t2", "$relationshipName": "feeds"},
        )  # fmt: skip
        assert upload(server, "basin", tank(2)).json()["mode"] == "co-simulation"
        server.ask("PUT", "/behaviours/basins", attached)
        wrong = server.http.put("/behaviours/basins", json={**attached, "noise": {"level": 0.1}})
        assert wrong.status_code == 400, "only a start of it can be set"
        rows = [{"twin": "t1", "pump": 0.001, "height": 1.0, "flow": 0.001}]
        rows.append({"twin": "t2", "pump": 0.0, "height": 0.6, "flow": 0.0006})
        server.ask("POST", "/ingest", rows)
        server.ask("PUT", "/scenarios/on", scenario)
        server.ask("POST", "/scenarios/on/run")

        def ended() -> Any:
            found = server.ask("GET", "/scenarios/on")
            return found if found["run"]["state"] in ("succeeded", "failed") else None

        assert until(ended, "the end of the run")["run"]["message"] == ""
        told = server.ask("GET", "/scenarios/on/result")["kpis"][0]
        for side, pump in (("baseline", 0.001), ("scenario", 0.002)):
            upper, lower = 1.0, 0.6
            for _ in range(int(hours * 3600 / step)):
                above = np.array([upper * 0.001])  # twins of one behaviour step together
                upper = float(reference(np.array([pump]), step, 0.001, level=upper)[0])
                lower = float(reference(above, step, 0.001, level=lower)[0])
            assert told[side]["mean"] == pytest.approx(lower, rel=2e-3)
        assert told["difference"]["sure"]
