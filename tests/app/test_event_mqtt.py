"""Events to an MQTT broker: mosquitto has them, paho reads what stands in them."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inside import MODELS, PUMP, WAIT_SECONDS, Inside, inside, until
from connect.opcua_peer import Wire, free_port
from gemel.connect.mqtt.sender import topic_of
from gemel.connect.mqtt.topics import check_topic
from gemel.core.cloud_event import CloudEvent

TWIN = {"$metadata": {"$model": PUMP}, "name": "One", "bearing": {"$metadata": {}}}
CREATE = "Microsoft.DigitalTwins.Twin.Create"
UPDATE = "Microsoft.DigitalTwins.Twin.Update"
LARGEST = 2_500
pytestmark = pytest.mark.peer


class Mosquitto:
    """A broker behind a wire, and a subscriber that notes what it hears."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.wire = Wire(port)
        self.address = f"127.0.0.1:{self.wire.port}"
        passwords = folder / "passwords"
        passwords.touch(0o600)
        subprocess.run(
            ["mosquitto_passwd", "-b", str(passwords), "gemel", "secret"], check=True, timeout=60
        )
        (folder / "m.conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npassword_file {passwords}\n"
            f"max_packet_size {LARGEST}\nmax_queued_messages 0\nuser root\n"
        )
        self.process = subprocess.Popen(
            ["mosquitto", "-c", str(folder / "m.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: _answers(port), "mosquitto")
        self.heard: list[paho.MQTTMessage] = []
        self._subscribed = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, "reader", protocol=paho.MQTTv5)
        self.client.on_message = lambda _, __, message: self.heard.append(message)
        self.client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(WAIT_SECONDS)

    def hear(self, count: int) -> list[paho.MQTTMessage]:
        until(lambda: len(self.heard) >= count, f"{count} messages")
        return self.heard

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.wire.close()
        self.process.terminate()
        self.process.wait(WAIT_SECONDS)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    found = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    yield found
    found.close()


@pytest.fixture
def broker(running: Mosquitto) -> Mosquitto:
    """The one broker; what was heard before is forgotten."""
    running.heard.clear()
    return running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        found.ask("POST", "/models", MODELS)
        yield found


def route(server: Inside, broker: Mosquitto, text: str = "true", **more: Any) -> dict[str, Any]:
    body = {"kind": "mqtt", "broker": broker.address, **more}
    made = server.ask("PUT", "/endpoints/m", body)
    server.ask("PUT", "/eventroutes/all", {"endpointName": "m", "filter": text})
    return dict(made)


def rename(server: Inside, twin: str, name: str) -> None:
    server.ask(
        "PATCH", f"/digitaltwins/{twin}", [{"op": "replace", "path": "/name", "value": name}]
    )


def state(server: Inside) -> dict[str, Any]:
    return dict(server.ask("GET", "/endpoints/m"))


def test_attributes_are_user_properties_in_mqtt_5(server: Inside, broker: Mosquitto) -> None:
    made = route(server, broker, username="gemel", password="secret")
    assert (made["hasPassword"], "secret" in str(made)) == (True, False)
    server.ask("PUT", "/digitaltwins/a", TWIN)
    [message] = broker.hear(1)
    assert (message.topic, message.qos) == (f"gemel/a/{CREATE}", 1)
    said = dict(message.properties.UserProperty)
    assert (said["specversion"], said["type"], said["subject"]) == ("1.0", CREATE, "a")
    assert message.properties.ContentType == "application/json"
    assert "datacontenttype" not in said
    assert orjson.loads(message.payload)["$dtId"] == "a"
    until(lambda: state(server)["delivered"] == 1, "the count")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_structured_events_are_whole_json(server: Inside, broker: Mosquitto, version: str) -> None:
    route(server, broker, mode="structured", version=version, topic="site/{type}/of/{twin}")
    server.ask("PUT", "/digitaltwins/a", TWIN)
    [message] = broker.hear(1)
    event = orjson.loads(message.payload)
    assert message.topic == f"site/{CREATE}/of/a"
    assert (event["specversion"], event["type"], event["data"]["$dtId"]) == ("1.0", CREATE, "a")
    kind = getattr(message.properties, "ContentType", "")
    assert kind.startswith("application/cloudevents+json") == (version == "5")


def test_what_happens_while_the_broker_is_away_comes_in_order(
    server: Inside, broker: Mosquitto
) -> None:
    route(server, broker, f"type = '{UPDATE}'")
    server.ask("PUT", "/digitaltwins/a", TWIN)
    rename(server, "a", "first")
    broker.hear(1)
    broker.wire.block()
    told = until(lambda: (s := state(server))["lastError"] and s, "what is wrong")
    assert broker.address in told["lastError"]
    for number in range(20):
        rename(server, "a", f"n{number}")
    assert state(server)["waiting"] == 20
    server.ingest("a", temperature=20)  # nothing else waits for it
    broker.wire.unblock()
    messages = broker.hear(21)
    named = [orjson.loads(one.payload)["patch"][0]["value"] for one in messages]
    assert named == ["first", *(f"n{number}" for number in range(20))]
    until(lambda: (s := state(server))["lastError"] == "" and s["waiting"] == 0, "the end of it")


def test_an_event_that_is_too_large_for_the_broker_is_dropped_with_a_record(
    server: Inside, broker: Mosquitto
) -> None:
    route(server, broker, f"type = '{CREATE}'")
    server.ask("PUT", "/digitaltwins/a", {**TWIN, "name": "x" * LARGEST})
    server.ask("PUT", "/digitaltwins/b", TWIN)
    [message] = broker.hear(1)
    assert message.topic == f"gemel/b/{CREATE}"
    told = until(lambda: (s := state(server))["delivered"] == 1 and s, "the count")
    [drop] = told["drops"]
    assert (told["dropped"], drop["subject"], "too large" in drop["why"]) == (1, "a", True)


def test_what_is_larger_than_was_said_is_dropped_before_it_is_sent(
    server: Inside, broker: Mosquitto
) -> None:
    route(server, broker, f"type = '{CREATE}'", version="3.1.1", largest=1_500)
    server.ask("PUT", "/digitaltwins/a", {**TWIN, "name": "x" * 1_500})
    server.ask("PUT", "/digitaltwins/b", TWIN)
    broker.hear(1)
    assert "'largest' is 1,500" in state(server)["drops"][0]["why"]


def test_a_wrong_password_is_told_and_the_right_one_lets_it_go_on(
    server: Inside, broker: Mosquitto
) -> None:
    route(server, broker, username="gemel", password="wrong")
    server.ask("PUT", "/digitaltwins/a", TWIN)
    told = until(lambda: state(server)["lastError"], "what is wrong")
    assert "refused the connection" in told
    assert state(server)["waiting"] == 1
    route(server, broker, username="gemel", password="secret")
    broker.hear(1)


IDS = st.text("abzAZ09-.+%_#*?!(),=@$':", min_size=1, max_size=20)


@given(IDS, IDS)
def test_every_twin_has_a_level_of_its_own(one: str, other: str) -> None:
    def made(twin: str) -> str:
        return topic_of("plant/{twin}/x", CloudEvent(twin, 0, {"type": CREATE}, b"{}"))

    check_topic(made(one))
    assert made(one).count("/") == 2
    assert (made(one) == made(other)) == (one == other)
