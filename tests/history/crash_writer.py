"""Stores numbered readings for ever and prints what is acknowledged; is killed by its test.

Each line `folder first` of its input starts a process that does so; when that was killed, END
follows what it printed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from gemel.core.batch import Batch, Reject
from gemel.core.series import SeriesTable
from gemel.history import History

END = "end"
T0 = 1_700_000_000_000_000_000


def main(folder: str, first: int) -> None:
    table = SeriesTable()
    history = History(
        Path(folder),
        table,
        ballast_bytes=0,
        segment_rows=700,
        fan_in=2,
        on_seal=lambda: {"applied": str(applied).encode()},
    )
    applied = int(history.checkpoints().get("applied", b"0"))
    for batch in history.replay():
        applied += len(batch)

    def then(error: Exception | None, low: int, high: int) -> None:
        nonlocal applied
        if error is not None:
            raise error
        applied += high - low
        print(low, high, flush=True)

    at = first
    while True:
        count = 1 + at % 37
        ids = np.arange(at, at + count)
        series = (ids % 5).astype(np.int32)
        for name in range(5):
            table.id(f"pump-{name}", "flow")
        quality = np.zeros(count, np.uint8)
        batch = Batch(series, T0 + ids, ids.astype(float), quality, T0)
        rejects = [Reject(T0, T0, "pump", "flow", str(at), "wrong-type")]
        history.append(batch, rejects, lambda e, low=at, high=at + count: then(e, low, high))
        at += count
        while history.pending_bytes > 20_000:
            pass


def serve() -> None:
    for line in sys.stdin:
        folder, first = line.rstrip("\n").rsplit(" ", 1)
        if not os.fork():
            print(os.getpid(), flush=True)
            main(folder, int(first))
        status = os.wait()[1]
        print(f"{END} {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    serve()
