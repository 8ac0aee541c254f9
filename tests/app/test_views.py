"""What people see of twins: ages, quality, components, containers that roll up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inside import MODELS, PUMP, Inside, inside, until
from gemel.core.clock import SECOND, from_iso

LINE = "dtmi:test:Line;1"
PLANT = {
    "name": "Test plant",
    "models": MODELS,
    "settings": {
        PUMP: {
            "staleAfter": 10,
            "scope": "asset",
            "geometry": "pump",
            "properties": {
                "flow": {"minimum": 0, "maximum": 80},
                "setSpeed": {"minimum": 0, "maximum": 100},
            },
        }
    },
    "twins": {
        "hall": {"model": LINE, "name": "Hall", "contains": ["line"]},
        "line": {"model": LINE, "name": "Line", "contains": ["pump-1", "pump-2"]},
        "pump-1": {"model": PUMP, "name": "Feed pump", "properties": {"target": 5}},
        "pump-2": {"model": PUMP, "components": {"bearing": {"grease": "blue"}}},
    },
    "kpis": [
        {"id": "z", "label": "Flow", "twin": "pump-1", "property": "flow", "digits": 2},
        {"id": "a", "twin": "pump-2", "property": "flow", "target": 3},
        {"id": "lost", "twin": "nobody", "property": "none"},
    ],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("views") / "data") as found:
        found.ask("POST", "/plant", PLANT)
        yield found


def row(server: Inside, twin: str) -> dict:
    return next(r for r in server.ask("GET", "/twins", search=twin)["value"] if r["id"] == twin)


def properties(server: Inside, twin: str) -> dict[str, dict]:
    return {p["path"]: p for p in server.ask("GET", f"/twins/{twin}")["properties"]}


def test_a_container_is_as_live_as_what_it_contains(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/plant", PLANT)
        look_at_containers(server)


def look_at_containers(server: Inside) -> None:
    assert [row(server, t)["status"] for t in ("hall", "line", "pump-1")] == ["never"] * 3
    server.ingest("pump-1", flow=1)
    assert [row(server, t)["status"] for t in ("hall", "line", "pump-1")] == ["live"] * 3
    assert row(server, "pump-2")["status"] == "never"
    assert row(server, "hall")["lastSeen"] == row(server, "pump-1")["lastSeen"]
    server.clock.advance(11)
    assert [row(server, t)["status"] for t in ("hall", "pump-1")] == ["stale"] * 2
    server.ingest("pump-2", flow=1)
    assert row(server, "hall")["status"] == "live"
    assert row(server, "line")["parent"] == "hall"
    assert row(server, "hall")["parent"] is None


def test_containers_that_contain_each_other_end(server: Inside) -> None:
    """Many ways round must not be counted many times."""
    names = [f"ring-{n}" for n in range(12)]
    twins = {n: {"model": LINE, "contains": [m for m in names if m != n]} for n in names}
    server.ask("POST", "/plant", {"twins": twins})
    assert row(server, "ring-0")["status"] == "never"
    chain = {f"c{n}": {"model": LINE, "contains": [f"c{n + 1}"]} for n in range(1_100)}
    server.ask("POST", "/plant", {"twins": chain | {"c1100": {"model": LINE}}})
    found = server.call(server.platform.directory.line, "c0")
    assert (found.status, found.seen, found.worst) == ("never", 0, None)
    for twin in ("hall", "ring-0"):
        assert row(server, twin)["id"] == twin


def test_ages_and_staleness_follow_the_clock(server: Inside) -> None:
    server.ingest("pump-1", flow=12.4)
    fresh = properties(server, "pump-1")["flow"]
    assert (fresh["value"], fresh["quality"], fresh["isStale"]) == (12.4, "good", False)
    server.clock.advance(20)
    old = properties(server, "pump-1")["flow"]
    assert 20 <= old["age"] < 40
    assert old["isStale"]
    assert old["value"] == 12.4
    assert properties(server, "pump-1")["target"]["isStale"] is False  # properties do not age


def test_quality_has_its_cause_in_words(server: Inside) -> None:
    server.ingest("pump-1", flow=500)
    found = properties(server, "pump-1")["flow"]
    assert found["quality"] != "good"
    assert "range" in found["cause"]
    assert (found["minimum"], found["maximum"]) == (0, 80)


def test_components_units_and_types(server: Inside) -> None:
    server.ingest("pump-2", bearing={"temperature": 40}, running=True, mode="auto", temperature=7)
    found = properties(server, "pump-2")
    assert found["bearing.temperature"]["value"] == 40
    assert found["bearing.grease"]["value"] == "blue"
    assert found["bearing.grease"]["writable"]
    assert found["running"]["value"] is True
    assert found["mode"]["value"] == "auto"
    assert found["temperature"]["unit"] == "°C"
    assert found["name"]["value"] is None
    assert len({p["series"] for p in found.values()}) == len(found)


def test_commands_and_relations_are_told(server: Inside) -> None:
    found = server.ask("GET", "/twins/pump-1")
    commands = {c["name"]: c["request"] for c in found["commands"]}
    assert commands["stop"] is None
    assert (commands["setSpeed"]["minimum"], commands["setSpeed"]["maximum"]) == (0, 100)
    assert found["relationships"] == [
        {
            "id": "contains-pump-1",
            "name": "contains",
            "direction": "in",
            "twin": "line",
            "twinName": "Line",
        }
    ]
    assert (found["scope"], found["geometry"], found["staleAfter"]) == ("asset", "pump", 10)


def test_a_stored_property_and_a_reported_one_the_newer_counts(server: Inside) -> None:
    assert properties(server, "pump-1")["target"]["value"] == 5
    server.ingest("pump-1", target=6)
    assert properties(server, "pump-1")["target"]["value"] == 6
    patch = [{"op": "replace", "path": "/target", "value": 7}]
    server.clock.advance(1)
    answer = server.http.patch("/digitaltwins/pump-1", json=patch)
    assert answer.status_code == 204, answer.text
    assert properties(server, "pump-1")["target"]["value"] == 7


def test_key_figures_keep_their_order_and_survive_missing_twins(server: Inside) -> None:
    server.ingest("pump-1", flow=3.25)
    found = server.ask("GET", "/kpis")["value"]
    assert [kpi["id"] for kpi in found] == ["z", "a", "lost"]
    assert (found[0]["value"], found[0]["label"], found[0]["digits"]) == (3.25, "Flow", 2)
    assert (found[2]["value"], found[2]["age"]) == (None, None)


def test_reading_a_faceplate_makes_no_series(server: Inside) -> None:
    before = len(server.platform.series)
    for twin in ("pump-1", "hall"):
        server.ask("GET", f"/twins/{twin}")
    assert len(server.platform.series) == before
    assert server.http.get("/twins/none").status_code == 404
    assert len(server.platform.series) == before


def test_a_deleted_twin_takes_its_alarms_along(server: Inside) -> None:
    server.ask("POST", "/plant", {"twins": {"pump-9": {"model": PUMP}}})
    server.ask("PUT", "/rules/high", {"model": PUMP, "when": "flow > 70"})
    server.ingest("pump-9", flow=75)
    until(lambda: server.ask("GET", "/alarms", twin="pump-9")["value"])
    assert server.http.delete("/digitaltwins/pump-9").status_code == 204
    assert server.ask("GET", "/alarms", twin="pump-9")["value"] == []
    over = server.ask("GET", "/alarms", twin="pump-9", state="all")["value"]
    assert [(a["state"], a["comments"][-1]["text"]) for a in over] == [
        ("normal", "the twin was deleted")
    ]
    server.ask("DELETE", "/rules/high")


def test_the_shift_that_is_on_is_told_and_the_handover_goes_by_it(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        assert server.ask("GET", "/status")["shift"] is None
        refused = server.http.get("/alarms/handover", params={"shift": "this"})
        assert refused.status_code == 400
        assert "no shifts" in refused.json()["error"]["message"]
        hour = int(server.ask("GET", "/status")["time"][11:13])
        starts = sorted(f"{(hour + ahead) % 24:02d}:30" for ahead in (6, 18))  # none is near
        shifts = [{"name": f"From {start}", "start": start} for start in starts]
        body = {"shifts": shifts, "timeZone": "UTC"}
        server.ask("PUT", "/alarms/philosophy", body)
        shift = server.ask("GET", "/status")["shift"]
        assert shift["name"] == f"From {shift['from'][11:16]}"
        this = server.ask("GET", "/alarms/handover", shift="this")
        last = server.ask("GET", "/alarms/handover", shift="last")
        assert this["from"] == last["to"] == shift["from"]
        assert this["to"] < shift["to"]
        assert from_iso(last["to"]) - from_iso(last["from"]) == 12 * 3_600 * SECOND
        wrong = server.http.put("/alarms/philosophy", json={**body, "timeZone": "Mars/North"})
        assert wrong.json()["error"]["hint"] == "like Europe/Berlin, or UTC"
        assert server.http.get("/alarms/handover?shift=next").status_code == 400


def test_units_of_a_property_are_those_of_all_models_of_twins(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/plant", PLANT)
        formula = {"model": PUMP, "property": "warmth", "formula": "temperature", "unit": "°C"}
        server.ask("PUT", "/derived/warmth", formula)
        found = {row["path"]: row["units"] for row in server.ask("GET", "/units")["value"]}
        assert found["temperature"] == found["warmth"] == ["°C"]
        assert found["bearing.temperature"] == found["flow"] == [""]
        assert "grease" not in found, "no twin is a bearing by itself"
        server.ask("POST", "/plant", {"twins": {"bearing-1": {"model": "dtmi:test:Bearing;1"}}})
        found = {row["path"]: row["units"] for row in server.ask("GET", "/units")["value"]}
        assert found["temperature"] == ["", "°C"]
        server.http.delete("/digitaltwins/bearing-1").raise_for_status()
        found = {row["path"]: row["units"] for row in server.ask("GET", "/units")["value"]}
        assert found["temperature"] == ["°C"]
