"""Views over many twins under policies: statistics, the drawn graph, ways, limits, explanations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.documented import faults
from api.test_policies import LINE
from app.inside import MODELS, PUMP, Inside, inside, until

HIDDEN_ID = "hush-twin"
HIDDEN = (HIDDEN_ID, "hush-line", "Hushed pump", "717.25", "hush-link", "hush/topic", "626.25")
"""Ids, names, values and limits of what is hidden from anna; no answer to her may hold one."""
TEAM: list[dict[str, Any]] = [
    {
        "id": "team",
        "who": {"names": ["anna"]},
        "below": {"twin": "line-a", "follow": ["contains"]},
    },
    {
        "id": "no-flow",
        "effect": "forbid",
        "who": {"names": ["anna"]},
        "actions": ["read"],
        "twins": ["a-2"],
        "properties": ["flow"],
    },
    {
        "id": "no-feeds",
        "effect": "forbid",
        "who": {"names": ["anna"]},
        "actions": ["read"],
        "twins": ["a-3"],
        "properties": ["feeds"],
    },
    {"id": "whole", "who": {"names": ["carl"]}},
]
LINKS = (
    ("a-1", "hush-link-1", HIDDEN_ID),
    (HIDDEN_ID, "hush-link-2", "a-2"),
    ("a-3", "hush-link-3", "a-1"),
)
SPAN = "from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z"
BEGIN_MS = 1_767_600_000_000


class Views:
    """A plant, its admin, somebody who sees a part of it, and one whose policy permits all."""

    def __init__(self, server: Inside, anna: httpx.Client, carl: httpx.Client) -> None:
        self.server, self.anna, self.carl = server, anna, carl

    def asked(self, who: httpx.Client, method: str, path: str, body: Any = None) -> Any:
        answer = who.request(method, path, json=body)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        found = answer.json()
        assert not (wrong := faults(method, path.partition("?")[0], found)), wrong
        if who is self.anna:
            for secret in HIDDEN:
                assert secret not in answer.text, (path, secret)
        return found

    def refused(self, path: str, body: Any = None) -> tuple[int, str]:
        """How anna is refused, with the twin's id, which she gave, taken out."""
        answer = self.anna.request("POST" if body else "GET", path, json=body)
        text = answer.text.replace(HIDDEN_ID, "IT").replace("no-such-twin", "IT")
        for secret in HIDDEN:
            assert secret not in text, (path, secret)
        return answer.status_code, text


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Views]:
    twins: dict[str, Any] = {one: {"model": PUMP, "name": one} for one in ("a-1", "a-2", "a-3")}
    twins[HIDDEN_ID] = {"model": PUMP, "name": "Hushed pump"}
    twins["line-a"] = {"model": LINE, "contains": list(twins)[:3]}
    twins["hush-line"] = {"model": LINE, "contains": [HIDDEN_ID]}
    rules = [
        {"id": "hot", "model": PUMP, "when": "temperature > 80", "priority": 2},
        {"id": "much", "model": PUMP, "when": "flow > 626.25", "priority": 3},
    ]
    bindings = [{"id": "b", "topic": "hush/topic", "twin": "a-2"}]
    with inside(tmp_path_factory.mktemp("policies-views")) as server:
        settings = {PUMP: {"staleAfter": 1_000_000}}
        plant = {"models": MODELS, "twins": twins, "rules": rules, "bindings": bindings}
        server.ask("POST", "/plant", {**plant, "settings": settings})
        for source, link, target in LINKS:
            body = {"$relationshipName": "feeds", "$targetId": target}
            server.ask("PUT", f"/digitaltwins/{source}/relationships/{link}", body)
        for twin, flow in (("a-1", 2.0), ("a-2", 717.25), ("a-3", 3.0), (HIDDEN_ID, 717.25)):
            old = [{"time": BEGIN_MS + n * 1000, "flow": flow, "temperature": 9} for n in range(4)]
            server.ask("POST", f"/ingest/{twin}", old)
            server.ingest(twin, flow=flow, temperature=95.0)
        server.ask("POST", "/ingest/a-2", {"nonsense": 1})
        until(
            lambda: server.ask("GET", "/twins/a-2")["rejects"] == 1, "the reading without a place"
        )
        # one alarm a twin of `hot`, and `much` of the two whose flow is high
        until(lambda: len(server.ask("GET", "/alarms")["value"]) == 6, "six alarms")
        for policy in TEAM:
            server.ask("PUT", f"/policies/{policy['id']}", policy)
        anna, carl = (server.client(server.token("engineer", name=n)) for n in ("anna", "carl"))
        with anna, carl:
            yield Views(server, anna, carl)


