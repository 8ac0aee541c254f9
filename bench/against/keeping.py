"""Gemel's history, DuckDB, SQLite and Parquet with the same readings: rates, sizes, answers."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from against.machine import disk_bytes
from against.rows import medians
from against.stores import HOUR, MINUTE, SECOND, STORES, Span, Store
from against.walks import START, long_walk, random_walk

SERIES = 125
YEAR_ROWS = 365 * 24 * 60
A_BATCH = 10_000
PX = 1200
TURNS = 7
Figures = dict[str, Any]


def compare(runs: int, rows: int) -> list[Figures]:
    """A row for each way and question; every run has all ways, one after the other."""
    found: dict[str, list[dict[str, Figures]]] = {name: [] for name in STORES}
    answers: dict[str, Any] = {}
    for _ in range(runs):
        for name in STORES:
            with (
                tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder,
                ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own,
            ):
                figures, given = own.submit(measured, name, Path(folder), rows).result()
            found[name].append(figures)
            for question, answer in given.items():
                expected = answers.setdefault(question, answer)
                if not np.allclose(answer, expected, rtol=1e-9, atol=1e-2):
                    raise AssertionError(f"{name}, {question}: {answer} is not {expected}")
    return _rows({name: medians(some) for name, some in found.items()}, runs)


def _rows(found: dict[str, dict[str, Figures]], runs: int) -> list[Figures]:
    """Ratios are to Gemel: rates above 1 and times below 1 are better than its."""
    rows = []
    base = found["Gemel"]
    for what in base:
        for name, figures in found.items():
            one = figures[what]
            key = "readings_per_s" if "readings_per_s" in one else "p50_ms"
            key = "bytes_per_reading" if "bytes_per_reading" in one else key
            ratio = one[key] / base[what][key]
            rows.append({"name": f"{what}: {name}", **one, "ratio": ratio, "runs": runs})
    return rows


def measured(name: str, folder: Path, rows: int) -> tuple[dict[str, Figures], Figures]:
    """One way in a process of its own: (figures by what was measured, answers)."""
    batches = random_walk(rows, SERIES, A_BATCH) + long_walk(YEAR_ROWS, SERIES, MINUTE, A_BATCH)
    total = sum(map(len, batches))
    store = STORES[name](folder, SERIES + 1)
    found: dict[str, Figures] = {}
    before, cpu, commits = time.perf_counter(), time.process_time(), []
    for batch in batches:
        began = time.perf_counter()
        store.write(batch)
        commits.append(1000 * (time.perf_counter() - began))
    took = time.perf_counter() - before
    found["durable writes"] = {
        "readings_per_s": total / took,
        "messages_per_s": len(batches) / took,
        "lost": 0,
        "p50_ms": float(np.median(commits)),
        "p99_ms": float(np.percentile(commits, 99)),
        "cpu_s": time.process_time() - cpu,
    }
    cpu = time.process_time()
    store.tidy()
    size = disk_bytes(folder)
    found["tidied up"] = {
        "bytes_per_reading": size / total,
        "cpu_s": time.process_time() - cpu,
        "rss_mb": _peak_mb(),
    }
    answers = _asked(found, store, rows // SERIES)
    found["durable writes"]["lost"] = total - store.count()
    store.close()
    return found, answers


def _peak_mb() -> float:
    """Of this process; what it made to be written is in it."""
    text = Path("/proc/self/status").read_text()
    return next(int(t.split()[1]) for t in text.splitlines() if t.startswith("VmHWM")) / 1000


def _asked(found: dict[str, Figures], store: Store, seconds: int) -> Figures:
    end = START + seconds * SECOND
    rng = np.random.default_rng(7)
    some = [int(n) for n in rng.integers(0, SERIES, TURNS)]
    hundred = [int(n) for n in rng.choice(SERIES, 100, replace=False)]
    twin = range(some[0] // 10 * 10, some[0] // 10 * 10 + 10)
    year = Span(START - YEAR_ROWS * MINUTE, START)
    whole, hour = Span(START, end), Span(max(START, end - HOUR), end)
    questions: dict[str, Callable[[int], tuple[float, ...]]] = {
        "last of all 126 series": lambda _: store.last_of_all(),
        "one series, one hour": lambda i: store.hour(some[i], hour),
        "a year by the minute, M4 of 1,200 px": lambda _: store.m4(SERIES, year, PX),
        "100 series by the minute": lambda _: store.minutes(hundred, whole),
        "as of a moment, 10 series": lambda _: store.as_of(twin, (START + end) // 2),
    }
    answers = {}
    for name, ask in questions.items():
        taken, cpu = [], time.process_time()
        for turn in range(TURNS):
            began = time.perf_counter()
            answers[name] = ask(turn)
            taken.append(1000 * (time.perf_counter() - began))
        found[name] = {
            "p50_ms": float(np.median(taken)),
            "p99_ms": max(taken),
            "cpu_s": (time.process_time() - cpu) / TURNS,
        }
    return answers


def versions() -> dict[str, str]:
    names = {name: version(name) for name in ("gemel", "numpy", "pcodec", "duckdb", "pyarrow")}
    return names | {"sqlite": sqlite3.sqlite_version}


def line(row: Figures) -> str:
    """A row for people."""
    text = f"{row['name']:60}"
    if row.get("readings_per_s"):
        text += f" {row['readings_per_s']:12,.0f} readings/s"
    if row.get("p50_ms") is not None:
        text += f"  p50 {row['p50_ms']:,.2f} p99 {row['p99_ms']:,.2f} ms"
    if row.get("bytes_per_reading"):
        text += f"  {row['bytes_per_reading']:.2f} bytes/reading  {row['rss_mb']:,.0f} MB"
    return text + f"  CPU {row['cpu_s']:.3f} s  x {row['ratio']:.2f}"
