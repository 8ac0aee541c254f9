"""The study of calibration, on the real test cell and houses in real weather."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data beside the checkout")
def test_the_small_version_keeps_its_marks() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "studies", "calibration", "--small", "--json"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["testCell"]["rc2"]["freeRunRmseK"] <= 0.7
    assert found["testCell"]["rc1"]["freeRunRmseK"] > 1
    assert "wallAperture" in found["testCell"]["rc2"]["unidentifiable"]
    drift = found["online-rc2-plant"]["drift"]
    assert drift["parameterError"] < 0.05
    assert drift["forecast24hRmseK"]["followed"] < drift["forecast24hRmseK"]["frozen"]
