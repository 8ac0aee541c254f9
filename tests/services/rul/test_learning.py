"""Learning on machines made here whose wear is known; nothing comes from the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Instance, Job, Signal
from gemel.services.rul import bands, conditions, features, learning, trees, wear, weibull
from gemel.services.rul.kind import KIND
from gemel.services.rul.lives import Life, Paths, lives_of
from gemel.services.rul.model import AGE, LEARNT, TREND, model_of
from gemel.services.schema import completed

PATHS = Paths(("heat", "shake", "still"), ("load",), "", "")
QUICK = learning.Settings(trees=60, folds=3, most=60.0)
DAY = 86_400 * 1_000_000_000


def quiet(share: float, what: str) -> None:
    pass


def machine(seed: int, loads: int = 1) -> Life:
    """Wear that grows to 1 at its end; heat and shake show it, over loads of their own."""
    random = np.random.default_rng(seed)
    n = int(random.integers(60, 120))
    wear = (np.arange(1, n + 1) / n) ** 2
    load = random.integers(0, loads, n).astype(float)
    heat = 50 + 30 * load + 20 * wear + random.normal(0, 1.0, n)
    shake = 2 + load + 3 * wear + random.normal(0, 0.3, n)
    values = np.stack((heat, shake, np.full(n, 7.0)), axis=1)
    return Life(f"m{seed}", values, load[:, None], np.arange(1.0, n + 1), True, True)


FLEET = [machine(seed) for seed in range(24)]


def test_features_of_a_life_cut_short_are_the_same() -> None:
    rows = np.random.default_rng(1).normal(size=(130, 4))
    whole = features.of_life(rows)
    for cut in (1, 2, 5, 19, 20, 21, 40, 41, 100):
        np.testing.assert_array_equal(features.of_life(rows[:cut]), whole[:cut])


def test_features_are_means_slopes_and_distances() -> None:
    line = np.arange(60.0)[:, None] * 2 + 5
    last = dict(zip(features.names(["x"]), features.of_life(line)[-1], strict=True))
    assert last["mean of 10", "x"] == pytest.approx(np.mean(line[-10:]))
    assert last["slope of 20", "x"] == pytest.approx(2)
    assert last["slope of 40", "x"] == pytest.approx(2)
    assert last["distance from its beginning", "x"] == pytest.approx(
        np.mean(line[-20:]) - np.mean(line[:20])
    )
    assert last["age", ""] == 60


def test_conditions_are_found_where_settings_come_in_groups() -> None:
    random = np.random.default_rng(2)
    group = random.integers(0, 4, 800)
    settings = np.stack((group * 10.0, (group % 2) * 0.5), axis=1)
    settings += random.normal(0, (0.01, 0.001), settings.shape)
    values = (group * 100.0 + random.normal(0, 2, 800))[:, None]
    scaling = conditions.learn(settings, values)
    assert len(scaling.centres) == 4
    scaled = scaling.apply(settings, values)
    assert abs(scaled.std() - 1) < 0.05
    blob = random.normal(size=(800, 2))
    assert len(conditions.learn(blob, values).centres) == 1
    assert len(conditions.learn(np.zeros((800, 0)), values).centres) == 1


def test_trees_as_arrays_say_what_lightgbm_says() -> None:
    import lightgbm

    random = np.random.default_rng(3)
    rows = random.normal(size=(700, 6))
    target = rows[:, 0] * 3 + np.abs(rows[:, 1]) + random.normal(0, 0.1, 700)
    data = lightgbm.Dataset(rows, target, params=trees.SETTINGS)
    booster = lightgbm.train({**trees.SETTINGS, "min_data_in_leaf": 5}, data, 40)
    ours = trees.of_dumps([booster.dump_model()])
    np.testing.assert_allclose(ours.predict(rows), booster.predict(rows), rtol=1e-9, atol=1e-9)
    shares = ours.shares(rows[0])
    base = ours.value[ours.root].sum()
    assert base + shares.sum() == pytest.approx(ours.predict(rows[:1])[0])
    assert np.abs(shares[:2]).sum() > np.abs(shares[2:]).sum()


def test_a_weibull_is_found_again_with_lives_that_were_cut_short() -> None:
    random = np.random.default_rng(4)
    lives = 200 * random.weibull(3.0, 4_000)
    cut = random.uniform(100, 400, 4_000)
    found = weibull.fit(np.minimum(lives, cut), lives <= cut)
    assert found.shape == pytest.approx(3.0, rel=0.05)
    assert found.scale == pytest.approx(200, rel=0.03)
    ages = np.array([0.0, 100.0, 300.0])
    share = 1 - np.exp(-(((ages + found.remaining(ages, 0.3)) / found.scale) ** found.shape))
    before = 1 - np.exp(-((ages / found.scale) ** found.shape))
    np.testing.assert_allclose((share - before) / (1 - before), 0.3)


def test_bands_hold_their_share_of_lives_not_seen() -> None:
    random = np.random.default_rng(5)

    def sample(lives: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        unit = np.repeat(np.arange(lives), 50)
        centre = random.uniform(0, 100, len(unit))
        off = random.normal(0, 1, len(unit)) * (2 + centre / 10)
        return centre, np.clip(centre + off, 0, 125), unit

    centre, target, unit = sample(80)
    found = bands.learn(centre, target, unit, np.ones(len(unit)), 125.0, 0.9)
    centre, target, _ = sample(200)
    low, middle, high = found.apply(centre)
    assert ((low <= middle) & (middle <= high)).all()
    assert 0.88 <= np.mean((target >= low) & (target <= high)) <= 0.94
    width = high - low
    assert width[centre > 80].mean() > 2 * width[centre < 20].mean()


@pytest.mark.parametrize("level", [LEARNT, TREND, AGE])
def test_each_level_is_learnt_kept_and_read_back(level: str) -> None:
    model, scores = learning.learn(FLEET, PATHS, replace(QUICK, level=level), quiet)
    assert model.paths == ("heat", "shake")
    assert 0.8 <= scores["coverage"] <= 1
    again = model_of(*model.document())
    rows = learning.features_of(model, machine(100), np.array([0, 1]))
    low, middle, high = again.predict(rows)
    np.testing.assert_array_equal(middle, model.predict(rows)[1])
    assert ((low <= middle) & (middle <= high) & (high <= 60)).all()
    drivers = model.drivers(rows[-1], 3)
    assert drivers
    assert {d["property"] for d in drivers} <= {"heat", "shake", "age"}


def test_signals_that_show_wear_beat_age_alone() -> None:
    rmse = {
        level: learning.learn(FLEET, PATHS, replace(QUICK, level=level), quiet)[1]["rmse"]
        for level in (LEARNT, AGE)
    }
    assert rmse[LEARNT] < 0.7 * rmse[AGE]


def test_loads_do_not_hide_wear() -> None:
    fleet = [machine(seed, loads=3) for seed in range(24)]
    model, scores = learning.learn(fleet, PATHS, QUICK, quiet)
    assert len(model.scaling.centres) == 3
    assert scores["rmse"] < 8


def test_too_few_failures_are_said() -> None:
    running = [replace(life, has_failed=False) for life in FLEET]
    with pytest.raises(InvalidInput, match="0 lives"):
        learning.learn(running, PATHS, QUICK, quiet)


def test_readings_are_cut_into_lives_where_the_age_falls() -> None:
    days = np.arange(30) * DAY
    age = np.concatenate((np.arange(1, 13), np.arange(1, 19))).astype(float)
    failed = (np.arange(30) == 11).astype(float)
    paths = Paths(("heat",), (), "age", "failed")
    signals = [Signal("m", p) for p in ("heat", "age", "failed")]
    columns = [Column(days, v) for v in (np.arange(30.0), age, failed)]
    first, second = lives_of(signals, columns, paths, DAY)
    assert (len(first), first.has_failed, first.is_over) == (12, True, True)
    assert (len(second), second.has_failed, second.is_over) == (18, False, False)
    np.testing.assert_array_equal(second.values[:, 0], np.arange(12.0, 30.0))


def test_the_run_gives_a_version_with_scores_from_lives_left_out() -> None:
    signals, columns, twins = [], [], []
    for life in FLEET:
        days = np.arange(len(life)) * DAY
        twins.append(life.twin)
        for k, path in enumerate(("heat", "shake", "still")):
            signals.append(Signal(life.twin, path))
            columns.append(Column(days, life.values[:, k]))
        signals.append(Signal(life.twin, "load"))
        columns.append(Column(days, life.settings[:, 0]))
    parameters = completed(KIND.parameters, {"conditions": ["load"], "most": 60})
    instance = Instance("wear", "rul", tuple(twins), parameters, tuple(signals))
    run = KIND.runs[0]
    given = completed(run.parameters, {"runToFailure": True, "trees": 60, "folds": 3})
    found = learning.train(Job(instance, given, tuple(signals), columns, 0, 200 * DAY), quiet)
    assert found.fit is not None
    assert found.fit.adopt is found.document["passed"] is True
    assert found.document["failed"] == 24
    assert found.fit.document["open"] == []


def test_lines_of_wear_weigh_signals_by_what_they_tell_in_each_condition() -> None:
    random = np.random.default_rng(6)
    remaining = random.uniform(0, 100, 4_000)
    condition = random.integers(0, 2, 4_000)
    rows = random.normal(size=(4_000, 3))
    told = 1 - remaining / 50
    rows[:, 0] += np.where(condition == 0, 5 * told, 0.0)
    rows[:, 1] += np.where(condition == 1, 5 * told, 0.0)
    found = wear.learn(condition, rows, remaining, np.ones(4_000), 100.0, 2)
    size = np.abs(found.weight[:, :, 0])
    assert size[0, 0] > 10 * size[0, 1:].max()
    assert size[1, 1] > 10 * size[1, [0, 2]].max()
    off = found.apply(condition, rows)[:, 0] - remaining
    assert np.sqrt(np.mean(off**2)) < 15
    np.testing.assert_allclose(found.parts.sum(axis=0), 1.0)


def test_a_condition_with_few_cycles_is_weighed_as_all_together() -> None:
    random = np.random.default_rng(7)
    remaining = random.uniform(0, 100, 500)
    rows = random.normal(size=(500, 2)) - remaining[:, None] / 20
    condition = (np.arange(500) < 10).astype(np.intp)
    found = wear.learn(condition, rows, remaining, np.ones(500), 100.0, 3)
    assert not np.array_equal(found.weight[0], found.weight[1])
    np.testing.assert_array_equal(found.weight[1], found.weight[2])


def test_a_version_from_before_lines_of_wear_is_still_read() -> None:
    model, _ = learning.learn(FLEET, PATHS, QUICK, quiet)
    head, arrays = model.document()
    old = {name: array for name, array in arrays.items() if not name.startswith("wear/")}
    again = model_of(head, old)
    assert again.wear is None
    rows = learning.features_of(again, machine(100), np.array([0, 1]))
    assert rows.shape[1] == len(features.names(list(again.paths)))
