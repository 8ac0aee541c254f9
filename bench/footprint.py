"""What stands still costs: memory of idle connections, and of twins with their last values.

    scripts/bench footprint [--connections 10000] [--twins 100000]

A server process of its own; what it holds is read from /proc before and after.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from against.rows import parser, tell

from running import Running

SIGNALS = 10
AT_ONCE = 2_000
"""Twins of one import, and of one request with readings."""
QUIET_SECONDS = 12


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()


def connected(running: Running, count: int) -> list[socket.socket]:
    token = running.make_token("--role", "device", "--twin", "idle-*")
    found = []
    for number in range(count):
        client = socket.create_connection((running.mqtt_host, running.mqtt_port), timeout=30)
        body = b"\x00\x04MQTT\x04\xc2\x00\x00"
        body += text(f"idle-{number}") + text("idle") + text(token)
        high, low = divmod(len(body), 128)
        client.sendall(bytes((0x10, low | 128, high) if high else (0x10, low)) + body)
        assert client.recv(4) == b"\x20\x02\x00\x00"
        found.append(client)
    return found


def settled(pid: int) -> int:
    """Memory once it stays the same for so long that the server has given back what it can."""
    last, since = resident(pid), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(0.2)
        if abs(resident(pid) - last) > last / 50:
            last, since = resident(pid), time.monotonic()
    return resident(pid)


def of_connections(count: int) -> dict[str, Any]:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = min(count, most - 100)
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder) / "data") as running:
        before = settled(running.process.pid)
        clients = connected(running, count)
        held = settled(running.process.pid) - before
        for client in clients:
            client.close()
    return {"name": "idle connections", "count": count, "bytes_each": held / count}


def of_twins(count: int) -> dict[str, Any]:
    names = [f"s{n}" for n in range(SIGNALS)]
    model = {
        "@id": "dtmi:load:Device;1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": [{"@type": "Telemetry", "name": n, "schema": "double"} for n in names],
    }
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder) / "data") as running:
        running.call("POST", "/plant", {"models": [model]})
        before = settled(running.process.pid)
        began = time.perf_counter()
        for first in range(0, count, AT_ONCE):
            some = [f"twin-{n}" for n in range(first, min(first + AT_ONCE, count))]
            twins = {twin: {"model": "dtmi:load:Device;1"} for twin in some}
            running.call("POST", "/plant", {"twins": twins})
            values = {n: first + i / 8 for i, n in enumerate(names)}
            running.call("POST", "/ingest", {twin: values for twin in some})
        seconds = time.perf_counter() - began
        held = settled(running.process.pid) - before
    return {
        "name": f"twins with {SIGNALS} signals",
        "count": count,
        "bytes_each": held / count,
        "seconds": seconds,
    }


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--connections", type=int, default=10_000)
    made.add_argument("--twins", type=int, default=100_000)
    arguments = made.parse_args()
    asked = [(of_connections, arguments.connections), (of_twins, arguments.twins)]
    tell((of(count) for of, count in asked if count), arguments.json, line)
    return 0


def line(row: dict[str, Any]) -> str:
    return f"{row['name']:28} {row['count']:9,} {row['bytes_each'] / 1000:8.2f} kB each"


if __name__ == "__main__":
    raise SystemExit(main())
