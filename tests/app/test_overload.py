"""Overload of the whole server: gaps are kept and shown, answers pass, HTTP says wait."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.inside import Inside, inside, until
from gemel.app import serve
from gemel.cli.main import main

MESSAGES = 40_000


class Gate:
    """Stands before the history: batches with readings wait while it is shut."""

    def __init__(self, server: Inside) -> None:
        self._append = server.platform.history.append
        self._waiting: list[Callable[[], None]] = []
        self.is_shut = True
        server.platform.history.append = self.append  # type: ignore[method-assign]

    def append(self, batch: Any, rejects: Any = (), then: Any = None) -> None:
        if self.is_shut and len(batch):
            self._waiting.append(partial(self._append, batch, rejects, then))
        else:
            self._append(batch, rejects, then)

    def open(self) -> None:
        self.is_shut = False
        for call in self._waiting:
            call()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    def small(**values: Any) -> Any:
        return replace(limits(**values), undurable_bytes=4_000_000, handed_bytes=20_000)

    limits = serve.Limits
    monkeypatch.setattr(serve, "Limits", small)
    with inside(tmp_path / "data", max_behind=1.0) as found:
        found.pumps("pump-1", "pump-2")
        yield found


def packet(first: int, body: bytes) -> bytes:
    high, low = divmod(len(body), 128)
    return bytes((first, low | 128, high) if high else (first, low)) + body


def raw_client(server: Inside, twin: str, client_id: str = "") -> socket.socket:
    host, port = server.addresses.mqtt.rsplit(":", 1)
    found = socket.create_connection((host, int(port)), timeout=60)
    body = b"\x00\x04MQTT\x04\xc2\x00\x00"
    for text in (client_id or twin, "x", server.token("device", twin)):
        body += struct.pack(">H", len(text)) + text.encode()
    found.sendall(packet(0x10, body))
    assert found.recv(4) == b"\x20\x02\x00\x00"
    return found


def frames(twin: str, count: int) -> bytes:
    topic = f"devices/{twin}/telemetry".encode()
    found = []
    for number in range(count):
        payload = b'{"ts":%d,"flow":1.5}' % (1_700_000_000_000 + number)
        body = struct.pack(">H", len(topic)) + topic + payload
        found.append(packet(0x30, body))
    return b"".join(found)


def test_what_is_shed_is_a_gap_and_all_is_accounted_for(
    server: Inside, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = server.call(Gate, server)
    with raw_client(server, "pump-1") as flood:
        data = frames("pump-1", MESSAGES)
        for start in range(0, len(data), 50_000):
            flood.sendall(data[start : start + 50_000])
        until(lambda: server.platform.gaps.lost, "something that is shed")
        until(lambda: server.ask("GET", "/status")["behind"] > 1, "a state that says so")
        assert server.ask("GET", "/status")["mqtt"]["undurable_bytes"] < 8_000_000
        refused = server.http.post("/ingest/pump-2", json={"flow": 1})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert refused.json()["error"]["code"] == "Overloaded"
        server.call(gate.open)
        sent = "mqtt_received_messages_total"
        until(lambda: f"gemel_{sent} {MESSAGES}" in server.http.get("/metrics").text, sent)
        until(lambda: server.ask("GET", "/status")["behind"] == 0, "it to catch up")

    def accounted() -> bool:
        lost = server.ask("GET", "/gaps", twin="pump-1")["value"]
        stored = server.ask("GET", "/status")["readings"]
        return stored + sum(gap["count"] for gap in lost) == MESSAGES

    until(accounted, "all to be stored or in a gap")
    gaps = server.ask("GET", "/gaps", twin="pump-1")["value"]
    assert {gap["cause"] for gap in gaps} == {"behind"}
    assert all(gap["from"] <= gap["to"] for gap in gaps)
    assert server.ask("GET", "/gaps", twin="pump-2")["value"] == []
    until(lambda: list(server.platform.documents.load("gap")), "a gap that is stored")
    main(["gaps", "pump-1", "--data", str(server.platform.folder.path)])
    assert "behind" in capsys.readouterr().out
    server.ingest("pump-2", flow=2)


def test_commands_and_answers_pass_telemetry_that_waits(server: Inside) -> None:
    with server.device("pump-2") as device:
        device.answers["stop"] = b'{"status": "succeeded"}'
        device.subscribe("devices/pump-2/commands/#")
        gate = server.call(Gate, server)
        with raw_client(server, "pump-1") as flood:
            flood.sendall(frames("pump-1", MESSAGES))
            until(lambda: server.platform.gaps.lost, "something that is shed")
            sent = server.ask("POST", "/commands", {"twin": "pump-2", "command": "stop"})
            path = f"/commands/{sent['id']}"
            until(lambda: server.ask("GET", path)["state"] == "succeeded", "the answer")
            assert server.ask("GET", "/status")["readings"] == 0
            server.call(gate.open)
            until(lambda: server.ask("GET", "/status")["readings"] > 0)


def test_gaps_outlast_a_restart_whether_they_were_stored_or_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with inside(data) as server:
        server.pumps("pump-1")
        server.call(server.platform.gaps.add, [("pump-1", 10**18, 10**18 + 10**9, 7)], "x")
    with inside(data) as server:
        (gap,) = server.ask("GET", "/gaps")["value"]
        assert (gap["device"], gap["count"], gap["cause"]) == ("pump-1", 7, "x")
        assert server.ask("GET", "/gaps", **{"from": "-1h"})["value"] == []


def test_a_subscriber_that_does_not_read_slows_nobody(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        with raw_client(server, "pump-1", "deaf") as deaf, raw_client(server, "pump-1") as sender:
            topic = b"devices/pump-1/telemetry"
            deaf.sendall(packet(0x82, struct.pack(">HH", 1, len(topic)) + topic + b"\0"))
            until(lambda: server.ask("GET", "/status")["mqtt"]["subscriptions"])
            for number in range(1, 7_001):
                payload = b'{"ts":%d,"flow":1}' % (1_700_000_000_000 + number) + b" " * 4_000
                body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", number) + payload
                sender.sendall(packet(0x32, body))
            acknowledged = 0
            while acknowledged < 4 * 7_000:
                acknowledged += len(sender.recv(65_536))
            found = server.ask("GET", "/status")
            assert found["readings"] == 7_000
            assert found["mqtt"]["dropped_slow"] > 0
            assert found["behind"] == 0
