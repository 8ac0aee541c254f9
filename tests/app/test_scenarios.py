"""Scenarios through the real server and real workers: forked, run, compared, promoted, dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.inside import Inside, inside, until
from app.valves import TANKS, WIDER, link, put_up


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("scenarios") / "data") as found:
        put_up(found.ask)
        run(found, "wider", WIDER)
        yield found


def run(server: Inside, key: str, body: Any = None) -> Any:
    if body is not None:
        server.ask("PUT", f"/scenarios/{key}", body)
    server.ask("POST", f"/scenarios/{key}/run")

    def look() -> Any:
        found = server.ask("GET", f"/scenarios/{key}")
        return found if found["run"]["state"] in ("succeeded", "failed", "cancelled") else None

    found = until(look, "the end of the run")
    assert found["run"]["state"] == "succeeded", found["run"]
    return found


def test_a_scenario_is_forked_run_and_shown_beside_the_plant_left_alone(server: Inside) -> None:
    found = server.ask("GET", "/scenarios/wider")
    assert found["result"]["kpis"][0]["difference"]["sure"]
    level = server.ask("GET", "/scenarios/wider/result")["kpis"][0]
    assert level["baseline"]["mean"] == pytest.approx(2.0, abs=0.05)
    assert level["scenario"]["mean"] == pytest.approx(3.0, abs=0.1)
    assert level["tornado"][0]["name"] in ("valves.most", "valve-1.opening = 75")
    series = server.ask("GET", "/scenarios/wider/series", series="tank-1.level,valve-1.flow")
    assert len(series["time"]) == 61
    assert series["series"][0]["scenario"]["mean"][0] == 2.0
    assert series["series"][0]["measured"][-1] is None, "that has not been yet"


def test_nothing_of_it_is_among_live_values_until_it_is_kept(server: Inside) -> None:
    def provenances() -> set[str]:
        keys = server.platform.series.keys
        return {keys[n].provenance for n in server.platform.series.of_twin("tank-1")}

    assert server.call(provenances) == {"measured"}
    kept = server.ask("POST", "/scenarios/wider/keep")
    assert kept["provenance"] == "simulated:wider"
    assert "simulated:wider" in server.call(provenances)
    read = {"twin": "tank-1", "property": "level", "from": "-1d", "to": "+2h"}
    found = server.ask("GET", "/history", **read, provenance="simulated:wider")
    assert len(found["series"][0]["value"]) == 61
    last = server.ask("GET", "/twins/tank-1")["properties"]
    assert next(p for p in last if p["path"] == "level")["value"] == 2.0


def test_two_are_compared_member_by_member_when_they_drew_alike(server: Inside) -> None:
    change = [{"twin": "valve-1", "property": "opening", "value": 50}]
    run(server, "half", {**WIDER, "changes": change})
    found = server.ask("GET", "/scenarios/half/compare", **{"with": "wider"})
    assert found["baseline"] == "half"
    figures = found["scenarios"][1]["kpis"][0]["toFirst"]
    assert figures["mean"] == pytest.approx(0.5, abs=0.05)
    assert figures["isPaired"] is False, "they were forked at different moments"
    assert found["scenarios"][0]["happened"] == [], "too little has been measured since"


def test_a_scenario_is_held_against_what_then_happened(server: Inside) -> None:
    begin = server.clock()
    server.clock.advance(40 * 60)
    at = [(begin + minute * 60 * 10**9) // 10**6 for minute in range(1, 40)]
    server.ask("POST", "/ingest", [{"twin": "tank-2", "level": 1.1, "time": t} for t in at])
    body = {"twins": ["tank-2"], "at": "-30m", "hours": 0.5, "members": 4, "boundary": "recorded"}
    run(server, "before", body)
    found = server.ask("GET", "/scenarios/before/compare")["scenarios"][0]
    assert found["isPast"]
    (told,) = found["happened"]
    assert (told["twin"], told["property"]) == ("tank-2", "level")
    assert told["moments"] >= 29
    assert told["baseline"]["bias"] < -0.1, "nothing flows in, and 6 m³/h are taken"
    assert told["baseline"]["coverage"] < 0.2


def test_relationships_are_those_of_the_moment(server: Inside) -> None:
    server.clock.advance(600)
    link(server.ask, "tank-2")
    try:
        short = {"twins": ["valve-1"], "hours": 0.1, "members": 2}
        run(server, "now", short)
        run(server, "then", {**short, "at": "-5m"})
        twins = [
            {row["twin"] for row in server.ask("GET", f"/scenarios/{key}/result")["series"]}
            for key in ("now", "then")
        ]
        assert twins == [{"tank-1", "tank-2", "valve-1"}, {"tank-1", "valve-1"}]
    finally:
        server.ask("DELETE", "/digitaltwins/valve-1/relationships/to-tank-2")


def test_it_is_promoted_past_the_guards_and_each_answer_is_told(server: Inside) -> None:
    changes = [
        {"twin": "valve-1", "property": "opening", "value": 75},
        {"twin": "valve-1", "property": "trim", "value": 2},
        {"twin": "valve-1", "parameter": "most", "times": 1.1},
        {"twin": "tank-1", "property": "level", "plus": 1},
    ]
    run(server, "better", {**WIDER, "changes": changes})
    tried = server.ask("POST", "/scenarios/better/promote", {"dryRun": True})
    assert [(a["by"], a["state"]) for a in tried["asked"]] == [
        ("command", "queued"),
        ("desired", "pending"),
    ]
    assert server.ask("GET", "/commands")["value"] == []
    asked = server.ask("POST", "/scenarios/better/promote", {})
    (command,) = server.ask("GET", "/commands")["value"]
    assert command["id"] == asked["asked"][0]["id"]
    assert (command["command"], command["arguments"]) == ("open", 75)
    assert "what-if 'better'" in str(command["steps"][0])
    wishes = server.ask("GET", "/twins/valve-1/desired")["value"]
    assert [(w["property"], w["value"]) for w in wishes] == [("trim", 2)]
    assert [row["property"] for row in asked["left"]] == ["most", "level"]
    bold = [{**changes[0], "value": 95}, {**changes[1], "value": 9}]
    run(server, "better", {**WIDER, "changes": bold})
    asked = server.ask("POST", "/scenarios/better/promote", {})["asked"]
    assert [row["state"] for row in asked] == ["refused", "refused"]
    assert "80" in asked[0]["hint"]
    assert "from 0 to 5" in asked[1]["hint"]
    server.ask("DELETE", "/scenarios/better")
    assert server.http.get("/scenarios/better").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "why"),
    [
        ("PUT", "/scenarios/x", {"twins": []}, 400, "must have 1 to 500"),
        ("PUT", "/scenarios/x", {"twins": ["tank-1"], "houers": 3}, 400, "there is no 'houers'"),
        ("PUT", "/scenarios/.x", {"twins": ["tank-1"]}, 400, "is no id"),
        ("POST", "/scenarios/nobody/run", None, 404, "no scenario 'nobody'"),
        ("GET", "/scenarios/unrun/result", None, 409, "has come to nothing yet"),
        ("POST", "/scenarios/gone/run", None, 404, "no twin 'tank-7' to fork"),
        ("PUT", "/behaviours/b", {**TANKS, "inputs": {"inflow": "flaw"}}, 400, "'flaw'"),
        ("PUT", "/behaviours/b", {**TANKS, "model": "dtmi:test:No;1"}, 404, "no model"),
        ("DELETE", "/behaviours/b", None, 404, "no behaviour 'b'"),
    ],
)
def test_what_cannot_be_is_refused(
    server: Inside, method: str, path: str, body: Any, status: int, why: str
) -> None:
    server.ask("PUT", "/scenarios/unrun", {"twins": ["tank-1"]})
    server.ask("PUT", "/scenarios/gone", {"twins": ["tank-7"]})
    answer = server.http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert why in answer.text


def test_behaviours_and_scenarios_are_part_of_a_plant(server: Inside) -> None:
    plant = server.ask("GET", "/plant")
    assert [b["id"] for b in plant["behaviours"]] == ["valves", "tanks"]
    assert "wider" in [s["id"] for s in plant["scenarios"]]
    counts = server.ask("POST", "/plant", plant)
    assert counts.get("behaviours", 0) == counts.get("scenarios", 0) == 0, "nothing has changed"
