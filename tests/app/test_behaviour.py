"""A house in the real server: calibrated from its history, then expected, then planned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.inside import inside, until
from gemel.app.scenario_plan import calibrated
from gemel.services.behaviour import behaviour_of, simulate

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 // 900 * 900
HOUSE = "dtmi:example:House;1"
MODEL = {
    "@id": HOUSE, "@type": "Interface", "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Telemetry", "name": n, "schema": "double"}
        for n in ("outdoor", "heat", "indoor")
    ] + [{"@type": "Command", "name": "setHeat", "request": {"name": "power", "schema": "double"}}],
}  # fmt: skip
SERVICE = {
    "kind": "behaviour", "model": HOUSE,
    "parameters": {"behaviour": "rc1", "observed": "indoor", "follow": ["loss"],
                   "values": {"aperture": 0}, "inputs": {"outdoor": "outdoor", "heat": "heat"}},
}  # fmt: skip


def test_a_house_is_calibrated_and_expected(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    steps = 5 * 96
    heat = random.uniform(0, 6000, steps // 8).repeat(8)
    out = 5 + 4 * np.sin(np.arange(steps) / 15)
    true = simulate(
        behaviour_of("rc1"), {"outdoor": out, "heat": heat}, 900.0,
        {"loss": 150.0, "capacity": 1.2e7, "aperture": 0.0},
    ).output("temperature")[:, 0]  # fmt: skip
    rows = [
        {"twin": "h1", "time": (BEGIN + 900 * k) * 1000, "outdoor": out[k], "heat": heat[k]}
        for k in range(steps)
    ] + [
        {"twin": "h1", "time": (BEGIN + 900 * k + 890) * 1000, "indoor": true[k]}
        for k in range(steps)
    ]
    rows.sort(key=lambda row: row["time"])
    cut = 4 * 96 * 2
    given_plan = {"low": 20.0, "high": 40.0, "prices": [0.001]}
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/models", [MODEL])
        server.ask("PUT", "/digitaltwins/h1", {"$metadata": {"$model": HOUSE}})
        server.ask("PUT", "/services/houses", SERVICE)
        server.ask("POST", "/ingest", rows[:cut])
        span = server.clock() // SECOND - BEGIN + 10
        given = {"span": span, "starts": 2}  # the aperture is known and stays
        asked = {"run": "calibrate", "service": "houses", "parameters": given}
        run = server.ask("POST", "/runs", asked)
        done = until(
            lambda: (r := server.ask("GET", f"/runs/{run['id']}"))["ended"] and r, "the run's end"
        )
        assert done["state"] == "succeeded", done
        found = server.ask("GET", f"/runs/{run['id']}/result")["result"]["twins"]["h1"]
        assert found["parameters"]["aperture"] == 0
        assert {row["name"] for row in found["report"][:2]} == {"loss", "capacity"}
        status = server.ask("GET", "/services/houses/status")
        assert status["version"] == 1
        assert status["versions"][0]["scores"]["passed"] == 1
        server.ask("POST", "/ingest", rows[cut:])
        server.call(server.platform.tick, server.clock())

        def look(least: int = 382 + 94) -> list[float]:
            found = server.ask(
                "GET", "/history", twin="h1", property="behaviour.value", provenance="predicted",
                **{"from": str(BEGIN * 1000), "to": str((BEGIN + 900 * steps + 900) * 1000)},
            )  # fmt: skip
            values = found["series"][0]["value"] if found["series"] else []
            return values if len(values) >= least else []

        expected = until(look, "what is expected")
        assert np.abs(np.array(expected)[-90:] - true[-91:-1]).mean() < 0.2
        asked = {"run": "plan", "service": "houses", "parameters": {**given_plan, "span": span}}
        run = server.ask("POST", "/runs", asked)
        done = until(
            lambda: (r := server.ask("GET", f"/runs/{run['id']}"))["ended"] and r, "the plan's end"
        )
        assert done["state"] == "succeeded", done
        found = server.ask("GET", f"/runs/{run['id']}/result")["result"]["twins"]["h1"]
        assert found["outsideHours"] < 0.1
        assert found["cost"] + found["gain"] == pytest.approx(found["costAsDayBefore"])
        end = (BEGIN + 900 * steps + 2 * 86_400) * 1000
        planned = server.ask(
            "GET", "/history", twin="h1", property="behaviour.plan.output", provenance="simulated",
            **{"from": str(BEGIN * 1000), "to": str(end)},
        )["series"][0]["value"]  # fmt: skip
        assert len(planned) == 96
        assert min(planned) > 19.9
        knows = server.ask("GET", "/services/houses/status")["knows"]["following"]["h1"]
        assert abs(knows["parameters"]["loss"][1] / 150 - 1) < 0.1
        assert knows["sensorOff"] is False
        server.ask("PUT", "/behaviours/rooms", {
            "model": HOUSE, "behaviour": "rc1", "service": "houses",
            "inputs": {"outdoor": "outdoor", "heat": "heat"}, "outputs": {"indoor": "temperature"},
        })  # fmt: skip
        low, middle, high = knows["parameters"]["loss"]
        now = server.call(lambda: calibrated(server.platform, is_now=True))["rooms"]["h1"]
        assert now["loss"] == pytest.approx([middle, (high - low) / middle / 3.29])
        then = server.call(lambda: calibrated(server.platform, is_now=False))["rooms"]["h1"]
        assert then["loss"][0] != pytest.approx(middle, rel=1e-6)
        assert now["capacity"] == then["capacity"]
        planned = {**given_plan, "span": span, "command": "setHeat"}
        schedule = {"plan": {"every": 3600, "parameters": planned}}
        server.clock.advance(3601)  # after the plan that a person has asked for
        with server.device("h1") as device:
            device.answers["setHeat"] = b'{"status": "succeeded"}'
            device.subscribe("devices/h1/commands/#")
            server.ask("PUT", "/services/houses", {**SERVICE, "autonomy": "act",
                                                   "schedule": schedule})  # fmt: skip
            server.call(server.platform.tick, server.clock())
            done = until(
                lambda: (c := server.ask("GET", "/commands", twin="h1")["value"])
                and c[0]["isOver"] and c[0], "the command of the plan"
            )  # fmt: skip
        assert (done["state"], done["service"]) == ("succeeded", "service houses")
        assert 0 <= done["arguments"] <= 8000
        assert "expected gain" in done["steps"][0]["note"]
        quiet = {"explain": {"every": 0}}
        server.ask("PUT", "/services/houses", {**SERVICE, "schedule": quiet})
        server.clock.advance(7 * 86_400)
        server.call(server.platform.tick, server.clock())
        assert "explain" not in [r["run"] for r in server.ask("GET", "/runs")["value"]]
        server.ask("PUT", "/services/houses", SERVICE)
        server.call(server.platform.tick, server.clock())
        asked = until(
            lambda: [r for r in server.ask("GET", "/runs")["value"] if r["run"] == "explain"],
            "the question in hindsight, asked by itself",
        )
        assert asked[0]["why"] == "schedule"
