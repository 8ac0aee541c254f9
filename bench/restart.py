"""How soon `gemel serve` answers again: with much in the log, and with a large history on disk.

A folder is made with so many readings that are in the log alone, as after a kill; then the server
is started, ended and started again. `--folder` starts it on a data folder that is there.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from against.machine import cpu_seconds, memory_mb
from against.rows import parser, row, tell
from against.servers import free_port
from against.walks import random_walk

from gemel.core.batch import Batch
from gemel.core.series import SeriesTable
from gemel.history import History

PATIENCE = 120
SERIES = 5_000


def fill(folder: Path, batches: list[Batch]) -> None:
    table = SeriesTable()
    many = 10 * sum(map(len, batches))
    history = History(folder, table, ballast_bytes=0, segment_rows=many, log_bytes=1 << 40)
    for number in range(SERIES):
        table.id(f"pump-{number // 10}", f"signal-{number % 10}")
    for batch in batches:
        history.append(batch)
    history.close()


def replayed(folder: Path) -> dict[str, Any]:
    """Opening reads the log into memory; replay gives it out again."""
    began, cpu = time.perf_counter(), time.process_time()
    history = History(folder, SeriesTable(), ballast_bytes=0)
    count = sum(len(batch) for batch in history.replay())
    took = time.perf_counter() - began
    cpu = time.process_time() - cpu
    history.close()
    return {"readings_per_s": count / took, "cpu_s": cpu}


def started(folder: Path) -> dict[str, Any]:
    """From the start of the process until it says that it is ready."""
    port = free_port()
    words = ["serve", "--data", str(folder), "--http", f"127.0.0.1:{port}", "--mqtt", "127.0.0.1:0"]
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation has its bytecode
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "gemel", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )
    try:
        while not _is_ready(port):
            if server.poll() is not None or time.perf_counter() - began > PATIENCE:
                assert server.stderr is not None
                server.kill()
                raise RuntimeError(f"no server: {server.stderr.read().decode()[-500:]}")
            time.sleep(0.02)
        took = time.perf_counter() - began
        return {
            "p50_ms": 1000 * took,
            "cpu_s": cpu_seconds([server.pid]),
            "rss_mb": memory_mb([server.pid]),
        }
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return b'"ready":true' in answer.read().replace(b" ", b"")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def measured(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    if arguments.folder:
        return [{"name": f"start {n} on {arguments.folder}", **started(arguments.folder)}
                for n in (1, 2)]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="gemel-restart-") as place:
        data = Path(place) / "data"
        data.mkdir(mode=0o700)
        batches = random_walk(arguments.readings, SERIES, 5_000)
        fill(data / "history", batches)
        total = sum(map(len, batches))
        some = f"{total:,} readings in the log"
        rows = [{"name": f"open and replay: {some}", **replayed(data / "history")}]
        rows.append({"name": f"start with {some}", **started(data)})
        one = {"name": "start again", **started(data)}
        return [*rows, one]


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--readings", type=int, default=5_000_000)
    made.add_argument("--folder", type=Path, help="a data folder that is there")
    arguments = made.parse_args()
    tell((row(one) for one in measured(arguments)), arguments.json, line)


def line(one: dict[str, Any]) -> str:
    rate = f"{one['readings_per_s']:,.0f} readings/s" if one["readings_per_s"] else ""
    took = f"{one['p50_ms']:,.0f} ms" if one["p50_ms"] else ""
    return f"{one['name']:60} {rate}{took}  CPU {one['cpu_s']:.2f} s"


if __name__ == "__main__":
    main()