ASKED: list[tuple[str, str, Any]] = [
    ("GET", f"/history/statistics?twin=a-2,{HIDDEN_ID}&property=flow,temperature&{SPAN}", None),
    ("POST", "/graph", {"around": ["a-1", HIDDEN_ID], "hops": 3}),
    ("POST", "/graph/path", {"from": "a-1", "to": "a-2"}),
    ("GET", "/twins/a-2/limits", None),
    ("GET", f"/twins/{HIDDEN_ID}/limits", None),
    ("GET", "/twins/a-2/explain", None),
    ("GET", f"/twins/{HIDDEN_ID}/explain", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
def test_who_may_read_all_is_answered_as_if_there_were_no_policies(
    views: Views, method: str, path: str, body: Any
) -> None:
    whole = views.asked(views.server.http, method, path, body)
    assert views.asked(views.carl, method, path, body) == whole


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/history/statistics?twin={}&property=flow", None),
        ("/twins/{}/limits", None),
        ("/twins/{}/explain", None),
        ("/graph", {"around": ["{}"]}),
        ("/graph/path", {"from": "a-1", "to": "{}"}),
        ("/graph/path", {"from": "{}", "to": "a-1"}),
    ],
)
def test_a_hidden_twin_is_answered_like_a_missing_one(views: Views, path: str, body: Any) -> None:
    def told(twin: str) -> tuple[int, str]:
        given = {
            name: [twin] if value == ["{}"] else twin if value == "{}" else value
            for name, value in (body or {}).items()
        }
        return views.refused(path.format(twin), given or None)

    hidden = told(HIDDEN_ID)
    assert hidden[0] == 404
    assert hidden == told("no-such-twin")


@pytest.mark.parametrize("path", ["", "/changes", "/desired", "/diff?with=a-1"])
def test_other_views_of_a_hidden_twin_use_the_words_of_a_missing_one(
    views: Views, path: str
) -> None:
    hidden, missing = (views.refused(f"/twins/{one}{path}") for one in (HIDDEN_ID, "no-such-twin"))
    assert hidden == missing
    assert hidden[0] == 404


def test_a_command_to_a_hidden_twin_is_refused_as_one_to_a_missing_one(views: Views) -> None:
    hidden, missing = (
        views.refused("/commands", {"twin": one, "command": "stop"})
        for one in (HIDDEN_ID, "no-such-twin")
    )
    assert hidden == missing
    assert hidden[0] == 404


def test_statistics_are_of_values_that_may_be_read(views: Views) -> None:
    path = f"/history/statistics?property=flow,temperature&{SPAN}&twin="
    rows = views.asked(views.anna, "GET", path + "a-1,a-2")["value"]
    found = {(row["twin"], row["property"]): (row["count"], row["max"]) for row in rows}
    assert found == {
        ("a-1", "flow"): (4, 2.0),
        ("a-1", "temperature"): (4, 9.0),
        ("a-2", "flow"): (0, None),
        ("a-2", "temperature"): (4, 9.0),
    }
    every = views.asked(views.anna, "GET", path + "a-2&provenance=all")["value"]
    assert [row["count"] for row in every] == [0, 4]


def test_among_others_a_hidden_twin_has_no_statistics(views: Views) -> None:
    def rows(twin: str) -> str:
        path = f"/history/statistics?property=flow&{SPAN}&twin=a-1,{twin}"
        return views.anna.get(path).text.replace(twin, "IT")

    assert rows(HIDDEN_ID) == rows("no-such-twin")
    assert "717.25" not in rows(HIDDEN_ID)


def test_the_drawn_graph_holds_what_may_be_seen(views: Views) -> None:
    standing = {HIDDEN_ID: [1.0, 1.0], "a-3": [0.0, 0.0]}
    body = {"around": ["a-1"], "hops": 6, "standing": standing}
    found = views.asked(views.anna, "POST", "/graph", body)
    assert {node["id"] for node in found["nodes"]} == {"a-1", "a-2", "a-3", "line-a"}
    edges = {(edge["source"], edge["name"], edge["target"]) for edge in found["edges"]}
    assert edges == {("line-a", "contains", f"a-{n}") for n in (1, 2, 3)}
    near = views.asked(views.anna, "POST", "/graph", {"around": ["a-1"], "hops": 0})
    assert [node["hidden"] for node in near["nodes"]] == [1]  # line-a alone
    priorities = {node["id"]: node["priority"] for node in found["nodes"]}
    assert (priorities["a-1"], priorities["a-2"]) == (2, None)  # of a-2 not all may be read
    whole = views.asked(views.server.http, "POST", "/graph", {"around": ["a-1"], "hops": 0})
    assert [node["hidden"] for node in whole["nodes"]] == [3]


