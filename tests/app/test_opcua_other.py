"""Connectors of kind OPC UA against a second implementation of servers (npm `node-opcua`).

It keeps sessions whose connection broke, hands out again what was not acknowledged, and says where
its queues were too short.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import peers
from app.inside import Inside, inside, until
from app.test_opcua import gaps, readings, shown
from app.test_opcua_writing import ended, is_ready, refused, send
from connect.opcua_peer import NodePeer, Wire

pytestmark = pytest.mark.peer
PACKAGE = "node-opcua-server@2.186.4"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("installation") / "data") as found:
        yield found


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodePeer]:
    packages, why_not = peers.npm(PACKAGE)
    if packages is None:
        pytest.skip(why_not)
    found = NodePeer(tmp_path_factory.mktemp("peer"), str(packages))
    found.start()
    yield found
    found.kill()


def counts(server: Inside, device: str) -> list[float]:
    return [value for value, _, _ in readings(server, device, "Count")]


def begin(server: Inside, name: str, url: str, **more: Any) -> str:
    body = {"opcua": url, "publishing": 0.05, "sampling": 0, **more}
    server.ask("PUT", f"/connections/{name}", body)
    until(lambda: counts(server, f"{name}.Plant.Press"))
    return f"{name}.Plant.Press"


def test_every_change_comes_with_its_time(server: Inside, peer: NodePeer) -> None:
    device = begin(server, "whole", peer.url)
    first = counts(server, device)[-1]
    peer.tell("pace", 200)
    until(lambda: counts(server, device)[-1] == first + 200)
    assert counts(server, device) == [first + n for n in range(201)]
    assert set(shown(server, "whole")["times"]) == {"source"}
    server.ask("DELETE", "/connections/whole")


def test_nothing_is_lost_where_the_server_keeps_the_session(
    server: Inside, peer: NodePeer, tmp_path: Path
) -> None:
    wire = Wire(peer.port)
    device = begin(server, "cut", f"opc.tcp://127.0.0.1:{wire.port}/press", queue=1000)
    first = counts(server, device)[-1]
    for turn in range(1, 4):
        assert peer.process is not None
        assert peer.process.stdin is not None
        peer.process.stdin.write("pace 100\n")
        peer.process.stdin.flush()
        until(lambda turn=turn: counts(server, device)[-1] >= first + 100 * turn - 70)
        wire.cut()
        assert peer._line() == "done"
        until(lambda turn=turn: counts(server, device)[-1] == first + 100 * turn)
    assert counts(server, device) == [first + n for n in range(301)]
    assert gaps(server, device, "disconnected") == 0
    server.ask("DELETE", "/connections/cut")
    wire.close()


def test_a_queue_that_is_too_short_is_told_as_a_gap(server: Inside, peer: NodePeer) -> None:
    device = begin(server, "short", peer.url, publishing=1.0, queue=3)
    last = counts(server, device)[-1] + 50
    peer.tell("pace", 50)
    until(lambda: counts(server, device)[-1] == last)
    assert len(counts(server, device)) < 50
    until(lambda: gaps(server, device, "overflow") > 0)
    server.ask("DELETE", "/connections/short")


def test_a_server_that_takes_little_at_once_is_asked_for_less(
    server: Inside, peer: NodePeer
) -> None:
    begin(server, "little", peer.url, nodes=["/Plant"])
    now = shown(server, "little")
    assert (now["variables"], now["problems"]) == (43, [])
    below = server.ask("GET", "/connections/little/browse", node="/Plant", depth=3)["value"]
    assert {one["value"] for one in below if "/V" in one["path"]} == set(range(40))
    server.ask("DELETE", "/connections/little")


def test_security_with_another_implementation(server: Inside, peer: NodePeer) -> None:
    body: dict[str, Any] = {
        "opcua": peer.url,
        "nodes": ["/Plant"],
        "security": "Aes256Sha256RsaPss",
        "mode": "sign",
    }
    server.ask("PUT", "/connections/signed", body)
    until(lambda: "is not trusted yet" in shown(server, "signed")["problem"])
    trust = shown(server, "signed")["problem"].partition("SHA-256 is ")[2][:95]
    server.ask("PUT", "/connections/signed", {**body, "trust": trust})
    until(lambda: shown(server, "signed")["state"] == "connected")
    until(lambda: counts(server, "signed.Plant.Press"))
    server.ask("DELETE", "/connections/signed")


MODEL = {
    "@id": "dtmi:test:OtherPress;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;4",
    "contents": [
        {"@type": "Property", "name": "Level", "schema": "double", "writable": True},
        {"@type": "Command", "name": "setLevel", "request": {"name": "l", "schema": "double"}},
        {"@type": "Command", "name": "setLocked", "request": {"name": "l", "schema": "double"}},
        {"@type": "Command", "name": "Dose", "request": {"name": "Amount", "schema": "integer"}},
    ],
}


def test_writes_and_calls_with_another_implementation(server: Inside, peer: NodePeer) -> None:
    binding = {
        "id": "written",
        "topic": "written/Plant/Press",
        "twin": "written",
        "commands": {"setLevel": "Level", "setLocked": "Locked"},
    }
    plant = {"models": [MODEL], "twins": {"written": {"model": MODEL["@id"]}}}
    server.ask("POST", "/plant", {**plant, "bindings": [binding]})
    body = {"opcua": peer.url, "nodes": ["/Plant"], "publishing": 0.05, "sampling": 0}
    server.ask("PUT", "/connections/written", body)
    until(lambda: is_ready(server, "written"))
    ended(server, send(server, "written", "setLevel", 7.5), "confirmed")
    for code in ("BadUserAccessDenied", "BadTypeMismatch", "BadOutOfRange"):
        peer.tell("deny", code)
        command = ended(server, send(server, "written", "setLevel", 8.0), "failed")
        assert command["message"].startswith(f"{code}: ")
    peer.tell("deny", "Good")
    assert "not writable" in refused(server, "written", "setLocked", 2.0)
    command = ended(server, send(server, "written", "Dose", 300), "succeeded")
    assert command["result"] == {"Left": 700, "Note": "dosed"}
    command = ended(server, send(server, "written", "Dose", 600), "failed")
    assert command["message"].startswith("BadInvalidArgument: ")
    assert "argument 'Amount': BadOutOfRange" in command["message"]
    assert "UInt16" in refused(server, "written", "Dose", 70_000)
    server.ask("DELETE", "/connections/written")
