"""Plans are cheapest within bounds and say what they gain; savings are held to account."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.behaviour import behaviour_of, simulate
from gemel.services.calibration.kind import KIND
from gemel.services.calibration.planning import plan_twins
from gemel.services.contract import Column, Instance, Job, Signal
from gemel.services.optimise.horizon import Wanted, plan, response_of
from gemel.services.optimise.verify import verify
from gemel.services.schema import completed

SECOND = 1_000_000_000
START = {"temperature": 20.0, "wall": 18.0}


def wanted(low: np.ndarray | float, price: np.ndarray | float, steps: int = 24) -> Wanted:
    return Wanted(
        np.broadcast_to(low, steps), np.full(steps, 25.0), np.broadcast_to(price, steps), 9000, 1e6
    )


def test_a_plan_does_what_it_says_and_stays_within_bounds() -> None:
    house = behaviour_of("rc2")
    response = response_of(house, {}, "heat", "temperature", 3600.0, 24)
    inputs = {"outdoor": np.full(24, 2.0)}
    found = plan(response, inputs, START, wanted(20.0, 1.0))
    true = simulate(house, {**inputs, "heat": found.chosen}, 3600.0, {}, START)
    np.testing.assert_allclose(found.output, true.output("temperature")[:, 0], atol=1e-6)
    assert found.output.min() >= 20 - 1e-6
    assert found.outside == pytest.approx(0, abs=1e-6)
    assert (found.chosen >= 0).all()
    assert found.chosen.max() <= 9000


def test_no_random_input_that_keeps_the_bounds_is_cheaper() -> None:
    house = behaviour_of("rc2")
    price = 1.0 + np.arange(24) % 3
    response = response_of(house, {}, "heat", "temperature", 3600.0, 24)
    inputs = {"outdoor": np.full(24, 2.0)}
    found = plan(response, inputs, START, wanted(20.0, price))
    tried = np.random.default_rng(1).uniform(2500, 6000, (24, 2000))
    outputs = simulate(house, {**inputs, "heat": tried}, 3600.0, {}, START).output("temperature")
    fits = (outputs >= 20).all(axis=0) & (outputs <= 25).all(axis=0)
    assert fits.sum() > 10
    assert (price @ tried[:, fits]).min() >= found.cost


def test_heat_is_stored_before_it_gets_dear() -> None:
    price = np.where(np.arange(24) < 6, 1.0, 10.0)
    response = response_of(behaviour_of("rc2"), {}, "heat", "temperature", 3600.0, 24)
    found = plan(response, {"outdoor": np.full(24, 2.0)}, START, wanted(20.0, price))
    assert found.chosen[:6].mean() > 1.5 * found.chosen[6:].mean()


def test_what_cannot_be_kept_is_broken_as_little_as_can_be() -> None:
    response = response_of(behaviour_of("rc1"), {}, "heat", "temperature", 3600.0, 24)
    found = plan(response, {"outdoor": np.full(24, -30.0)}, {}, wanted(24.0, 1.0))
    assert found.outside > 0
    assert found.chosen[0] == 9000


def test_what_is_not_linear_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not linear"):
        response_of(behaviour_of("pump"), {}, "speed", "power", 60.0, 4)


def test_savings_are_found_where_they_are_and_not_where_not() -> None:
    random = np.random.default_rng(4)
    held = []
    for cut in (0.0, 0.15):
        for _ in range(60):
            before, after = (random.uniform(0, 15, (n, 1)) for n in (56, 56))
            used = 300 - 12 * before[:, 0] + random.normal(0, 8, 56)
            later = (300 - 12 * after[:, 0]) * (1 - cut) + random.normal(0, 8, 56)
            found = verify(before, used, after, later)
            held.append(found.share_low <= cut <= found.share_high)
            assert found.low < found.saved < found.high
    assert np.mean(held) > 0.88


def test_too_few_days_are_refused() -> None:
    with pytest.raises(InvalidInput, match="too few"):
        verify(np.ones((5, 1)), np.ones(5), np.ones((5, 1)), np.ones(5))


def job(more: dict[str, object], days: int = 3) -> Job:
    """A house that is held at 22 °C round the clock."""
    steps = days * 96
    heat = np.full(steps, 3600.0)
    out = np.full(steps, 4.0)
    given = {"behaviour": "rc2", "observed": "in", "inputs": {"outdoor": "out", "heat": "heat"}}
    parameters = completed(KIND.parameters, given)
    chosen = {"chosen": "heat", "low": 20.0, "high": 25.0, "most": 8000.0, "from": 7, "to": 22,
              "lowOutside": 17.0, "prices": [0.001], **more}  # fmt: skip
    plan = KIND.run("plan")
    assert plan is not None
    asked = completed(plan.parameters, chosen)
    start = {"temperature": 22.0, "wall": 18.0}
    seen = simulate(behaviour_of("rc2"), {"outdoor": out, "heat": heat}, 900.0, {}, start)
    begin = 20_000 * 96 * 900 * SECOND
    times = begin + np.arange(steps) * 900 * SECOND
    signals = tuple(Signal("h1", p) for p in ("out", "heat", "in"))
    columns = [Column(times, out), Column(times, heat),
               Column(times + 890 * SECOND, seen.output("temperature")[:, 0])]  # fmt: skip
    instance = Instance("houses", "behaviour", ("h1",), {**parameters, **asked}, signals)
    return Job(instance, asked, signals, columns, begin, int(times[-1]) + 900 * SECOND)


def test_a_recommendation_says_gain_comfort_confidence_and_constraints() -> None:
    result = plan_twins(job({}), lambda share, what: None)
    found = result.document["twins"]["h1"]
    assert found["gain"] > 0
    assert found["cost"] + found["gain"] == pytest.approx(found["costAsDayBefore"])
    assert found["outsideHours"] == pytest.approx(0, abs=0.01)
    assert 0 < found["confidence"] <= 1
    assert found["constraints"] == {"low": 20.0, "high": 25.0, "most": 8000.0}
    heat, output = result.series
    assert (heat.path, output.path) == ("behaviour.plan.input", "behaviour.plan.output")
    assert len(heat.time) == 96
    assert output.low is not None
    assert (output.low <= output.value + 1e-9).all()
    assert found["first"] == heat.value[0]


def test_plans_that_cannot_be_made_say_why() -> None:
    with pytest.raises(InvalidInput, match="less than a day"):
        plan_twins(job({}, days=1), lambda share, what: None)
    with pytest.raises(InvalidInput, match="prices"):
        plan_twins(job({"prices": [1.0, 2.0]}), lambda share, what: None)
    with pytest.raises(InvalidInput, match="must be a signal"):
        plan_twins(job({"chosen": "solar"}), lambda share, what: None)
