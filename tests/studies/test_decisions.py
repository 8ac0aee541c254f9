"""The studies of decisions, in their small versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from studies import Options, edge, fidelity, lines


def test_small_lines_keep_their_marks() -> None:
    found = lines.run(Options(small=True))
    assert found["met"] is True
    assert found["buffer"]["twin"]["regret"] < found["buffer"]["anyChangeRegret"]


def test_small_fidelity_and_edge_run_on_data_made_here(tmp_path: Path) -> None:
    found = fidelity.run(Options(small=True))
    assert found["plants"] == 2
    assert found["meanRegret"] < 0.5
    random = np.random.default_rng(1)
    (tmp_path / "ett").mkdir()
    walk = np.cumsum(random.normal(0, 1, (1_000, 7)), axis=0)
    lines_ = ["date,a,b,c,d,e,f,g", *(",".join(["t", *map(str, row)]) for row in walk)]
    (tmp_path / "ett" / "ETTh1.csv").write_text("\n".join(lines_))
    made = edge.run(Options(tmp_path, small=True))
    assert made["isWithinBound"] is True
    assert 0.2 < made["sets"]["ETTh1, 1 h"]["bounds"]["1.0%"]["swingingDoor"] < 1
