"""Figures of the history: durable appends, sealing, size, queries, lateness of the event loop.

    python bench/history.py [--rows 2000000] [--json]

Runs in a temporary folder and takes less than 20 s at the default size.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import history_scale
import numpy as np
from against.machine import machine

from gemel.core.batch import Batch
from gemel.core.series import SeriesTable
from gemel.history import History

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
DATA = Path(__file__).parents[1].parent / "shared" / "data"


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


def opened(folder: Path, series: int, **options: object) -> History:
    table = SeriesTable()
    history = History(folder, table, ballast_bytes=0, **options)  # type: ignore[arg-type]
    for i in range(series):
        table.id(f"pump-{i}", "flow")
    return history


def stored(history: History, batches: list[Batch], ahead: int = 64) -> tuple[float, float]:
    """(wall, CPU) seconds to have all batches durable, at most `ahead` waiting."""
    room = threading.Semaphore(ahead)
    errors: list[Exception] = []

    def then(error: Exception | None) -> None:
        if error is not None:
            errors.append(error)
        room.release()

    wall, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        room.acquire()
        history.append(batch, then=then)
    for _ in range(ahead):
        room.acquire()
    if errors:
        raise errors[0]
    return time.perf_counter() - wall, time.process_time() - cpu


def median_ms(call: object, repeat: int = 9) -> float:
    taken = []
    for _ in range(repeat):
        started = time.perf_counter()
        call()  # type: ignore[operator]
        taken.append(time.perf_counter() - started)
    return 1000 * sorted(taken)[repeat // 2]


def appends(rows: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, a_batch, count in (
        ("50000", 50_000, rows),
        ("1000", 1_000, rows),
        ("10", 10, min(rows, 200_000)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            history = opened(Path(folder), 5_000, segment_rows=10 * rows)
            batches = random_walk(count, 5_000, a_batch)
            wall, cpu = stored(history, batches, 64 if a_batch > 100 else 1024)
            total = sum(map(len, batches))
            found[f"append {name} a batch, durable rows/s"] = total / wall
            found[f"append {name} a batch, CPU ns/row"] = cpu / total * 1e9
            history.close()
    return found


def sealing_and_queries(rows: int) -> dict[str, float]:
    found: dict[str, float] = {}
    series = 500
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        history = opened(path, series, segment_rows=10 * rows, cache_rows=0)
        batches = random_walk(rows, series, 50_000)
        stored(history, batches)
        total = sum(map(len, batches))
        span = max(int(batch.time.max()) for batch in batches) - START
        queries(found, "memory", history, span)
        late: list[float] = []
        stop = threading.Event()
        watch = threading.Thread(target=ticks, args=(late, stop))
        watch.start()
        cpu = time.process_time()
        wall = time.perf_counter()
        history.seal()
        found["seal wall ns/row"] = (time.perf_counter() - wall) / total * 1e9
        found["seal CPU ns/row"] = (time.process_time() - cpu) / total * 1e9
        stop.set()
        watch.join()
        found["lateness of a 1 ms tick while sealing, p99 ms"] = float(np.percentile(late, 99))
        found["lateness of a 1 ms tick while sealing, max ms"] = max(late)
        found["random walk, bytes/reading"] = history.statistics().segment_bytes / total
        queries(found, "segment", history, span)
        history.close()
        wall = time.perf_counter()
        history = opened(path, series)
        found["open a sealed history, ms"] = (time.perf_counter() - wall) * 1000
        for i in range(3):
            stored(history, [batches[i]])
            history.seal()
        cpu = time.process_time()
        history.compact()
        found["compact CPU ns/row"] = (time.process_time() - cpu) / total * 1e9
        history.close()
    return found


def ticks(late: list[float], stop: threading.Event) -> None:
    while not stop.is_set():
        before = time.perf_counter()
        time.sleep(0.001)
        late.append((time.perf_counter() - before - 0.001) * 1000)


def queries(found: dict[str, float], where: str, history: History, span: int) -> None:
    end = START + span
    hour = 3600 * SECOND
    found[f"{where}: last of one series, ms"] = median_ms(lambda: history.last(17))
    found[f"{where}: 1 h of one series, ms"] = median_ms(lambda: history.read(17, end - hour, end))
    found[f"{where}: 100 series whole, ms"] = median_ms(
        lambda: history.read_many(range(100), START, end), 3
    )
    found[f"{where}: M4 800 px whole, ms"] = median_ms(
        lambda: history.downsample(17, START, end, 800)
    )


def long_span(rows: int) -> dict[str, float]:
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        history = opened(Path(folder), 1, segment_rows=10 * rows, cache_rows=0)
        stored(history, random_walk(rows, 1, 100_000))
        history.seal()
        end = START + rows * SECOND
        found["one long series, bytes/reading"] = history.statistics().segment_bytes / rows
        found["one long series: M4 1000 px, ms"] = median_ms(
            lambda: history.downsample(0, START, end, 1000), 3
        )
        found["one long series: hourly avg, ms"] = median_ms(
            lambda: history.buckets(0, START, end, 3600 * SECOND, ("avg",)), 3
        )
        history.close()
        history = opened(Path(folder), 1, segment_rows=10 * rows)
        stored(history, random_walk(rows, 1, 100_000))
        history.close()
        wall = time.perf_counter()
        history = opened(Path(folder), 1, segment_rows=10 * rows)
        found["open with the whole in the log, ms"] = (time.perf_counter() - wall) * 1000
        wall = time.perf_counter()
        replayed = sum(len(batch) for batch in history.replay())
        found["replay ns/row"] = (time.perf_counter() - wall) / replayed * 1e9
        history.close()
    return found


def real_files(folder: Path) -> Iterator[tuple[list[int], list[list[float]]]]:
    """(times, columns) of each CSV file with a time in its first column."""
    for path in sorted(folder.rglob("*.csv")):
        head = path.open().readline()
        rows = csv.reader(path.open(), delimiter=";" if ";" in head else ",")
        next(rows)
        times, values = [], []
        for row in rows:
            times.append(int(datetime.fromisoformat(row[0] + "+00:00").timestamp()) * SECOND)
            values.append([float(cell or "nan") for cell in row[1:]])
        yield times, list(map(list, zip(*values, strict=True)))


def real_data() -> dict[str, float]:
    found: dict[str, float] = {}
    for name in ("skab", "nab"):
        if not (DATA / name).is_dir():
            continue
        with tempfile.TemporaryDirectory() as folder:
            table = SeriesTable()
            history = History(Path(folder), table, ballast_bytes=0)
            total = 0
            for i, (times, columns) in enumerate(real_files(DATA / name)):
                numbers = [table.id(f"file-{i}", str(c)) for c in range(len(columns))]
                for first in range(0, len(times), 100):
                    some = times[first : first + 100]
                    value = np.array([column[first : first + 100] for column in columns]).T.ravel()
                    keep = np.isfinite(value)
                    time_ = np.repeat(np.array(some), len(columns))[keep]
                    number = np.tile(np.array(numbers, np.int32), len(some))[keep]
                    quality = np.zeros(len(number), np.uint8)
                    # 100 rows arrive in one message, 40 ms after the last of them
                    received = some[-1] + 40_000_000
                    history.append(Batch(number, time_, value[keep], quality, received))
                    total += len(number)
            history.seal()
            found[f"{name}, bytes/reading"] = history.statistics().segment_bytes / total
            found[f"{name}, readings"] = total
            history.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--readings", type=float, help="only: questions to so many, such as 1e9")
    options = parser.parse_args()
    if options.readings:
        show(history_scale.run(round(options.readings)), options.json)
        return
    found = appends(options.rows)
    found |= sealing_and_queries(options.rows)
    found |= long_span(options.rows)
    found |= real_data()
    found["peak memory of this process, MiB"] = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    )
    show(found, options.json)


def show(found: dict[str, float], as_json: bool) -> None:
    if as_json:
        rows = [{"name": name, "value": figure} for name, figure in found.items()]
        print(json.dumps({"machine": machine({}), "rows": rows}, indent=1))
        return
    for name, figure in found.items():
        print(f"{name:52} {figure:14,.3f}")


if __name__ == "__main__":
    main()
