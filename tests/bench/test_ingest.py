"""`scripts/bench ingest --json` prints one object with all figures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
KEYS = {
    "name", "readings_per_s", "messages_per_s", "lost", "p50_ms", "p99_ms", "cpu_s", "rss_mb",
    "bytes_per_reading", "ratio",
}  # fmt: skip


def ingest(*words: str) -> dict:
    command = [sys.executable, str(ROOT / "bench" / "ingest.py"), "--quick", "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_row_has_all_figures() -> None:
    found = ingest("--only", "one outstanding", "--way", "Gemel, C")
    assert {"cpu", "cores", "memory_gb", "python", "versions", "date"} <= set(found["machine"])
    (row,) = found["rows"]
    assert set(row) >= KEYS
    assert row["name"] == "1 reading, QoS 1, one outstanding: Gemel, C"
    assert row["lost"] == 0
    assert row["ratio"] == 1
    for name in ("readings_per_s", "p50_ms", "p99_ms", "cpu_s", "rss_mb", "bytes_per_reading"):
        assert row[name] > 0
    assert set(row["query_ms"]) == {"series", "minutes", "last"}


@pytest.mark.parametrize("load", ["one outstanding", "one a packet"])
def test_the_floor_of_a_load_is_measured_beside_it(load: str) -> None:
    (row,) = ingest("--only", load, "--way", "a bare server")["rows"]
    assert row["name"].endswith(f"{load}: a bare server in C")
    if shutil.which("cc") is None:
        assert "C compiler" in row["note"]
        return
    assert row["lost"] == 0
    assert row["messages_per_s"] > 0
    assert row["bytes_per_reading"] is None


def test_ways_take_turns_while_there_is_time(of_bench: Callable[[str], ModuleType]) -> None:
    bench, table = of_bench("ingest"), of_bench("against/table")
    order: list[str] = []

    def way(name: str, rate: float) -> Callable[[Path, object], dict[str, object]]:
        def run(folder: Path, load: object) -> dict[str, object]:
            order.append(name)
            if name == "broken" and len(order) < 4:
                raise OSError("no room")
            return {
                "readings_per_s": rate * len(order), "messages_per_s": 1.0, "lost": len(order),
                "sent": 100, "p50_ms": None, "p99_ms": None, "cpu_s": 1.0, "rss_mb": 2.0,
                "bytes_per_reading": None,
            }  # fmt: skip

        return run

    chosen = {name: way(name, rate) for name, rate in (("ours", 10), ("theirs", 1), ("broken", 1))}
    made = bench.in_turns(bench.LOADS[0], chosen, 3, float("inf"))
    assert order == ["ours", "theirs", "broken"] * 3
    assert [one["runs"] for one in made] == [3, 3, 2]
    assert [one["readings_per_s"] for one in made] == [40, 5, 7.5]
    assert [one["lost"] for one in made] == [7, 8, 9]
    assert [one["ratio"] for one in made] == [1, 0.125, 0.1875]
    once = bench.in_turns(bench.LOADS[0], chosen, 3, float("-inf"))
    assert [one["runs"] for one in once] == [1, 1, 1]
    about = {"date": "today", "cores": 2, "cpu": "any", "versions": {}, "load_average": 1.0}
    note = {"load": "a", "way": "b", "note": "not measured: no room"}
    text = table.markdown({**about, "load_average_after": 1.0}, [*made, note])
    assert "Medians of 2 to 3 turns" in text
    assert f"| {bench.LOADS[0].name} | theirs | 1 | 5 | 8 of 100 | - |" in text
    cells = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(cells) == 1
