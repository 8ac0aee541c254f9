"""The floor of a load: a bare server in C that acknowledges messages and forgets them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from against.built import built
from against.machine import memory_mb, own_seconds
from against.ways import Load, row, send


@contextmanager
def _serving(program: Path, pause: int) -> Iterator[subprocess.Popen[str]]:
    words = [str(program), str(pause)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run_bare(folder: Path, load: Load) -> dict[str, Any]:
    """Nothing is stored, so nothing is durable: what it costs, nobody can do without.

    Where nobody waits for an answer it lets 3 ms of messages come together, which costs least.
    """
    with _serving(built("bare", folder), 0 if load.qos else 3) as process:
        assert process.stdout is not None
        sent = send(folder, int(process.stdout.readline()), load)
        count, ended = process.stdout.readline().split()
        used = own_seconds(process.pid)
        memory = memory_mb([process.pid])
    seconds = sent["seconds"] if load.qos else float(ended) - sent["began"]
    return row(
        load, seconds, sent["readings"], int(count) * load.readings,
        p50_ms=sent["p50_ms"], p99_ms=sent["p99_ms"],
        cpu_s=used, rss_mb=memory, generator_cpu_s=sent["cpu_s"], bytes_per_reading=None,
    )  # fmt: skip
