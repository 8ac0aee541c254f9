"""A real Prometheus over given samples, on a free port, with blocks that its own tool made."""

from __future__ import annotations

import queue
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

WAIT_SECONDS = 60
CONFIG = "global:\n  evaluation_interval: 1m\nscrape_configs: []\n"


def tool(*arguments: str, seconds: float = WAIT_SECONDS) -> subprocess.CompletedProcess[str]:
    """Runs promtool."""
    return subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, check=False, timeout=seconds
    )


@contextmanager
def prometheus(folder: Path, lines: Iterable[str]) -> Iterator[httpx.Client]:
    """A client of a server that has the samples of OpenMetrics lines."""
    folder.mkdir(parents=True)
    (folder / "samples.txt").write_text("\n".join([*lines, "# EOF", ""]))
    (folder / "prometheus.yml").write_text(CONFIG)
    made = tool(
        "tsdb", "create-blocks-from", "openmetrics", str(folder / "samples.txt"), str(folder / "db")
    )
    assert made.returncode == 0, made.stderr
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'db'}",
        "--storage.tsdb.retention.time=100y",
        "--web.listen-address=127.0.0.1:0",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)
    lines_said: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=_pump, args=(process, lines_said), daemon=True)
    thread.start()
    try:
        address = _said(lines_said, r'msg="?Listening on"? address=(\S+)')
        _said(lines_said, r"Server is ready")
        with httpx.Client(base_url=f"http://{address}", timeout=WAIT_SECONDS) as client:
            yield client
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)
        thread.join(WAIT_SECONDS)
        assert process.stderr is not None
        process.stderr.close()


def _pump(process: subprocess.Popen[str], said: queue.Queue[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        said.put(line)
    said.put("")


def _said(lines: queue.Queue[str], pattern: str) -> str:
    heard = []
    while True:
        line = lines.get(timeout=WAIT_SECONDS)
        assert line, "it ended:\n" + "".join(heard)
        heard.append(line)
        if match := re.search(pattern, line):
            return match[match.lastindex or 0]
