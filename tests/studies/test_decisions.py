"""The studies of decisions, in their small versions."""

from __future__ import annotations

from studies import Options, lines


def test_small_lines_keep_their_marks() -> None:
    found = lines.run(Options(small=True))
    assert found["met"] is True
    assert found["buffer"]["twin"]["regret"] < found["buffer"]["anyChangeRegret"]
