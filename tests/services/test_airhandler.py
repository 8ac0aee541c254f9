"""An air handler of two zones: what is learnt of it, and which set points are chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.airhandler import KIND, zones
from gemel.services.airhandler.equipment import AIR_HEAT, Air, Equipment, mixed
from gemel.services.airhandler.runs import learn_twins, plan_twins
from gemel.services.airhandler.search import Ahead, Boxes, Prices, Then, candidates, tried
from gemel.services.airhandler.table import aims_of, boxes_of, continued, is_used, table_of
from gemel.services.airhandler.zones import HEAT, INPUTS, Zones
from gemel.services.contract import Column, Instance, Job, Signal
from gemel.services.schema import completed

STEP = 900.0
MONDAY = 1_767_571_200
DAYS = 8
PATHS = ("temperature", "flow", "heat", "co2")
GIVEN: Json = {
    "zones": [
        {**{p: f"{p}{z}" for p in PATHS}, "least": 0.1, "most": 0.6, "reheat": 4000, "volume": 300}
        for z in (1, 2)
    ],
    "limit": 900,
}
TRUE = Equipment(np.array([1.8, 0.3]), np.array([0.25, 0.004]), np.array([0.3, 0.01]))


def building(days: int = DAYS) -> dict[str, np.ndarray]:
    """Readings of a building that is what the model takes it for, with fixed set points."""
    random = np.random.default_rng(5)
    steps = days * 96
    k = np.arange(steps)
    hour = k % 96 / 4
    outdoor = 8 + 5 * np.sin((hour - 9) / 24 * 2 * np.pi) + np.cumsum(random.normal(0, 0.1, steps))
    sun = np.maximum(0, 500 * np.sin((hour - 6) / 12 * np.pi)) * random.uniform(0.3, 1, steps)
    used = ((hour >= 8) & (hour < 18) & (k // 96 % 7 < 5)).astype(float)
    running = ((hour >= 6) & (hour < 18) & (k // 96 % 7 < 5)).astype(float)
    kept = np.exp(-0.25 / np.array([1.0, 48.0]))[:, None]
    gain = np.array(
        [[0.3, 0.02, 9e-4, 1e-3, 2e-3, 1e-3, 1.5], [13.0, 0.75, 2e-3, 1e-3, 1e-3, 1e-3, 1.0]]
    )
    state = np.array([[0.5, 0.5], [21.0, 21.5]])
    columns: dict[str, np.ndarray] = {
        n: np.zeros(steps) for n in ("supply", "pressure", "fresh", "fan", "cooling", "heating")
    }
    for z in (1, 2):
        columns |= {f"{p}{z}": np.zeros(steps) for p in PATHS}
    read = state.sum(axis=0)
    for now in range(steps):
        supply, pressure, least = 14.0 + now // 96 % 3, 150.0 + 40 * (now // 96 % 2), 0.3
        flow = (0.1 + 0.25 * np.clip(read - 22, 0, 2)) * running[now]
        brought = AIR_HEAT * flow * (supply - read)
        reheat = np.clip(3000 * (21.5 - read), 0, 4000) * running[now]
        heat = brought + reheat
        parts = hour[now] < 11, 11 <= hour[now] < 15, hour[now] >= 15
        row = [1, outdoor[now], 0, *(sun[now] * part for part in parts), used[now]]
        inputs = np.repeat(np.array(row)[:, None], 2, axis=1)
        inputs[HEAT] = heat
        state = kept * state + (1 - kept) * np.einsum("pu,uz->pz", gain, inputs)
        total = flow.sum()
        back = (flow * read).sum() / max(total, 1e-9)
        share, mix = mixed(outdoor[now], back, supply, least, used[now])
        moved = AIR_HEAT * total
        air = Air(total, pressure, moved * max(mix - supply, 0),
                  moved * max(supply - mix, 0) + reheat.sum())  # fmt: skip
        powers = TRUE.power(air, outdoor[now])
        told = {"supply": supply, "pressure": pressure, "fresh": share * running[now]}
        told |= dict(zip(("fan", "cooling", "heating"), powers, strict=True))
        read = state.sum(axis=0) + random.normal(0, 0.05, 2)
        for name, value in told.items():
            columns[name][now] = value
        for z in (1, 2):
            co2 = 450 + 300 * used[now]
            for path, value in zip(PATHS, (read, flow, heat, np.full(2, co2)), strict=True):
                columns[f"{path}{z}"][now] = value[z - 1]
    return columns | {"outdoor": outdoor, "solar": sun}


READ = building()


def job(run: str, given: Json | None = None, until: int = DAYS * 96, fit=None, **more) -> Job:
    parameters = completed(KIND.parameters, GIVEN | more)
    names = list(READ)
    signals = tuple(Signal("office", n) for n in names)
    times = (MONDAY + np.arange(until) * 900) * SECOND
    late = ("temperature", "co2")
    columns = [
        Column(times + (890 * SECOND if n.startswith(late) else 0), READ[n][:until]) for n in names
    ]
    instance = Instance("air", KIND.name, ("office",), parameters, signals)
    made = KIND.run(run)
    assert made is not None
    complete = completed(made.parameters, given or {})
    end = (MONDAY + until * 900) * SECOND + 1
    return Job(instance, complete, signals, columns, MONDAY * SECOND, end, fit=fit)


@pytest.fixture(scope="module")
def learnt():
    return learn_twins(job("learn"), lambda *_: None)


def test_zones_and_meters_are_learnt_from_history(learnt) -> None:
    found = learnt.document["twins"]["office"]
    assert found["passed"]
    assert max(found["holdoutRmse"]) < 0.3
    assert found["fan"] == pytest.approx(TRUE.fan, rel=0.1)
    assert found["heating"] == pytest.approx(TRUE.heating, rel=0.1)
    assert learnt.fit.adopt


def test_a_twin_that_lacks_a_signal_is_named_and_does_not_pass() -> None:
    given = job("learn")
    cut = replace(given, signals=given.signals[1:], columns=given.columns[1:])
    with pytest.raises(InvalidInput, match="it has no 'supply'"):
        learn_twins(cut, lambda *_: None)
    with pytest.raises(InvalidInput, match="steps are too few"):
        learn_twins(job("learn", until=60), lambda *_: None)


def test_a_free_run_that_is_too_far_off_does_not_pass() -> None:
    found = learn_twins(job("learn", {"worst": 0.001}), lambda *_: None)
    assert found.fit is not None
    assert not found.fit.adopt
    assert found.fit.scores["passed"] == 0


def test_heat_that_cools_is_refused() -> None:
    table = table_of(job("learn"), "office")
    inputs = np.zeros((len(table), len(INPUTS), 1))
    inputs[:, 0] = 1.0
    inputs[:, HEAT, 0] = np.random.default_rng(1).normal(0, 1000, len(table))
    read = 20 - zones.filtered(inputs, np.array([0.8]))[:, 0, HEAT] / 1000
    with pytest.raises(InvalidInput, match="does not get warmer"):
        zones.learn(inputs, read, STEP)


COMMANDS = {"supply": "setSupply", "pressure": "setPressure", "fresh": "setFresh", "fan": "setFan"}


def planned(learnt, hour: float, **given):
    until = round((7 * 24 + hour) * 4)
    return plan_twins(job("plan", {"commands": COMMANDS} | given, until, learnt.fit), lambda *_: 0)


def test_at_night_the_fan_stands_still_and_in_use_it_runs(learnt) -> None:
    night, noon = planned(learnt, 1), planned(learnt, 12)
    assert [(p.command, p.arguments) for p in night.proposals] == [("setFan", 0.0)]
    assert {p.command for p in noon.proposals} == set(COMMANDS.values())
    first = noon.document["twins"]["office"]["first"]
    assert {p.command: p.arguments for p in noon.proposals} == {
        COMMANDS[n]: first[n] for n in COMMANDS
    }
    assert first["fan"] == 1.0
    assert all(0 <= p.confidence <= 1 for p in noon.proposals)


def test_the_plan_is_the_cheapest_candidate_and_says_what_it_gains(learnt) -> None:
    one = planned(learnt, 9).document["twins"]["office"]
    few = planned(learnt, 9, supplies=[12], pressures=[250], shares=[0.45]).document["twins"]
    assert one["candidates"] > few["office"]["candidates"]
    assert one["gain"] >= few["office"]["gain"]
    assert one["to"].endswith("18:00:00Z")


def test_a_weekend_without_use_needs_no_plan(learnt) -> None:
    until = (5 * 24 + 10) * 4
    found = plan_twins(job("plan", {}, until, learnt.fit), lambda *_: None)
    assert found.document["twins"]["office"]["candidates"] == 0
    assert found.proposals == []


def test_what_cannot_be_planned_says_why(learnt) -> None:
    with pytest.raises(InvalidInput, match="nothing is learnt yet"):
        plan_twins(job("plan"), lambda *_: None)
    with pytest.raises(InvalidInput, match="no set point 'speed'"):
        plan_twins(job("plan", {"commands": {"speed": "x"}}, fit=learnt.fit), lambda *_: None)
    with pytest.raises(InvalidInput, match="less than a day"):
        plan_twins(job("plan", until=50, fit=learnt.fit), lambda *_: None)


def one_zone(given: np.ndarray, outdoor: float = 25.0, people: float = 0.0, then=None):
    """Four hours of use of a zone that would get hot."""
    steps = 16
    model = Zones(np.array([[0.8], [0.99]]), np.zeros((2, len(INPUTS), 1)), np.array([0.1]))
    model.gain[0, HEAT], model.gain[0, 0] = 2e-4, 2.0
    inputs = np.zeros((steps, len(INPUTS), 1))
    inputs[:, 0] = 1.0
    ahead = Ahead(inputs, np.full(steps, outdoor), np.ones(steps), np.full(steps, 21.0),
                  np.full(steps, 24.0), np.full((steps, 1), people))  # fmt: skip
    one = (0.1, 0.8, 3000.0, 300.0)
    least, most, reheat, volume, low, high = (np.array([x]) for x in (*one, 21.0, 24.0))
    boxes = Boxes(least, most, reheat, volume, 250.0, low, high)
    prices = Prices(10.0, 10.0, 900.0)
    start = np.array([[4.0], [19.5]])
    return tried(model, TRUE, boxes, start, np.array([600.0]), ahead, given, prices, STEP, then)


def test_less_pressure_takes_less_and_cools_less() -> None:
    grid = {"supply": [16.0], "pressure": [20.0, 250.0], "fresh": [0.1], "start": [0], "stop": [16]}
    found = one_zone(candidates(grid))
    assert found.kwh[0] < found.kwh[1]
    assert found.degrees[0] > found.degrees[1]


def test_fresh_air_costs_in_the_heat_and_thins_co2() -> None:
    grid = {"supply": [14.0], "pressure": [250.0], "fresh": [0.1, 0.6], "start": [0], "stop": [16]}
    found = one_zone(candidates(grid), outdoor=33.0, people=90.0)
    assert found.kwh[0] < found.kwh[1]
    assert found.excess[0] > found.excess[1]


def test_set_points_that_follow_take_over_after_their_steps() -> None:
    grid = {"supply": [14.0], "pressure": [20.0, 250.0], "fresh": [0.1], "start": [0], "stop": [16]}
    low, high = one_zone(candidates(grid)).temperatures[:, 0].T
    then = Then((14.0, 20.0, 0.1), 4)
    kept, eased = one_zone(candidates(grid), then=then).temperatures[:, 0].T
    np.testing.assert_array_equal(kept, low)
    np.testing.assert_array_equal(eased[:4], high[:4])
    assert (eased[5:13] > high[5:13]).all()


def test_thermostats_are_learnt_where_boxes_regulate_and_nowhere_else() -> None:
    table = table_of(job("learn"), "office")
    place = np.arange(len(table))[:, None] % 3
    flow = np.repeat(np.array([0.0, 0.1, 0.3])[place], 2, axis=1)
    running = flow > 0
    given = completed(KIND.parameters, GIVEN)
    brought = AIR_HEAT * flow * (table.handler["supply"][:, None] - 22.0)
    held = replace(table, zone=table.zone | {
        "flow": flow,
        "temperature": np.where(flow > 0.11, 23.4, np.where(running, 21.6, 22.0)),
        "heat": brought + np.where(running & (flow < 0.11), 1500.0, 0.0),
    })  # fmt: skip
    aims = aims_of(held, given)
    assert aims[0] == pytest.approx([21.6, 21.6])
    assert aims[1] == pytest.approx([23.4, 23.4])
    still = replace(held, zone=held.zone | {"flow": np.zeros_like(flow)})
    assert np.isnan(aims_of(still, given)).all()
    boxes = boxes_of(given, np.array([[21.6, np.nan], [np.nan, 23.4]]), 0.2)
    assert boxes.heats.tolist() == [21.6, 21.2]
    assert boxes.cools.tolist() == [23.8, 23.4]


def test_with_a_plan_every_quarter_of_an_hour_the_fan_waits_for_its_own(learnt) -> None:
    """Before use, at 6:30: an hour may hold a start that a quarter does not."""
    until = 3 * 96 + 26
    an_hour, quarter = (
        plan_twins(job("plan", {"period": p, "degree": 1.0}, until, learnt.fit), lambda *_: None)
        for p in (3600, 900)
    )
    one, other = (found.document["twins"]["office"] for found in (an_hour, quarter))
    assert one["startsInHours"] == other["startsInHours"]
    for plan, hours in ((one, 1.0), (other, 0.25)):
        assert plan["first"]["fan"] == float(plan["startsInHours"] < hours)
    commands = {"fan": "start"}
    given = {"period": 900, "commands": commands}
    found = plan_twins(job("plan", given, until, learnt.fit), lambda *_: None)
    assert [proposal.seconds for proposal in found.proposals] == [900.0]


def test_a_version_from_before_thermostats_were_learnt_still_plans(learnt) -> None:
    arrays = {n: a for n, a in learnt.fit.arrays.items() if not n.endswith("/aims")}
    old = replace(learnt.fit, arrays=arrays)
    found = plan_twins(job("plan", until=3 * 96 + 40, fit=old), lambda *_: None)
    assert found.document["twins"]["office"]["first"]["fan"] == 1.0


def test_a_fan_that_stands_still_takes_nothing() -> None:
    grid = {"supply": [14.0], "pressure": [250.0], "fresh": [0.1], "start": [0], "stop": [0, 16]}
    found = one_zone(candidates(grid))
    assert found.kwh[0] == 0
    assert found.degrees[0] > found.degrees[1]


def test_the_economiser_takes_what_cold_air_is_needed_and_no_less_than_the_least() -> None:
    share, mix = mixed(
        np.array([10.0, 10.0, 30.0, 20.0]), np.full(4, 22.0), np.array([16.0, 21.9, 14.0, 14.0]),
        np.full(4, 0.2), np.array([1.0, 1.0, 1.0, 0.0]),
    )  # fmt: skip
    assert share == pytest.approx([0.5, 0.2, 0.2, 1.0])
    assert mix == pytest.approx([16.0, 19.6, 23.6, 20.0])


def test_hours_of_use_are_of_the_days_that_are_named() -> None:
    given = completed(KIND.parameters, GIVEN)
    times = (MONDAY + np.array([7.9, 8.0, 17.9, 18.0, 5 * 24 + 12.0]) * 3600).astype(int) * SECOND
    assert is_used(given, times, 60.0).tolist() == [0, 1, 1, 0, 0]


def test_what_comes_begins_where_things_stand_and_returns_to_the_day_before() -> None:
    day = np.sin(np.arange(96) / 96 * 2 * np.pi)
    column = np.concatenate((day, day, [3.0]))
    found = continued(column, 96, 96, 0.25)
    assert found[0] == pytest.approx(day[1] + (3.0 - day[0]) * np.exp(-1 / 16))
    assert found[-1] == pytest.approx(column[-1], abs=0.02)
