"""The studies of anomaly detection on small data of their form, made here, and on the real data."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
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


def figures(name: str, data: Path) -> dict:
    done = study(name, "--small", "--json", "--data", str(data))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise with plain shifts: every detector must find them."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(3)
    (folder / "skab" / "valve").mkdir(parents=True)
    for number in range(4):
        rows = random.normal(0, 1, (600, 3))
        rows[500:560] += 8
        lines = ["datetime;a;b;c;anomaly;changepoint"]
        lines += [
            f"t{i};{a};{b};{c};{float(500 <= i < 560)};0.0" for i, (a, b, c) in enumerate(rows)
        ]
        (folder / "skab" / "valve" / f"{number}.csv").write_text("\n".join(lines) + "\n")
    (folder / "tep").mkdir()
    mix = random.normal(0, 1, (3, 52))
    for name, shift in (("d00", 0), ("d00_te", 0), ("d01_te", 6), ("d02_te", 6)):
        table = random.normal(0, 1, (400, 3)) @ mix + random.normal(0, 0.3, (400, 52))
        table[160:, 5] += shift
        with gzip.open(folder / "tep" / f"{name}.dat.gz", "wt") as out:
            np.savetxt(out, table.T if name == "d00" else table)
    (folder / "nab" / "made").mkdir(parents=True)
    windows = {}
    for number in range(3):
        values = random.normal(0, 1, 1500)
        values[1000:1010] += 12
        stamps = [f"2014-01-0{1 + i // 1440} {i // 60 % 24:02}:{i % 60:02}:00" for i in range(1500)]
        lines = ["timestamp,value"] + [f"{t},{v}" for t, v in zip(stamps, values, strict=True)]
        (folder / "nab" / "made" / f"{number}.csv").write_text("\n".join(lines) + "\n")
        windows[f"made/{number}.csv"] = [[stamps[950], stamps[1050]]]
    (folder / "nab" / "windows.json").write_text(json.dumps(windows))
    return folder


def test_plain_shifts_are_found_in_data_of_skabs_form(data: Path) -> None:
    found = figures("anomaly-skab", data)
    assert found["judgedApart"]["f1"] > 0.8
    assert found["judgedApart"]["eventsFound"] == found["events"] == 4


def test_plain_shifts_are_found_in_data_of_teps_form(data: Path) -> None:
    found = figures("anomaly-tep", data)
    assert found["judgedApart"]["rate"] > 0.9
    assert found["judgedApart"]["far"] < 0.1


def test_detectors_are_compared_at_equal_false_alarms_too(data: Path) -> None:
    whole = figures("anomaly-limits", data)
    assert whole["alone"]["tep"]["signalsWithin"] > 0.9 * whole["alone"]["tep"]["signals"]
    found = whole["tepFaults"]
    equal = found["atOnePercent"]
    assert set(equal["rate"]) == {*found["rate"], "anyAlike"}
    assert all(rate == pytest.approx(0.01) for rate in equal["farOfNormalRun"].values())
    assert equal["rate"]["anyAlike"] > 0.9


def test_plain_spikes_are_found_in_data_of_nabs_form(data: Path) -> None:
    found = figures("anomaly-nab", data)
    assert found["asShipped"]["standard"] > 70
    assert found["judgedApart"]["standard"]["score"] > 70
    assert found["falseAlarms"]["seen"] <= 2 * found["falseAlarms"]["promised"]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            lambda text: text.replace("00:05:00", "25:05:00", 1),
            "0.csv, line 7: '2014-01-01 25:05:00'",
        ),
        (lambda text: text.replace(",", ",x", 2), "no column 'value'"),
        (lambda text: text.partition("\n")[0] + "\n2014-01-01 00:00:00,1\n", "fewer than two rows"),
    ],
)
def test_what_is_wrong_with_a_file_of_nabs_form_is_said_with_its_place(
    data: Path, tmp_path: Path, damage: Callable[[str], str], told: str
) -> None:
    shutil.copytree(data / "nab", tmp_path / "nab")
    file = tmp_path / "nab" / "made" / "0.csv"
    file.write_text(damage(file.read_text()))
    sys.path.insert(0, str(ROOT))
    from studies.anomaly_nab import run

    from studies import Options, StudyError

    with pytest.raises(StudyError, match=told):
        run(Options(tmp_path, small=True))


def test_no_detection_is_0_and_all_windows_at_once_100() -> None:
    sys.path.insert(0, str(ROOT))
    from studies._nab_score import normalised, raw

    windows = [(1000, 1100), (2000, 2100)]
    for profile in ("standard", "lowFalsePositives", "lowFalseNegatives"):
        assert normalised([raw([], 3000, windows, profile)]) == 0
        assert normalised([raw([1000, 2000], 3000, windows, profile)]) == pytest.approx(100)
        late = normalised([raw([1090, 2090], 3000, windows, profile)])
        false = normalised([raw([900, 1000, 2000], 3000, windows, profile)])
        assert 0 < late < false < 100
        assert normalised([raw([10], 3000, windows, profile)]) == 0  # probation


def test_studies_are_listed_without_a_name() -> None:
    done = study()
    assert {"anomaly-nab", "anomaly-skab", "anomaly-tep"} <= {
        line.split()[0] for line in done.stdout.splitlines()
    }


def test_the_edge_keeps_what_detectors_see_in_data_of_this_form(data: Path) -> None:
    found = figures("edge", data)
    assert found["isWithinBound"] is True
    assert found["twin"]["skab"]["full"]["f1"] > 0.6
    assert found["twin"]["tep"]["full"]["rate"] > 0.8


def test_data_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    done = study("anomaly-tep", "--data", str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "--data" in done.stderr


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize("name", ["anomaly-skab", "anomaly-tep", "anomaly-nab"])
def test_small_versions_run_on_the_real_data(name: str) -> None:
    assert figures(name, SHARED)["small"] is True
