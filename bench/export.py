"""Readings out: what an export costs the server, and how fast it copies to what takes them.

A steady load (200,000 readings/s unless told otherwise) comes in by MQTT, without an export and
with one, to something that takes all and keeps nothing, to Debian's InfluxDB and to PostgreSQL;
then each is given what is stored, from the beginning, to be copied as fast as it goes.

    scripts/bench export [--rate 200000] [--seconds 15] [--only InfluxDB]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from against.machine import cpu_seconds, own_seconds
from against.rows import parser, tell
from against.servers import Influx, NotHere, Postgres
from against.ways import Load, gemel, send, until_stored

from gemel.core.batch import Batch
from gemel.core.series import SeriesKey
from gemel.exports.lines import Lines
from gemel.exports.names import Names
from gemel.exports.postgres import encoded, latest
from running import Running

SINK = """
import http.server
class Taker(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
Target = Callable[[Path], Any]


@contextmanager
def nothing(_: Path) -> Iterator[dict[str, Any]]:
    yield {}


@contextmanager
def sink(_: Path) -> Iterator[dict[str, Any]]:
    """Takes all and keeps nothing."""
    command = [sys.executable, "-c", SINK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            url = f"http://127.0.0.1:{port}"
            yield {"influx": url, "database": "x", "gzip": False}
        finally:
            process.kill()


@contextmanager
def packed(folder: Path) -> Iterator[dict[str, Any]]:
    with sink(folder) as found:
        yield {**found, "gzip": True}


@contextmanager
def influx(folder: Path) -> Iterator[dict[str, Any]]:
    server = Influx(folder / "influx")
    try:
        yield {"influx": f"http://127.0.0.1:{server.port}", "database": "load", "gzip": False}
    finally:
        server.stop()


@contextmanager
def postgres(folder: Path) -> Iterator[dict[str, Any]]:
    folder.chmod(0o755)
    server = Postgres(folder / "postgres")
    try:
        yield {"postgres": f"postgresql://load@127.0.0.1:{server.port}/postgres"}
    finally:
        server.stop()


TARGETS: dict[str, Target] = {
    "no export": nothing,
    "lines to nowhere": sink,
    "lines to nowhere, packed": packed,
    "InfluxDB": influx,
    "PostgreSQL": postgres,
}


def export(running: Running) -> dict[str, Any]:
    [found] = running.call("GET", "/exports")["value"]
    return dict(found)


def until_out(running: Running, readings: int) -> dict[str, Any]:
    """The export once it has as many readings out, or no longer gets any further."""
    last, since = -1, time.monotonic()
    while True:
        found = export(running)
        if found["exported"] != last:
            last, since = found["exported"], time.monotonic()
        if last >= readings or time.monotonic() - since > 30:
            return found
        time.sleep(0.05)


def steady(folder: Path, load: Load, target: Target) -> dict[str, Any]:
    with target(folder) as to, gemel(folder, load) as running:
        if to:
            running.call("PUT", "/exports/out", to)
        pid = running.process.pid
        before, alone = cpu_seconds([pid]), own_seconds(pid)
        sent = send(f"{running.mqtt_host}:{running.mqtt_port}", load, "--token", running.token)
        stored, _ = until_stored(running, sent["readings"])
        took, own = sent["seconds"], own_seconds(pid) - alone
        behind = export(running)["behind"] if to else None
        found = until_out(running, stored) if to else {}
        return {
            "readings_per_s": stored / took,
            "lost": sent["readings"] - stored,
            "p99_ms": sent["p99_ms"],
            "server_share": own / took,
            "export_cpu_s": cpu_seconds([pid]) - before - (own_seconds(pid) - alone),
            "behind_s": behind,
            "out": found.get("exported"),
            "problem": found.get("problem"),
        }


def backlog(folder: Path, load: Load, target: Target) -> dict[str, Any]:
    """What is stored, half of it sealed, copied as fast as it goes."""
    with target(folder) as to, gemel(folder, load) as running:
        sent = send(f"{running.mqtt_host}:{running.mqtt_port}", load, "--token", running.token)
        stored, _ = until_stored(running, sent["readings"])
        pid = running.process.pid
        before, alone = cpu_seconds([pid]), own_seconds(pid)
        began = time.monotonic()
        running.call("PUT", "/exports/out", {**to, "since": "beginning"})
        found = until_out(running, stored)
        took = time.monotonic() - began
        return {
            "readings_per_s": found["exported"] / took,
            "out": found["exported"],
            "lost": stored - found["exported"],
            "server_cpu_s": own_seconds(pid) - alone,
            "export_us_a_reading": 1e6
            * (cpu_seconds([pid]) - before - (own_seconds(pid) - alone))
            / max(found["exported"], 1),
            "problem": found["problem"],
        }


def encoding() -> Iterator[dict[str, Any]]:
    """Columns to bytes alone, in microseconds a reading."""
    rows = 20_000
    for fields in (1, 10, 100):
        keys = [SeriesKey(f"load-{i // fields:05d}", f"s{i % fields:02d}") for i in range(1_000)]
        names = Names(lambda numbers, keys=keys: [(n, keys[n]) for n in numbers])  # type: ignore[misc]
        series = (np.arange(rows) % 1_000).astype(np.int32)
        time_ = 1_700_000_000_000_000_000 + np.arange(rows) // fields * 1_000_000
        value = np.round(np.random.default_rng(1).normal(size=rows), 3)
        batch = names.selected(Batch(series, time_, value, np.zeros(rows, np.uint8), 0))
        lines = Lines(names, "readings")
        for name, call in (
            ("line protocol", lambda: lines.body(batch)),  # noqa: B023
            ("binary COPY", lambda: encoded(latest(batch))),  # noqa: B023
        ):
            call()
            began = time.process_time()
            for _ in range(20):
                size = len(call())
            used = time.process_time() - began
            yield {
                "name": f"encode: {name}, {fields} a line",
                "us_a_reading": 1e6 * used / 20 / rows,
                "bytes_a_reading": size / rows,
            }


def measured(run: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    try:
        with tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder:
            return run(Path(folder))
    except (NotHere, AssertionError, OSError, ImportError) as error:
        return {"note": f"not measured: {error}"}


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if not arguments.only:
        yield from encoding()
    load = Load("", 500, 100, 1, window=100, rate=arguments.rate, seconds=arguments.seconds)
    count = arguments.backlog // (500 * 100)
    stored = Load("", 500, 100, 1, count, 100)
    for name, target in TARGETS.items():
        if arguments.only and arguments.only not in name:
            continue
        if "steady" in arguments.what:
            found = measured(lambda folder, to=target: steady(folder, load, to))  # type: ignore[misc]
            yield {"name": f"{arguments.rate:,} readings/s steady: {name}", **found}
        if "backlog" in arguments.what and target is not nothing:
            found = measured(lambda folder, to=target: backlog(folder, stored, to))  # type: ignore[misc]
            yield {"name": f"{arguments.backlog:,} readings stored: {name}", **found}


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--rate", type=int, default=200_000, help="readings/s (%(default)s)")
    made.add_argument("--seconds", type=int, default=15, help="of the load (%(default)s)")
    made.add_argument("--backlog", type=int, default=4_000_000, help="readings (%(default)s)")
    made.add_argument("--what", nargs="*", default=["steady", "backlog"], help="steady, backlog")
    made.add_argument("--only", default="", help="targets whose name has this in it")
    arguments = made.parse_args()
    tell(rows(arguments), arguments.json)


if __name__ == "__main__":
    main()
