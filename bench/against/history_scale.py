"""A history of a given size, and the questions people ask of it (`history --readings 1e8`).

Sealed segments are written directly, several at a time, by the code that merging writes them with:
50,000 series at 1 Hz with jitter, and one series of a year at 1 Hz.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from gemel.core.batch import make_batch
from gemel.core.series import SeriesTable
from gemel.history import History
from gemel.history.files import Files
from gemel.history.names import FILE, Names
from gemel.history.rolling import write_segment
from gemel.history.sealer import MERGE_LEVEL
from gemel.history.table import Table
from gemel.twins.state import State

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
SERIES = 50_000
A_TWIN = 10
YEAR = 365 * 86_400
SERIES_AT_ONCE = 500
LARGEST = 64_000_000


def walks(rows: int, count: int, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    return np.round(np.cumsum(rng.normal(0, 0.1, (count, rows)), axis=1) + 20, 2)


def tables(segment: int, rows: int) -> Iterator[Table]:
    """`rows` of each of the 50,000 series, from where the segment before ended."""
    rng = np.random.default_rng(segment)
    pool = walks(rows, SERIES_AT_ONCE, segment)
    base = START + (segment * rows + np.arange(rows)) * SECOND
    for first in range(1, SERIES + 1, SERIES_AT_ONCE):
        jitter = rng.integers(0, 1000, (SERIES_AT_ONCE, rows)) * 1_000_000
        time_ = (base + jitter).ravel()
        number = np.repeat(np.arange(first, first + SERIES_AT_ONCE, dtype=np.int32), rows)
        value = np.roll(pool, first, axis=1).ravel()
        received = np.tile((base + 1_020_000_000) // 1_000_000, SERIES_AT_ONCE)
        yield Table(number, time_, value, np.zeros(len(number), np.uint8), received)


def year() -> Iterator[Table]:
    """Series 0: a year at 1 Hz that ends where the others begin."""
    step = 1_000_000
    for first in range(0, YEAR, step):
        seconds = np.arange(first, min(first + step, YEAR))
        rng = np.random.default_rng(first)
        value = np.round(20 + 5 * np.sin(seconds / 13_751) + rng.normal(0, 0.1, len(seconds)), 2)
        time_ = START - YEAR * SECOND + seconds * SECOND + rng.integers(0, 99, len(seconds)) * 10**7
        count = len(seconds)
        number, good = np.zeros(count, np.int32), np.zeros(count, np.uint8)
        yield Table(number, time_, value, good, time_ // 1_000_000 + 20)


def make(folder: Path, number: int, rows: int) -> float:
    """One segment; its processor time."""
    os.nice(5)
    before = time.process_time()
    made = year() if number == 0 else tables(number - 1, rows)
    write_segment(Files(), folder / "segments", (number + 1, number + 1), made, level=MERGE_LEVEL)
    return time.process_time() - before


def build(folder: Path, readings: int, patience: float) -> tuple[float, float] | None:
    """(wall, CPU) seconds for all segments; None if some are still to be made.

    Segments that are there already stay, so a large history is made in several goes.
    """
    (folder / "segments").mkdir(parents=True, exist_ok=True)
    wanted = max(1, round((readings - YEAR) / SERIES))
    segments = max(1, -(-wanted * SERIES // LARGEST))
    rows = -(-wanted // segments)
    if not (folder / FILE).exists():
        table = SeriesTable()
        for number in range(SERIES + 1):
            table.id(f"twin-{number // A_TWIN}", f"signal-{number % A_TWIN}")
        Names(folder, Files()).append(table, len(table))
    notes = folder / "made.json"
    wall, cpu = json.loads(notes.read_text()) if notes.exists() else (0.0, 0.0)
    began = time.perf_counter()
    missing = [
        n for n in range(segments + 1) if not list(folder.glob(f"segments/{n + 1:08d}-*.seg"))
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        while missing and time.perf_counter() - began < patience:
            jobs = [pool.submit(make, folder, missing.pop(0), rows) for _ in missing[:2]]
            cpu += sum(job.result() for job in jobs)
    wall += time.perf_counter() - began
    notes.write_text(json.dumps((wall, cpu)))
    return None if missing else (wall, cpu)


def median_ms(call: Callable[[int], object], repeat: int = 9) -> float:
    taken = []
    for turn in range(repeat):
        started = time.perf_counter()
        call(turn)
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)


def questions(found: dict[str, float], folder: Path) -> None:
    started = time.perf_counter()
    history = History(folder, SeriesTable(), ballast_bytes=0)
    found["restart: open, s"] = time.perf_counter() - started
    facts = history.statistics()
    found["readings"] = facts.readings
    found["segments"] = facts.segments
    found["readings, bytes/reading"] = facts.segment_bytes / facts.readings
    found["minutes and hours, bytes/reading"] = facts.rollup_bytes / facts.readings
    end = max(segment.time_max for segment in history._views.now.segments) + 1
    rng = np.random.default_rng(5)
    some = rng.integers(1, SERIES, 1000)
    hour = 3600 * SECOND
    found["one series, 1 h, ms"] = median_ms(
        lambda i: history.read(int(some[i]), end - hour, end), 21
    )
    moment = START + (end - START) // 2
    twins = rng.integers(0, SERIES // A_TWIN - 1, 100)
    found["as of a moment, one twin of 10 signals, ms"] = median_ms(
        lambda i: [history.last(int(twins[i]) * A_TWIN + j + 1, moment) for j in range(A_TWIN)],
        21,
    )
    span = (START - YEAR * SECOND, START)
    found["a series-year at 1 Hz, M4 1,200 px, first time, ms"] = median_ms(
        lambda _: history.downsample(0, *span, 1200), 1
    )
    found["a series-year at 1 Hz, M4 1,200 px, ms"] = median_ms(
        lambda _: history.downsample(0, *span, 1200)
    )
    found["100 series over all time by the minute, s"] = (
        median_ms(
            lambda i: [
                history.buckets(int(s), START, end, 60 * SECOND, ("avg",))
                for s in some[100 * i : 100 * i + 100]
            ],
            3,
        )
        / 1000
    )
    history.close()
    state = State()
    for number in range(1, SERIES + 1, 1000):
        numbers = [(n, end, 1.0, 0) for n in range(number, number + 1000)]
        state.apply(make_batch(numbers, end))
    found["last of all 50,000, ms"] = median_ms(
        lambda _: (state.time.copy(), state.value.copy(), state.quality.copy())
    )


def run(readings: int, folder: Path | None = None, patience: float = 1e9) -> dict[str, float]:
    """All figures; a folder of its own is removed afterwards.

    Args:
        readings: so many.
        folder: where to make it; is kept. With one, a run that has lost its patience ends without
            questions, and the next goes on where it was.
        patience: seconds after which no further segment is begun.
    """
    place = folder or Path(tempfile.mkdtemp(prefix="gemel-history-scale-"))
    found: dict[str, float] = {}
    try:
        made = build(place / "history", readings, patience)
        if made is None:
            found["segments so far"] = len(list(place.glob("history/segments/*.seg")))
            return found
        found["written in, s"], found["written with processor time, s"] = made
        questions(found, place / "history")
    finally:
        if folder is None:
            shutil.rmtree(place)
    return found
