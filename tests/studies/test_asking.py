"""Studies asked for other data than usual: other sets, files and folders."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from studies.__main__ import check_set, main
from studies._engines import PATHS, default_of
from studies.anomaly_tep import faults_of, runs_of, table_of
from studies.calibration import _offline
from studies.downtime import TURBINE, Plant, conditions, limits

from gemel.services.rul.lives import Life
from studies import NotThere, Options, StudyError, calibration, rounded


def engines(folder: Path, name: str, gears: int) -> None:
    """Engines of one set, short ones, in so many conditions that hide the wear."""
    random = np.random.default_rng(1)
    for part in ("train", "test"):
        rows = []
        for unit in range(1, 9):
            for cycle in range(1, 60):
                gear = int(random.integers(gears))
                values = random.normal(100 * gear, 1, 21) + 10 * (cycle / 60) ** 3
                rows.append([unit, cycle, gear, 0, 0, *values])
        text = "\r\n".join("  ".join(f"{v:g}" for v in row) + " " for row in rows)
        (folder / f"{part}_{name}.txt").write_text(text, newline="")
    (folder / f"RUL_{name}.txt").write_text("5\r\n" * 8, newline="")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "cmapss" / "train_notes").mkdir(parents=True)
    engines(folder / "cmapss", "FD944", 3)
    random = np.random.default_rng(2)
    for place in ("valve2", "other"):
        (folder / "skab" / place).mkdir(parents=True)
        for number in range(2):
            rows = [f"t{i};{random.normal():.3f};{float(i > 480)};0.0" for i in range(500)]
            text = "datetime;a;anomaly ;changepoint\r\n" + "\r\n".join(rows) + "\r\n\r\n"
            packed = gzip.compress(text.encode())
            (folder / "skab" / place / f"{number}.csv.gz").write_bytes(packed)
    (folder / "tep").mkdir()
    for name in ("d00", "d00_te", "d03_te", "d15_te"):
        np.savetxt(folder / "tep" / f"{name}.dat", random.normal(0, 1, (300, 52)), "%.3f")
    return folder


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize(
    ("study", "there"),
    [
        ("rul", "there are: FD944"),
        ("downtime", "there are: FD944\n"),
        ("anomaly-skab", "there are: other; valve2\n"),
        ("energy", "there are: house; platform; office; office-platform\n"),
        ("calibration", "there are: offline; rc2; rc3; hindsight\n"),
        ("edge", "wind SCADA, 10 min"),
        ("anomaly-tep", "the study has none\n"),
        ("lines", "the study has none\n"),
    ],
)
def test_a_set_that_is_unknown_is_answered_with_those_that_are_there(
    data: Path, capsys: pytest.CaptureFixture[str], study: str, there: str
) -> None:
    code, out, err = ask(capsys, study, "--set", "FD9", "--data", str(data), "--json")
    assert (code, out) == (1, "")
    assert "there is no set 'FD9'" in err
    assert there in err


def test_folders_are_found_however_they_are_named(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data / "skab")
    for named in (".", "..", "../", str(data), f"{data}/", str(data / "skab")):
        words = ("anomaly-skab", "--data", named, "--set", "valve2", "--small", "--json")
        code, out, err = ask(capsys, *words)
        assert code == 0, err
        assert json.loads(out)["files"] == 2
    code, _, err = ask(capsys, "anomaly-skab", "--data", "nowhere")
    assert code == 1
    assert "there is no folder nowhere" in err


def test_faults_that_are_all_hard_leave_the_mean_without_them_open(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ask(capsys, "anomaly-tep", "--data", str(data), "--small", "--json")
    assert code == 0, err
    assert json.loads(out)["judgedApart"]["rateWithoutHard"] is None


def test_a_table_of_another_process_or_too_few_faults_are_refused(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "d01_te.dat", np.ones((300, 51)))
    with pytest.raises(StudyError, match="51 columns, not 52"):
        table_of(tmp_path / "d01_te.dat")
    with pytest.raises(StudyError, match="holds 1 faults"):
        faults_of(tmp_path, False)
    for number in (1, 2):
        np.savetxt(tmp_path / f"d0{number}_te.dat", np.ones((150, 52)))
    with pytest.raises(StudyError, match=r"d01_te\.dat has 150 rows; its fault begins at row 160"):
        faults_of(tmp_path, False)
    with pytest.raises(NotThere, match="no folder 'tep'"):
        runs_of(Options(tmp_path), False)


def test_without_a_name_the_only_set_is_meant(data: Path) -> None:
    assert default_of(data / "cmapss") == "FD944"
    assert default_of(data / "skab") == "FD001"


def test_limits_see_wear_that_conditions_hide() -> None:
    """As raw readings they differ by condition far more than by wear."""
    random = np.random.default_rng(3)
    lives = []
    for unit in range(6):
        gear = random.integers(3, size=80)
        values = random.normal(0, 1, (80, 21)) + 100.0 * gear[:, None]
        values[:, 4] += 12 * np.linspace(0, 1, 80) ** 2
        settings = np.stack([gear, gear, gear], axis=1).astype(float)
        lives.append(Life(f"e{unit}", values, settings, np.arange(80.0), True, True))
    plant = Plant("engines", TURBINE, lives, lives)
    with pytest.raises(StudyError, match="engines: no sensor shows wear"):
        limits(plant)
    scaling = conditions.learn(
        np.concatenate([x.settings for x in lives]), np.concatenate([x.values for x in lives])
    )
    found = limits(Plant("engines", TURBINE, lives, lives, scaling))
    assert {PATHS.values[sensor] for sensor, _, _ in found} == {"s5"}


def test_homes_are_calibrated_without_a_test_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "building_thermal"
    folder.mkdir()
    with pytest.raises(StudyError, match="no test cell"):
        _offline(Options(tmp_path, small=True))
    hours = np.arange(44 * 24 + 1)
    out = 20 + 8 * np.sin(hours / 24 * 2 * np.pi)
    room = 24 + 2 * np.sin((hours - 4) / 24 * 2 * np.pi)
    columns = "Indoor Temperature [C],Equipment Electric Power [kWh],Occupant Count,Cooling Load"
    rows = "\n".join(f"{t:.3f},0.2,1,{0.3 if t > 25 else ''}" for t in room)
    (folder / "Building_7.csv").write_text(columns + "\n" + rows)
    head = "Outdoor Drybulb Temperature,Diffuse Solar Radiation [W],Direct Solar Radiation [W]"
    rows = "\n".join(f"{t:.3f},10,20" for t in out)
    (folder / "weather.csv").write_text(head + "\n" + rows)
    monkeypatch.setattr(
        calibration, "_free", lambda kind, data, usual, last: SimpleNamespace(holdout_rmse=data)
    )
    found = _offline(Options(tmp_path, small=True))
    assert "testCell" not in found
    home = found["homes"]["home 7"]["rc2"]
    assert home.inputs["outdoor"].tolist() == pytest.approx(out[1:], abs=1e-3)
    assert set(home.inputs["heat"]) == {0.0, -300.0}


def test_what_could_not_be_told_is_null() -> None:
    assert rounded({"a": float("nan"), "b": [np.float64("inf"), 1.23456]}) == {
        "a": None,
        "b": [None, 1.2346],
    }


def test_a_study_without_sets_takes_none() -> None:
    check_set(SimpleNamespace(), Options())  # type: ignore[arg-type]
