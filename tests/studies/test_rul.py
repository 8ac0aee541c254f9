"""The study of remaining life on engines made here, and on the real ones."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data beside the checkout")


def study(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "studies", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


def engines(folder: Path, name: str) -> None:
    """Wear that grows to 1 at the end and shows in two of 21 sensors."""
    random = np.random.default_rng(8)
    rest = []
    for part in ("train", "test"):
        lines = ["unit,cycle,op1,op2,op3," + ",".join(f"s{i}" for i in range(1, 22))]
        for unit in range(1, 25):
            n = int(random.integers(120, 220))
            wear = (np.arange(1, n + 1) / n) ** 3
            values = random.normal(100, 1, (n, 21))
            values[:, 3] += 12 * wear
            values[:, 10] -= 8 * wear
            last = n if part == "train" else int(random.integers(60, n))
            if part == "test":
                rest.append(n - last)
            for i in range(last):
                row = ",".join(f"{v:.3f}" for v in values[i])
                lines.append(f"{unit},{i + 1},0.0,0.0,100.0,{row}")
        with gzip.open(folder / f"{part}_{name}.csv.gz", "wt") as out:
            out.write("\n".join(lines) + "\n")
    (folder / f"RUL_{name}.txt").write_text("\n".join(map(str, rest)) + "\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines") / "cmapss"
    folder.mkdir()
    engines(folder, "FD901")
    return folder


def test_wear_that_shows_is_seen_coming_in_any_set_of_this_form(data: Path) -> None:
    done = study("rul", "--set", "FD901", "--small", "--json", "--data", str(data))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found["truncation"] is True
    assert found["rmse"] < 0.6 * found["constant"]["rmse"]
    assert found["rmse"] < found["levels"]["age"]["rmse"]
    assert {"score", "rmseUncapped", "scoreUncapped", "coverage", "width"} <= set(found)


def test_a_set_that_is_not_there_is_said_with_those_that_are(data: Path) -> None:
    done = study("rul", "--set", "FD999", "--data", str(data))
    assert done.returncode == 1
    assert "FD901" in done.stderr


@needs_shared
@pytest.mark.shared
def test_the_small_version_runs_on_real_engines_and_its_intervals_hold() -> None:
    found = json.loads(study("rul", "--small", "--json").stdout)
    assert found["testEngines"] == 100
    assert found["rmse"] < 20
    assert 0.85 <= found["coverage"] <= 0.99
    assert found["width"] <= 50
