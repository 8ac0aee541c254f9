"""The studies of decisions, in their small versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemel.services.fidelity.wear import Lives
from studies import Options, edge, fidelity, lines


def test_small_lines_keep_their_marks() -> None:
    found = lines.run(Options(small=True))
    assert found["met"] is True
    assert found["buffer"]["twin"]["regret"] < found["buffer"]["anyChangeRegret"]


def test_histories_of_a_plant_are_cut_and_their_advice_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def advised(lives: Lives, has_failed: np.ndarray | None, *_: object) -> dict[str, object]:
        if has_failed is not None:
            assert 0.2 < has_failed.mean() < 0.9
            assert np.isfinite(lives.seen[~has_failed]).sum() == lives.end[~has_failed].sum()
        return {"level": "trend", "chance": len(lives.end) / 160}

    monkeypatch.setattr(fidelity, "_advised", advised)
    found = fidelity.history(1, 0, True)
    rows = found["histories"]
    assert {name: row["chance"] for name, row in rows.items()} == {
        "20": 0.125, "40": 0.25, "80": 0.5, "160": 1.0, "renewedUsed": 0.25,
        "renewedDropped": found["failed"] / 4,
    }  # fmt: skip
    told = fidelity.summary_of_histories([found, found])
    assert told["histories"]["160"]["decided"] == 2
    assert told["histories"]["80"]["decided"] == 0
    assert told["histories"]["20"]["right"] == 2 * (found["true"] == "trend")


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
