"""Telemetry through the whole program: MQTT to durable, mirrored, judged, acknowledged readings.

A generator process sends prebuilt frames; `gemel serve` runs as a process of its own with a model,
twins and one threshold rule a signal. CPU is what the server process used. The comparison with
what one would build instead is bench/rivals.py's work, not this one's.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import statistics
import struct
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from running import Running

SIGNALS = 100
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    name: str
    connections: int
    messages: int
    """For each connection."""
    readings: int
    """For each message."""
    qos: int
    window: int
    """QoS 1 messages in flight on each connection."""


LOADS = [
    Load("100 readings, QoS 1", 8, 1_500, 100, 1, 400),
    Load("1 reading, QoS 1, pipelined", 16, 6_000, 1, 1, 1_000),
    Load("1 reading, QoS 0", 100, 2_000, 1, 0, 0),
    Load("1 reading, QoS 1, one outstanding", 100, 200, 1, 1, 1),
]


def _size(length: int) -> bytes:
    out = bytearray()
    while True:
        length, digit = divmod(length, 128)
        out.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(out)


def _frame(topic: bytes, payload: bytes, qos: int, packet: int) -> bytes:
    body = struct.pack(">H", len(topic)) + topic
    if qos:
        body += struct.pack(">H", packet)
    body += payload
    return bytes([0x30 | qos << 1]) + _size(len(body)) + body


def _connect(token: str, name: str) -> bytes:
    body = b"\x00\x04MQTT\x04\xc2\x00\x00"
    for text in (name, "load", token):
        body += struct.pack(">H", len(text)) + text.encode()
    return b"\x10" + _size(len(body)) + body


def _frames(load: Load, number: int) -> list[bytes]:
    """One connection's messages: each has its own time, so that none is a duplicate."""
    topic = f"devices/load-{number}/telemetry".encode()
    start = time.time_ns() // 1_000_000 - load.messages
    names = [f"s{i:02d}" for i in range(load.readings)]
    found = []
    for message in range(load.messages):
        values = ",".join(f'"{n}":{(message * 7 + i) % 900 / 10}' for i, n in enumerate(names))
        payload = f'{{"ts":{start + message},{values}}}'.encode()
        found.append(_frame(topic, payload, load.qos, message % 65_535 + 1))
    return found


class _Sender:
    """One connection: keeps `window` messages in flight (QoS 1) or the socket full (QoS 0)."""

    def __init__(self, address: tuple[str, int], token: str, load: Load, number: int) -> None:
        self.load = load
        self.frames = _frames(load, number)
        self.sent = self.acknowledged = 0
        self.rest = b""
        self.tail = b""
        self.socket = socket.create_connection(address)
        self.socket.sendall(_connect(token, f"load-{number}"))
        assert self.socket.recv(4) == b"\x20\x02\x00\x00"
        self.socket.setblocking(False)

    def fill(self) -> None:
        load = self.load
        while True:
            if not self.rest:
                last = min(
                    load.messages,
                    self.acknowledged + load.window if load.qos else self.sent + 200,
                )
                if last <= self.sent:
                    return
                self.rest = b"".join(self.frames[self.sent : last])
                self.sent = last
            try:
                done = self.socket.send(self.rest)
            except BlockingIOError:
                return
            self.rest = self.rest[done:]

    def read(self) -> None:
        try:
            data = self.tail + self.socket.recv(65_536)
        except BlockingIOError:
            return
        whole = len(data) - len(data) % 4
        self.acknowledged += whole // 4
        self.tail = data[whole:]

    @property
    def is_done(self) -> bool:
        if self.rest or self.sent < self.load.messages:
            return False
        return not self.load.qos or self.acknowledged >= self.load.messages


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def _set_up(running: Running, connections: int) -> None:
    model = "dtmi:load:Device;1"
    names = [f"s{i:02d}" for i in range(SIGNALS)]
    contents = [{"@type": "Telemetry", "name": n, "schema": "double"} for n in names]
    document = {
        "@id": model,
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": contents,
    }
    plant = {
        "models": [document],
        "twins": {f"load-{i}": {"model": model} for i in range(connections)},
        "rules": [{"id": f"r{n}", "model": model, "when": f"{n} > 95 for 10 s"} for n in names],
    }
    running.call("POST", "/plant", plant)


def run(load: Load) -> dict[str, float]:
    """One load on a fresh server."""
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder) / "data") as running:
        _set_up(running, load.connections)
        address = (running.mqtt_host, running.mqtt_port)
        senders = [_Sender(address, running.token, load, i) for i in range(load.connections)]
        selector = selectors.DefaultSelector()
        for sender in senders:
            both = selectors.EVENT_READ | selectors.EVENT_WRITE
            selector.register(sender.socket, both, sender)
        pid = running.process.pid
        cpu, began = _cpu(pid), time.perf_counter()
        waiting = len(senders)
        while waiting:
            for key, events in selector.select():
                sender: _Sender = key.data
                if events & selectors.EVENT_READ:
                    sender.read()
                sender.fill()
                if sender.is_done:
                    selector.unregister(sender.socket)
                    waiting -= 1
                else:
                    is_stuck = load.qos and sender.sent - sender.acknowledged >= load.window
                    wanted = selectors.EVENT_READ
                    if sender.rest or not is_stuck:
                        wanted |= selectors.EVENT_WRITE
                    if key.events != wanted:
                        selector.modify(sender.socket, wanted, sender)
        wanted_readings = load.connections * load.messages * load.readings
        while running.call("GET", "/status")["readings"] < wanted_readings:
            assert time.perf_counter() - began < 120, "readings are missing"
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        used = _cpu(pid) - cpu
        memory = _resident(pid)
        stored = running.call("GET", "/status")["readings"]
        for sender in senders:
            sender.socket.close()
    messages = load.connections * load.messages
    return {
        "messages_per_s": messages / seconds,
        "readings_per_s": wanted_readings / seconds,
        "cpu_s": used,
        "cpu_us_per_message": 1e6 * used / messages,
        "rss_mb": memory,
        "lost": wanted_readings - stored,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=3, help="the median of so many")
    parser.add_argument("--only", help="part of a load's name")
    arguments = parser.parse_args()
    rows = []
    for load in LOADS:
        if arguments.only and arguments.only not in load.name:
            continue
        runs = [run(load) for _ in range(arguments.runs)]
        row = {key: statistics.median(r[key] for r in runs) for key in runs[0]}
        rows.append({"name": load.name, **row})
        if not arguments.json:
            print(
                f"{load.name:36} {row['messages_per_s']:10,.0f} messages/s "
                f"{row['readings_per_s']:12,.0f} readings/s {row['cpu_us_per_message']:8.2f} "
                f"us CPU/message {row['rss_mb']:6.0f} MB  lost {row['lost']:.0f}"
            )
    if arguments.json:
        print(json.dumps({"machine": {"cores": os.cpu_count()}, "rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
