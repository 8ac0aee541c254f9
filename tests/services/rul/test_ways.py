"""Machines that fail in two ways, and data that is not as it was in learning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gemel.services.rul import learning
from gemel.services.rul.learning import Settings
from gemel.services.rul.lives import Life, Paths
from gemel.services.rul.model import Model

PATHS = Paths(("heat", "shake", "flow", "tone"), ("load",), "", "")
QUICK = Settings(trees=40, folds=3, most=60.0)


def machine(seed: int, way: int, loads: int = 2) -> Life:
    """Heat shows one way of failing, shake the other; flow falls in one and rises in the other."""
    random = np.random.default_rng([seed, way])
    n = int(random.integers(60, 110))
    wear = (np.arange(1, n + 1) / n) ** 2
    load = random.integers(0, loads, n).astype(float)
    moves = np.array([[4.0, 0.0, -3.0, 0.0], [0.0, 4.0, 3.0, 0.0]])[way]
    values = 50 + 30 * load[:, None] + wear[:, None] * moves + random.normal(0, 0.5, (n, 4))
    return Life(f"m{seed}-{way}", values, load[:, None], np.arange(1.0, n + 1), True, True)


FLEET = [machine(seed, way) for seed in range(15) for way in (0, 1)]


def quiet(share: float, what: str) -> None:
    pass


@pytest.fixture(scope="module")
def learnt() -> learning.Trained:
    return learning.trained(FLEET, PATHS, QUICK, quiet)


def rows_of(model: Model, life: Life) -> np.ndarray:
    return learning.features_of(model, life, learning.places_of(model, PATHS))


def test_both_ways_are_seen_coming_and_the_intervals_hold_for_each(
    learnt: learning.Trained,
) -> None:
    for way in (0, 1):
        mine = learnt.table.unit % 2 == way
        table = learnt.table.take(mine)
        parts = (learnt.low[mine], learnt.middle[mine], learnt.high[mine])
        scores = learning.judged(*parts, table, QUICK)
        assert scores["rmse"] < 11
        assert scores["coverage"] >= 0.8


@pytest.mark.parametrize(("way", "shown"), [(0, "heat"), (1, "shake")])
def test_drivers_say_in_which_way_a_machine_fails(
    learnt: learning.Trained, way: int, shown: str
) -> None:
    other = {"heat": "shake", "shake": "heat"}[shown]
    for seed in range(100, 106):
        row = rows_of(learnt.model, machine(seed, way))[-1]
        drivers = {d["property"]: abs(d["cycles"]) for d in learnt.model.drivers(row, 5)}
        assert drivers[shown] > 2 * drivers.get(other, 0.0)


def test_a_load_that_was_never_seen_is_taken_for_the_nearest(learnt: learning.Trained) -> None:
    life = machine(200, 0)
    near = replace(life, settings=np.where(life.settings == 1, 1.2, life.settings))
    np.testing.assert_array_equal(rows_of(learnt.model, near), rows_of(learnt.model, life))
    low, middle, high = learnt.model.predict(rows_of(learnt.model, near))
    assert ((low <= middle) & (middle <= high)).all()


def test_gaps_in_readings_cost_little(learnt: learning.Trained) -> None:
    random = np.random.default_rng(7)
    off = []
    for whole in (machine(seed, seed % 2) for seed in range(300, 312)):
        gaps = np.where(random.random(whole.values.shape) < 0.2, np.nan, whole.values)
        said = [
            learnt.model.predict(rows_of(learnt.model, life))[1]
            for life in (whole, replace(whole, values=gaps))
        ]
        off.append(said[1] - said[0])
    assert np.sqrt(np.mean(np.concatenate(off) ** 2)) < 8


def test_a_sensor_without_readings_and_lives_of_unlike_lengths_are_learnt_from() -> None:
    fleet = []
    for place, life in enumerate(FLEET[:20]):
        values = life.values.copy()
        values[:, 3] = np.nan
        begin = len(life) - 12 if place % 5 == 0 else 0
        fleet.append(
            replace(
                life, values=values[begin:], settings=life.settings[begin:], age=life.age[begin:]
            )
        )
    model, scores = learning.learn(fleet, PATHS, QUICK, quiet)
    assert model.paths == ("heat", "shake", "flow")
    assert scores["lives"] == 20
    assert np.isfinite(model.predict(rows_of(model, FLEET[25]))[1]).all()
