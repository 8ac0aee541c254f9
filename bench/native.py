"""What each part of the compiled fast path gains, beside its lines: compiled, and its Python twin.

    scripts/bench native [--json]

Two processes do the same work, one of them with GEMEL_PURE=1. Processor time of all threads, the
least of several rounds, so that other programs at work on the machine change little. Without a log
and without a broker's sockets, but for the row of the sockets.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import decode as forms
import mqtt_receive
import rules as constructs
from against.rows import parser, tell

from gemel.connect.mqtt import direct
from gemel.connect.mqtt.broker import Broker
from gemel.connect.mqtt.codec import encode_connect, encode_publish
from gemel.connect.mqtt.connection import Connection
from gemel.connect.mqtt.journal import MemorySessions
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import Connect
from gemel.core import fast
from gemel.core.batch import Batch
from gemel.core.clock import system_clock
from gemel.ingest.duplicates import Recent

ROUNDS = 7
NATIVE = Path(__file__).parents[1] / "src" / "gemel" / "core" / "native"
PARTS = {
    "sockets": ("receive, transmit", ["sockets.h"]),
    "packets": ("scan, Messages", ["scan.h", "messages.h"]),
    "payloads of 1": ("decode", ["decode.h", "payloads.h", "numbers.h", "names.h"]),
    "payloads of 100": ("decode", ["decode.h", "payloads.h", "numbers.h", "names.h"]),
    "repeated rows": ("mark_repeated", ["columns.h"]),
    "a limit": ("judge", ["judge.h"]),
    "a percentile": ("slide, percentiles", ["ranks.h"]),
}
UNITS = dict.fromkeys(PARTS, "reading") | {
    "sockets": "message",
    "packets": "message",
}


def least(work: Callable[[], object], units: int) -> float:
    """Microseconds a unit."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best / units * 1e6


def sockets() -> float:
    """A message each of 100 clients, read and acknowledged; the clients' own part is not in it."""
    ours, theirs = [], []
    watched: direct.Direct[fast.Line] = direct.Direct()
    with socket.create_server(("127.0.0.1", 0)) as door:
        for _ in range(100):
            theirs.append(socket.create_connection(door.getsockname()))
            one, _ = door.accept()
            one.setblocking(False)
            ours.append(one)
            line = fast.Line()
            line.is_plain = False
            watched.add(one.fileno(), line)
    numbers = [one.fileno() for one in ours]
    spent = []
    for _ in range(60 * ROUNDS):
        for one in theirs:
            one.send(mqtt_receive.SMALL)
        began = time.process_time()
        count = 0
        while count < 100:
            count += len(watched.receive(fast.Messages(), 0)[1])
        direct.transmit([(number, b"\x40\x02\x00\x01") for number in numbers])
        spent.append(time.process_time() - began)
        for one in theirs:
            one.recv(100)
    watched.close()
    for one in ours + theirs:
        one.close()
    return float(np.percentile(spent, 10)) * 1e4


def packets() -> float:
    host = mqtt_receive.NullHost(1 << 60)
    broker = Broker(host, system_clock, Limits(), lambda: None)
    broker.load(MemorySessions())
    connection = Connection(broker)
    connection.receive(encode_connect(Connect("bench", 4, True)))
    data = b"".join(
        encode_publish(4, mqtt_receive.TOPIC, mqtt_receive.SMALL, 2, n + 1) for n in range(600)
    )

    def work() -> None:
        for _ in range(20):
            connection.receive(data)
            broker.inbox.flush(may_gather=False)
            broker.dirty.clear()
            connection.take()

    return least(work, 12_000)


def payloads(count: int) -> Callable[[], float]:
    form = forms.one if count == 1 else forms.object_of_100
    return lambda: forms.measure(form, count, 1000 if count == 1 else 100, forms.fractions) / count


def repeated() -> float:
    """Batches as large as those that are handed over at once: 32 readings each of 500 series."""
    size = 16_000
    series = np.arange(size, dtype=np.int32) % 500
    times = np.arange(size, dtype=np.int64) // 500 * 1_000_000_000
    batch = Batch(series, times, np.arange(size) / 8, np.zeros(size, np.uint8), 0)
    return least(lambda: Recent().drop(batch), size)


def judged(name: str) -> Callable[[], float]:
    def run() -> float:
        (construct,) = [one for one in constructs.CONSTRUCTS if one.name == name]
        engine = constructs.engine_of(construct, 2_000, 2_000)
        batches = list(constructs.batches(construct, 90, 2_000, constructs.RESTLESS))
        spent = []
        for batch in batches:
            began = time.process_time()
            engine.react(batch)
            spent.append(time.process_time() - began)
        return float(np.percentile(spent[70:], 25)) / 2_000 * 1e6

    return run


WORKS: dict[str, Callable[[], float]] = {
    "sockets": sockets,
    "packets": packets,
    "payloads of 1": payloads(1),
    "payloads of 100": payloads(100),
    "repeated rows": repeated,
    "a limit": judged("threshold"),
    "a percentile": judged("percentile"),
}


def lines(files: list[str]) -> int:
    return sum(len((NATIVE / file).read_text().splitlines()) for file in files)


def asked(is_pure: bool) -> dict[str, float]:
    environment = {**os.environ, "GEMEL_PURE": "1" if is_pure else ""}
    command = [sys.executable, __file__, "--one"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.one:
        random.seed(1)
        print(json.dumps({name: work() for name, work in WORKS.items()}))
        return
    tell(compared(asked(False), asked(True)), options.json, line)


def compared(compiled: dict[str, float], pure: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "name": part, "functions": functions, "lines": lines(files), "unit": UNITS[part],
            "compiled_us": compiled[part], "python_us": pure[part],
        }
        for part, (functions, files) in PARTS.items()
    ]  # fmt: skip


def line(row: dict[str, Any]) -> str:
    text = f"{row['name']:16} {row['functions']:20} {row['lines']:5} lines"
    text += f"  {row['compiled_us']:7.3f} us a {row['unit']}, in Python {row['python_us']:7.3f}"
    return f"{text}  {row['python_us'] / row['compiled_us']:5.1f} times"


if __name__ == "__main__":
    main()
