"""Services in the real server: live outputs, alarms with contributions, learning, restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.inside import MODELS, PUMP, Inside, inside, until
from gemel.services.anomaly.live import AnomalyDetector

EMPTY = "dtmi:example:Later;1"
EMPTY_MODEL = {
    "@id": EMPTY,
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Telemetry", "name": n, "schema": "double"} for n in ("flow", "temperature")
    ],
}
SECOND = 1_000_000_000
BEGIN = 1_700_000_000
WATCH = {
    "kind": "anomaly",
    "model": PUMP,
    "parameters": {"signals": ["flow", "temperature"], "warmup": 60, "hold": 2, "every": 10},
}


def rows(first: int, last: int, flow: float = 10.0, twin: str = "pump-1") -> list[dict[str, Any]]:
    random = np.random.default_rng(first)
    return [
        {
            "twin": twin,
            "time": (BEGIN + second) * 1000,
            "flow": flow + random.normal() * 0.1,
            "temperature": 50 + random.normal(),
        }
        for second in range(first, last)
    ]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        plant(found)
        yield found


def plant(server: Inside) -> None:
    server.ask("POST", "/models", MODELS)
    for twin in ("pump-1", "pump-2"):
        server.ask(
            "PUT",
            f"/digitaltwins/{twin}",
            {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}},
        )


def alarms(server: Inside) -> list[dict[str, Any]]:
    server.call(server.platform.tick, server.clock())
    found: list[dict[str, Any]] = server.ask("GET", "/alarms", state="all")["value"]
    return found


def test_an_excursion_is_one_alarm_that_names_the_signal(server: Inside) -> None:
    server.ask("PUT", "/services/watch", WATCH)
    server.ask("POST", "/ingest", rows(0, 200))
    server.ask("POST", "/ingest", rows(200, 230, flow=14.0))
    found = until(lambda: alarms(server), "the alarm")
    assert len(found) == 1
    alarm = found[0]
    assert (alarm["rule"], alarm["class"], alarm["twin"]) == ("service:watch", "anomaly", "pump-1")
    assert alarm["details"]["contributions"][0]["property"] == "flow"
    assert "flow" in alarm["title"]
    assert alarm["property"] == "anomaly.score"
    assert alarm["value"] >= 1
    server.ask("POST", "/ingest", rows(230, 600))
    until(lambda: not alarms(server)[0]["isActive"], "the end of the excursion")
    assert len(alarms(server)) == 1


def test_scores_are_in_history_as_derived_values(server: Inside) -> None:
    server.ask("PUT", "/services/watch", WATCH)
    server.ask("POST", "/ingest", rows(0, 200))
    server.call(server.platform.tick, server.clock())

    def look() -> list[float]:
        found = server.ask(
            "GET",
            "/history",
            twin="pump-1",
            property="anomaly.score",
            provenance="derived",
            **{"from": str(BEGIN * 1000), "to": str((BEGIN + 300) * 1000)},
        )
        values: list[float] = found["series"][0]["value"] if found["series"] else []
        return values

    until(lambda: len(look()) == 20, "all scores")


def test_a_service_learns_from_history_and_uses_it(server: Inside) -> None:
    server.ask("POST", "/ingest", rows(0, 400))
    server.ask("PUT", "/services/watch", {**WATCH, "enabled": True})
    span = (server.clock() // SECOND) - BEGIN + 10
    run = server.ask(
        "POST", "/runs", {"run": "learn", "service": "watch", "parameters": {"span": span}}
    )
    done = until(
        lambda: (r := server.ask("GET", f"/runs/{run['id']}"))["ended"] and r, "the end of the run"
    )
    assert done["state"] == "succeeded", done
    status = server.ask("GET", "/services/watch/status")
    assert status["version"] == 1
    assert status["knows"]["signalsKnown"] == 2
    assert status["knows"]["twinsWithSpace"] == 1
    server.ask("POST", "/ingest", rows(400, 430, flow=12.0))
    assert until(lambda: alarms(server), "the alarm")[0]["twin"] == "pump-1"


def test_a_service_that_only_observes_raises_nothing(server: Inside) -> None:
    server.ask("PUT", "/services/watch", {**WATCH, "autonomy": "observe"})
    server.ask("POST", "/ingest", rows(0, 200))
    server.ask("POST", "/ingest", rows(200, 230, flow=14.0))
    assert alarms(server) == []
    assert server.ask("GET", "/services/watch/status")["knows"]["episodes"] == 1


def test_a_restart_is_no_restart(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        plant(server)
        server.ask("PUT", "/services/watch", WATCH)
        server.ask("POST", "/ingest", rows(0, 150))
        server.call(server.platform.services.hand_over)
        before = server.ask("GET", "/services/watch/status")["knows"]
    with inside(tmp_path / "data") as server:
        assert server.ask("GET", "/services/watch/status")["knows"] == before
        server.ask("POST", "/ingest", rows(150, 180, flow=14.0))
        assert len(until(lambda: alarms(server), "the alarm")) == 1
    with inside(tmp_path / "data") as server:
        assert len(alarms(server)) == 1


def test_removing_a_service_closes_its_alarms(server: Inside) -> None:
    server.ask("PUT", "/services/watch", WATCH)
    server.ask("POST", "/ingest", rows(0, 200))
    server.ask("POST", "/ingest", rows(200, 230, flow=14.0))
    until(lambda: alarms(server), "the alarm")
    server.ask("DELETE", "/services/watch")
    assert [a["state"] for a in alarms(server)] == ["normal"]
    assert server.ask("GET", "/services")["value"] == []


def test_services_are_part_of_a_plant(server: Inside) -> None:
    server.ask("PUT", "/services/watch", {**WATCH, "schedule": {"learn": {"every": 86400}}})
    exported = server.ask("GET", "/plant")
    assert exported["services"][0]["id"] == "watch"
    assert server.ask("POST", "/plant", exported).get("services", 0) == 0
    exported["services"][0]["parameters"]["hold"] = 7
    assert server.ask("POST", "/plant", exported)["services"] == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"kind": "nothing"}, "anomaly"),
        ({"model": "dtmi:none;1"}, "GET /models"),
        ({"model": None, "twins": ["nobody"]}, "GET /twins"),
        ({"model": None}, "a DTMI"),
        ({"twins": ["pump-1"]}, "not both"),
        ({"parameters": {"sigma": 1}}, "sigmas"),
        ({"parameters": {"sigmas": -1}}, "from 1"),
        ({"autonomy": "all"}, "observe"),
        ({"schedule": {"nothing": {"every": 60}}}, "learn"),
        ({"schedule": {"learn": {"every": 1}}}, "at least"),
        ({"schedule": {"learn": {"every": -1}}}, "0: not by itself"),
        ({"enabled": "yes"}, "true or false"),
    ],
)
def test_wrong_services_name_the_way_out(server: Inside, more: dict[str, Any], words: str) -> None:
    answer = server.http.put("/services/watch", json={**WATCH, **more})
    assert answer.status_code in (400, 404)
    assert words in answer.text


def test_a_fault_in_one_service_stops_it_alone(server: Inside) -> None:
    server.ask("PUT", "/services/broken", {**WATCH, "model": None, "twins": ["pump-2"]})
    server.ask("PUT", "/services/watch", {**WATCH, "model": None, "twins": ["pump-1"]})

    def broken(_: object) -> None:
        raise RuntimeError("a wire is loose")

    server.platform.services.hosted["broken"].live.update = broken  # type: ignore[union-attr, method-assign, assignment]
    server.ask("POST", "/ingest", rows(0, 10) + rows(0, 10, twin="pump-2"))
    server.call(server.platform.tick, server.clock())
    assert "a wire is loose" in server.ask("GET", "/services/broken")["problem"]
    assert server.ask("GET", "/services/watch/status")["readings"] == 20


def test_two_services_of_one_kind_write_series_of_their_own(server: Inside) -> None:
    server.ask("PUT", "/services/watch", WATCH)
    for twins in ({"model": PUMP}, {"model": None, "twins": ["pump-2"]}):
        mixed = server.http.put("/services/other", json={**WATCH, **twins})
        assert mixed.status_code == 409
        assert "anomaly.score of the same twins as 'watch'" in mixed.json()["error"]["message"]
        assert "as: second" in mixed.json()["error"]["hint"]
    only = {**WATCH["parameters"], "signals": ["temperature"]}
    server.ask("PUT", "/services/heat", {**WATCH, "as": "heat", "parameters": only})
    server.ask("PUT", "/services/heat", {**WATCH, "as": "heat", "parameters": only})
    hot = {"model": PUMP, "when": "heat.score > 1", "title": "Hot", "priority": 2}
    server.ask("PUT", "/rules/hot", hot)
    server.ask("POST", "/ingest", rows(0, 200))
    server.ask("POST", "/ingest", rows(200, 230, flow=14.0))
    found = until(lambda: alarms(server), "the alarm")
    assert {a["property"] for a in found} == {"anomaly.score"}
    at = {"from": str(BEGIN * 1000), "to": str((BEGIN + 300) * 1000), "twin": "pump-1"}

    def scores(path: str) -> list[float]:
        asked = {"property": path, "provenance": "derived", **at}
        stored = server.ask("GET", "/history", **asked)["series"]
        values: list[float] = stored[0]["value"] if stored else []
        return values

    until(lambda: max(scores("anomaly.score"), default=0) > 1, "the score of the excursion")
    assert max(until(lambda: scores("heat.score"), "the other's scores")) < 1


@pytest.mark.parametrize("name", ["a.b", "9", "", 5])
def test_what_series_begin_with_is_a_plain_name(server: Inside, name: Any) -> None:
    answer = server.http.put("/services/watch", json={**WATCH, "as": name})
    assert answer.status_code == (200 if name == "" else 400)


def test_a_service_whose_model_has_no_twins_yet_disturbs_nobody(server: Inside) -> None:
    server.ask("POST", "/models", [EMPTY_MODEL])
    server.ask("PUT", "/services/before", {**WATCH, "model": EMPTY, "as": "before"})
    server.ask("PUT", "/services/watch", WATCH)
    server.ask("POST", "/ingest", rows(0, 200))
    status = server.ask("GET", "/services/watch/status")
    assert status["readings"] == 400
    waiting = server.ask("GET", "/services/before/status")
    assert (waiting["isRunning"], waiting["readings"]) == (True, 0)


def test_a_message_by_column_is_seen_as_one_by_row(server: Inside) -> None:
    """Columns bring all values of one signal before those of the next: time orders them."""
    server.ask("PUT", "/services/watch", WATCH)
    mine = rows(0, 200) + rows(200, 230, flow=14.0) + rows(230, 400)
    for begin in range(0, 400, 50):
        part = mine[begin : begin + 50]
        server.ask("POST", "/ingest", part)
        columns: dict[str, Any] = {
            name: [row[name] for row in part] for name in ("time", "flow", "temperature")
        }
        server.ask("POST", "/ingest/pump-2", columns)
        server.call(server.platform.tick, server.clock())

    def scores(twin: str) -> list[tuple[int, float]]:
        found = server.ask(
            "GET",
            "/history",
            twin=twin,
            property="anomaly.score",
            provenance="derived",
            **{"from": str(BEGIN * 1000), "to": str((BEGIN + 500) * 1000)},
        )["series"]
        return list(zip(found[0]["time"], found[0]["value"], strict=True)) if found else []

    by_row = until(lambda: len(s := scores("pump-1")) > 40 and s, "scores")
    assert (
        until(lambda: (s := scores("pump-2")) and len(s) >= len(by_row) and s, "scores") == by_row
    )
    assert max(value for _, value in by_row) > 1
    assert {alarm["twin"] for alarm in alarms(server)} == {"pump-1", "pump-2"}


def test_a_memory_that_this_version_cannot_read_does_not_keep_the_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with inside(tmp_path / "data") as server:
        plant(server)
        server.ask("PUT", "/services/watch", WATCH)
        server.ask("POST", "/ingest", rows(0, 100))
        assert server.ask("GET", "/services/watch/status")["readings"] == 200

    def restore(self: AnomalyDetector, data: bytes) -> None:
        self.twins = ()
        raise KeyError("what another version has called otherwise")

    monkeypatch.setattr(AnomalyDetector, "restore", restore)
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/ingest", rows(100, 200))
        found = server.ask("GET", "/services/watch/status")
        assert (found["isRunning"], found["readings"]) == (True, 200)
