"""The closed loop of maintenance: the rules of the crew, faults, figures, and the real server."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from studies._downtime_platform import through_platform
from studies._fleet import BEARING, NEVER, Part, Work, bearings, faulty, fleet, simulate
from studies.downtime import (
    CLEAN,
    HARD,
    MARKS,
    TWIN,
    Known,
    Plant,
    against_age,
    closed_loop,
    crosswise,
    cut,
    learnt,
    passed,
    robust,
)

from gemel.services.rul.lives import Life
from studies import Options

QUICK = {"trees": 40, "folds": 3}


def same(length: int) -> Life:
    ages = np.arange(1.0, length + 1)
    return Life("m", np.zeros((length, 2)), np.zeros((length, 1)), ages, True, True)


def of_length(lengths: list[int]) -> object:
    return lambda machine, number: Part(same(lengths[machine]), False, (machine,))


def test_without_a_policy_every_life_ends_in_a_repair_of_three_days() -> None:
    out = simulate(of_length([97]), Work(machines=1, horizon=400), lambda part: NEVER)  # type: ignore[arg-type]
    assert [job.day for job in out.jobs] == [97, 197, 297, 397]
    assert out.down == 12
    assert out.failures == 4


def test_two_failures_on_one_day_wait_for_one_crew() -> None:
    out = simulate(of_length([50, 50]), Work(machines=2, horizon=60), lambda part: NEVER)  # type: ignore[arg-type]
    assert [(job.day, job.machine) for job in out.jobs] == [(50, 0), (53, 1)]
    assert out.down == 3 + 6


def test_a_renewal_ordered_in_time_takes_one_day_when_the_parts_are_there() -> None:
    work = Work(machines=1, horizon=95, lead=14)
    out = simulate(of_length([100]), work, lambda part: 80)  # type: ignore[arg-type]
    assert [(job.day, job.is_failure) for job in out.jobs] == [(93, False)]
    assert (out.down, out.wasted, out.early) == (1, [7], [21])


def test_parts_that_are_there_wait_until_little_is_left() -> None:
    work = Work(machines=1, horizon=99, lead=14)
    out = simulate(of_length([100]), work, lambda part: (60, 95))  # type: ignore[arg-type]
    assert [(job.day, job.is_failure) for job in out.jobs] == [(95, False)]
    assert out.wasted == [5]
    never = simulate(of_length([98]), work, lambda part: (60, NEVER))  # type: ignore[arg-type]
    assert [(job.day, job.is_failure) for job in never.jobs] == [(98, True)]


def test_every_policy_meets_the_same_lives() -> None:
    lives = bearings(20, 1)
    one, two = fleet(lives, 7, 6), fleet(lives, 7, 6)
    for place in ((2, 3), (0, 0), (2, 4)):
        np.testing.assert_array_equal(one(*place).life.values, two(*place).life.values)


@pytest.mark.parametrize("kind", ["stuck", "bias", "dropout"])
def test_a_fault_touches_its_sensor_from_its_day_on(kind: str) -> None:
    values = np.random.default_rng(1).normal(size=(50, 3))
    found = faulty(values, 1, kind, 30)
    np.testing.assert_array_equal(found[:30], values[:30])
    np.testing.assert_array_equal(found[:, [0, 2]], values[:, [0, 2]])
    assert not np.array_equal(found[30:, 1], values[30:, 1])


def test_a_cut_is_paired_by_fleet() -> None:
    other = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    found = cut(0.7 * other, other)
    assert found["cutPercent"] == pytest.approx(30)
    assert found["high"] - found["low"] < 1e-9


@pytest.fixture(scope="module")
def plant() -> Plant:
    made = bearings(50, 3)
    return Plant("bearings", BEARING, made[:36], made[36:])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.downtime.SETTINGS", QUICK)


def test_the_loop_judges_every_policy_on_other_lives(plant: Plant, quick: None) -> None:
    known = Known(plant, [learnt(plant, Options())[0]])
    crossed = Known(plant, *crosswise(plant, Options()))
    rows = closed_loop(plant, known, crossed, Work(horizon=500), HARD, 4, 3, 1)
    down = {name: row["downPercent"] for name, row in rows["policies"].items()}
    assert down["oracle"] <= down["oracle of wear"]
    assert down["oracle"] < down["twin median"] < down["run to failure"]
    marks = json.loads(Path(MARKS).read_text("utf-8"))["marks"]["bearings"]
    rows["passed"] = passed(rows, marks)
    assert set(rows["passed"]) >= {"againstRunToFailure", "againstAge", "againstThreshold"}
    row = against_age("bearings", "hard", rows, marks)
    assert row["mark"]["least"] == 15
    assert row["twin"]["low"] < row["twin"]["cutPercent"] <= row["oracle"]["cutPercent"]
    assert row["oracleOfWear"]["low"] < row["oracleOfWear"]["high"]
    assert 0 < rows["shareOfPossible"] < 1.2
    order, due = rows["policies"][TWIN]["parameter"]
    assert order >= due


def test_a_life_to_tune_on_is_predicted_by_a_model_that_has_not_seen_it(
    plant: Plant, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []
    monkeypatch.setattr(
        "studies.downtime._learnt", lambda lives, paths: (seen.append({id(x) for x in lives}), 0)
    )
    _, part = crosswise(plant, Options())
    for number, life in enumerate(plant.own):
        assert [id(life) in lives for lives in seen] == [k != part[number] for k in range(3)]
        assert id(life) not in {id(x) for x in plant.judging}


def test_a_second_level_must_surely_gain_and_is_no_bolder_than_it_must() -> None:
    random = np.random.default_rng(2)
    common = 100 + 5 * random.standard_normal(36)
    pairs = [(30, 30), (60, 9), (60, 12), (60, 15), (60, 18)]

    def down(*means: float, spread: float = 1.0) -> np.ndarray:
        return np.array([common + m + spread * random.standard_normal(36) for m in means])

    assert robust(pairs, down(0, -4, -4, -4, -2)) == (60, 15)
    assert robust(pairs, down(0, 3, -4, -2, -1)) == (60, 12)
    assert robust(pairs, down(0, 0, 0.2, 0.2, 0.5, spread=3.0)) == (30, 30)


def test_clean_fleets_have_neither_sudden_failures_nor_sensors_that_fail() -> None:
    lives = bearings(6, 2)
    draw = fleet(lives, 7, 6, CLEAN)
    for machine in range(10):
        for number in range(6):
            part = draw(machine, number)
            assert not part.is_sudden
            np.testing.assert_array_equal(part.life.values, lives[part.key[0]].values)


def test_the_server_comes_to_the_same_jobs_on_the_same_days(plant: Plant, quick: None) -> None:
    found = through_platform(plant, (40.0, 20.0), QUICK, Options(small=True))
    assert found["jobs"] > 5
    assert found["proposals"] > 0
    assert found["decisionsThatDiffer"] == 0
    assert found["downPercent"] == found["downPercentSimulated"]
