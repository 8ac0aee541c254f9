"""The studies of calibration and energy, on a real test cell and houses in real weather."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


def figures(name: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "studies", name, "--small", "--json"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data beside the checkout")


@pytest.mark.shared
@needs_shared
def test_the_small_study_of_calibration_keeps_its_marks() -> None:
    found = figures("calibration")
    assert found["testCell"]["rc2"]["freeRunRmseK"] <= 0.7
    assert found["testCell"]["rc1"]["freeRunRmseK"] > 1
    assert "wallAperture" in found["testCell"]["rc2"]["unidentifiable"]
    drift = found["online-rc2-plant"]["drift"]
    assert drift["parameterError"] < 0.05
    assert drift["forecast24hRmseK"]["followed"] < drift["forecast24hRmseK"]["frozen"]


@pytest.mark.shared
@needs_shared
def test_the_small_study_of_energy_saves_at_equal_comfort() -> None:
    found = figures("energy")
    twin, constant = (found["policies"][n] for n in ("plan rc2", "constant"))
    assert twin["coldKhAWeek"] <= constant["coldKhAWeek"] + 1.0
    assert twin["savedAgainst"]["constant"]["percent"] > 0
    assert found["policies"]["oracle"]["kwhAWeek"] < constant["kwhAWeek"]
    assert found["audit"][0]["low"] < found["audit"][0]["high"]
