"""Derived properties in the real server: stored, shown, named by rules, corrected, kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.app.plant_files import demo_plant, import_plant
from gemel.services.contract import Series

BEGIN = 1_700_000_000
LINE = "dtmi:test:Hall;1"
LINE_MODEL = {
    "@id": LINE,
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Relationship", "name": "contains"},
        {"@type": "Telemetry", "name": "total", "schema": "double"},
    ],
}
TOTAL = {"model": LINE, "property": "total", "formula": "sum of flow of Pump in contains"}


def rows(twin: str, first: int, flows: list[float]) -> list[dict[str, Any]]:
    return [
        {"twin": twin, "time": (BEGIN + first + i) * 1000, "flow": flow}
        for i, flow in enumerate(flows)
    ]


def plant(server: Inside) -> None:
    server.pumps("pump-1", "pump-2")
    server.ask("POST", "/models", [LINE_MODEL])
    server.ask("PUT", "/digitaltwins/line-1", {"$metadata": {"$model": LINE}})
    for pump in ("pump-1", "pump-2"):
        server.ask(
            "PUT",
            f"/digitaltwins/line-1/relationships/{pump}",
            {"$relationshipName": "contains", "$targetId": pump},
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        plant(found)
        yield found


def refused(server: Inside, method: str, path: str, body: Any = None) -> str:
    answer = server.http.request(method, path, json=body)
    assert answer.status_code in (400, 409), answer.text
    return str(answer.json()["error"]["message"])


def values(server: Inside, prop: str = "total", twin: str = "line-1") -> dict[float, float]:
    server.call(server.platform.tick, server.clock())
    found = server.ask(
        "GET", "/history", twin=twin, property=prop, **{"from": BEGIN * 1000, "to": "now"}
    )["series"][0]
    assert found["provenance"] == "derived" or not found["value"]
    return {t / 1000 - BEGIN: v for t, v in zip(found["time"], found["value"], strict=True)}


def test_a_roll_up_is_stored_shown_and_told_as_key_figure(server: Inside) -> None:
    made = server.ask("PUT", "/derived/line-total", TOTAL)
    assert (made["twins"], made["problem"], made["version"]) == (1, "", 1)
    server.ask("POST", "/ingest", rows("pump-1", 1, [1.0, 2.0, 3.0]))
    server.ask("POST", "/ingest", rows("pump-2", 2, [10.0, 20.0]))
    server.ask("POST", "/ingest", rows("pump-1", 20, [5.0]))
    server.clock.advance(10)
    expected = {1: 1.0, 2: 12.0, 3: 23.0, 20: 25.0}
    until(lambda: values(server) == expected, "the sums")
    shown = server.ask("GET", "/twins/line-1")["properties"]
    (total,) = [p for p in shown if p["path"] == "total"]
    assert (total["value"], total["provenance"]) == (25.0, "derived")
    kpi = {"id": "total", "twin": "line-1", "property": "total"}
    server.ask("POST", "/plant", {"kpis": [kpi]})
    assert server.ask("GET", "/kpis")["value"][0]["value"] == 25.0


def test_readings_that_come_at_once_after_the_plant_count(server: Inside) -> None:
    ticker = server.platform._ticker
    assert ticker is not None
    server.call(ticker.cancel)
    server.call(server.platform.tick, server.clock())
    server.ask("POST", "/ingest", rows("pump-2", 0, [9.0, 8.0]))
    server.ask("POST", "/plant", {"derived": [{"id": "line-total", **TOTAL}]})
    server.ask("POST", "/ingest", rows("pump-1", 2, [1.0, 2.0, 3.0]))
    server.ask("POST", "/ingest", rows("pump-1", 20, [5.0]))
    server.clock.advance(10)
    until(lambda: values(server) == {2: 9.0, 3: 10.0, 4: 11.0, 20: 13.0}, "the sums")


def test_a_rule_names_a_derived_property_and_what_a_service_gives(server: Inside) -> None:
    server.ask("PUT", "/derived/line-total", TOTAL)
    server.ask("PUT", "/derived/double", {**TOTAL, "property": "twice", "formula": "total * 2"})
    rule = {"model": LINE, "when": "twice > 30 for 2 s", "title": "too much"}
    server.ask("PUT", "/rules/too-much", rule)
    server.ask("POST", "/ingest", rows("pump-1", 1, [1.0, 20.0, 20.0, 20.0, 20.0, 20.0]))
    server.clock.advance(10)

    def alarms() -> list[dict[str, Any]]:
        server.call(server.platform.tick, server.clock())
        found: list[dict[str, Any]] = server.ask("GET", "/alarms")["value"]
        return found

    (alarm,) = until(alarms, "the alarm")
    assert (alarm["twin"], alarm["value"], alarm["raised"][17:19]) == ("line-1", 40.0, "24")
    score = {"model": PUMP, "when": "anomaly.score > 3"}
    assert "anomaly.score" in refused(server, "POST", "/rules/check", score)
    server.ask("PUT", "/services/watch", {"kind": "anomaly", "model": PUMP, "parameters": {}})
    found = server.ask("POST", "/rules/check", score)
    assert (found["reads"], found["lateness"]) == (["anomaly.score@derived"], 5.0)


def test_a_formula_sees_predictions_and_what_services_give(server: Inside) -> None:
    server.ask("PUT", "/services/watch", {"kind": "anomaly", "model": PUMP, "parameters": {}})
    health = {"model": PUMP, "property": "health", "formula": "1 / max(1, anomaly.score)"}
    error = {"model": PUMP, "property": "error", "formula": "abs(flow - predicted flow)"}
    whole = {"model": LINE, "property": "health", "formula": "min of health of Pump in contains"}
    for key, body in (("health", health), ("error", error), ("whole", whole)):
        assert server.ask("PUT", f"/derived/{key}", body)["lateness"] == 5.0
    time, score = np.array([(BEGIN + 1) * 10**9]), np.array([4.0])
    scores = [Series("pump-1", "anomaly.score", "derived", time, score)]
    server.run(server.platform.services.writer.write_series(scores))
    server.ask("POST", "/ingest", rows("pump-1", 1, [50.0]), provenance="predicted")
    server.ask("POST", "/ingest", rows("pump-1", 2, [40.0, 41.0]))
    server.ask("POST", "/ingest", rows("pump-1", 60, [42.0]))
    server.clock.advance(30)
    expected = {2.0: 10.0, 3.0: 9.0, 60.0: 8.0}
    for twin, name in (("pump-1", "error"), ("pump-1", "health"), ("line-1", "health")):
        until(partial(derived, server, twin, name), f"{name} of {twin}")
    until(lambda: expected.items() <= values(server, "error", "pump-1").items(), "the errors")
    until(lambda: 0.25 in values(server, "health", "pump-1").values(), "the health")
    until(lambda: 0.25 in values(server, "health").values(), "the health of the whole")


def test_a_rule_sees_the_predictions_that_it_names_and_no_other(server: Inside) -> None:
    when = "flow deviates from its prediction by more than 5 for 2 s"
    server.ask("PUT", "/rules/unlike", {"model": PUMP, "when": when})
    server.ask("PUT", "/rules/plain", {"model": PUMP, "when": "flow > 100"})
    predicted = rows("pump-1", 1, [10.0] * 4 + [500.0] * 4)
    server.ask("POST", "/ingest", predicted, provenance="predicted")
    server.ask("POST", "/ingest", rows("pump-1", 1, [10.0] * 20))
    server.clock.advance(30)

    def alarms() -> list[dict[str, Any]]:
        server.call(server.platform.tick, server.clock())
        found: list[dict[str, Any]] = server.ask("GET", "/alarms")["value"]
        return found

    (alarm,) = until(alarms, "the alarm")
    assert (alarm["rule"], alarm["twin"], alarm["raised"][17:19]) == ("unlike", "pump-1", "27")


def test_a_reading_that_comes_too_late_corrects_what_was_derived(server: Inside) -> None:
    server.ask("PUT", "/derived/line-total", TOTAL)
    server.ask("POST", "/ingest", rows("pump-1", 1, [1.0]))
    server.ask("POST", "/ingest", rows("pump-1", 60, [2.0, 3.0]))
    server.clock.advance(10)
    until(lambda: values(server) == {1: 1.0, 60: 2.0, 61: 3.0}, "the first values")
    server.ask("POST", "/ingest", rows("pump-2", 30, [100.0]))
    server.ask("POST", "/ingest", rows("pump-1", 40, [7.0]))
    expected = {1: 1.0, 30: 101.0, 40: 107.0, 60: 102.0, 61: 103.0}
    until(lambda: values(server) == expected, "the correction")


@pytest.mark.parametrize("from_what", ["log", "checkpoint"])
def test_a_restart_loses_no_value_and_doubles_none(tmp_path: Path, from_what: str) -> None:
    with inside(tmp_path / "other") as other:
        plant(other)
        other.ask("PUT", "/derived/line-total", TOTAL)
        other.ask("POST", "/ingest", rows("pump-1", 1, [1.0, 2.0, 3.0]))
        other.clock.advance(10)
        until(lambda: len(values(other)) >= 2, "some values")
        if from_what == "checkpoint":
            other.ask("POST", "/compact")
    with inside(tmp_path / "other") as other:
        other.ask("POST", "/ingest", rows("pump-2", 4, [4.0, 5.0]))
        other.ask("POST", "/ingest", rows("pump-2", 20, [6.0]))
        other.clock.advance(20)
        expected = {1: 1.0, 2: 2.0, 3: 3.0, 4: 7.0, 5: 8.0, 20: 9.0}
        until(lambda: values(other) == expected, "all values")
        asked = {"from": BEGIN * 1000, "to": "now", "versions": "all"}
        found = other.ask("GET", "/history", twin="line-1", property="total", **asked)
        assert len(found["series"][0]["value"]) == 6


def test_what_names_itself_or_stands_twice_or_is_used_is_refused(server: Inside) -> None:
    server.ask("PUT", "/derived/line-total", TOTAL)
    assert "'line-total' gives 'total' already" in refused(server, "PUT", "/derived/again", TOTAL)
    server.ask("PUT", "/derived/a", {**TOTAL, "property": "a", "formula": "total"})
    circle = {**TOTAL, "formula": "a + 1"}
    assert "needs itself" in refused(server, "PUT", "/derived/line-total", circle)
    server.ask("PUT", "/rules/r", {"model": LINE, "when": "a > 1"})
    assert "'r' names 'a'" in refused(server, "DELETE", "/derived/a")
    server.ask("DELETE", "/rules/r")
    server.ask("DELETE", "/derived/a")
    assert [d["id"] for d in server.ask("GET", "/derived")["value"]] == ["line-total"]


def test_a_plant_file_brings_formulas_before_the_rules_that_name_them(server: Inside) -> None:
    plant = {
        "derived": [{"id": "line-total", **TOTAL}],
        "rules": [{"id": "much", "model": LINE, "when": "total > 5"}],
    }
    assert server.ask("POST", "/plant", plant)["derived"] == 1
    assert server.ask("POST", "/plant", plant) == {}
    assert server.ask("GET", "/plant")["derived"] == [{"id": "line-total", **TOTAL}]


def derived(server: Inside, twin: str, name: str) -> dict[str, Any] | None:
    """A property of a twin as it is shown, once it has a value."""
    server.call(server.platform.tick, server.clock())
    shown = server.ask("GET", f"/twins/{twin}")["properties"]
    found = [p for p in shown if p["path"] == name and p["time"]]
    return next(iter(found), None)


def test_the_demo_plant_computes_power_vibration_and_efficiency(tmp_path: Path) -> None:
    with inside(tmp_path / "demo") as server:
        server.run(import_plant(server.platform, demo_plant(), "demo"))
        server.call(server.platform.tick, server.clock())
        readings: dict[str, dict[str, float]] = {
            "pump-station": {"power": 30.0},
            "line-1": {"power": 12.0},
            "motor-8-bearing": {"vibration": 5.5},
            "motor-9-bearing": {"vibration": 2.0},
            "motor-1-bearing": {"vibration": 9.0},
            "pump-1": {"flow": 72, "suctionPressure": 0.5, "dischargePressure": 3, "power": 8},
        }
        for second in (1, 5):
            at = (BEGIN + second) * 1000
            sent = [{"twin": twin, "time": at, **row} for twin, row in readings.items()]
            server.ask("POST", "/ingest", sent)
        server.clock.advance(10)
        for twin, name, expected in (
            ("plant", "machinePower", 42.0),
            ("line-1", "worstVibration", 5.5),
            ("pump-1", "hydraulicEfficiency", 62.5),
        ):
            seen = until(lambda t=twin, n=name: derived(server, t, n), f"{name} of {twin}")
            assert (seen["value"], seen["provenance"]) == (expected, "derived")
            until(
                lambda t=twin, n=name, v=expected: values(server, n, t) == {1: v, 5: v},
                f"both values of {name}",
            )
