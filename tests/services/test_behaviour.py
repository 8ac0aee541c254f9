"""Behaviour models: laws that all of them keep, and what each must come to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from gemel.core.errors import InvalidInput, NotFound
from gemel.services.behaviour import Behaviour, behaviour_of, behaviours, simulate
from gemel.services.behaviour.linear import exponential

ALL = [*behaviours().values(), behaviour_of("regression", ["a", "b"])]
each = pytest.mark.parametrize("behaviour", ALL, ids=lambda b: b.name)


def some_inputs(behaviour: Behaviour, steps: int, scenarios: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    found = {}
    for one in behaviour.inputs:
        spread = 0.2 * max(abs(one.value), 1.0)
        columns = one.value + spread * random.random((steps, scenarios))
        found[one.name] = np.clip(columns, one.low, one.high)
    return found


def some_parameters(behaviour: Behaviour, scenarios: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    return {
        p.name: np.clip(p.value * random.uniform(0.9, 1.1, scenarios), p.low, p.high)
        for p in behaviour.parameters
    }


@each
def test_scenarios_do_not_know_of_each_other(behaviour: Behaviour) -> None:
    inputs, parameters = some_inputs(behaviour, 40, 7), some_parameters(behaviour, 7)
    together = simulate(behaviour, inputs, 300.0, parameters)
    for k in range(7):
        alone = simulate(
            behaviour,
            {n: c[:, k] for n, c in inputs.items()},
            300.0,
            {n: float(c[k]) for n, c in parameters.items()},
        )
        np.testing.assert_allclose(together.outputs[:, :, k], alone.outputs[:, :, 0], rtol=1e-10)
        np.testing.assert_allclose(together.states[:, :, k], alone.states[:, :, 0], rtol=1e-10)


@each
def test_going_on_from_a_state_is_going_on(behaviour: Behaviour) -> None:
    inputs = some_inputs(behaviour, 30, 2)
    whole = simulate(behaviour, inputs, 60.0)
    first = simulate(behaviour, {n: c[:11] for n, c in inputs.items()}, 60.0)
    start = {s.name: first.state(s.name)[-1] for s in behaviour.states}
    second = simulate(behaviour, {n: c[11:] for n, c in inputs.items()}, 60.0, start=start)
    np.testing.assert_allclose(whole.outputs[11:], second.outputs, rtol=1e-12)


@each
def test_steps_are_exact_for_inputs_that_hold(behaviour: Behaviour) -> None:
    held = {i.name: i.value for i in behaviour.inputs}
    wide = simulate(behaviour, {n: [v] * 6 for n, v in held.items()}, 600.0)
    narrow = simulate(behaviour, {n: [v] * 60 for n, v in held.items()}, 60.0)
    np.testing.assert_allclose(wide.states[-1], narrow.states[-1], rtol=1e-9)


@each
def test_what_it_declares_is_complete_and_within_bounds(behaviour: Behaviour) -> None:
    for group in (behaviour.parameters, behaviour.inputs, behaviour.states, behaviour.outputs):
        assert len({q.name for q in group}) == len(group)
        assert all(q.about and q.low <= q.value <= q.high for q in group)
    assert behaviour.outputs
    assert 0 <= behaviour.fidelity <= 4


@each
def test_nothing_is_lost_to_infinity(behaviour: Behaviour) -> None:
    zero = {
        i.name: np.zeros(5) if i.low <= 0 <= i.high else [i.value] * 5 for i in behaviour.inputs
    }
    found = simulate(behaviour, zero, 3600.0)
    assert np.isfinite(found.outputs).all()
    assert np.isfinite(found.states).all()


@given(st.integers(1, 5), st.floats(1e-3, 50.0), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_the_exponential_is_that_of_scipy(size: int, scale: float, seed: int) -> None:
    many = np.random.default_rng(seed).normal(size=(4, size, size)) * scale / size
    for mine, one in zip(exponential(many), many, strict=True):
        wanted = expm(one)
        np.testing.assert_allclose(mine, wanted, rtol=1e-8, atol=1e-9 * np.abs(wanted).max())


def test_a_3r3c_house_is_what_an_ode_solver_finds() -> None:
    house = behaviour_of("rc3")
    random = np.random.default_rng(1)
    inputs = {
        "outdoor": random.normal(5, 3, 20),
        "heat": random.uniform(0, 6000, 20),
        "solar": random.uniform(0, 400, 20),
        "gains": np.full(20, 300.0),
    }
    found = simulate(house, inputs, 900.0)
    inner, outer, floor, air, wall, mass, to_air, to_mass = (p.value for p in house.parameters)

    def change(time: float, x: np.ndarray) -> list[float]:
        k = min(int(time // 900), 19)
        out, heat, sun, gains = (inputs[n][k] for n in ("outdoor", "heat", "solar", "gains"))
        return [
            (inner * (x[1] - x[0]) + floor * (x[2] - x[0]) + heat + gains + to_air * sun) / air,
            (inner * (x[0] - x[1]) + outer * (out - x[1])) / wall,
            (floor * (x[0] - x[2]) + to_mass * sun) / mass,
        ]

    start = [s.value for s in house.states]
    for k in range(20):
        solved = solve_ivp(change, (900 * k, 900 * k + 899.9999), start, rtol=1e-9, atol=1e-9)
        start = solved.y[:, -1]
        np.testing.assert_allclose(found.states[k + 1, :, 0], start, atol=2e-3)


def test_a_house_in_balance_loses_what_is_heated() -> None:
    found = simulate(behaviour_of("rc2"), {"outdoor": np.zeros(5000), "heat": 4000.0}, 900.0)
    inner, outer = 800.0, 250.0
    assert found.output("temperature")[-1, 0] == pytest.approx(4000 / inner + 4000 / outer)


def test_a_pump_keeps_the_affinity_laws_without_static_head() -> None:
    speed = np.array([0.5, 1.0])
    found = simulate(
        behaviour_of("pump"), {"speed": speed[None, :], "static": 0.0}, 1.0, {"fixed": 0.0}
    )
    for name, exponent in (("flow", 1), ("head", 2), ("power", 3), ("efficiency", 0)):
        half, full = found.output(name)[0]
        assert full / half == pytest.approx(2.0**exponent), name


def test_a_pump_that_cannot_lift_gives_no_flow() -> None:
    found = simulate(behaviour_of("pump"), {"speed": [0.2], "static": 8.0}, 1.0)
    assert found.output("flow")[0, 0] == 0
    assert found.output("head")[0, 0] < 8.0


def test_power_of_a_fan_goes_with_the_cube_of_its_flow() -> None:
    found = simulate(behaviour_of("fan"), {"speed": [[0.4, 0.8]]}, 1.0)
    flow, power = found.output("flow")[0], found.output("power")[0]
    assert power[1] / power[0] == pytest.approx((flow[1] / flow[0]) ** 3)


@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=1, max_size=30),
    st.floats(0, 5),
)
def test_a_tank_makes_and_loses_no_liquid(flows: list[tuple[float, float]], level: float) -> None:
    inflow, outflow = (np.array(c) for c in zip(*flows, strict=True))
    found = simulate(
        behaviour_of("tank"), {"inflow": inflow, "outflow": outflow}, 600.0, start={"level": level}
    )
    left = found.output("outflow").sum() + found.output("overflow").sum()
    stored = (found.state("level")[-1, 0] - level) * 10.0
    assert stored == pytest.approx((inflow.sum() - left) * 600 / 3600, abs=1e-6)
    assert (found.state("level") >= 0).all()
    assert (found.state("level") <= 5 + 1e-12).all()


def test_a_bearing_ends_when_it_said_it_would() -> None:
    found = simulate(behaviour_of("bearing"), {"load": np.ones(20_000)}, 3600.0)
    wear, hours = found.output("wear")[:, 0], found.output("hours")[:, 0]
    assert wear[-1] == pytest.approx(1.0)
    assert hours[9_999] == pytest.approx(10_000, rel=1e-6)
    assert wear[9_999] < 0.25


def test_a_turbine_rests_below_cut_in_and_above_cut_out() -> None:
    power = simulate(behaviour_of("wind-turbine"), {"wind": [2.0, 8.0, 13.0, 26.0]}, 1.0)
    rest, some, full, storm = power.output("power")[:, 0]
    assert (rest, full, storm) == (0.0, 2000.0, 0.0)
    assert 300 < some < 1200


def test_a_regression_is_its_sum() -> None:
    found = simulate(
        behaviour_of("regression", ["a", "b"]),
        {"a": [1.0, 2.0], "b": [10.0, 20.0]},
        1.0,
        {"intercept": 1.0, "by:a": 2.0, "by:b": 0.5},
    )
    assert found.output("value")[:, 0].tolist() == [8.0, 15.0]


def test_what_is_wrong_is_named() -> None:
    rc1 = behaviour_of("rc1")
    with pytest.raises(NotFound, match="no behaviour 'rc9'"):
        behaviour_of("rc9")
    with pytest.raises(InvalidInput, match="no 'outdor' among its inputs"):
        simulate(rc1, {"outdor": [1.0]}, 60.0)
    with pytest.raises(InvalidInput, match="different numbers of steps"):
        simulate(rc1, {"outdoor": [1.0, 2.0], "heat": [1.0, 2.0, 3.0]}, 60.0)
    with pytest.raises(InvalidInput, match="different numbers of scenarios"):
        simulate(rc1, {"outdoor": [[1.0, 2.0]]}, 60.0, {"loss": [100.0, 200.0, 300.0]})
    with pytest.raises(InvalidInput, match="loss is -5"):
        simulate(rc1, {"outdoor": [1.0]}, 60.0, {"loss": -5.0})
    with pytest.raises(InvalidInput, match="has gaps"):
        simulate(rc1, {"outdoor": [1.0, np.nan]}, 60.0)
    with pytest.raises(InvalidInput, match="a step of 0"):
        simulate(rc1, {"outdoor": [1.0]}, 0.0)
    with pytest.raises(InvalidInput, match="needs inputs"):
        behaviour_of("regression")
