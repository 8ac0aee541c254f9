"""The scene, its glTF, saved views, and the plant as of a moment, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inside import Inside, inside
from gemel.core.clock import to_iso

BASE = 1_700_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("scene") / "data") as found:
        found.pumps("pump-1", "pump-2")
        rows = [{"time": BASE + n, "flow": float(n)} for n in range(60)]
        found.ask("POST", "/ingest/pump-1", rows)
        scene = {"objects": [{"kind": "pump", "twin": "pump-1", "at": [0, 0, 0]}]}
        found.ask("POST", "/plant", {"scene": scene})
        yield found


def state(server: Inside, seconds: float, **query: Any) -> dict[str, Any]:
    at = to_iso(int((BASE + seconds) * 10**9))
    found: dict[str, Any] = server.ask("GET", "/state", at=at, **query)["twins"]
    return found


def test_the_plant_as_of_a_moment(server: Inside) -> None:
    then = state(server, 30.5)
    assert then["pump-1"] == {"status": "live", "values": {"flow": [30.0, (BASE + 30) * 1e3, 0]}}
    assert then["pump-2"] == {"status": "never", "values": {}}
    assert state(server, -1)["pump-1"]["status"] == "never"
    assert state(server, 10**6)["pump-1"]["status"] == "stale"
    assert list(state(server, 30, twin="pump-2")) == ["pump-2"]
    assert state(server, 30, provenance="predicted")["pump-1"]["values"] == {}


@pytest.mark.parametrize(
    ("query", "status"),
    [({"at": "yesterday"}, 400), ({"twin": "nobody"}, 404), ({"provenance": "guessed"}, 400)],
)
def test_a_question_that_makes_no_sense_is_refused(
    server: Inside, query: dict[str, str], status: int
) -> None:
    assert server.http.get("/state", params=query).status_code == status


def test_the_scene_comes_as_json_and_as_gltf(server: Inside) -> None:
    assert server.ask("GET", "/scene")["objects"][0]["twin"] == "pump-1"
    answer = server.http.get("/scene.glb")
    assert answer.headers["content-type"] == "model/gltf-binary"
    assert answer.content[:4] == b"glTF"


def test_views_are_saved_changed_and_deleted(server: Inside) -> None:
    view = {"name": "From above", "search": {"by": "state", "eye": "0,30,0,0,0,0"}}
    assert server.ask("PUT", "/views/above", view) == {"id": "above", **view}
    server.ask("PUT", "/views/above", {**view, "name": "Above"})
    assert [v["name"] for v in server.ask("GET", "/views")["value"]] == ["Above"]
    assert server.http.delete("/views/above").status_code == 204
    assert server.http.delete("/views/above").status_code == 404
    assert server.ask("GET", "/views")["value"] == []


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("Above", {"name": "x", "search": {}}),
        ("x", {"name": " ", "search": {}}),
        ("x", {"name": "x", "search": {"script": "1"}}),
        ("x", {"name": "x", "search": {"by": 1}}),
        ("x", {"name": "x"}),
    ],
)
def test_a_view_that_is_none_is_refused(server: Inside, key: str, body: dict[str, Any]) -> None:
    assert server.http.put(f"/views/{key}", json=body).status_code == 400


def test_a_twin_is_placed_moved_and_taken_away(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1", "pump-2", "pump-3")
        at = [
            tuple(server.ask("PUT", f"/scene/objects/pump-{n}", {"kind": "pump"})["at"])
            for n in (1, 2, 3)
        ]
        assert len(set(at)) == 3
        assert at[0] == (0, 0, 0)
        moved = server.ask(
            "PUT", "/scene/objects/pump-1", {"kind": "motor", "at": [9, 0, 9], "turn": 90}
        )
        again = server.ask("PUT", "/scene/objects/pump-1", {"kind": "fan"})
        assert (moved["kind"], again["at"], again["turn"]) == ("motor", [9, 0, 9], 90)
        assert len(server.ask("GET", "/scene")["objects"]) == 3
        for body, says in (
            ({"kind": ""}, "kind"),
            ({"kind": "pump", "at": [1]}, "at"),
            ({"kind": "pump", "colour": "red"}, "unknown field"),
        ):
            answer = server.http.put("/scene/objects/pump-1", json=body)
            assert (answer.status_code, says in answer.text) == (400, True)
        assert server.http.put("/scene/objects/nobody", json={"kind": "pump"}).status_code == 404
        assert server.http.delete("/scene/objects/pump-2").status_code == 204
        assert server.http.delete("/scene/objects/pump-2").status_code == 404
        assert len(server.ask("GET", "/scene")["objects"]) == 2
