"""Value over HTTP and the command line, from a real record and a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.test_alarms import raised
from app.inside import inside
from gemel.cli.main import main


def test_a_case_is_worked_out_and_wrong_inputs_are_named(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        cases = server.ask("GET", "/value/cases")["value"]
        assert [c["case"] for c in cases] == ["maintenance", "energy", "design", "failure"]
        assert all(i["source"] for c in cases for i in c["inputs"])
        found = server.ask("POST", "/value/calculate", {"case": "energy", "inputs": {"cut": 0.1}})
        assert found["figures"][0]["value"] == pytest.approx(300_000)
        assert len(found["band"]["sum"][0]) == len(found["course"]) == 11
        for body in (
            {"case": "luck"},
            {"case": "energy", "inputs": []},
            {"case": "energy", "samples": 10**9},
            {"case": "energy", "seed": "x"},
        ):
            assert server.http.post("/value/calculate", json=body).status_code in (400, 404)


def test_value_is_measured_from_the_record_and_prices_outlive_a_restart(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        alarm = raised(server, priority=1)
        made = server.ask("POST", "/work-orders", {"alarm": alarm})
        server.ask("POST", f"/work-orders/{made['id']}/acts", {"act": "finish", "note": "bearing"})
        server.ask("PUT", "/value/prices", {"failed": 50_000, "planned": 5_000, "currency": "EUR"})
        assert server.http.put("/value/prices", json={"failed": -1}).status_code == 400
        refused = server.http.put("/value/prices", json={"currency": "euro"})
        assert refused.status_code == 400
        assert "ISO 4217" in refused.json()["error"]["hint"]
    with inside(tmp_path / "data") as server:
        assert server.ask("GET", "/value/prices")["failed"] == 50_000
        found = server.ask("GET", "/value/measured", **{"from": "-7d"})
        items = {i["name"]: i for i in found["items"]}
        assert found["currency"] == "EUR"
        assert items["ahead"]["count"] == 0  # it was a rule's alarm, not a service's
        assert items["missed"]["evidence"] == [alarm]
        assert items["downtime"]["count"] > 0
        assert server.http.get("/value/measured?from=now&to=-1d").status_code == 400


def test_fidelity_is_of_what_was_predicted_and_then_measured(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        assert server.ask("GET", "/value/fidelity", twin="pump-1")["value"] == []
        now = server.clock() // 1_000_000
        for i in range(20):
            at = now - 60_000 + i * 1_000
            server.ask("POST", "/ingest/pump-1", {"time": at, "flow": i})
            predicted = {"time": at, "flow": i + 1, "flow@q0.05": i, "flow@q0.95": i + 2}
            server.ask("POST", "/ingest/pump-1", predicted, provenance="predicted")
        row = server.ask("GET", "/value/fidelity", twin="pump-1")["value"][0]
        assert (row["property"], row["pairs"], row["bias"]) == ("flow", 20, 1)
        assert (row["coverage"], row["quality"], row["drift"]) == (1, 1, 1)
        assert server.http.get("/value/fidelity?twin=nobody").status_code == 404


def test_the_calculator_runs_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roi", "calculate", "energy", "--set", "cut=0.05:0.1:0.15"]) == 0
    assert "300,000" in capsys.readouterr().out
    assert main(["roi", "cases", "design"]) == 0
    assert "prototype" in capsys.readouterr().out
    assert main(["roi", "calculate", "energy", "--set", "cut"]) == 1
    assert "name=value" in capsys.readouterr().err
