"""Policies over HTTP, MQTT and the live stream: what is hidden is hidden by every face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from app.inside import MODELS, PUMP, WAIT_SECONDS, Inside, inside, until
from gemel.api.app import ROUTES
from gemel.api.guards import OPEN, SEEN, TRIMMED, WHOLE

LINE = "dtmi:test:Line;1"
POLICIES: list[dict[str, Any]] = [
    {
        "id": "line-a",
        "who": {"names": ["anna"]},
        "below": {"twin": "line-a", "follow": ["contains"]},
    },
    {
        "id": "no-flow",
        "effect": "forbid",
        "who": {"names": ["anna"]},
        "actions": ["read"],
        "models": [PUMP],
        "twins": ["a-2"],
        "properties": ["flow", "target", "bearing.grease"],
    },
    {
        "id": "only-name",
        "effect": "forbid",
        "who": {"names": ["anna"]},
        "actions": ["write", "command"],
        "properties": ["target", "setSpeed"],
    },
]


@contextmanager
def narrowed(data: Path) -> Iterator[Inside]:
    with inside(data) as found:
        pump = {"model": PUMP, "properties": {"target": 5.0}, "name": "P"}
        pump["components"] = {"bearing": {"grease": "old"}}
        twins: dict[str, Any] = {name: pump for name in ("a-1", "a-2", "b-1")}
        twins["line-a"] = {"model": LINE, "contains": ["a-1", "a-2"]}
        twins["line-b"] = {"model": LINE, "contains": ["b-1"]}
        found.ask("POST", "/plant", {"models": MODELS, "twins": twins})
        for twin in ("a-1", "a-2", "b-1"):
            found.ingest(twin, flow=3.5, temperature=40.0)
        for policy in POLICIES:
            found.ask("PUT", f"/policies/{policy['id']}", policy)
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with narrowed(tmp_path_factory.mktemp("policies")) as found:
        yield found


@pytest.fixture(scope="module")
def anna(server: Inside) -> Iterator[httpx.Client]:
    with server.client(server.token("engineer", name="anna")) as client:
        yield client


def rows(anna: httpx.Client, query: str) -> list[dict[str, Any]]:
    answer = anna.post("/query", json={"query": query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def test_twins_outside_the_subtree_are_not_there(anna: httpx.Client) -> None:
    assert anna.get("/digitaltwins/a-1").status_code == 200
    for path in ("/digitaltwins/b-1", "/twins/b-1", "/digitaltwins/b-1/relationships"):
        answer = anna.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["error"]["code"] == "DigitalTwinNotFound"
    listed = anna.get("/twins").json()
    assert [row["id"] for row in listed["value"]] == ["a-1", "a-2", "line-a"]
    assert listed["total"] == 3


def test_queries_show_what_reads_show(anna: httpx.Client) -> None:
    assert {row["$dtId"] for row in rows(anna, "SELECT * FROM DIGITALTWINS")} == {
        "a-1",
        "a-2",
        "line-a",
    }
    assert rows(anna, "SELECT COUNT() FROM DIGITALTWINS") == [{"COUNT": 3}]
    flows = rows(anna, "SELECT $dtId FROM DIGITALTWINS WHERE flow > 3")
    assert [row["$dtId"] for row in flows] == ["a-1"]
    targets = rows(anna, "SELECT $dtId FROM DIGITALTWINS T WHERE T.target = 5")
    assert [row["$dtId"] for row in targets] == ["a-1"]
    assert len(rows(anna, "SELECT * FROM RELATIONSHIPS")) == 2


def test_hidden_properties_are_in_no_answer(anna: httpx.Client) -> None:
    twin = anna.get("/digitaltwins/a-2").json()
    assert "target" not in twin
    assert "target" not in twin["$metadata"]
    assert "grease" not in twin["bearing"]
    face = anna.get("/twins/a-2").json()
    assert {p["path"] for p in face["properties"]} & {"flow", "target", "bearing.grease"} == set()
    assert anna.get("/history?twin=a-2&property=flow").json()["series"][0]["value"] == []
    assert anna.get("/history/last?twin=a-2&property=flow").json()["value"][0]["value"] is None
    series = anna.get("/history/series?twin=a-2").json()["value"]
    assert {one["property"] for one in series} == {"temperature"}
    state = anna.get("/state").json()["twins"]
    assert set(state) == {"a-1", "a-2", "line-a"}
    assert set(state["a-2"]["values"]) == {"temperature"}


def test_units_are_those_of_the_twins_that_are_seen(server: Inside, anna: httpx.Client) -> None:
    odd = {"model": "dtmi:test:Bearing;1"}
    server.ask("POST", "/plant", {"twins": {"hidden-bearing": odd}})
    everything = {row["path"]: row["units"] for row in server.ask("GET", "/units")["value"]}
    assert everything["temperature"] == ["", "°C"]
    hers = {row["path"]: row["units"] for row in anna.get("/units").json()["value"]}
    assert hers["temperature"] == ["°C"]
    formula = {"model": PUMP, "property": "warmth", "formula": "temperature", "unit": "°C"}
    server.ask("PUT", "/derived/warmth", formula)
    hers = {row["path"]: row["units"] for row in anna.get("/units").json()["value"]}
    assert hers["warmth"] == ["°C"]
    assert anna.get("/twins?show=warmth").json()["value"][0]["unit"] == "°C"
    server.ask("DELETE", "/derived/warmth")
    server.ask("DELETE", "/digitaltwins/hidden-bearing")


def test_relationships_to_hidden_twins_are_hidden(server: Inside, anna: httpx.Client) -> None:
    body = {"$relationshipName": "feeds", "$targetId": "b-1"}
    server.ask("PUT", "/digitaltwins/a-1/relationships/over", body)
    assert anna.get("/digitaltwins/a-1/relationships").json()["value"] == []
    assert anna.get("/digitaltwins/a-1/relationships/over").status_code == 404
    assert anna.put("/digitaltwins/a-2/relationships/mine", json=body).status_code == 400
    server.ask("DELETE", "/digitaltwins/a-1/relationships/over")


def test_edits_need_a_permit_for_each_property(server: Inside, anna: httpx.Client) -> None:
    name = [{"op": "replace", "path": "/name", "value": "Q"}]
    assert anna.patch("/digitaltwins/a-1", json=name).status_code == 204
    target = [{"op": "replace", "path": "/target", "value": 9.0}]
    refused = anna.patch("/digitaltwins/a-1", json=target)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "PolicyForbids"
    assert server.ask("GET", "/digitaltwins/a-1")["target"] == 5.0
    assert anna.patch("/digitaltwins/b-1", json=name).status_code in (403, 404)
    assert server.ask("GET", "/digitaltwins/b-1")["name"] == "P"
    assert anna.patch("/twins/a-1/desired", json={"target": 7}).status_code == 403
    assert anna.patch("/twins/b-1/desired", json={"target": 7}).status_code in (403, 404)
    assert anna.delete("/digitaltwins/b-1").status_code in (403, 404)
    new = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}}
    assert anna.put("/digitaltwins/new", json=new).status_code == 403


def test_errors_tell_nothing_of_what_is_hidden(server: Inside, anna: httpx.Client) -> None:
    over = {"$relationshipName": "feeds", "$targetId": "a-1"}
    server.ask("PUT", "/digitaltwins/b-1/relationships/from-outside", over)
    refused = anna.delete("/digitaltwins/a-1")
    assert refused.status_code == 409
    told = refused.json()["error"]
    assert told["code"] == "RelationshipsNotDeleted"
    assert "(line-a -contains-> a-1)" in told["message"]
    assert "b-1" not in refused.text
    assert "from-outside" not in refused.text
    server.ask("PUT", "/policies/one", {"who": {"names": ["bert"]}, "twins": ["a-1"]})
    with server.client(server.token("engineer", name="bert")) as bert:
        refused = bert.delete("/digitaltwins/a-1")  # nothing that he sees leads to it
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "RelationshipsNotDeleted"
    assert "policies hide" in refused.text
    assert "line-a" not in refused.text
    server.ask("DELETE", "/digitaltwins/b-1/relationships/from-outside")
    server.ask("DELETE", "/policies/one")


def test_a_hidden_twin_answers_as_one_that_is_not_there(anna: httpx.Client) -> None:
    def answer(method: str, path: str, body: Any, **headers: str) -> tuple[int, str]:
        found = anna.request(method, path, json=body, headers=headers)
        return found.status_code, found.text.replace("b-1", "b-0").replace("b-0", "IT")

    pump = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}}
    for headers in ({}, {"If-None-Match": "*"}):
        ways = [answer("PUT", f"/digitaltwins/{twin}", pump, **headers) for twin in ("b-0", "b-1")]
        assert ways[0] == ways[1]
        assert ways[0][0] == 403
    for twin in ("b-0", "b-1"):
        link = {"$relationshipName": "feeds", "$targetId": twin}
        status, text = answer("PUT", "/digitaltwins/a-1/relationships/new", link)
        assert (status, "there is no target twin 'IT'" in text) == (400, True), text
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/relationships")):
            assert answer(method, f"/digitaltwins/{twin}{path}", [])[0] == 404


def test_the_id_of_a_hidden_command_tells_nothing(server: Inside, anna: httpx.Client) -> None:
    server.ask("POST", "/commands", {"id": "taken", "twin": "b-1", "command": "stop"})
    refused = anna.post("/commands", json={"id": "taken", "twin": "a-1", "command": "stop"})
    assert refused.status_code == 409
    assert "b-1" not in refused.text
    assert anna.get("/commands/taken").status_code == 404


def test_commands_need_a_permit(anna: httpx.Client) -> None:
    sent = anna.post("/commands", json={"twin": "a-1", "command": "stop"})
    assert sent.status_code == 202, sent.text
    fast = {"twin": "a-1", "command": "setSpeed", "arguments": 5}
    assert anna.post("/commands", json=fast).status_code == 403
    assert anna.post("/commands?dryRun=true", json=fast).status_code == 403
    assert anna.post("/commands", json={"twin": "b-1", "command": "stop"}).status_code == 404
    assert [c["twin"] for c in anna.get("/commands").json()["value"]] == ["a-1"]


def test_alarms_of_hidden_twins_are_hidden(tmp_path: Path) -> None:
    with (
        narrowed(tmp_path) as server,
        server.client(server.token("engineer", name="anna")) as anna,
    ):
        look_at_alarms(server, anna)


def look_at_alarms(server: Inside, anna: httpx.Client) -> None:
    rule = {"model": PUMP, "when": "temperature > 90"}
    server.ask("PUT", "/rules/hot", rule)
    server.ingest("a-1", temperature=95.0)
    server.ingest("b-1", temperature=95.0)
    every = until(lambda: len(v := server.ask("GET", "/alarms")["value"]) == 2 and v, "two alarms")
    assert [a["twin"] for a in anna.get("/alarms").json()["value"]] == ["a-1"]
    hidden = next(a["id"] for a in every if a["twin"] == "b-1")
    assert anna.get(f"/alarms/{hidden}").status_code == 404
    assert anna.post(f"/alarms/{hidden}/acknowledge").status_code == 404
    shown = next(a["id"] for a in every if a["twin"] == "a-1")
    assert anna.post(f"/alarms/{shown}/acknowledge").status_code == 200


def test_telemetry_needs_a_permit_over_http_and_mqtt(server: Inside, anna: httpx.Client) -> None:
    before = server.ask("GET", "/history/last?twin=b-1&property=flow")["value"][0]["value"]
    anna.post("/ingest/b-1", json={"flow": 77})
    anna.post("/digitaltwins/b-1/telemetry", json={"flow": 77})
    with server.device(client_id="anna", token=server.token("engineer", name="anna")) as client:
        client.subscribe("devices/#")
        secret = server.token("engineer", name="anna")
        with server.device(client_id="other", token=secret) as sender:
            sender.client.publish("devices/b-1/telemetry", '{"flow": 77}', 1)
            until(lambda: not sender.client.is_connected(), "the end of who may not publish")
        with server.device("a-1") as one, server.device("a-2") as two, server.device("b-1") as out:
            out.publish("devices/b-1/telemetry", '{"temperature": 41}')
            two.publish("devices/a-2/telemetry", '{"flow": 2}')
            two.publish("devices/a-2/telemetry/flow", "2.5")
            two.publish("devices/a-2/telemetry/temperature", "42")
            one.publish("devices/a-1/telemetry", '{"flow": 4}')
            until(lambda: "devices/a-1/telemetry" in client.topics(), "the message")
        assert client.topics() == ["devices/a-2/telemetry/temperature", "devices/a-1/telemetry"]
    assert server.ask("GET", "/history/last?twin=b-1&property=flow")["value"][0]["value"] == before


def test_the_live_stream_hides_and_follows_the_graph(server: Inside) -> None:
    secret = server.token("viewer", name="anna")
    url = server.url.replace("http", "ws") + "/live"
    headers = {"Authorization": f"Bearer {secret}"}
    with connect(url, additional_headers=headers, proxy=None) as socket:

        def series() -> set[tuple[str, str]]:
            while True:
                found = socket.recv(WAIT_SECONDS)
                if isinstance(found, str) and (body := json.loads(found))["type"] == "series":
                    return {(twin, path) for _, twin, path in body["series"]}

        socket.send(json.dumps({"type": "subscribe", "all": True}))
        while ("a-1", "flow") not in (first := series()):
            pass  # an empty one may come before what was subscribed
        assert ("a-2", "flow") not in first
        assert not {pair for pair in first if pair[0] == "b-1"}
        body = {"$relationshipName": "contains", "$targetId": "b-1"}
        server.ask("PUT", "/digitaltwins/line-a/relationships/extra", body)
        while ("b-1", "flow") not in series():
            pass
        server.ask("DELETE", "/digitaltwins/line-a/relationships/extra")
        while ("b-1", "flow") in series():
            pass


def test_the_status_counts_what_is_seen(server: Inside, anna: httpx.Client) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80", "priority": 2})
    for twin in ("a-1", "a-2", "b-1"):
        server.ingest(twin, temperature=95.0)
    until(lambda: server.ask("GET", "/status")["alarms"]["2"] == 3, "three alarms")
    whole, seen = server.ask("GET", "/status"), anna.get("/status").json()
    listed = anna.get("/alarms").json()["value"]
    assert [one["twin"] for one in listed] == ["a-1"]  # of a-2 not all may be read
    assert seen["alarms"]["2"] == seen["alarms"]["unacknowledged"] == 1
    assert (seen["abnormal"], whole["abnormal"]) == (1, 3)
    assert (seen["twins"], whole["twins"]) == (3, 5)
    assert 0 < seen["flood"]["count"] < whole["flood"]["count"]
    assert seen.keys() == whole.keys()
    until(lambda: anna.get("/status").json()["live"] == 2, "two that live, of three")

    secret = server.token("viewer", name="anna")
    url = server.url.replace("http", "ws") + "/live"
    with connect(url, additional_headers={"Authorization": f"Bearer {secret}"}, proxy=None) as page:
        told: list[Any] = []
        while len(told) < 2:  # at once, and with the next second
            message = page.recv(WAIT_SECONDS)
            if isinstance(message, str) and (body := json.loads(message))["type"] == "status":
                told.append(body["status"])
        assert [(one["twins"], one["alarms"]["2"]) for one in told] == [(3, 1), (3, 1)]
    server.ask("DELETE", "/rules/hot")
    for twin in ("a-1", "a-2", "b-1"):
        server.ingest(twin, temperature=40.0)


def test_what_cannot_be_narrowed_is_refused(anna: httpx.Client) -> None:
    for path in ("/audit", "/metrics", "/scene.glb", "/rejects"):
        answer = anna.get(path)
        assert answer.status_code == 403, path
        assert answer.json()["error"]["code"] == "PolicyForbids"
    assert anna.get("/status").status_code == 200


def test_guards_name_routes_that_there_are() -> None:
    routes = {f"{route.method} {route.path}" for route in ROUTES}
    tables = [OPEN, SEEN, set(TRIMMED), WHOLE]
    assert set().union(*tables) <= routes
    assert sum(map(len, tables)) == len(set().union(*tables))


def test_who_no_policy_names_has_the_rights_of_the_role(server: Inside) -> None:
    with server.client(server.token("viewer", name="otto")) as otto:
        assert otto.get("/twins").json()["total"] == 5
        assert otto.get("/plant").status_code == 200


def test_explain_names_the_policy_that_decided(server: Inside) -> None:
    def explained(**body: str) -> tuple[str, str | None]:
        found = server.ask(
            "POST", "/policies/explain", {"role": "engineer", "name": "anna", **body}
        )
        return found["decision"], found["policy"]

    assert explained(action="read", twin="a-1") == ("allow", "line-a")
    assert explained(action="read", twin="b-1") == ("deny", None)
    assert explained(action="read", twin="a-2", property="flow") == ("deny", "no-flow")
    assert explained(action="command", twin="a-1", property="setSpeed") == ("deny", "only-name")
    found = server.ask(
        "POST", "/policies/explain", {"role": "viewer", "action": "write", "twin": "a-1"}
    )
    assert found["decision"] == "deny"
    assert "lacks" in found["reason"]


def test_check_says_what_a_policy_would_reach(server: Inside) -> None:
    found = server.ask("POST", "/policies/check", {**POLICIES[0], "models": [PUMP]})
    assert found == {"id": "line-a", "twins": 2, "warnings": []}
    wrong = server.http.post("/policies/check", json={"id": "x", "actions": ["fly"]})
    assert wrong.status_code == 400
    assert "read, write, command, alarm" in wrong.text


def test_policies_survive_a_restart_and_end_when_deleted(tmp_path: Path) -> None:
    with inside(tmp_path) as server:
        server.pumps("one", "two")
        server.ask("PUT", "/policies/only-one", {"who": {"roles": ["viewer"]}, "twins": ["one"]})
    with inside(tmp_path) as server, server.client(server.token("viewer")) as viewer:
        assert viewer.get("/twins").json()["total"] == 1
        server.ask("DELETE", "/policies/only-one")
        assert viewer.get("/twins").json()["total"] == 2
