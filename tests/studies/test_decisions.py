"""The studies of decisions, in their small versions."""

from __future__ import annotations

from pathlib import Path

from studies.test_anomaly import figures


def test_small_lines_keep_their_marks(tmp_path: Path) -> None:
    found = figures("lines", tmp_path)
    assert found["met"] is True
    assert found["buffer"]["twin"]["regret"] < found["buffer"]["anyChangeRegret"]
