"""Recorded data through a third-party client: what is stored and raised equals the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import real_data

PARTS = {"skab": 3, "nab": 6_000, "cmapss": 5}


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(PARTS))
@pytest.mark.parametrize("via", ["builtin", pytest.param("mosquitto", marks=pytest.mark.peer)])
def test_history_and_alarms_equal_the_file(
    name: str, via: str, shared: Path, tmp_path: Path
) -> None:
    found = real_data.run(name, via, shared / "data", PARTS[name], tmp_path)
    assert found.messages > 1_000
    assert (found.missing, found.extra, found.wrong_alarms) == (0, 0, [])
    assert found.alarms > 0
