"""kill -9 at random moments: what was acknowledged is there, once, and the checkpoint agrees."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gemel.core.series import SeriesTable
from gemel.history import History

WRITER = Path(__file__).with_name("crash_writer.py")
ROUNDS = 20
MOST_LINES = 100
"""A log file of the writer is full after about 40."""
SEED = 20261122


class Writer:
    """Starts writers, one after the other, and kills them."""

    def __init__(self, complaints: Path) -> None:
        self._complaints = complaints
        with complaints.open("w") as file:
            self._process = subprocess.Popen(
                [sys.executable, str(WRITER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                bufsize=0,
            )

    def killed(
        self, folder: Path, first: int, lines: int, is_enough: Callable[[], bool]
    ) -> list[tuple[int, int]]:
        """The (first, end) ids acknowledged by a writer that is killed after so many lines."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        out = self._process.stdout
        self._process.stdin.write(f"{folder} {first}\n".encode())
        pid = int(out.readline())
        found: list[bytes] = []
        while len(found) < lines or not is_enough():
            line = out.readline()
            assert line.endswith(b"\n"), "the process that starts writers is gone"
            assert not line.startswith(b"end"), self._complaints.read_text()
            found.append(line)
        os.kill(pid, signal.SIGKILL)
        while b"end" not in (line := out.readline()):
            assert line.endswith(b"\n"), "the process that starts writers is gone"
            found.append(line)
        assert line.endswith(b"end -9\n"), line
        assert self._complaints.read_text() == ""
        return [(int(a), int(b)) for a, b in (line.split() for line in found)]

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "complaints")
    yield made
    made.close()


def test_acknowledged_readings_survive_kill_9_once(writer, tmp_path):
    rng = random.Random(SEED)
    folder = tmp_path / "history"
    acknowledged: set[int] = set()
    first = 0
    for number in range(ROUNDS):
        needs_segment = number == ROUNDS // 2
        lines = rng.randrange(MOST_LINES)
        for low, high in writer.killed(
            folder,
            first,
            lines,
            lambda needs=needs_segment: not needs or any(folder.glob("segments/*.seg")),
        ):
            acknowledged.update(range(low, high))
        history = History(folder, SeriesTable(), ballast_bytes=0)
        found = [history.read(s, -(2**63), 2**63) for s in range(len(history.series))]
        ids = np.sort(np.concatenate([np.empty(0), *(one.value for one in found)])).astype(int)
        assert len(np.unique(ids)) == len(ids)
        assert acknowledged <= set(ids.tolist())
        applied = int(history.checkpoints().get("applied", b"0"))
        assert applied + sum(len(batch) for batch in history.replay()) == len(ids)
        assert all(d.is_torn_tail for d in history.statistics().damage)
        assert sum(history.reject_counts().values()) >= len(acknowledged) / 37
        assert history.statistics().segments or number < ROUNDS // 2
        history.close()
        first = int(ids.max()) + 1 if len(ids) else 0
    assert len(acknowledged) > 1_000
