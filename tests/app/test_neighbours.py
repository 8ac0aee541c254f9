"""The graph around twins: hops, limits, ways between two, places that stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.inside import MODELS, Inside, inside
from app.test_views import LINE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A tree three levels deep with five at each, and one twin by itself."""
    twins: dict[str, Any] = {"alone": {"model": LINE}}
    for a in range(5):
        for b in range(5):
            inner = [f"n-{a}-{b}-{c}" for c in range(5)]
            twins |= {one: {"model": LINE} for one in inner}
            twins[f"n-{a}-{b}"] = {"model": LINE, "name": f"Node {a}.{b}", "contains": inner}
        twins[f"n-{a}"] = {"model": LINE, "contains": [f"n-{a}-{b}" for b in range(5)]}
    twins["top"] = {"model": LINE, "contains": [f"n-{a}" for a in range(5)]}
    with inside(tmp_path_factory.mktemp("neighbours") / "data") as found:
        found.ask("POST", "/plant", {"models": MODELS, "twins": twins})
        yield found


def around(server: Inside, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("POST", "/graph", body)
    return found


def places(found: dict[str, Any]) -> dict[str, list[float]]:
    return {node["id"]: [node["x"], node["y"]] for node in found["nodes"]}


def test_hops_count_relationships_in_either_direction(server: Inside) -> None:
    found = around(server, around=["n-2"], hops=1)
    hops = {node["id"]: node["hops"] for node in found["nodes"]}
    assert hops == {"n-2": 0, "top": 1, **{f"n-2-{b}": 1 for b in range(5)}}
    assert len(found["edges"]) == 6
    assert {node["id"]: node["hidden"] for node in found["nodes"]} == {
        "n-2": 0,
        "top": 4,
        **{f"n-2-{b}": 5 for b in range(5)},
    }
    assert [len(around(server, around=["top"], hops=n)["nodes"]) for n in range(4)] == [
        1,
        6,
        31,
        150,
    ]


def test_a_limit_takes_the_nearer_ones(server: Inside) -> None:
    found = around(server, around=["top"], hops=3, limit=10)
    assert len(found["nodes"]) == 10
    assert not found["isComplete"]
    assert sorted(node["hops"] for node in found["nodes"]) == [0, *[1] * 5, *[2] * 4]


def test_expanding_keeps_every_place_and_adds_to_it(server: Inside) -> None:
    first = places(around(server, around=["top"], hops=1))
    found = around(server, around=["n-4"], hops=1, standing=first)
    second = places(found)
    assert {twin: second[twin] for twin in first} == first
    assert set(second) - set(first) == {f"n-4-{b}" for b in range(5)}
    assert places(around(server, around=["n-4"], hops=1, standing=first)) == second


def test_a_way_between_two_is_shortest_and_drawn(server: Inside) -> None:
    body = {"from": "n-1-2-3", "to": "n-4-0", "standing": {"top": [5.0, 5.0]}}
    found = server.ask("POST", "/graph/path", body)
    assert found["path"] == ["n-1-2-3", "n-1-2", "n-1", "top", "n-4", "n-4-0"]
    assert places(found)["top"] == [5.0, 5.0]
    assert len(found["edges"]) == 5
    assert server.ask("POST", "/graph/path", {"from": "top", "to": "top"})["path"] == ["top"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/graph", {"around": []}, 400),
        ("/graph", {"around": ["top"], "hops": 7}, 400),
        ("/graph", {"around": ["top"], "limit": 0}, 400),
        ("/graph", {"around": ["top"], "standing": {"top": [1]}}, 400),
        ("/graph", {"around": ["top"], "standing": {"top": [1, "x"]}}, 400),
        ("/graph", {"around": ["nobody"]}, 404),
        ("/graph/path", {"from": "top", "to": "nobody"}, 404),
        ("/graph/path", {"from": "top", "to": "alone"}, 404),
    ],
)
def test_what_cannot_be_is_refused(
    server: Inside, path: str, body: dict[str, Any], status: int
) -> None:
    answer = server.http.post(path, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["hint"]
