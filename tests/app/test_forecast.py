"""A forecast that goes on by itself in the real server: learnt once, then with every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from app.inside import MODELS, PUMP, Inside, inside, until

MINUTE = 60 * 10**9
SERVICE = {
    "kind": "forecast",
    "model": PUMP,
    "parameters": {"signals": ["flow"], "step": 60, "season": 12, "lags": 16, "horizon": 6},
}


def predicted(server: Inside, end: int) -> dict[str, list[float]]:
    found = server.ask(
        "GET", "/history", twin="pump-1", property="flow,flow@q0.05,flow@q0.95",
        provenance="predicted", **{"from": str(end // 10**6), "to": str(end // 10**6 + 3_600_000)},
    )  # fmt: skip
    return {one["property"]: one["value"] for one in found["series"]}


def test_what_is_read_is_forecast_with_bands_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    def send(server: Inside, begin: int, end: int) -> None:
        rows: list[dict[str, Any]] = [
            {"twin": "pump-1", "flow": 10 + 3 * float(np.sin(2 * np.pi * i / 12)),
             "time": (start + i * MINUTE) // 10**6}
            for i in range(begin, end)
        ]  # fmt: skip
        server.ask("POST", "/ingest", rows)

    with inside(tmp_path / "data") as server:
        start = (server.clock() // MINUTE - 300) * MINUTE
        server.ask("POST", "/models", MODELS)
        twin = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}}
        for key in ("pump-1", "pump-2"):
            server.ask("PUT", f"/digitaltwins/{key}", twin)
        server.ask("PUT", "/services/ahead", SERVICE)
        send(server, 0, 200)
        run = server.ask("POST", "/runs", {"run": "learn", "service": "ahead"})
        done = until(
            lambda: (r := server.ask("GET", f"/runs/{run['id']}"))["ended"] and r, "the run's end"
        )
        assert done["state"] == "succeeded", done
        assert server.ask("GET", "/services/ahead/status")["version"] == 1
        send(server, 200, 202)
        newest = start + 201 * MINUTE
        found = until(lambda: (p := predicted(server, newest))["flow"] and p, "a forecast")
        assert len(found["flow"]) == 6
        truth = 10 + 3 * np.sin(2 * np.pi * np.arange(201, 207) / 12)
        np.testing.assert_allclose(found["flow"], truth, atol=0.3)
        assert set(found) == {"flow", "flow@q0.05", "flow@q0.95"}
    with inside(tmp_path / "data") as server:
        knows = server.ask("GET", "/services/ahead/status")["knows"]
        assert (knows["signalsForecast"], knows["signalsWithoutModel"]) == (1, 1)
        send(server, 202, 203)
        until(lambda: len(predicted(server, newest).get("flow", [])) == 7, "the next forecast")


def test_a_second_forecast_of_the_same_signals_is_refused_and_names_the_first(
    tmp_path: Path,
) -> None:
    def other(**given: Any) -> Any:
        parameters = {**SERVICE["parameters"], **given}
        return server.http.put("/services/other", json={**SERVICE, "parameters": parameters})

    with inside(tmp_path / "data") as server:
        server.ask("POST", "/models", MODELS)
        server.ask("PUT", "/services/ahead", SERVICE)
        server.ask("PUT", "/services/ahead", SERVICE)
        for signals in (["flow"], ["temperature", "flow"], []):
            refused = other(signals=signals, horizon=12)
            assert refused.status_code == 409, signals
            error = refused.json()["error"]
            assert error["message"] == (
                "service 'other' would write flow of the same twins as 'ahead'"
            )
            assert "other 'signals'" in error["hint"]
        assert other(signals=["temperature"]).status_code == 200