def test_no_way_leads_through_what_is_hidden(views: Views) -> None:
    body = {"from": "a-1", "to": "a-2"}
    whole = views.asked(views.server.http, "POST", "/graph/path", body)
    assert len(whole["path"]) == 3
    assert views.asked(views.anna, "POST", "/graph/path", body)["path"] == ["a-1", "line-a", "a-2"]
    ahead = {"from": "a-3", "to": "a-1"}  # a relationship of a name that she may not read
    assert views.asked(views.server.http, "POST", "/graph/path", ahead)["path"] == ["a-3", "a-1"]
    assert views.asked(views.anna, "POST", "/graph/path", ahead)["path"] == [
        "a-3",
        "line-a",
        "a-1",
    ]


def test_ends_that_only_hidden_twins_join_are_apart(views: Views) -> None:
    server = views.server
    two = {"id": "two", "who": {"names": ["bert"]}, "twins": ["a-1", "a-2"]}
    server.ask("PUT", "/policies/two", two)
    with server.client(server.token("viewer", name="bert")) as bert:
        answer = bert.post("/graph/path", json={"from": "a-1", "to": "a-2"})
    server.ask("DELETE", "/policies/two")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NoPath"
    assert HIDDEN_ID not in answer.text
    assert "line-a" not in answer.text


def test_limits_are_of_properties_that_may_be_read(views: Views) -> None:
    def limits(who: httpx.Client) -> list[str]:
        return [one["property"] for one in views.asked(who, "GET", "/twins/a-2/limits")["value"]]

    assert limits(views.server.http) == ["temperature", "flow"]
    assert limits(views.anna) == ["temperature"]


def test_an_explanation_tells_alarms_and_topics_to_who_may_read_all_of_a_twin(views: Views) -> None:
    whole = views.asked(views.server.http, "GET", "/twins/a-2/explain")
    assert len(whole["alarms"]) == 2
    assert whole["device"]["topics"] == [{"binding": "b", "topic": "hush/topic"}]
    assert whole["device"]["rejects"] == 1
    part = views.asked(views.anna, "GET", "/twins/a-2/explain")
    assert (part["alarms"], part["priority"]) == ([], None)
    assert (part["device"]["topics"], part["device"]["rejects"]) == ([], 0)
    assert part["status"] == whole["status"]
    assert views.asked(views.anna, "GET", "/twins/a-2")["rejects"] == 0
    own = views.asked(views.anna, "GET", "/twins/a-1/explain")
    assert own == views.asked(views.server.http, "GET", "/twins/a-1/explain")
    assert own["alarms"][0]["samples"][-1]["value"] == 95.0


def test_a_container_is_explained_by_what_of_it_is_seen(views: Views) -> None:
    server = views.server
    few = {"id": "few", "who": {"names": ["dora"]}, "twins": ["line-a", "a-1"]}
    server.ask("PUT", "/policies/few", few)
    with server.client(server.token("viewer", name="dora")) as dora:
        because = dora.get("/twins/line-a/explain").json()["status"]["because"]
    server.ask("DELETE", "/policies/few")
    assert "the 1 it contains" in because


def test_risks_are_of_predictions_that_may_be_read(views: Views) -> None:
    time = views.server.clock() // 1_000_000 + 3_600_000
    band = {"flow": 700, "flow@q0.05": 500, "flow@q0.95": 900, "temperature": 85}
    body = {"time": time, **band, "temperature@q0.05": 70, "temperature@q0.95": 99}
    for twin in ("a-1", "a-2", HIDDEN_ID):
        views.server.ask("POST", f"/ingest/{twin}?provenance=predicted", body)

    def risks(who: httpx.Client) -> set[tuple[str, str]]:
        found = views.asked(who, "GET", "/risks")["value"]
        return {(one["twin"], one["property"]) for one in found}

    until(lambda: risks(views.server.http), "the risks")
    assert risks(views.server.http) == {("a-1", "flow")}, "of the others the alarms are active"
    views.server.ask("PUT", "/policies/no-flow", {**TEAM[1], "twins": ["a-1", "a-2"]})
    try:
        assert risks(views.anna) == {("a-1", "temperature"), ("a-2", "temperature")}
    finally:
        views.server.ask("PUT", "/policies/no-flow", TEAM[1])
