"""Edge nodes that others wrote: Eclipse Tahu's at our own server, pysparkplug at mosquitto."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

import peers
from app.inside import Inside, inside, until
from app.test_sparkplug import PUMP, PUMP_MODEL, node, prepare, status, values
from running import Running

HERE = Path(__file__).parent
pytestmark = pytest.mark.peer


class Program:
    """A program that is told lines and says lines."""

    def __init__(self, *command: str, **environment: str) -> None:
        self.said: list[str] = []
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.strip())

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def events(self, kind: str) -> list[Any]:
        found = [json.loads(line) for line in self.said if line.startswith("{")]
        return [one["what"] for one in found if one["kind"] == kind]

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def close(self) -> None:
        self.process.wait(60)
        self._thread.join(60)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        prepare(found)
        yield found


@pytest.fixture
def tahu(server: Inside) -> Iterator[Program]:
    folder, why_not = peers.npm("sparkplug-client@3.2.4")
    if folder is None:
        pytest.skip(why_not)
    token = server.token("device", "g.edge*", name="edge")
    url = f"mqtt://{server.addresses.mqtt}"
    program = Program("node", str(HERE / "sparkplug_edge.mjs"), str(folder), url, token)
    until(lambda: program.events("birth"), "the birth")
    until(lambda: status(server) == "live", "the twin")
    yield program
    if program.process.poll() is None:
        program.kill()


def test_values_and_commands_of_tahus_client(server: Inside, tahu: Program) -> None:
    assert values(server)["flow"] == 12.5
    tahu.tell("data 13.5")
    until(lambda: values(server)["flow"] == 13.5, "the data")
    body = {"twin": PUMP, "command": "setSpeed", "arguments": -42}
    made = server.ask("POST", "/commands", body)
    until(lambda: tahu.events("dcmd") == [[["setSpeed", -42]]], "the command")
    assert server.ask("GET", f"/commands/{made['id']}")["state"] == "sent"
    server.ask("PATCH", f"/twins/{PUMP}/desired", {"target": 5.5})
    wish = lambda: server.ask("GET", f"/twins/{PUMP}/desired")["value"][0]["state"]  # noqa: E731
    until(lambda: wish() == "settled", "the report")


def test_tahus_client_is_asked_once_for_a_birth_after_a_loss(server: Inside, tahu: Program) -> None:
    tahu.tell("lose")
    tahu.tell("data 14.5")
    until(lambda: len(tahu.events("birth")) == 2, "the birth")
    until(lambda: node(server)["isSure"] and node(server)["births"] == 2, "the birth, heard")
    tahu.tell("data 15.5")
    until(lambda: values(server)["flow"] == 15.5, "the data")
    assert (node(server)["gaps"], node(server)["requests"]) == (1, 1)
    assert len(tahu.events("birth")) == 2


def test_tahus_client_is_offline_when_it_is_killed(server: Inside, tahu: Program) -> None:
    tahu.kill()
    until(lambda: status(server) == "offline", "the will")


def test_tahus_client_says_goodbye(server: Inside, tahu: Program) -> None:
    tahu.tell("end")
    until(lambda: status(server) == "offline", "the death")
    tahu.close()


class Watcher:
    """What a broker says of the state of hosts."""

    def __init__(self, port: int) -> None:
        self.states: list[tuple[str, Any]] = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, "watcher")
        self.client.on_message = lambda _, __, m: self.states.append(
            (m.topic, json.loads(m.payload))
        )
        self.client.on_connect = lambda client, *_: client.subscribe("spBv1.0/STATE/#", 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[int]:
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (tmp_path / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen(
        ["mosquitto", "-c", str(tmp_path / "mosquitto.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: _answers(port), "mosquitto")
    yield port
    process.terminate()
    process.wait(60)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_node_at_another_broker_is_heard_and_commanded_there(
    tmp_path: Path, mosquitto: int
) -> None:
    folder, why_not = peers.pip("pysparkplug", "pysparkplug==0.6.1")
    if folder is None:
        pytest.skip(why_not)
    watcher = Watcher(mosquitto)
    with Running(tmp_path / "data") as server:
        _look_at_another_broker(server, mosquitto, watcher, folder)
    watcher.close()


def _look_at_another_broker(
    server: Running, mosquitto: int, watcher: Watcher, folder: Path
) -> None:
    broker = {"broker": f"127.0.0.1:{mosquitto}", "topics": ["spBv1.0/#"], "sparkplug": True}
    server.call("PUT", "/connections/site", broker)
    plant = {"models": [PUMP_MODEL], "twins": {PUMP: {"model": PUMP_MODEL["@id"]}}}
    server.call("POST", "/plant", plant)
    binding = {"id": "edge", "topic": "spBv1.0/g/+/edge/{machine}", "twin": PUMP}
    server.call("PUT", "/bindings/edge", binding | {"commands": {"setSpeed": "target"}})
    state = until(lambda: watcher.states, "the state")[0]
    assert (state[0], state[1]["online"]) == ("spBv1.0/STATE/gemel", True)

    def flow() -> Any:
        found = server.call("GET", f"/twins/{PUMP}")["properties"]
        return next(one["value"] for one in found if one["path"] == "flow")

    command = [sys.executable, str(HERE / "sparkplug_edge.py"), str(mosquitto)]
    edge = Program(*command, PYTHONPATH=str(folder))
    until(lambda: flow() == 12.0, "the birth")
    edge.tell("data 13.5")
    until(lambda: flow() == 13.5, "the data")
    body = {"twin": PUMP, "command": "setSpeed", "arguments": 42}
    made = server.call("POST", "/commands", body)
    until(lambda: "DCMD target 42" in edge.said, "the command")
    until(lambda: _state(server, made["id"]) == "confirmed", "the confirmation")
    (one,) = server.call("GET", "/sparkplug")["value"]
    assert (one["state"], one["via"]) == ("alive", "connection site")
    edge.tell("end")  # it says goodbye with the number of its next session
    status_of = lambda: server.call("GET", f"/twins/{PUMP}")["status"]  # noqa: E731
    until(lambda: status_of() == "offline", "the death")
    edge.close()
    server.kill()
    until(lambda: watcher.states[-1][1]["online"] is False, "the will")
    assert watcher.states[-1][1]["timestamp"] == state[1]["timestamp"]


def _state(server: Running, command: str) -> str:
    found: str = server.call("GET", f"/commands/{command}")["state"]
    return found
