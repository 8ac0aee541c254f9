"""kill -9 at random moments: what was acknowledged is there, once, and the checkpoint agrees."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from gemel.core.series import SeriesTable
from gemel.history import History

WRITER = Path(__file__).with_name("crash_writer.py")
ROUNDS = 20
SEED = 20261122


def killed_writer(folder: Path, first: int, seconds: float) -> list[tuple[int, int]]:
    """The (first, end) ids that the writer acknowledged before it was killed."""
    complaints = folder.parent / "complaints"
    with complaints.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(WRITER), str(folder), str(first)],
            stdout=subprocess.PIPE,
            stderr=file,
        )
    assert process.stdout is not None
    lines = [process.stdout.readline()]  # it is under way
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    lines += process.stdout.readlines()
    process.stdout.close()
    timer.join()
    assert process.wait() == -9
    assert complaints.read_text() == ""
    whole = [line for line in lines if line.endswith(b"\n")]
    return [(int(a), int(b)) for a, b in (line.split() for line in whole)]


def test_acknowledged_readings_survive_kill_9_once(tmp_path):
    rng = random.Random(SEED)
    folder = tmp_path / "history"
    acknowledged: set[int] = set()
    first = rounds = segments = 0
    # a slow machine needs more and longer rounds until one seals
    while rounds < ROUNDS or not segments or len(acknowledged) <= 1_000:
        rounds += 1
        assert rounds < 10 * ROUNDS
        longest = 0.12 * max(1.0, rounds / ROUNDS)
        for low, high in killed_writer(folder, first, rng.uniform(0.0, longest)):
            acknowledged.update(range(low, high))
        history = History(folder, SeriesTable(), ballast_bytes=0)
        found = [history.read(s, -(2**63), 2**63) for s in range(len(history.series))]
        ids = np.sort(np.concatenate([columns.value for columns in found])).astype(int)
        assert len(np.unique(ids)) == len(ids)
        assert acknowledged <= set(ids.tolist())
        applied = int(history.checkpoints().get("applied", b"0"))
        assert applied + sum(len(batch) for batch in history.replay()) == len(ids)
        assert all(d.is_torn_tail for d in history.statistics().damage)
        assert sum(history.reject_counts().values()) >= len(acknowledged) / 37
        segments = history.statistics().segments
        history.close()
        first = int(ids.max()) + 1
