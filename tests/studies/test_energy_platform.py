"""Two hours of a house through the real server, and what it says of itself."""

from __future__ import annotations

import pytest
from studies._energy_platform import through_platform

from studies import SHARED, Options


@pytest.mark.shared
def test_hourly_plans_reach_the_house_as_commands_and_are_confirmed() -> None:
    if not (SHARED / "boptest").is_dir():
        pytest.skip(f"needs {SHARED / 'boptest'}")
    tuned = {"constant": (21.3, 21.3, 0.0), "set-back": (21.5, 19.0, 0.0)}
    tuned["set-back + preheat"] = (21.3, 17.0, 2.0)
    found = through_platform(Options(small=True), tuned)
    assert (found["houses"], found["hours"], found["plans"], found["commands"]) == (1, 2, 2, 2)
    assert found["commandsByState"] == {"succeeded": 2}
    assert found["commandsUnlikeThePlan"] == found["plansThatLackedAHouse"] == 0
    assert found["plansFromOldReadings"] == 0
    assert found["alarms"] == found["rejects"] == 0
    plan, oracle = (found["policies"][n] for n in ("plan through the server", "oracle"))
    assert plan["coldKhAWeek"] < 0.2
    assert plan["kwhAWeek"] == pytest.approx(oracle["kwhAWeek"], rel=0.3)
