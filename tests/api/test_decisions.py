"""The services of decisions through the real server and its worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from app.inside import PUMP, Inside, inside, until


def result(server: Inside, **asked: Any) -> Any:
    run = server.ask("POST", "/runs", asked)["id"]
    until(
        lambda: server.ask("GET", f"/runs/{run}")["state"] not in ("queued", "running"),
        "the run to end",
    )
    done = server.ask("GET", f"/runs/{run}")
    assert done["state"] == "succeeded", done
    return server.ask("GET", f"/runs/{run}/result")["result"]


def test_bottleneck_and_level_are_named_by_runs(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1", "pump-2")
        stations = [{"twin": "pump-1", "cycle": 5}, {"twin": "pump-2", "cycle": 8}]
        server.ask(
            "PUT",
            "/services/two",
            {
                "kind": "line",
                "twins": ["pump-1", "pump-2"],
                "parameters": {"stations": stations},
            },
        )
        given = {"jobs": 300, "repetitions": 6}
        found = result(server, run="bottleneck", service="two", parameters=given)
        assert found["best"] == "pump-2 10% faster"
        advice = result(
            server, run="advise", kind="fidelity", parameters={"rateSpread": 0, "rate": 0.1}
        )
        assert advice["level"] == "age"
        days = np.arange(1, 24) / 23.5
        noise = np.random.default_rng(1).normal(0, 0.02, (12, 23))
        recorded = (0.1 ** (1 - days) + noise).tolist()
        learnt = result(server, run="advise", kind="fidelity", parameters={"recorded": recorded})
        assert learnt["levels"][0]["regret"] < 0.1
        assert abs(learnt["plant"]["begin"] - 0.1) < 0.02
        assert abs(sum(one["chance"] for one in learnt["levels"]) - 1) < 1e-9


def test_a_forecast_is_stored_with_its_band(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        now = int(server.clock() // 10**9)
        times = [(now - 300 * 60 + i * 60) * 1_000 for i in range(300)]
        values = 10 + 3 * np.sin(np.arange(300) / 12 * 2 * np.pi)
        rows = [{"time": t, "flow": float(v)} for t, v in zip(times, values, strict=True)]
        server.ask("POST", "/ingest/pump-1", rows)
        small = {"signals": ["flow"], "step": 60, "season": 12, "lags": 24, "horizon": 12}
        server.ask(
            "PUT", "/services/ahead", {"kind": "forecast", "model": PUMP, "parameters": small}
        )
        found = result(server, run="forecast", service="ahead", parameters={"span": 86_400})
        assert found["signals"][0]["rmse"] < 0.5
        later = {"from": (now - 60) * 1_000, "to": (now + 3_600) * 1_000}
        asked = {"twin": "pump-1", "provenance": "predicted", **later}
        series = server.ask("GET", "/history", property="flow,flow@q0.05,flow@q0.95", **asked)
        value, low, high = (np.array(one["value"], float) for one in series["series"])
        assert len(value) == len(low) == len(high) >= 12
        assert (low <= value).all()
        assert (value <= high).all()
