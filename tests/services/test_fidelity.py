"""The advisor against costs that are known; the ladder against plants with a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.services.contract import Instance, Job
from gemel.services.fidelity import advise
from gemel.services.fidelity.advisor import judge
from gemel.services.fidelity.kind import KIND
from gemel.services.fidelity.ladder import LEVELS, costs, outcome, tuned, views
from gemel.services.fidelity.study import advice, advise_run
from gemel.services.fidelity.wear import Prices, Wear, draw, learnt, plausible
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


def test_a_plant_is_learnt_from_its_lives() -> None:
    true = Wear(0.15, 0.03, 0.3, 0.05)
    found = learnt(draw(true, 60, np.random.default_rng(3)), Wear())
    assert found.rate == pytest.approx(0.03, rel=0.2)
    assert found.begin == pytest.approx(0.15, rel=0.25)
    assert found.noise == pytest.approx(0.05, rel=0.1)
    assert found.rate_spread == pytest.approx(0.3, abs=0.12)


def test_bend_jitter_and_sudden_failures_are_learnt_too() -> None:
    true = Wear(0.1, 0.03, 0.3, 0.03, bend=1.4, jitter=0.8, sudden=0.002)
    found = [learnt(draw(true, 40, np.random.default_rng(seed)), Wear()) for seed in range(10)]
    middle = {name: np.median([getattr(one, name) for one in found]) for name in Wear.__slots__}
    assert middle["bend"] == pytest.approx(1.4, abs=0.1)
    assert middle["begin"] == pytest.approx(0.1, rel=0.1)
    assert middle["rate"] == pytest.approx(0.03, rel=0.1)
    assert middle["jitter"] == pytest.approx(0.8, abs=0.25)
    assert middle["sudden"] == pytest.approx(0.002, rel=0.4)
    plain = Wear(0.1, 0.03, 0.3, 0.03)
    assert learnt(draw(plain, 40, np.random.default_rng(1)), Wear()).jitter < 0.4


def test_few_lives_leave_more_plants_possible_than_many() -> None:
    middle = Wear(0.1, 0.03, 0.3, 0.03, bend=1.2, jitter=0.5, sudden=0.001)
    few, many = (plausible(middle, n, 8, np.random.default_rng(1)) for n in (10, 160))
    for name in ("rate", "rate_spread", "sudden"):
        spread = [np.std([getattr(one, name) for one in found]) for found in (few, many)]
        assert spread[0] > 1.5 * spread[1]
    assert np.median([one.rate for one in many]) == pytest.approx(0.03, rel=0.1)
    prices, levels = Prices(10, 1, 5), len(LEVELS)
    found, limits = advice(many, prices, 0.02, 1)
    assert np.shape(limits) == (8, levels)
    assert found.scenarios >= 100


def test_limits_are_set_finer_than_the_readings_that_were_met() -> None:
    prices = Prices(10, 1, 5)
    found = [
        tuned(views(draw(Wear(), 1_000, np.random.default_rng(seed))), prices) for seed in range(6)
    ]
    spread = np.std(found, axis=0) / np.abs(np.mean(found, axis=0))
    assert spread[1] < 0.1
    assert spread[2] < 0.1


def test_too_few_lives_leave_what_was_assumed() -> None:
    prior = Wear(0.2)
    assert learnt(draw(Wear(), 1, np.random.default_rng(1)), prior) is prior


def test_the_run_says_which_level_and_why() -> None:
    schema = KIND.runs[0].parameters
    parameters = completed(schema, {"rateSpread": 0.05, "rate": 0.05})
    job = Job(Instance("free", "fidelity", (), {"tolerance": 0.1}), parameters)
    found = advise_run(job, lambda *_: None).document
    assert found["level"] in LEVELS
    assert [one["name"] for one in found["levels"]] == list(LEVELS)
    assert min(one["regret"] for one in found["levels"]) == 0
