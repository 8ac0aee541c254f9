"""The history: durable writes, size and queries, beside DuckDB, SQLite and Parquet.

Its own figures (appends, sealing, lateness of the event loop, recorded data) take about 20 s, the
comparison a minute and a half, on a quiet machine; all in temporary folders.
"""

from __future__ import annotations

import csv
import resource
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from against import history_scale, keeping
from against.machine import machine
from against.rows import parser, tell
from against.rows import row as filled
from against.walks import SECOND, START, random_walk

from gemel.core.batch import Batch
from gemel.core.series import SeriesTable
from gemel.history import History
from gemel.history.files import Bytes, Files

DATA = Path(__file__).parents[1].parent / "shared" / "data"


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
        history.seal()
        stop.set()
        watch.join()
        found["lateness of a 1 ms tick while sealing, p99 ms"] = float(np.percentile(late, 99))
        found["lateness of a 1 ms tick while sealing, max ms"] = max(late)
        facts = history.statistics()
        size = facts.segment_bytes + facts.rollup_bytes
        found["random walk with roll-ups, bytes/reading"] = size / total
        queries(found, "segment", history, span)
        history.close()
        wall = time.perf_counter()
        history = opened(path, series)
        found["open a sealed history, ms"] = (time.perf_counter() - wall) * 1000
        history.close()
    return found


def sealing_and_merging(rows: int, series: int) -> dict[str, float]:
    """Processor time of the sealer's thread, with log files of the size that they have."""
    found: dict[str, float] = {}
    name = f"{series} series"
    with tempfile.TemporaryDirectory() as folder:
        history = opened(Path(folder), series, segment_rows=rows // 4, fan_in=1000)
        (thread,) = (one for one in threading.enumerate() if one.name == "gemel-history-sealer")
        assert thread.ident is not None
        clock = time.pthread_getcpuclockid(thread.ident)
        # the names are written once, with the first segment
        stored(history, random_walk(series, series, 5_000))
        history.seal()
        started = time.clock_gettime(clock)
        stored(history, random_walk(rows, series, 5_000))
        history.seal()
        sealed = time.clock_gettime(clock)
        facts = history.statistics()
        size = facts.segment_bytes + facts.rollup_bytes
        found[f"{name}: sealed, waiting for its merge, bytes/reading"] = size / rows
        history.compact()
        merged = time.clock_gettime(clock)
        found[f"{name}: seal CPU ns/row"] = (sealed - started) / rows * 1e9
        found[f"{name}: merge CPU ns/row"] = (merged - sealed) / rows * 1e9
        found[f"{name}: seal and merge CPU ns/row"] = (merged - started) / rows * 1e9
        facts = history.statistics()
        size = facts.segment_bytes + facts.rollup_bytes
        found[f"{name}: merged, with roll-ups, bytes/reading"] = size / rows
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


class Counted(Files):
    """A disk that counts what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def write(self, handle: int, pieces: Sequence[Bytes]) -> int:
        written = super().write(handle, pieces)
        self.written += written
        return written


def written(rows: int) -> dict[str, float]:
    """All bytes that are written for a reading until it has been merged, and those that stay."""
    found: dict[str, float] = {}
    for name, batches in (
        ("random walk", random_walk(rows, 500, 5_000)),
        (
            "noise, regular times",
            [noisy(one, SECOND) for one in random_walk(rows // 4, 500, 5_000)],
        ),
        ("noise, times too", [noisy(one, 1) for one in random_walk(rows // 4, 500, 5_000)]),
    ):
        total, files = sum(map(len, batches)), Counted()
        with tempfile.TemporaryDirectory() as folder:
            history = opened(Path(folder), 500, segment_rows=total // 12, files=files)
            cpu = time.process_time()
            taken = stored(history, batches)[1]
            history.seal()
            history.compact()
            facts = history.statistics()
            kept = facts.segment_bytes + facts.rollup_bytes
            found[f"{name}: merged, with roll-ups, bytes/reading"] = kept / total
            found[f"{name}: of it readings, bytes/reading"] = facts.segment_bytes / total
            found[f"{name}: written in all, bytes/reading"] = files.written / total
            found[f"{name}: written in all / kept"] = files.written / kept
            found[f"{name}: log, seal, roll up, merge, CPU ns/row"] = (
                (time.process_time() - cpu) / total * 1e9
            )
            found[f"{name}: while appending, CPU ns/row"] = taken / total * 1e9
            history.close()
    return found


def noisy(batch: Batch, step: int) -> Batch:
    """Values without pattern, at times that are multiples of `step` ns."""
    value = np.random.default_rng(int(batch.time.sum() % 2**32)).normal(0, 1, len(batch))
    return replace(batch, value=value, time=batch.time // step * step)


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
            facts = history.statistics()
            size = facts.segment_bytes + facts.rollup_bytes
            found[f"{name} with roll-ups, bytes/reading"] = size / total
            found[f"{name}, readings"] = total
            history.close()
    return found


UNITS = {
    "rows/s": ("readings_per_s", 1),
    "readings/s": ("readings_per_s", 1),
    "ms": ("p50_ms", 1),
    "bytes/reading": ("bytes_per_reading", 1),
    "MiB": ("rss_mb", 1.048576),
}


def as_row(name: str, figure: float) -> dict[str, Any]:
    """A figure under the key that its unit belongs to, else as `value`."""
    key, factor = UNITS.get(name.rsplit(" ", 1)[-1], ("value", 1))
    return filled({"name": name, key: figure * factor})


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--rows", type=int, default=2_000_000)
    made.add_argument("--runs", type=int, default=3, help="the comparison: median of so many")
    made.add_argument("--only", choices=("own", "comparison"), help="one half of it")
    made.add_argument("--readings", type=float, help="only: questions to so many, such as 1e9")
    made.add_argument("--folder", type=Path, help="with --readings: make it here, in goes")
    made.add_argument("--patience", type=float, default=120, help="seconds of such a go")
    options = made.parse_args()
    if options.readings:
        goes = (options.folder, options.patience) if options.folder else ()
        show(history_scale.run(round(options.readings), *goes), [], options.json)
        return
    found: dict[str, float] = {}
    if options.only != "comparison":
        found = appends(options.rows)
        found |= sealing_and_queries(options.rows)
        for series in (500, 50_000):
            found |= sealing_and_merging(4 * options.rows, series)
        found |= long_span(options.rows)
        found |= written(options.rows * 2)
        found |= real_data()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found["peak memory of this process, MiB"] = peak
    compared = [] if options.only == "own" else keeping.compare(options.runs, options.rows // 4)
    show(found, compared, options.json)


def show(found: dict[str, float], compared: list[dict[str, Any]], as_json: bool) -> None:
    rows = [as_row(name, figure) for name, figure in found.items()]
    about = machine({}) | {"versions": keeping.versions()}
    tell(rows + [filled(one) for one in compared], as_json, line, about)


def line(one: dict[str, Any]) -> str:
    if "ratio" in one and one["ratio"] is not None:
        return keeping.line(one)
    unit = next(
        key
        for key in ("readings_per_s", "p50_ms", "bytes_per_reading", "rss_mb", "value")
        if one.get(key) is not None
    )
    return f"{one['name']:60} {one[unit]:14,.3f}"


if __name__ == "__main__":
    main()
