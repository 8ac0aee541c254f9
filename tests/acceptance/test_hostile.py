"""Hostile input by the hundred thousand against the real program: no crash, no leak, words."""

from __future__ import annotations

import os
import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from running import Running

TOTAL = int(os.environ.get("GEMEL_FUZZ", "40000"))
"""Inputs in all; CI sends 1,000,000."""
TELEMETRY = TOTAL * 88 // 100
STREAMS = TOTAL // 10
BODIES = TOTAL - TELEMETRY - STREAMS
BATCH = 500
MODEL = {
    "@id": "dtmi:test:Pump;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Telemetry", "name": "flow", "schema": "double"},
        {"@type": "Telemetry", "name": "count", "schema": "integer"},
        {"@type": "Telemetry", "name": "state", "schema": "string"},
    ],
}
SEEDS = [
    b'{"flow": 12.5, "count": 3, "state": "on"}',
    b'{"time": "2026-01-01T00:00:00Z", "flow": 1}',
    b'[{"ts": 1700000000000, "values": {"flow": 1e308}}]',
    b'{"time": [1, 2, 3], "flow": [1, 2, 3]}',
    b'[{"bn": "urn:x", "n": "flow", "v": 1, "u": "m3/s"}]',
    b'{"flow": NaN, "count": 1e400, "state": "\\ud800"}',
    b'{"flow": {"flow": {"flow": 1}}}',
    b"[" * 40,
    b'{"a":' * 40,
    b"true",
    b"12.5",
    b"\x9f\xff\xfb\x7e\x00\xf9\x7e\x00",
    b"\xa2dflow\xfb@(\x00\x00\x00\x00\x00\x00ecount\x03",
    b'{"<script>alert(1)</script>": "<img src=x onerror=alert(1)>"}',
]
TOPICS = [
    b"devices/pump-1/telemetry",
    b"devices/pump-1/telemetry/flow",
    b"devices/pump-1/reported",
    b"devices/pump-1/responses/c-1",
    b"devices/unknown/telemetry",
    b"v1/devices/me/telemetry",
    b"plant/line/flow",
    b"devices//telemetry",
    b"devices/pump-1/commands/stop/x",
    b"a" * 300,
]


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """The seed with a few bytes changed, cut, doubled or put in."""
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        act = chance.randrange(5)
        if act == 0 and data:
            data[at % len(data)] = chance.randrange(256)
        elif act == 1:
            del data[at : at + chance.randrange(1, 4)]
        elif act == 2:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 4)))
        elif act == 3:
            data[at:at] = data[at : at + 8]
        else:
            data[at:at] = chance.choice([b"null", b"1e999", b"\\u0000", b"[]", b'"', b"-", b"\xff"])
    return bytes(data)


def publish_frame(topic: bytes, payload: bytes) -> bytes:
    body = struct.pack(">H", len(topic)) + topic + payload
    return b"\x30" + _length(len(body)) + body


def connect_frame(token: str, version: int = 4) -> bytes:
    name, secret = b"fuzzer", token.encode()
    body = b"\x00\x04MQTT" + bytes([version, 0xC2]) + struct.pack(">H", 60)
    if version == 5:
        body += b"\x00"
    for text in (name, name, secret):
        body += struct.pack(">H", len(text)) + text
    return b"\x10" + _length(len(body)) + body


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)


def connection(running: Running) -> socket.socket:
    made = socket.create_connection((running.mqtt_host, running.mqtt_port), 60)
    made.settimeout(60)
    return made


def open_session(running: Running) -> socket.socket:
    made = connection(running)
    made.sendall(connect_frame(running.token))
    assert made.recv(4)[:2] == b"\x20\x02"
    return made


