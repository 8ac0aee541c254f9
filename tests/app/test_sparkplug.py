"""Edge nodes at the running server: who is there, what is asked of them, what survives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from app.inside import Inside, inside, until
from ingest.sparkplug.payloads import Payload, payload

TYPES = {"is_typed": False}
PUMP_MODEL = {
    "@id": "dtmi:test:EdgePump;1",
    "@type": "Interface",
    "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
    "contents": [
        {"@type": "Telemetry", "name": "flow", "schema": "double"},
        {"@type": "Property", "name": "target", "schema": "double", "writable": True},
        {
            "@type": "Command",
            "name": "setSpeed",
            "request": {"name": "speed", "schema": "double"},
        },
        {"@type": "Command", "name": "reset"},
        {"@type": "Telemetry", "name": "speed", "schema": "double"},
    ],
}
PUMP, NODE = "g.edge.pump", "g.edge"
METRICS: list[dict[str, Any]] = [
    {"name": "flow", "alias": 1, "value": 12.0},
    {"name": "target", "alias": 2, "type": "Float", "value": 1.0},
    {"name": "setSpeed", "alias": 3, "type": "Int32", "value": 0},
    {"name": "speed", "alias": 4, "value": 0.0},
]


class Edge:
    """An edge node by paho, with a will as Sparkplug wants it."""

    def __init__(
        self, address: str, token: str = "", bd_seq: int = 0, client_id: str = "edge"
    ) -> None:
        self.bd_seq = bd_seq
        self.seq = 0
        self.heard: list[tuple[str, Any]] = []
        self.states: list[tuple[str, dict[str, Any], bool]] = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id)
        self.client.username_pw_set(client_id, token)
        self.client.will_set("spBv1.0/g/NDEATH/edge", self._bd_seq(), 1)
        self.client.on_message = self._on_message
        self._granted: list[Any] = []
        self.client.on_subscribe = lambda *found: self._granted.append(found[3])
        host, port = address.rsplit(":", 1)
        self.client.connect(host, int(port))
        self.client.loop_start()
        until(self.client.is_connected, "the connection")
        topics = ("spBv1.0/g/NCMD/edge/#", "spBv1.0/g/DCMD/edge/#", "spBv1.0/STATE/#")
        self.client.subscribe([(topic, 1) for topic in topics])
        until(lambda: self._granted, "the subscriptions")
        assert not any(code.is_failure for code in self._granted[0])

    def _bd_seq(self) -> bytes:
        return payload({"name": "bdSeq", "type": "Int64", "value": self.bd_seq}, timestamp=1)

    def _on_message(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        if message.topic.startswith("spBv1.0/STATE/"):
            self.states.append((message.topic, json.loads(message.payload), bool(message.retain)))
        else:
            self.heard.append((message.topic, Payload.FromString(message.payload)))

    def send(self, kind: str, *metrics: dict[str, Any], seq: int = -1) -> None:
        self.seq = seq if seq >= 0 else 0 if kind == "NBIRTH" else (self.seq + 1) % 256
        device = "/pump" if kind[0] == "D" else ""
        body = payload(*metrics, seq=self.seq)
        info = self.client.publish(f"spBv1.0/g/{kind}/edge{device}", body, 1)
        info.wait_for_publish(30)
        assert info.is_published()

    def births(self, *metrics: dict[str, Any]) -> None:
        rebirth = {"name": "Node Control/Rebirth", "type": "Boolean", "value": False}
        self.send("NBIRTH", {"name": "bdSeq", "type": "Int64", "value": self.bd_seq}, rebirth)
        self.send("DBIRTH", *(metrics or METRICS))

    def data(self, value: float, seq: int = -1, **more: Any) -> None:
        self.send("DDATA", {"alias": 1, "value": value, "is_typed": False, **more}, seq=seq)

    def death(self) -> None:
        self.client.publish("spBv1.0/g/NDEATH/edge", self._bd_seq(), 1).wait_for_publish(30)

    def rebirths(self) -> int:
        return sum(1 for topic, _ in self.heard if topic == "spBv1.0/g/NCMD/edge")

    def asked(self, name: str) -> list[Any]:
        return [body for topic, body in self.heard if topic == f"spBv1.0/g/{name}"]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self) -> None:
        """Cuts the connection without a goodbye."""
        self.client.loop_stop()
        found = self.client.socket()
        assert found is not None
        found.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        prepare(found)
        yield found


def prepare(server: Inside) -> None:
    plant = {"models": [PUMP_MODEL], "twins": {PUMP: {"model": PUMP_MODEL["@id"]}}}
    server.ask("POST", "/plant", plant)


def edge_of(server: Inside, bd_seq: int = 0, client_id: str = "edge") -> Edge:
    token = server.token("device", "g.edge*", name="edge")
    return Edge(server.addresses.mqtt, token, bd_seq, client_id)


@pytest.fixture
def edge(server: Inside) -> Iterator[Edge]:
    found = edge_of(server)
    yield found
    found.close()


def values(server: Inside, twin: str = PUMP) -> dict[str, Any]:
    found = server.ask("GET", f"/twins/{twin}")["properties"]
    return {one["path"]: one["value"] for one in found}


def status(server: Inside, twin: str = PUMP) -> str:
    found = server.ask("GET", f"/twins/{twin}")["status"]
    assert isinstance(found, str)
    return found


def node(server: Inside) -> Any:
    return server.ask("GET", "/sparkplug")["value"][0]


def test_a_node_is_live_from_birth_to_death(server: Inside, edge: Edge) -> None:
    assert status(server) == "never"
    edge.births()
    assert status(server) == "live"
    edge.data(13.5)
    assert values(server)["flow"] == 13.5
    edge.death()
    until(lambda: status(server) == "offline", "the death")
    edge.births()
    until(lambda: status(server) == "live", "the birth")
    assert edge.rebirths() == 0


def test_a_connection_that_is_lost_is_a_death_by_its_will(server: Inside) -> None:
    edge = edge_of(server)
    edge.births()
    edge.drop()
    until(lambda: status(server) == "offline", "the will")
    assert node(server)["state"] == "dead"


def test_a_late_death_leaves_the_new_session_alone(server: Inside) -> None:
    old = edge_of(server, 0, "old")
    old.births()
    new = edge_of(server, 1, "new")
    new.births()
    old.drop()
    until(lambda: node(server)["lateDeaths"] == 1, "the late death")
    assert status(server) == "live"
    new.drop()
    until(lambda: status(server) == "offline", "the death")


def test_a_device_dies_alone(server: Inside, edge: Edge) -> None:
    edge.births()
    edge.send("DDEATH")
    until(lambda: status(server) == "offline", "the death")
    assert node(server)["state"] == "alive"


def test_one_birth_is_asked_for_after_a_gap(server: Inside, edge: Edge) -> None:
    edge.births()
    edge.data(1.0, seq=9)
    until(lambda: edge.rebirths() == 1, "the request")
    for number in range(10, 40, 3):
        edge.data(2.0 + number, seq=number)
    (asked,) = edge.asked("NCMD/edge")
    assert [(m.name, m.boolean_value) for m in asked.metrics] == [("Node Control/Rebirth", True)]
    flow = {p["path"]: p for p in server.ask("GET", f"/twins/{PUMP}")["properties"]}["flow"]
    assert (flow["value"], flow["quality"]) == (39.0, "uncertain")
    edge.births()
    edge.data(7.0)
    found = {p["path"]: p for p in server.ask("GET", f"/twins/{PUMP}")["properties"]}["flow"]
    assert (found["value"], found["quality"]) == (7.0, "good")
    assert edge.rebirths() == 1


def test_history_told_afterwards_changes_no_state_and_raises_no_alarm(
    tmp_path: Path,
) -> None:
    with inside(tmp_path / "data") as server:
        prepare(server)
        rule = {"model": PUMP_MODEL["@id"], "when": "flow > 50"}
        server.ask("PUT", "/rules/high", rule)
        edge = edge_of(server)
        edge.births({"name": "flow", "alias": 1, "value": 12.0, "timestamp": 1_763_000_000_000})
        at = 1_763_000_100_000
        edge.data(90.0, is_historical=True, timestamp=at)
        assert values(server)["flow"] == 12.0
        assert server.ask("GET", "/alarms")["value"] == []
        span = {"from": "2025-11-13T00:00:00Z", "to": "2025-11-14T00:00:00Z"}
        asked = {"twin": PUMP, "property": "flow", **span}
        found = server.ask("GET", "/history", **asked)["series"][0]
        assert found["value"] == [12.0, 90.0]
        assert found["quality"] == [0, 32]
        edge.data(91.0)
        until(lambda: server.ask("GET", "/alarms")["value"], "the alarm of what is live")
        edge.data(12.0)
        edge.close()
    with inside(tmp_path / "data") as server:  # replayed
        assert values(server)["flow"] == 12.0
        assert server.ask("GET", "/history", **asked)["series"][0]["value"] == [12.0, 90.0]


def test_numbers_outlive_a_restart_and_one_birth_is_asked_for(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        prepare(server)
        edge = edge_of(server)
        edge.births()
        edge.close()
    with inside(tmp_path / "data") as server:
        edge = edge_of(server)
        assert node(server)["state"] == "unknown"
        edge.data(17.0, seq=44)
        assert values(server)["flow"] == 17.0
        until(lambda: edge.rebirths() == 1, "the request")
        edge.data(18.0)
        edge.births()
        assert node(server)["isSure"]
        assert edge.rebirths() == 1
        edge.close()


def test_the_host_says_that_it_is_there_and_that_it_goes(tmp_path: Path) -> None:
    with inside(tmp_path / "data", sparkplug_host="scada") as server:
        edge = edge_of(server)
        topic, state, is_retained = until(lambda: edge.states, "the state")[0]
        assert (topic, state["online"], is_retained) == ("spBv1.0/STATE/scada", True, True)
    until(lambda: len(edge.states) > 1, "the goodbye")
    assert edge.states[1][1] == {"online": False, "timestamp": state["timestamp"]}
    edge.close()


def test_who_says_that_we_are_offline_is_told_otherwise(server: Inside, edge: Edge) -> None:
    until(lambda: edge.states, "the state")
    with server.device(token=server.token("engineer", name="other")) as other:
        other.publish("spBv1.0/STATE/other", '{"online": false, "timestamp": 1}')
        other.publish("spBv1.0/STATE/gemel", '{"online": false, "timestamp": 1}')
    until(lambda: edge.states[-1][1]["online"] and len(edge.states) == 4, "the answer")
    found = [(topic, state["online"]) for topic, state, _ in edge.states]
    assert found[1:3] == [("spBv1.0/STATE/other", False), ("spBv1.0/STATE/gemel", False)]


def test_a_host_without_a_name_only_listens(tmp_path: Path) -> None:
    with inside(tmp_path / "data", sparkplug_host="") as server:
        prepare(server)
        edge = edge_of(server)
        edge.births()
        edge.data(5.0, seq=99)
        assert values(server)["flow"] == 5.0
        answer = server.http.post("/sparkplug/rebirth", json={"group": "g", "node": "edge"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "Conflict")
        assert (edge.rebirths(), edge.states) == (0, [])
        edge.close()


def test_people_can_ask_for_a_birth(server: Inside, edge: Edge) -> None:
    edge.births()
    server.ask("POST", "/sparkplug/rebirth", {"group": "g", "node": "edge"})
    until(lambda: edge.rebirths() == 1, "the request")
    answer = server.http.post("/sparkplug/rebirth", json={"group": "g", "node": "nobody"})
    assert answer.status_code == 404


# ---- commands ----------------------------------------------------------------------------------


def test_a_command_is_a_metric_and_the_data_that_follow_confirm_it(
    server: Inside, edge: Edge
) -> None:
    edge.births()
    binding = {"id": "b", "topic": "spBv1.0/g/+/edge/{machine}", "twin": PUMP}
    binding["commands"] = {"setSpeed": "target"}  # type: ignore[assignment]
    server.ask("PUT", "/bindings/b", binding)
    body = {"twin": PUMP, "command": "setSpeed", "arguments": 40.1}
    made = server.ask("POST", "/commands", body)
    (asked,) = until(lambda: edge.asked("DCMD/edge/pump"), "the command")
    (metric,) = asked.metrics
    assert (metric.alias, metric.datatype, metric.name) == (2, 9, "")
    assert metric.float_value == pytest.approx(40.1)
    assert not asked.HasField("seq")
    edge.send("DDATA", {"alias": 2, "type": "Float", "value": 40.1})
    state = lambda: server.ask("GET", f"/commands/{made['id']}")["state"]  # noqa: E731
    until(lambda: state() == "confirmed", "the confirmation")
    assert len(edge.asked("DCMD/edge/pump")) == 1


def test_a_command_without_a_metric_is_refused_and_says_the_way_out(
    server: Inside, edge: Edge
) -> None:
    edge.births()
    body = {"twin": PUMP, "command": "reset"}
    answer = server.http.post("/commands", json=body)
    assert answer.status_code == 400
    assert "no metric 'reset'" in answer.json()["error"]["message"]
    answer = server.http.post(
        "/commands", json={"twin": PUMP, "command": "setSpeed", "arguments": 1.5}
    )
    assert "does not fit the metric's type Int32" in answer.json()["error"]["message"]


def test_a_command_waits_for_its_node(server: Inside, edge: Edge) -> None:
    edge.births()
    edge.death()
    until(lambda: status(server) == "offline", "the death")
    made = server.ask("POST", "/commands", {"twin": PUMP, "command": "setSpeed", "arguments": 40})
    assert made["state"] == "queued"
    edge.births()
    (asked,) = until(lambda: edge.asked("DCMD/edge/pump"), "the command")
    assert asked.metrics[0].int_value == 40


def test_a_wish_is_told_now_and_at_the_next_birth_until_it_is_reported(
    server: Inside, edge: Edge
) -> None:
    edge.births()
    server.ask("PATCH", f"/twins/{PUMP}/desired", {"target": 5.5})
    (asked,) = until(lambda: edge.asked("DCMD/edge/pump"), "the wish")
    assert (asked.metrics[0].alias, asked.metrics[0].float_value) == (2, 5.5)
    edge.births()
    until(lambda: len(edge.asked("DCMD/edge/pump")) >= 2, "the wish, told again")
    edge.send("DDATA", {"alias": 2, "type": "Float", "value": 5.5})
    wish = lambda: server.ask("GET", f"/twins/{PUMP}/desired")["value"][0]["state"]  # noqa: E731
    until(lambda: wish() == "settled", "the report")


def test_a_device_may_send_and_hear_its_own_node_alone(server: Inside) -> None:
    with server.device("x.edge*", client_id="x") as device:
        assert device.subscribe("spBv1.0/g/NCMD/edge") == [128]
        assert device.subscribe("spBv1.0/x/NCMD/edge") == [1]
        assert device.subscribe("spBv1.0/x/DCMD/edge/#") == [1]
        assert device.subscribe("spBv1.0/+/NCMD/edge") == [128]
        assert device.subscribe("spBv1.0/x/NCMD/#") == [128]
        assert device.subscribe("spBv1.0/x/NDATA/edge") == [128]
        body = payload({"name": "bdSeq", "type": "Int64", "value": 0}, seq=0)
        device.publish("spBv1.0/x/NBIRTH/edge", body)
        device.client.publish("spBv1.0/g/NBIRTH/edge", body, 0)
        device.publish("spBv1.0/x/NDATA/edge", payload(seq=1))
    found = server.ask("GET", "/sparkplug")["value"]
    assert [(one["group"], one["seq"]) for one in found] == [("x", 1)]


def test_nodes_are_asked_where_coap_is_spoken_too(tmp_path: Path) -> None:
    with inside(tmp_path / "data", coap="127.0.0.1:0") as server:
        prepare(server)
        edge = edge_of(server)
        edge.births()
        edge.data(1.0, seq=9)
        until(lambda: edge.rebirths() == 1, "the request")
        edge.close()


def test_policies_narrow_what_is_seen_and_asked_of_nodes(server: Inside, edge: Edge) -> None:
    edge.births()
    policy = {"id": "p", "who": {"names": ["anna"]}, "twins": [PUMP]}
    server.ask("PUT", "/policies/p", policy)
    with server.client(server.token("engineer", name="anna")) as anna:
        (found,) = anna.get("/sparkplug").json()["value"]
        assert [device["twin"] for device in found["devices"]] == [PUMP]
        answer = anna.post("/sparkplug/rebirth", json={"group": "g", "node": "edge"})
        assert answer.status_code in (403, 404)
        body = {"twin": PUMP, "command": "setSpeed", "arguments": 40}
        assert anna.post("/commands", json=body).status_code == 202
        assert anna.post("/commands?dryRun=true", json=body).status_code == 200
    until(lambda: edge.asked("DCMD/edge/pump"), "the command")
    assert edge.rebirths() == 0
