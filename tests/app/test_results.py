"""Results: what services give back is stored apart from what is measured, and found again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.app.results import Result
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput, NotFound

HOUR = 3600 * SECOND


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        found.pumps("pump-1")
        settings = {PUMP: {"properties": {"temperature": {"maximum": 100}}}}
        found.ask("POST", "/plant", {"settings": settings})
        yield found


def read(server: Inside, prop: str = "flow", **query: Any) -> list[dict[str, Any]]:
    now = server.clock() // 1_000_000
    asked = {"from": now - 7_200_000, "to": now + 7_200_000, **query}
    found: list[dict[str, Any]] = server.ask(
        "GET", "/history", twin="pump-1", property=prop, **asked
    )["series"]
    return found


def record(server: Inside, *results: Result) -> int:
    return server.run(server.platform.results.record(results))


def test_results_stand_beside_what_is_measured(server: Inside) -> None:
    server.ingest("pump-1", flow=5.0)
    now = server.clock()
    time = np.array([now + HOUR // 2, now + HOUR])
    quantiles = {0.05: [9.0, 10.0], 0.95: [11.0, 12.0]}
    made = Result("pump-1", "flow", "predicted", time, np.array([10.0, 11.0]), quantiles=quantiles)
    assert record(server, made, Result("pump-1", "flow", "derived", [now], [5.5])) == 7
    found = {s["provenance"]: s["value"] for s in read(server, provenance="all")}
    assert found == {"measured": [5.0], "derived": [5.5], "predicted": [10.0, 11.0]}
    assert [s["value"] for s in read(server)] == [[5.0]]
    band = read(server, "flow@q0.05,flow@q0.95", provenance="predicted")
    assert [s["value"] for s in band] == [[9.0, 10.0], [11.0, 12.0]]
    rows = server.ask("GET", "/history/series", twin="pump-1")["value"]
    assert [(r["property"], r["provenance"], r["quantile"], r["value"]) for r in rows] == [
        ("flow", "measured", None, 5.0),
        ("flow", "predicted", None, 11.0),
        ("flow@q0.05", "predicted", 0.05, 10.0),
        ("flow@q0.95", "predicted", 0.95, 12.0),
        ("flow", "derived", None, 5.5),
    ]
    shown = server.ask("GET", "/twins/pump-1")["properties"]
    flow = next(p for p in shown if p["path"] == "flow")
    assert flow["value"] == 5.0
    others = {o["provenance"]: (o["value"], o["quantiles"]) for o in flow["others"]}
    assert others == {"predicted": (11.0, {"0.05": 10.0, "0.95": 12.0}), "derived": (5.5, {})}


def test_what_stands_for_a_value_is_shown_once_and_confirms_nothing(server: Inside) -> None:
    now = server.clock()
    record(server, Result("pump-1", "flow", "derived", [now], [5.5]))
    shown = server.ask("GET", "/twins/pump-1")["properties"]
    flow = next(p for p in shown if p["path"] == "flow")
    assert (flow["value"], flow["provenance"], flow["others"]) == (5.5, "derived", [])
    platform = server.platform
    assert platform.value_of("pump-1")("flow") == (5.5, now)
    assert platform.measured_value_of("pump-1")("flow") is None


def test_results_survive_a_restart(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        result = Result("pump-1", "mode", "simulated:night", [server.clock()], ["idle"])
        record(server, result)
    with inside(tmp_path / "data") as again:
        found = read(again, "mode", provenance="simulated:night")
        assert found[0]["text"] == {"0": '"idle"'}
        assert again.ask("GET", "/twins/pump-1")["status"] == "never"


def test_later_result_takes_the_place_of_the_earlier(server: Inside) -> None:
    time = [server.clock() + HOUR]
    for value in (1.0, 2.0, 1.0):
        record(server, Result("pump-1", "flow", "predicted", time, [value]))
    assert read(server, provenance="predicted")[0]["value"] == [1.0]
    found = read(server, provenance="predicted", versions="all")[0]
    assert found["value"] == [1.0, 2.0, 1.0]
    assert found["received"] == sorted(found["received"])


def test_derived_values_raise_alarms_and_predicted_ones_do_not(server: Inside) -> None:
    rule = {"model": PUMP, "when": "flow > 50", "priority": 2, "title": "Flow high"}
    server.ask("PUT", "/rules/flow-high", rule)
    now = server.clock()
    for provenance in ("predicted", "simulated"):
        record(server, Result("pump-1", "flow", provenance, [now], [99.0]))
    server.ingest("pump-1", flow=60.0)
    until(lambda: server.ask("GET", "/alarms")["value"])
    assert [a["value"] for a in server.ask("GET", "/alarms")["value"]] == [60.0]


def test_value_outside_the_range_is_kept_as_such(server: Inside) -> None:
    record(server, Result("pump-1", "temperature", "derived", [server.clock()], [500.0]))
    assert read(server, "temperature", provenance="derived", quality="all")[0]["quality"] != [0]


@pytest.mark.parametrize(
    ("result", "error", "words"),
    [
        (Result("pump-9", "flow", "derived", [1], [1.0]), NotFound, "pump-9"),
        (Result("pump-1", "speed", "derived", [1], [1.0]), InvalidInput, "has no 'speed'"),
        (Result("pump-1", "flow", "measured", [1], [1.0]), InvalidInput, "cannot be measured"),
        (Result("pump-1", "flow", "derived", [1, 2], [1.0]), InvalidInput, "2 times and 1 values"),
        (Result("pump-1", "flow", "derived", [-1], [1.0]), InvalidInput, "before 1970"),
        (Result("pump-1", "flow", "derived", [1], ["x"]), InvalidInput, "is no double"),
        (Result("pump-1", "flow", "derived", [1], np.array([np.nan])), InvalidInput, "not a numb"),
        (Result("pump-1", "mode", "derived", [1], ["x"], quantiles={0.5: [1.0]}), InvalidInput,
         "only numbers"),
        (Result("pump-1", "flow", "derived", [1], [1.0], quantiles={2: [1.0]}), InvalidInput,
         "quantile"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_whole(
    server: Inside, result: Result, error: type[Exception], words: str
) -> None:
    good = Result("pump-1", "flow", "derived", [1], [1.0])
    with pytest.raises(error, match=words):
        record(server, good, result)
    assert read(server, provenance="derived", **{"from": 0})[0]["value"] == []


def test_programs_send_results_over_http(server: Inside) -> None:
    noon = server.clock() // 1_000_000 + 3_600_000
    body = [{"time": noon, "flow": 41.8, "flow@q0.05": 39.9, "mode": "run", "speed": 1}]
    taken = server.ask("POST", "/ingest/pump-1", body, provenance="predicted:gbm")
    assert (taken["readings"], taken["rejected"]) == (3, 1)
    assert taken["rejects"][0]["reason"] == "unknown-property"
    found = read(server, "flow,flow@q0.05", provenance="predicted:gbm")
    assert [(s["time"], s["value"]) for s in found] == [([noon], [41.8]), ([noon], [39.9])]
    assert read(server)[0]["value"] == []
    stray = server.ask("POST", "/ingest", {"twin": "x", "flow": 1}, provenance="simulated")
    assert stray["rejects"][0]["reason"] == "unknown-twin"
    assert server.ask("GET", "/discovered")["value"] == []


def test_devices_only_measure(server: Inside) -> None:
    with server.client(server.token("device", "pump-1")) as device:
        answer = device.post("/ingest/pump-1?provenance=derived", json={"flow": 1})
        assert answer.status_code == 403
        assert "results:write" in answer.json()["error"]["hint"]
        assert device.post("/ingest/pump-1", json={"flow": 1, "flow@q0.9": 2}).status_code == 200
    answer = server.http.post("/ingest/pump-1?provenance=guessed", json={"flow": 1})
    assert answer.status_code == 400
    assert read(server, "flow@q0.9")[0]["value"] == [2.0]
