"""Many commands to real MQTT clients that drop, delay, double and lie: none lost, none doubled."""

from __future__ import annotations

from pathlib import Path

from app.storm import Storm, judged
from running import Running

COUNT, DEVICES = 42, 2


def test_none_is_lost_and_none_is_doubled_over_kill_9(tmp_path: Path) -> None:
    with Running(tmp_path / "data") as running:
        storm = Storm(running, COUNT, DEVICES, seconds=2, kills=1)
        found = judged(storm.run(), storm)
    assert found["lost"] == found["doubled"] == found["wrong"] == 0, found
    assert found["commands"] == COUNT
    assert found["states"].get("confirmed", 0) > 0
    assert found["states"].get("unconfirmed", 0) > 0
