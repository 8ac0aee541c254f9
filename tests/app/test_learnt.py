"""scikit-learn models as ONNX in the real server: imported, fed with windows, predicting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.inside import Inside, inside, until

skl2onnx = pytest.importorskip("skl2onnx", reason="needs skl2onnx (scripts/setup dev)")
SECOND = 1_000_000_000
MODEL = {
    "@id": "dtmi:example:Fan;1", "@type": "Interface", "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": n, "schema": "double"} for n in ("speed", "load")],
}  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> dict[str, bytes]:
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(1)
    x = random.uniform(0, 10, (200, 2))
    score = 2 * x[:, 0] + x[:, 1]
    models = {
        "power": GradientBoostingRegressor(n_estimators=30).fit(x, score),
        "state": LogisticRegression(max_iter=500).fit(x, np.where(score > 15, "bad", "good")),
    }
    sample = x[:1].astype(np.float32)
    found = {"power": skl2onnx.to_onnx(models["power"], sample)}
    found["state"] = skl2onnx.to_onnx(models["state"], sample, options={"zipmap": False})
    return {name: one.SerializeToString() for name, one in found.items()}


def upload(server: Inside, name: str, data: bytes) -> Any:
    answer = server.http.put(f"/imported-models/{name}", content=data, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def predict(server: Inside, service: str) -> Any:
    asked = {"run": "predict", "service": service, "parameters": {"span": 600}}
    run = server.ask("POST", "/runs", asked)
    return until(
        lambda: (r := server.ask("GET", f"/runs/{run['id']}"))["ended"] and r, "the run's end"
    )


def test_predictions_are_those_of_the_model_itself(
    tmp_path: Path, trained: dict[str, bytes]
) -> None:
    import onnxruntime

    with inside(tmp_path / "data") as server:
        server.ask("POST", "/models", [MODEL])
        server.ask("PUT", "/digitaltwins/f1", {"$metadata": {"$model": MODEL["@id"]}})
        taken = upload(server, "power", trained["power"])
        assert taken["format"] == "onnx"
        assert taken["inputs"][0]["shape"] == [None, 2]
        inputs = [
            {"path": "speed", "how": "last"},
            {"path": "load", "how": "mean", "window": 60},
        ]
        parameters = {"model": "power", "inputs": inputs, "every": 60}
        service = {"kind": "learnt", "model": MODEL["@id"], "parameters": parameters}
        short = {**service, "parameters": {**parameters, "inputs": inputs[:1]}}
        refused = server.http.put("/services/power", json=short)
        assert refused.status_code == 400
        message = refused.json()["error"]["message"]
        assert "expects rows of shape [?, 2], got 1 number: speed last" in message
        server.ask("PUT", "/services/power", service)

        now = server.clock() // SECOND // 60 * 60
        random = np.random.default_rng(2)
        times = np.arange(now - 900, now, 30)
        speed, load = random.uniform(0, 10, (2, len(times)))
        rows = [
            {"twin": "f1", "time": int(t) * 1000, "speed": s, "load": v}
            for t, s, v in zip(times, speed, load, strict=True)
        ]
        server.ask("POST", "/ingest", rows)
        done = predict(server, "power")
        assert done["state"] == "succeeded", done
        stored = server.ask(
            "GET", "/history", twin="f1", property="learnt.value", provenance="predicted",
            **{"from": "-1h", "to": "now"},
        )["series"][0]  # fmt: skip
        at = np.array([round(t) // 1000 for t in _milliseconds(stored["time"])])
        place = np.searchsorted(times, at, side="right") - 1
        mean = [load[(times > t - 60) & (times <= t)].mean() for t in at]
        fed = np.stack([speed[place], mean], axis=1)
        session = onnxruntime.InferenceSession(trained["power"])
        wanted = session.run(None, {"X": fed.astype(np.float32)})[0][:, 0]
        assert len(at) >= 9
        assert np.allclose(stored["value"], wanted, atol=1e-4)

        upload(server, "state", trained["state"])
        words = {**service, "as": "state", "parameters": {**parameters, "model": "state"}}
        server.ask("PUT", "/services/state", words)
        done = predict(server, "state")
        assert done["state"] == "failed"
        assert "holds words, not numbers" in done["message"]
        chosen = {**words["parameters"], "output": "probabilities", "column": 0}
        server.ask("PUT", "/services/state", {**words, "parameters": chosen})
        done = predict(server, "state")
        assert done["state"] == "succeeded", done
        last = server.ask("GET", f"/runs/{done['id']}/result")["result"]["twins"]["f1"]["last"]
        assert 0.0 <= last <= 1.0
        own = server.ask(
            "GET", "/history", twin="f1", property="state.value", provenance="predicted",
            **{"from": "-1h", "to": "now"},
        )["series"][0]  # fmt: skip
        assert own["value"][-1] == pytest.approx(last)


def _milliseconds(times: list[Any]) -> list[float]:
    if times and isinstance(times[0], str):
        return [np.datetime64(t.rstrip("Z"), "ms").astype(np.int64).item() for t in times]
    return [float(t) for t in times]


def test_an_onnx_file_is_no_behaviour_and_a_broken_one_is_told(
    tmp_path: Path, trained: dict[str, bytes]
) -> None:
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/models", [MODEL])
        upload(server, "power", trained["power"])
        wrong = {"behaviour": "power", "observed": "load"}
        body = {"kind": "behaviour", "model": MODEL["@id"], "parameters": wrong}
        answer = server.http.put("/services/wrong", json=body)
        assert answer.status_code == 400
        assert "'learnt'" in answer.json()["error"]["hint"]
        half = trained["power"][: len(trained["power"]) // 2]
        answer = server.http.put("/imported-models/half", content=half)
        assert answer.status_code == 400
        assert "model 'half'" in answer.json()["error"]["message"]


def test_what_was_learnt_elsewhere_takes_part_in_a_what_if(
    tmp_path: Path, trained: dict[str, bytes]
) -> None:
    import onnxruntime

    attached = {
        "model": MODEL["@id"], "behaviour": "power", "inputs": {"X_1": "speed", "X_2": "load"},
        "outputs": {"power": "variable"},
    }  # fmt: skip
    scenario = {
        "twins": ["f1"], "hours": 0.1, "step": 60, "members": 2, "boundary": "hold",
        "changes": [{"twin": "f1", "property": "speed", "value": 7}],
        "kpis": [{"id": "power", "twin": "f1", "property": "power", "of": "end"}],
    }  # fmt: skip
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/models", [MODEL])
        server.ask("PUT", "/digitaltwins/f1", {"$metadata": {"$model": MODEL["@id"]}})
        upload(server, "power", trained["power"])
        wrong = server.http.put("/behaviours/fans", json={**attached, "inputs": {"X_3": "load"}})
        assert "X_1, X_2" in wrong.json()["error"]["hint"]
        server.ask("PUT", "/behaviours/fans", attached)
        server.ask("POST", "/ingest", [{"twin": "f1", "speed": 4.0, "load": 3.0}])
        server.ask("PUT", "/scenarios/faster", scenario)
        server.ask("POST", "/scenarios/faster/run")

        def ended() -> Any:
            found = server.ask("GET", "/scenarios/faster")
            return found if found["run"]["state"] in ("succeeded", "failed") else None

        assert until(ended, "the end of the run")["run"]["message"] == ""
        told = server.ask("GET", "/scenarios/faster/result")["kpis"][0]
    session = onnxruntime.InferenceSession(trained["power"])
    rows = np.array([[4, 3], [7, 3]], np.float32)
    before, after = np.asarray(session.run(None, {"X": rows})[0]).ravel().tolist()
    assert told["baseline"]["mean"] == pytest.approx(before, rel=1e-5)
    assert told["scenario"]["mean"] == pytest.approx(after, rel=1e-5)
