from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gemel.core.errors import GemelError, InvalidInput
from gemel.services.behaviour import behaviour_of, simulate
from gemel.services.whatif.attachment import read_attachment
from gemel.services.whatif.boundary import deviations, future_of
from gemel.services.whatif.design import not_dominated, points, ranks
from gemel.services.whatif.fork import fork_of_json
from gemel.services.whatif.network import joined
from gemel.services.whatif.scenario import read_scenario
from services.whatif.plants import AT, BEHAVIOURS, TANK, plan

MINUTE = 60 * 10**9
costs = arrays.arrays(
    float,
    st.tuples(st.integers(1, 25), st.integers(1, 3)),
    elements=st.integers(0, 5).map(float),
)


@given(costs)
def test_nothing_of_rank_0_is_beaten_and_all_else_is(found: Any) -> None:
    rank = ranks(found)
    assert (rank >= 0).all()
    for i, row in enumerate(found):
        beaten = ((found <= row).all(axis=1) & (found < row).any(axis=1)).any()
        assert beaten == (rank[i] > 0)
    assert (not_dominated(found) == (rank == 0)).all()


@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 99))
def test_a_latin_hypercube_has_one_point_in_every_slice(count: int, wide: int, seed: int) -> None:
    vary = [{"twin": "tank-1", "parameter": "area", "from": 0, "to": count} for _ in range(wide)]
    asked = {"twins": ["tank-1"], "sweep": {"count": count, "vary": vary}}
    sweep = read_scenario(asked).sweep
    assert sweep is not None
    found = points(sweep, seed)
    for column in found.T:
        assert sorted(np.floor(column).astype(int)) == list(range(count))


def test_a_likely_future_holds_what_comes_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    memory, steps, inside = 0.95, 60, []
    for _ in range(60):
        shocks = random.normal(0, 1, 1500 + steps)
        walk = np.zeros(len(shocks))
        for k in range(1, len(walk)):
            walk[k] = memory * walk[k - 1] + shocks[k]
        past, ahead = walk[:1500], walk[1499 : 1499 + steps]
        time = AT + (np.arange(1500) - 1499) * MINUTE
        future = future_of("likely", time, past, past[-1], AT, steps, 60.0, 1e9)
        away = deviations(future, random.standard_normal((steps, 200)))
        low, high = np.quantile(future.course[:, None] + away, [0.05, 0.95], axis=1)
        inside.append(((ahead >= low - 1e-9) & (ahead <= high + 1e-9)).mean())
    assert 0.84 < np.mean(inside) < 0.95


def test_the_day_before_is_repeated_from_where_things_stand() -> None:
    time = AT - np.arange(2880, -1, -1) * MINUTE
    value = np.sin(2 * np.pi * np.arange(2881) / 1440)
    found = future_of("repeat", time, value, 5.0, AT, 2880, 60.0, 1e9)
    assert found.course[0] == 5.0
    wave = np.sin(2 * np.pi * np.arange(2880) / 1440)
    assert np.abs(found.course - 5.0 - wave).max() < 1e-9
    short = future_of("repeat", time[-60:], value[-60:], 5.0, AT, 10, 60.0, 1e9)
    assert (short.course == 5.0).all()
    assert short.how == "hold"


def test_what_was_recorded_is_known_until_its_last_reading() -> None:
    time = AT + np.arange(-5, 5) * MINUTE
    found = future_of("recorded", time, np.arange(10.0), 5.0, AT, 8, 60.0, 1e9)
    assert found.course.tolist() == [5, 6, 7, 8, 9, 9, 9, 9]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"outputs": {}}, "has no outputs"),
        ({"behaviour": "tonk"}, "no behaviour 'tonk'"),
        ({"inputs": {"inflaw": 1}}, "no 'inflaw' among its inputs"),
        ({"parameters": {"area": {"value": 1, "sprad": 2}}}, "unknown field 'sprad'"),
        ({"parameters": {"area": {"value": 1, "spread": 9}}}, "spread is 9"),
        ({"twins": {"tank-1": {"areas": 2}}}, "no parameter 'areas'"),
        ({"behaviour": "", "noise": {"level": 1}}, "are of a behaviour"),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_a_behaviour_that_does_not_fit_is_refused(change: Any, why: str) -> None:
    doc = {k: v for k, v in BEHAVIOURS[1].items() if k != "id"}
    with pytest.raises(GemelError, match=why):
        read_attachment("tanks", {**doc, **change})


@pytest.mark.parametrize(
    "formula", ["mean of level over 10 min", "rate of level", "any level in feeds > 3", "level >"]
)
def test_formulas_know_only_the_moment(formula: str) -> None:
    doc = {"model": TANK, "outputs": {"fill": formula}}
    fork = fork_of_json(plan()["fork"])
    with pytest.raises(InvalidInput, match=r"behaviour 'tanks': outputs\.fill"):
        joined(fork, [read_attachment("tanks", doc)])


def test_two_behaviours_do_not_give_the_same() -> None:
    fork = fork_of_json(plan()["fork"])
    twice = [read_attachment(name, {"model": TANK, "outputs": {"fill": 1}}) for name in "ab"]
    with pytest.raises(InvalidInput, match="'a' and 'b' both give 'fill' of 'tank-1'"):
        joined(fork, twice)


def test_a_room_settles_at_its_set_point_and_people_make_it_stuffy() -> None:
    day = np.arange(24 * 60)
    found = simulate(
        behaviour_of("room"),
        {"people": np.where(day > 720, 40.0, 5.0), "supply": 16.0, "flow": 2500.0},
        60.0,
        start={"temperature": 25.0, "inside": 23.0},
    )
    temperature, co2 = found.output("temperature")[:, 0], found.output("co2")[:, 0]
    assert 18 < temperature[-1] < 25
    assert co2[-1] > co2[700] + 100
    assert (found.output("valve") >= 25 - 1e-9).all()
