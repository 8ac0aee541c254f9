"""`scripts/bench ingest --json` prints one object with all figures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

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


def test_the_floor_of_a_load_is_measured_beside_it() -> None:
    (row,) = ingest("--only", "one outstanding", "--way", "a bare server")["rows"]
    assert row["name"] == "1 reading, QoS 1, one outstanding: a bare server in C"
    if shutil.which("cc") is None:
        assert "C compiler" in row["note"]
        return
    assert row["lost"] == 0
    assert row["messages_per_s"] > 0
    assert row["bytes_per_reading"] is None