def resident(running: Running) -> int:
    """Bytes of memory that the server holds."""
    pages = Path(f"/proc/{running.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


def until_idle(running: Running, session: socket.socket) -> None:
    """Returns when all that was sent before is dealt with: a ping is answered in its turn."""
    session.sendall(b"\xc0\x00")
    answer = b""
    while b"\xd0\x00" not in answer:
        part = session.recv(65_536)
        assert part, "the connection was closed"
        answer += part


@pytest.fixture
def pump(server: Running) -> Iterator[Running]:
    server.call("POST", "/models", [MODEL])
    server.call("PUT", "/digitaltwins/pump-1", {"$metadata": {"$model": MODEL["@id"]}})
    yield server
    assert server.process.poll() is None, server.errors()
    assert "Traceback" not in server.errors()
    assert server.call("GET", "/health")["ready"]
    now = time.time_ns() // 1_000_000
    taken = server.call("POST", "/ingest/pump-1", {"flow": 42, "time": now})
    assert taken["readings"] == 1


def test_hostile_payloads_over_mqtt(pump: Running) -> None:
    chance = random.Random(20_261)
    session = open_session(pump)
    middle = 0
    for start in range(0, TELEMETRY, BATCH):
        if start >= TELEMETRY // 2 and not middle:
            until_idle(pump, session)
            middle = resident(pump)
        frames = [
            publish_frame(chance.choice(TOPICS), mutated(chance.choice(SEEDS), chance))
            for _ in range(BATCH)
        ]
        session.sendall(b"".join(frames))
        until_idle(pump, session)
    grown = resident(pump) - middle
    # what is kept apart is durable, and the newest of it stays in memory: bounded, not a leak
    assert grown < 150e6, f"{grown / 1e6:.0f} MB more after the second half"
    found = pump.call("GET", "/rejects", twin="pump-1", limit=1000)
    assert found["total"] > TELEMETRY // 100
    assert {"wrong-type", "undecodable", "unknown-property"} <= set(found["byReason"])
    assert all(row["explanation"] for row in found["value"])
    session.close()


def test_hostile_frames_over_mqtt(pump: Running) -> None:
    chance = random.Random(20_262)
    good = [
        connect_frame(pump.token),
        connect_frame(pump.token, 5),
        publish_frame(TOPICS[0], SEEDS[0]),
        b"\x32" + publish_frame(TOPICS[0], SEEDS[0])[1:],
        b"\x82\x09\x00\x01\x00\x04a/#/\x01",
        b"\xa2\x06\x00\x01\x00\x02a/",
        b"\x40\x02\x00\x01",
        b"\x62\x02\x00\x01",
        b"\xc0\x00",
        b"\xe0\x00",
        b"\xf0\x00",
    ]
    sent = 0
    while sent < STREAMS:
        session = connection(pump)
        try:
            if chance.random() < 0.8:
                session.sendall(connect_frame(pump.token, chance.choice((4, 5))))
            for _ in range(chance.randrange(1, 40)):
                session.sendall(mutated(chance.choice(good), chance))
                sent += 1
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was told apart as malformed and closed
        session.close()
    status = pump.call("GET", "/status")["mqtt"]
    assert status["malformed"] > 0
    assert status["internal_errors"] == 0


def test_hostile_bodies_over_http(pump: Running) -> None:
    chance = random.Random(20_263)
    kinds = ["application/json", "application/senml+json", "application/senml+cbor", "text/plain"]
    answers: dict[int, int] = {}
    with pump.http() as client:
        for number in range(BODIES):
            path = chance.choice(["/ingest", "/ingest/pump-1", "/ingest/%00", "/commands"])
            if number % 5 == 0:
                path = chance.choice(["/models", "/rules/x", "/alarms/x/acknowledge", "/tokens"])
            method = "PUT" if path == "/rules/x" else "POST"
            answer = client.request(
                method,
                path,
                content=mutated(chance.choice(SEEDS), chance),
                headers={"Content-Type": chance.choice(kinds)},
            )
            answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, f"{method} {path}: {answer.text}"
            if answer.status_code >= 400:
                error = orjson.loads(answer.content)["error"]
                assert error["code"]
                assert error["message"]
    assert answers.get(400, 0) > BODIES // 10
