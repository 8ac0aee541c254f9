"""Why a twin is shown as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.inside import MODELS, PUMP, Inside, inside
from app.test_views import LINE

WARM = "dtmi:test:WarmPump;1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    warm = {
        "@id": WARM,
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "displayName": "Warm pump",
        "extends": PUMP,
    }
    twins = {
        "warm-1": {"model": WARM},
        "pump-1": {"model": PUMP},
        "line": {"model": LINE, "contains": ["warm-1"]},
    }
    rule = {"id": "hot", "model": PUMP, "when": "temperature > 80 °C", "priority": 2}
    settings = {WARM: {"staleAfter": 300}, PUMP: {"staleAfter": 300}}
    with inside(tmp_path_factory.mktemp("explain") / "data") as found:
        plant = {"models": [*MODELS, warm], "twins": twins, "rules": [rule], "settings": settings}
        found.ask("POST", "/plant", plant)
        begin = found.clock() // 10**6 - 10_000
        rows = [{"time": begin + n * 1000, "temperature": 70 + n * 2} for n in range(10)]
        found.ask("POST", "/ingest/warm-1", rows)
        yield found


def test_an_alarm_leads_to_rule_model_readings_and_device(server: Inside) -> None:
    found = server.ask("GET", "/twins/warm-1/explain")
    (reason,) = found["alarms"]
    assert found["priority"] == reason["alarm"]["priority"] == 2
    assert reason["rule"] | {"version": 1} == {
        "id": "hot",
        "version": 1,
        "when": "temperature > 80 °C",
        "model": PUMP,
        "isRunning": True,
    }
    assert (reason["model"]["title"], reason["model"]["unit"]) == ("Warm pump", "°C")
    assert reason["model"]["definedIn"] == PUMP
    values = [(one["value"], one["isTurn"]) for one in reason["samples"]]
    assert values == [(v, v == 82) for v in (74, 76, 78, 80, 82, 84, 86, 88)]
    assert found["device"]["topics"] == [{"binding": None, "topic": "devices/warm-1/telemetry"}]


def test_a_status_has_its_reason(server: Inside) -> None:
    def status(twin: str) -> dict[str, str]:
        found: dict[str, str] = server.ask("GET", f"/twins/{twin}/explain")["status"]
        return found

    assert status("pump-1") == {
        "is": "never",
        "because": "no reading of it ever came",
        "lastSeen": None,
    }
    assert status("warm-1")["is"] == status("line")["is"] == "live"
    assert "the 1 it contains" in status("line")["because"]
    server.clock.advance(600)
    assert status("warm-1")["is"] == "stale"
    assert "300 s" in status("warm-1")["because"]
    assert server.http.get("/twins/nobody/explain").status_code == 404


def test_two_twins_differ_in_properties_values_and_relationships(server: Inside) -> None:
    patch = [{"op": "add", "path": "/name", "value": "Warm one"}]
    server.ask("PATCH", "/digitaltwins/warm-1", patch)
    found = server.ask("GET", "/twins/warm-1/diff", **{"with": "pump-1"})
    assert found["act"] == "changed"
    changes = {one["path"]: (one["before"], one["after"], one["act"]) for one in found["changes"]}
    assert changes == {
        "$model": (WARM, PUMP, "changed"),
        "name": ("Warm one", None, "removed"),
    }
    values = {one["path"]: (one["before"]["value"], one["after"]) for one in found["values"]}
    assert values == {"temperature": (88, None)}
    assert found["relationships"] == [
        {"name": "contains", "direction": "in", "twin": "line", "act": "removed"}
    ]
    assert server.ask("GET", "/twins/line/diff", **{"with": "line"})["act"] == "same"
    assert server.http.get("/twins/line/diff", params={"with": "nobody"}).status_code == 404
