"""Two hours of a house through the real server, and what it says of itself."""

from __future__ import annotations

import pytest

from studies import SHARED, Options, energy


@pytest.mark.shared
def test_hourly_plans_reach_the_house_as_commands_and_are_confirmed() -> None:
    if not (SHARED / "boptest").is_dir():
        pytest.skip(f"needs {SHARED / 'boptest'}")
    found = energy.run(Options(set="platform", small=True))["throughPlatform"]
    assert (found["houses"], found["hours"], found["plans"], found["commands"]) == (1, 2, 2, 2)
    assert found["commandsByState"] == {"succeeded": 2}
    assert found["commandsUnlikeThePlan"] == found["plansThatLackedAHouse"] == 0
    assert found["plansFromOldReadings"] == 0
    assert found["alarms"] == found["rejects"] == 0
    plan, oracle = (found["policies"][n] for n in ("plan through the server", "oracle"))
    assert plan["coldKhAWeek"] < 0.2
    assert plan["kwhAWeek"] == pytest.approx(oracle["kwhAWeek"], rel=0.3)
