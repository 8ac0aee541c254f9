"""The advisor against costs that are known; the ladder against plants with a known answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.contract import Instance, Job
from gemel.services.fidelity import advise
from gemel.services.fidelity.advisor import judge
from gemel.services.fidelity.kind import KIND
from gemel.services.fidelity.ladder import LEVELS, costs, outcome, tuned, views
from gemel.services.fidelity.study import advise_run, learnt, undecided
from gemel.services.fidelity.wear import Prices, Wear, draw
from gemel.services.schema import completed


def made(*means: float, count: int = 400, spread: float = 0.3) -> np.ndarray:
    """Costs whose large common part cancels out in pairs."""
    random = np.random.default_rng(1)
    common = spread * random.standard_normal(count)
    return np.array([m + common * m + 0.02 * random.standard_normal(count) for m in means])


def test_the_lowest_level_within_tolerance_is_chosen() -> None:
    found = judge(("a", "b", "c"), made(1.3, 1.01, 1.0), 0.02)
    assert (found.level, found.best, found.is_sure) == (1, 2, True)
    assert found.levels[0].regret == pytest.approx(0.3, abs=0.01)
    assert judge(("a", "b", "c"), made(1.3, 1.05, 1.0), 0.02).level == 2


def test_pairs_make_the_interval_narrow() -> None:
    level = judge(("a", "b"), made(1.05, 1.0), 0.02).levels[0]
    assert level.high - level.low < 0.01  # unpaired it would be 0.08


def test_intervals_cover_the_regret_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        common = random.standard_normal(60)
        sample = np.array([1.1 + 0.1 * common, 1.0 + 0.1 * common])
        sample += 0.05 * random.standard_normal((2, 60))
        level = judge(("a", "b"), sample, 0.0).levels[0]
        hits += level.low <= 0.1 <= level.high
    assert 0.91 <= hits / 400 <= 0.98


def test_it_asks_for_more_until_it_is_sure_and_stops() -> None:
    asked = []
    random = np.random.default_rng(2)

    def more(count: int) -> np.ndarray:
        asked.append(count)
        return np.array([[1.024], [1.0]]) + 0.05 * random.standard_normal((2, count))

    found = advise(("a", "b"), more, 0.02, first=50, most=200)
    assert asked == [50, 50, 100]
    assert not found.is_sure


def test_an_order_comes_after_its_lead_and_a_failure_before_it_costs_more() -> None:
    score = np.tile(np.arange(40.0)[:, None], 2)
    cost, days = outcome(score, np.array([15.0, 30.0]), 10, Prices(9, 1, 10))
    assert cost.tolist() == [9, 1]
    assert days.tolist() == [16, 21]


def test_where_lives_are_alike_age_is_enough_and_where_not_it_is_not() -> None:
    prices = Prices(10, 1, 5)
    for spread, enough in ((0.0, True), (0.6, False)):
        wear = Wear(rate_spread=spread)
        limits = tuned(views(draw(wear, 400, np.random.default_rng(1))), prices)
        found = judge(LEVELS, costs(wear, prices, limits, 20, np.random.default_rng(2)), 0.05)
        assert (found.level == 0) is enough


def test_limits_are_set_finer_than_the_readings_that_were_met() -> None:
    prices = Prices(10, 1, 5)
    found = [
        tuned(views(draw(Wear(), 1_000, np.random.default_rng(seed))), prices) for seed in range(6)
    ]
    spread = np.std(found, axis=0) / np.abs(np.mean(found, axis=0))
    assert spread[1] < 0.1
    assert spread[2] < 0.1


def test_the_run_says_which_level_and_why() -> None:
    found = advise_run(job(rateSpread=0.05, rate=0.05), lambda *_: None).document
    assert found["level"] in LEVELS
    assert [one["name"] for one in found["levels"]] == list(LEVELS)
    assert min(one["regret"] for one in found["levels"]) == 0


def job(**parameters: Any) -> Job:
    instance = Instance("free", "fidelity", (), {"tolerance": 0.1})
    return Job(instance, completed(KIND.runs[0].parameters, parameters))


def test_the_run_learns_the_plant_from_recorded_lives_and_says_how_open_the_level_is() -> None:
    true = Wear(0.3, 0.1, 0.3, 0.05, 1.2, 0.3, 0.002)
    lives = draw(true, 30, np.random.default_rng(4))
    recorded = [row[:end].tolist() for row, end in zip(lives.seen, lives.end, strict=True)]
    recorded[0][2] = None
    found = advise_run(job(recorded=recorded, lead=3), lambda *_: None).document
    assert found["plant"]["begin"] == pytest.approx(0.3, rel=0.15)
    assert found["plant"]["rateSpread"] == pytest.approx(0.3, abs=0.15)
    chances = {one["name"]: one["chance"] for one in found["levels"]}
    assert sum(chances.values()) == pytest.approx(1)
    assert chances[found["level"]] >= 0.25
    assert (found["undecided"] == []) == (max(chances.values()) >= 0.9)
    assert all(chances[name] > 0 for name in found["undecided"])
    running = [one[: len(one) // 2] for one in recorded[20:]]
    more, few = (learnt(recorded[:20], other, 1).middle() for other in (running, []))
    assert more.sudden < few.sudden


def test_levels_that_hold_nine_tenths_of_the_plants_together_are_undecided() -> None:
    assert undecided([0.0, 0.0625, 0.9375, 0.0]) == []
    assert undecided([0.0, 0.125, 0.875, 0.0]) == ["level", "trend"]
    assert undecided([0.25, 0.0625, 0.125, 0.5625]) == ["age", "trend", "growth"]


def test_recorded_lives_that_tell_nothing_are_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="fewer than 2 lives") as caught:
        advise_run(job(recorded=[[0.1, 0.2, 0.1], [0.1] * 20]), lambda *_: None)
    assert "describe the plant" in str(caught.value.hint)
    with pytest.raises(InvalidInput, match=r"recorded\[1\] has a reading beyond 3") as caught:
        advise_run(job(recorded=[[0.1, 0.9], [0.1, 7.1]]), lambda *_: None)
    assert "shares of failure" in str(caught.value.hint)
    with pytest.raises(InvalidInput, match=r"renewed\[0\] has a reading beyond 3"):
        advise_run(job(recorded=[[0.1, 0.9]], renewed=[[0.1, 9.0]]), lambda *_: None)
    with pytest.raises(InvalidInput, match="fewer than 2 lives"):
        advise_run(job(renewed=[[0.1, 0.4, 0.5, 0.7, 0.9, 1.0]] * 5), lambda *_: None)
    with pytest.raises(InvalidInput, match="recorded"):
        job(recorded=[["worn"]])
