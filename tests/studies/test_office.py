"""Plant B of the study of energy: that offices behave, and a small run through the real server."""

from __future__ import annotations

import numpy as np
import pytest
from studies._office import HIGH, LIMIT, LOW, Offices, Scenario, Set, in_use
from studies._office_platform import through_platform
from studies._office_policies import Resets, Schedule, comfort, lived, set_of

from studies import SHARED, Options


def made_up(days: int, outdoor: float, people: float = 5.0, offices: int = 2) -> Scenario:
    """Weather that does not change."""
    steps = days * 96
    count = np.where(in_use(steps), people, 0.0)[:, None, None] * np.ones((1, 5, offices))
    flat = np.zeros((steps, 5, offices))
    shape = (steps, offices)
    return Scenario(
        list(range(offices)), np.full(shape, outdoor), np.zeros(shape), count, flat, flat
    )


def run(now: Scenario, told: Set) -> tuple[Offices, dict[str, np.ndarray]]:
    plant = Offices(now)
    rows = [plant.step(k, told) for k in range(len(now.outdoor))]
    return plant, {n: np.array([r[n] for r in rows]) for n in ("fan", "cooling", "heating")}


def told(supply: float = 15.0, pressure: float = 200.0, fresh: float = 0.2, on: float = 1.0) -> Set:
    return Set(*(np.full(2, x) for x in (on, supply, pressure, fresh, 1.0)))


def test_boxes_keep_zones_within_their_band_in_the_cold_and_in_the_heat() -> None:
    for outdoor in (-5.0, 30.0):
        plant, _ = run(made_up(2, outdoor), told(14.0))
        assert plant.air.min() > LOW - 0.2
        assert plant.air.max() < HIGH + 0.2


def test_cold_supply_air_in_winter_is_paid_for_by_reheat() -> None:
    _, cold = run(made_up(2, 0.0), told(12.0))
    _, mild = run(made_up(2, 0.0), told(18.0))
    assert cold["heating"].sum() > 1.3 * mild["heating"].sum()


def test_less_duct_pressure_takes_less_fan_power() -> None:
    _, high = run(made_up(1, 18.0), told(pressure=250.0))
    _, low = run(made_up(1, 18.0), told(pressure=100.0))
    assert low["fan"].sum() < 0.85 * high["fan"].sum()


def test_outdoor_air_thins_co2_and_without_a_fan_it_rises() -> None:
    now = made_up(1, 30.0, people=10.0)
    worst = []
    for one in (told(fresh=0.6), told(fresh=0.1), told(on=0.0)):
        plant = Offices(now)
        for k in range(48):
            plant.step(k, one)
        worst.append(plant.co2.max())
    assert worst[0] < worst[1] < worst[2]
    assert worst[2] > LIMIT
    assert comfort(plant, 47)[1].min() > 0


def test_a_plan_that_is_missing_leaves_the_air_handler_to_itself() -> None:
    alone = told(17.0, 90.0)
    first = {"fan": 0.0, "supply": 0.0, "pressure": 0.0, "fresh": 0.0}
    found = set_of([None, {"first": first}], alone)
    assert found.is_on.tolist() == [1.0, 0.0]
    assert found.supply[0] == 17.0


def test_the_same_policy_in_the_same_offices_gives_the_same_again() -> None:
    now = made_up(16, 8.0)
    plant = Offices(now)
    found = [lived(plant, policy, 32) for policy in (Schedule(6, 15, 150, 0.2),) * 2]
    resets = lived(plant, Resets(1.0, 0.1, 18.0, 80.0), 32)
    assert found[0]["kwh"].tolist() == found[1]["kwh"].tolist()
    assert resets["kwh"].tolist() != found[0]["kwh"].tolist()


@pytest.mark.shared
def test_hourly_set_points_reach_the_air_handler_as_commands_and_are_confirmed() -> None:
    if not (SHARED / "boptest").is_dir():
        pytest.skip(f"needs {SHARED / 'boptest'}")
    rules = {"practice": [0.6], "tuned schedule": [7, 15, 180, 0.15],
             "resets": [0.5, 0, 16, 60, 900], "plan": [0.15, 10]}  # fmt: skip
    chosen = {name: {"settings": settings} for name, settings in rules.items()}
    found = through_platform(Options(small=True), chosen)
    assert (found["offices"], found["hours"], found["plans"]) == (1, 3, 3)
    assert 3 + 3 <= found["commands"] <= 3 * 4
    assert found["commandsByState"] == {"succeeded": found["commands"]}
    assert found["commandsUnlikeThePlan"] == found["plansThatLackedAnOffice"] == 0
    assert found["plansFromOldReadings"] == found["rejects"] == 0
    plan, practice = (found["policies"][n] for n in ("plan through the server", "practice"))
    assert 0 < plan["kwh"] < practice["kwh"]
