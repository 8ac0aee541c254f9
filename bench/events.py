"""Events out: what telling a webhook, a broker or Kafka of readings and new twins costs a server.

scripts/bench events [--json] [--twins 1000] [--rounds 10]

A server of its own for each way. All twins send 1, then 10 readings in a message, so many rounds;
each message is one event. Processor time is that of the server's process, less what the same
messages cost without a route. Kafka is a broker that speaks its protocol, in memory; the webhook
answers at once.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import httpx
from against.rows import Figures, parser, tell

from connect.kafka_peer import Kafka
from running import Running

SIGNALS = 10
MODEL = {
    "@id": "dtmi:bench:Machine;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Telemetry", "name": f"s{n}", "schema": "double"} for n in range(SIGNALS)
    ],
}
START = 1_700_000_000
A_POST = 100
"""Twins whose readings go in one request."""
MOST_WAITING = 5_000
TELEMETRY = "type = 'microsoft.iot.telemetry'"
CREATED = "type = 'Microsoft.DigitalTwins.Twin.Create'"


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Ways:
    """Where events may go, each as the body of an endpoint; None for nowhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def open(self, kind: str) -> Iterator[dict[str, Any] | None]:
        with getattr(self, kind)() as body:
            yield body

    @contextmanager
    def nowhere(self) -> Iterator[None]:
        yield None

    @contextmanager
    def kafka(self) -> Iterator[dict[str, Any]]:
        broker = Kafka(self._folder)
        broker.begin("bench")
        try:
            yield {"kind": "kafka", "brokers": [broker.address], "topic": "bench"}
        finally:
            broker.close()

    @contextmanager
    def mqtt(self) -> Iterator[dict[str, Any]]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = self._folder / "mosquitto.conf"
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        process = subprocess.Popen(
            ["mosquitto", "-c", str(settings)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield {"kind": "mqtt", "broker": f"127.0.0.1:{port}"}
        finally:
            process.terminate()
            process.wait(60)

    @contextmanager
    def webhook(self) -> Iterator[dict[str, Any]]:
        class Taker(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield {"url": f"http://127.0.0.1:{server.server_port}/"}
        finally:
            server.shutdown()
            server.server_close()


def wait(client: httpx.Client, has_route: bool, settled: int, waiting: int = 0) -> None:
    """Until so many events are delivered, or only so many wait."""
    while has_route:
        found = client.get("/endpoints/out").json()
        if found["dropped"]:
            raise RuntimeError(f"events were dropped: {found}")
        if found["delivered"] >= settled or (waiting and found["waiting"] <= waiting):
            return
        time.sleep(0.1)


def post(client: httpx.Client, twins: int, moment: int, signals: int, has_route: bool) -> None:
    """One message of each twin."""
    row = {"time": START + moment, **{f"s{n}": moment + n for n in range(signals)}}
    for first in range(0, twins, A_POST):
        some = range(first, min(first + A_POST, twins))
        client.post("/ingest", json={f"p{n:06d}": row for n in some}).raise_for_status()
    wait(client, has_route, 1 << 60, MOST_WAITING)  # asked seldom: that costs the server too


def beside(folder: Path) -> Running:
    """A server that may send to this machine."""
    found = Running(folder / "data")
    found.environment = {"GEMEL_WEBHOOK_PRIVATE": "true"}
    return found


def measured(twins: int, rounds: int) -> Iterator[Figures]:
    plain: dict[str, float] = {}
    for kind in ("nowhere", "kafka", "mqtt", "webhook"):
        with (
            tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder,
            Ways(Path(folder)).open(kind) as body,
            beside(Path(folder)) as server,
            server.http() as client,
        ):
            for row in parts(server, client, body, twins, rounds):
                spent = row.pop("cpu")
                plain.setdefault(row["part"], spent)
                spent -= plain[row["part"]]
                if body is not None:
                    yield {
                        "name": f"{kind}, {row['part']}",
                        "events": row["events"],
                        "events_per_s": round(row["events"] / row["seconds"]),
                        "cpu_us_per_event": round(spent / row["events"] * 1e6, 1),
                    }


def parts(
    server: Running, client: httpx.Client, body: dict[str, Any] | None, twins: int, rounds: int
) -> Iterator[Figures]:
    """Makes twins, then sends telemetry; what each took."""
    has_route, delivered = body is not None, 0
    client.post("/plant", json={"models": [MODEL]}).raise_for_status()
    if body is not None:
        client.put("/endpoints/out", json=body).raise_for_status()
        route = {"endpointName": "out", "filter": f"{TELEMETRY} OR {CREATED}"}
        client.put("/eventroutes/all", json=route).raise_for_status()
    for part, signals in (("new twins", 0), ("1 reading an event", 1), ("10 readings", SIGNALS)):
        begin, spent = time.perf_counter(), processor_seconds(server.process.pid)
        if signals:
            for moment in range(rounds):
                post(client, twins, moment + signals * rounds, signals, has_route)
        else:
            made = {f"p{n:06d}": {"model": MODEL["@id"]} for n in range(twins)}
            client.post("/plant", json={"twins": made}).raise_for_status()
        delivered += twins * (rounds if signals else 1)
        wait(client, has_route, delivered)
        yield {
            "part": part,
            "events": twins * (rounds if signals else 1),
            "seconds": time.perf_counter() - begin,
            "cpu": processor_seconds(server.process.pid) - spent,
        }


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--twins", type=int, default=1_000)
    made.add_argument("--rounds", type=int, default=10)
    wanted = made.parse_args()
    tell(measured(wanted.twins, wanted.rounds), wanted.json)


if __name__ == "__main__":
    main()
