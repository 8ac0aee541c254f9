"""Made readings: walks with two decimals that arrive as machines send them."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import Batch

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def random_walk(rows: int, series: int, a_batch: int) -> list[Batch]:
    """Walks with two decimals, 1 Hz with up to 1 s of jitter in ms, received some ms later."""
    rng = np.random.default_rng(1)
    steps = max(1, rows // series)
    value = np.round(np.cumsum(rng.normal(0, 0.1, (steps, series)), axis=0) + 20, 2)
    jitter = rng.integers(0, 1000, (steps, series)) * 1_000_000
    base = START + np.arange(steps)[:, None] * SECOND
    time_ = (base + jitter).ravel()
    number = np.tile(np.arange(series, dtype=np.int32), steps)
    quality = np.zeros(steps * series, np.uint8)
    value = value.ravel()
    batches = []
    for first in range(0, len(number), a_batch):
        part = slice(first, first + a_batch)
        received = int(time_[part].max()) + 20_000_000
        batches.append(Batch(number[part], time_[part], value[part], quality[part], received))
    return batches


def long_walk(rows: int, number: int, step: int, a_batch: int) -> list[Batch]:
    """One series that ends at START, a reading each `step` ns."""
    rng = np.random.default_rng(2)
    value = np.round(np.cumsum(rng.normal(0, 0.1, rows)) + 20, 2)
    time = START - rows * step + np.arange(rows) * step
    found = []
    for first in range(0, rows, a_batch):
        some = slice(first, first + a_batch)
        count = len(time[some])
        series, good = np.full(count, number, np.int32), np.zeros(count, np.uint8)
        found.append(Batch(series, time[some], value[some], good, int(time[some][-1]) + 20_000_000))
    return found
