"""Connectors that people make, on a real Mosquitto; and what the settings of the page show."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.publish import single

from app.inside import Inside, inside, until
from gemel.app.certificates import own_names
from gemel.app.connection_settings import MqttConnection

MOSQUITTO = shutil.which("mosquitto")


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A real broker on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    process = subprocess.Popen(
        [str(MOSQUITTO), "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("installation") / "data") as found:
        yield found


def state_of(server: Inside, name: str) -> str:
    found = {one["name"]: one for one in server.ask("GET", "/connections")["value"]}
    return str(found[name]["state"]) if name in found else ""


@pytest.mark.peer
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_a_connector_is_made_changed_and_ended_while_the_server_runs(
    server: Inside, tmp_path: Path
) -> None:
    with mosquitto(tmp_path) as port:
        made = server.ask(
            "PUT",
            "/connections/site",
            {"broker": f"127.0.0.1:{port}", "topics": ["plant/#"], "password": "secret"},
        )
        assert (made["source"], made["hasPassword"], made["clientId"]) == (
            "people",
            True,
            "gemel-site",
        )
        assert "secret" not in str(server.ask("GET", "/connections"))
        until(lambda: state_of(server, "site") == "connected")

        def found() -> set[str]:
            single(
                "plant/p7/flow",
                "12.5",
                qos=1,
                hostname="127.0.0.1",
                port=port,
                protocol=paho.MQTTv311,
            )
            return {one["id"] for one in server.ask("GET", "/discovered")["value"]}

        until(lambda: "plant.p7.flow" in found() or "plant.p7" in found())
        changed = server.ask(
            "PUT", "/connections/site", {"broker": f"127.0.0.1:{port}", "topics": ["x/#"]}
        )
        assert changed["hasPassword"], "a password that is left out stays"
        assert changed["topics"] == ["x/#"]
        until(lambda: state_of(server, "site") == "connected")
        server.ask("DELETE", "/connections/site")
        assert server.ask("GET", "/connections")["value"] == []
    edits = str(server.ask("GET", "/audit", limit=50))
    assert "connection" in edits
    assert "secret" not in edits


def test_a_broker_that_is_not_there_is_said_to_be_so(server: Inside) -> None:
    server.ask("PUT", "/connections/gone", {"broker": "127.0.0.1:1"})
    until(lambda: state_of(server, "gone") == "failing")
    [shown] = server.ask("GET", "/connections")["value"]
    assert shown["problem"]
    server.ask("DELETE", "/connections/gone")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"broker": "nowhere"}, "HOST:PORT"),
        ({"broker": "a:1", "topics": []}, "topics"),
        ({"broker": "a:1", "topics": ["a/#/b"]}, "topic filter"),
        ({"broker": "a:1", "tls": "yes"}, "tls"),
        ({"broker": "a:1", "username": "x\ny"}, "one line"),
        ({"broker": "a:1", "port": 3}, "unknown field 'port'"),
        ({}, "broker"),
    ],
)
def test_a_wrong_connector_is_refused_in_words(
    server: Inside, body: dict[str, object], says: str
) -> None:
    answer = server.http.put("/connections/wrong", json=body)
    assert answer.status_code == 400
    assert says in answer.text
    assert server.http.put("/connections/Not%20a%20name", json={"broker": "a:1"}).status_code == 400
    assert server.http.delete("/connections/wrong").status_code == 404


def test_a_connector_of_the_file_is_shown_and_changed_only_there(tmp_path: Path) -> None:
    given = {"mill": MqttConnection("127.0.0.1:1", ("mill/#",))}
    with inside(tmp_path / "data", connections=given) as server:
        [shown] = server.ask("GET", "/connections")["value"]
        assert (shown["name"], shown["source"]) == ("mill", "file")
        for answer in (
            server.http.put("/connections/mill", json={"broker": "a:1"}),
            server.http.delete("/connections/mill"),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ConnectorOfFile")
            assert "gemel.toml" in answer.json()["error"]["hint"]


def test_connectors_come_back_after_a_restart(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.ask("PUT", "/connections/site", {"broker": "127.0.0.1:1", "username": "me"})
    with inside(tmp_path / "data") as server:
        [shown] = server.ask("GET", "/connections")["value"]
        assert (shown["name"], shown["username"]) == ("site", "me")


def test_the_installation_says_where_it_listens_and_what_it_takes(server: Inside) -> None:
    found = server.ask("GET", "/installation")
    assert found["addresses"]["http"] == server.url
    assert found["addresses"]["mqtt"] == server.addresses.mqtt
    assert not found["isSecure"]
    assert found["authority"] is None
    assert found["storage"]["bytes"]["history"] > 0
    assert found["storage"]["free"] > 0
    assert server.http.get("/authority.pem").status_code == 404
    assert {one["role"] for one in server.ask("GET", "/roles")["value"]} >= {"admin", "device"}


def test_the_own_authority_can_be_fetched_and_shows_its_fingerprint(tmp_path: Path) -> None:
    with inside(tmp_path / "data", tls=True) as server:
        found = server.ask("GET", "/installation")
        assert found["isSecure"]
        assert len(found["authority"].split(":")) == 32
        answer = server.client().get("/authority.pem")
        assert answer.headers["content-type"] == "application/x-x509-ca-cert"
        assert answer.text.startswith("-----BEGIN CERTIFICATE-----")
        assert "PRIVATE" not in answer.text


def test_a_server_that_listens_to_all_is_named_by_its_outward_address() -> None:
    here = own_names("127.0.0.1")
    everywhere = own_names("0.0.0.0")
    assert "localhost" in here
    assert "0.0.0.0" not in everywhere
    assert set(here) <= set(everywhere)
    assert "plant.example" in own_names("plant.example")
