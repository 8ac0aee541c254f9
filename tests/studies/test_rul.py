"""The study of remaining life on engines made here, and on the real ones."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from studies._engines import load
from studies._modes import MIRRORED, two_modes
from studies.rul import run

from studies import Options, StudyError

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


def form(folder: Path, name: str, units: int, conditions: int) -> None:
    """Files of the form with blanks between numbers, as NASA's are."""
    random = np.random.default_rng(9)
    rest = []
    for part in ("train", "test"):
        lines = []
        for unit in range(1, units + 1):
            n = int(random.integers(70, 110))
            last = n if part == "train" else n - unit
            at = random.integers(0, conditions, n)
            values = random.normal(100, 1, (n, 21)) + 50 * at[:, None]
            values[:, 3] += 12 * (np.arange(1, n + 1) / n) ** 3
            for i in range(last):
                row = " ".join(f"{v:.3f}" for v in values[i])
                lines.append(f"{unit} {i + 1} {10 * at[i]}.0 0.0 100.0 {row}  ")
            if part == "test":
                rest.append(unit)
        (folder / f"{part}_{name}.txt").write_text("\n".join(lines) + "\n")
    (folder / f"RUL_{name}.txt").write_text("\n".join(map(str, rest)) + "\n")


def test_few_engines_under_three_conditions_are_judged_too(tmp_path: Path) -> None:
    folder = tmp_path / "cmapss"
    folder.mkdir()
    form(folder, "X1", 12, 3)
    found = run(Options(folder, "X1", small=True))
    assert (found["trainEngines"], found["testEngines"], found["conditions"]) == (4, 12, 3)
    assert list(found["drift"]) == ["1 engines", "5 engines"]


def test_engines_are_made_to_fail_in_another_way(tmp_path: Path) -> None:
    folder = tmp_path / "cmapss"
    folder.mkdir()
    form(folder, "X1", 12, 3)
    found = run(Options(folder, "X1-half", small=True))
    assert {k: v["engines"] for k, v in found["byMode"].items()} == {"recorded": 6, "mirrored": 6}
    assert found["truncation"] is True


def test_another_way_mirrors_its_sensors_about_the_healthy_level(data: Path) -> None:
    engines = load(data, "FD901")
    other, is_other = two_modes(engines, 0.5, 1)
    assert is_other.sum() == 12
    changed = 0
    for was, now in zip(engines.train, other.train, strict=True):
        if len(now) == len(was):
            np.testing.assert_array_equal(now.values, was.values)
            continue
        changed += 1
        assert len(now) < len(was)
        np.testing.assert_array_equal(now.age, np.arange(1, len(now) + 1))
        last_was, last_now = was.values[-1], now.values[-1]
        same = np.setdiff1d(np.arange(21), MIRRORED)
        np.testing.assert_array_equal(last_now[same], last_was[same])
        healthy = was.values[:20].mean(axis=0)
        mirrored = list(MIRRORED)
        np.testing.assert_allclose((last_now + last_was)[mirrored] / 2, healthy[mirrored])
    assert changed == 12
    assert (other.remaining <= engines.remaining).all()
    assert (other.remaining[~is_other] == engines.remaining[~is_other]).all()


def test_too_few_engines_are_said(tmp_path: Path) -> None:
    folder = tmp_path / "cmapss"
    folder.mkdir()
    form(folder, "X1", 8, 1)
    with pytest.raises(StudyError, match=r"the training engines: 3 lives .*at least 4 are needed"):
        run(Options(folder, "X1", small=True))


BROKEN = [
    ("train", lambda t: t.replace("100.0 ", "100.0 x", 1), r"train_X1\.txt, line 1: 'x.*' is not"),
    ("train", lambda t: t.replace("\n2 ", "\n2 7 ", 1), r"train_X1\.txt, line \d+: 27 columns"),
    ("test", lambda t: t + "5 900 0 0\n", r"test_X1\.txt, line \d+: 4 columns, not 26"),
    ("test", lambda t: t + t.splitlines()[-1] + "\n", r"test_X1\.txt: unit 4 has cycle \d+ twice"),
    ("RUL", lambda t: t + "7\n", "has 5 lines, test_X1.txt has 4 units"),
    ("RUL", lambda t: t.replace("4", "-4"), "below 0"),
    ("RUL", lambda t: t.replace("4", "nan"), r"RUL_X1\.txt, line 4: 'nan' is not a finite number"),
    ("RUL", lambda t: "", "has no rows"),
]


@pytest.mark.parametrize(("part", "change", "said"), BROKEN)
def test_what_is_wrong_is_said_with_file_and_line(
    tmp_path: Path, part: str, change: Callable[[str], str], said: str
) -> None:
    form(tmp_path, "X1", 4, 1)
    file = tmp_path / f"{part}_X1.txt"
    file.write_text(change(file.read_text()))
    with pytest.raises(StudyError, match=said):
        load(tmp_path, "X1")


def test_files_that_are_missing_or_not_gzip_are_named(tmp_path: Path) -> None:
    form(tmp_path, "X1", 4, 1)
    truth = tmp_path / "RUL_X1.txt"
    truth.rename(tmp_path / "RUL_X1.txt.gz")
    with pytest.raises(StudyError, match=r"RUL_X1\.txt\.gz cannot be read"):
        load(tmp_path, "X1")
    (tmp_path / "RUL_X1.txt.gz").unlink()
    with pytest.raises(StudyError, match=r"has no RUL_X1 .*: X1"):
        load(tmp_path, "X1")


@needs_shared
@pytest.mark.shared
def test_the_small_version_runs_on_real_engines_and_its_intervals_hold() -> None:
    found = json.loads(study("rul", "--small", "--json").stdout)
    assert found["testEngines"] == 100
    assert found["rmse"] < 20
    assert 0.85 <= found["coverage"] <= 0.99
    assert found["width"] <= 50
