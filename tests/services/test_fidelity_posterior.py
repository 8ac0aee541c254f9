"""What recorded lives tell of a plant, against plants that are known."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.services.fidelity.posterior import Posterior, jitter_of, pace_of, posterior
from gemel.services.fidelity.wear import Lives, Wear, draw


def told(wear: Wear, lives: int, seed: int) -> Posterior:
    found = posterior(draw(wear, lives, np.random.default_rng(seed)), np.random.default_rng(seed))
    assert found is not None
    return found


def test_every_number_of_a_plant_is_learnt_from_its_lives() -> None:
    true = Wear(0.1, 0.03, 0.3, 0.03, bend=1.4, jitter=0.8, sudden=0.002)
    found = [told(true, 40, seed).middle() for seed in range(5)]
    middle = {name: np.median([getattr(one, name) for one in found]) for name in Wear.__slots__}
    assert middle["begin"] == pytest.approx(0.1, rel=0.08)
    assert middle["rate"] == pytest.approx(0.03, rel=0.12)
    assert middle["rate_spread"] == pytest.approx(0.3, abs=0.05)
    assert middle["noise"] == pytest.approx(0.03, rel=0.03)
    assert middle["bend"] == pytest.approx(1.4, abs=0.15)
    assert middle["jitter"] == pytest.approx(0.8, abs=0.25)
    assert middle["sudden"] == pytest.approx(0.002, rel=0.5)


def test_plants_that_are_left_possible_hold_the_true_one_as_often_as_they_say() -> None:
    random = np.random.default_rng(6)
    inside = []
    for seed in range(16):
        true = Wear(
            random.uniform(0.1, 0.3),
            random.uniform(0.04, 0.08),
            random.uniform(0.1, 0.5),
            random.uniform(0.02, 0.1),
            random.uniform(0.8, 1.5),
            random.uniform(0.2, 0.8),
            0.002,
        )
        drawn = told(true, 25, seed).drawn(200, random)
        for name in ("rate", "rate_spread", "noise", "bend", "sudden"):
            low, high = np.quantile([getattr(one, name) for one in drawn], [0.05, 0.95])
            inside.append(low <= getattr(true, name) <= high)
    assert 0.8 <= np.mean(inside) <= 0.97


def test_few_lives_leave_more_plants_possible_than_many() -> None:
    true = Wear(0.2, 0.06, 0.3, 0.03, bend=1.2, jitter=0.5, sudden=0.004)
    few, many = (told(true, n, 1).drawn(100, np.random.default_rng(1)) for n in (10, 120))
    for name in ("rate", "rate_spread", "sudden"):
        spread = [np.std([getattr(one, name) for one in found]) for found in (few, many)]
        assert spread[0] > 1.5 * spread[1]
    assert np.median([one.rate for one in many]) == pytest.approx(0.06, rel=0.1)


def test_a_life_that_ended_unworn_has_failed_suddenly() -> None:
    lives = draw(Wear(0.1, 0.05, 0.2, 0.03), 30, np.random.default_rng(2))
    end = lives.end.copy()
    end[:3] = end[:3] // 3
    seen = lives.seen.copy()
    for row, day in zip(seen, end.tolist(), strict=True):
        row[day:] = np.nan
    found = posterior(Lives(seen, end), np.random.default_rng(2))
    assert found is not None
    assert found.sudden == pytest.approx(3, abs=0.2)
    assert found.middle().rate_spread == pytest.approx(0.2, abs=0.1)


def test_readings_that_are_missing_are_passed_over() -> None:
    lives = draw(Wear(0.1, 0.05, 0.2, 0.03), 40, np.random.default_rng(3))
    seen = lives.seen.copy()
    seen[np.random.default_rng(4).random(seen.shape) < 0.3] = np.nan
    seen[:, :6] = np.nan
    found = posterior(Lives(seen, lives.end), np.random.default_rng(3))
    assert found is not None
    assert found.middle().begin == pytest.approx(0.1, rel=0.1)
    assert found.middle().noise == pytest.approx(0.03, rel=0.1)


def renewed(lives: Lives, ages: np.ndarray) -> tuple[Lives, np.ndarray]:
    end = np.minimum(lives.end, ages.astype(np.int64))
    day = np.arange(lives.seen.shape[1])
    return Lives(np.where(day < end[:, None], lives.seen, np.nan), end), lives.end <= end


def test_parts_renewed_in_time_say_that_others_live_longer() -> None:
    true = Wear(0.1, 0.03, 0.4, 0.03, bend=1.2, jitter=0.8, sudden=0.002)
    used, dropped = [], []
    for seed in range(5):
        random = np.random.default_rng(seed)
        lives = draw(true, 60, random)
        cut, failed = renewed(lives, random.uniform(0.4, 1.6, 60) * np.median(lives.end))
        assert 0.3 < failed.mean() < 0.7
        with_them = posterior(cut, np.random.default_rng(1), failed)
        without = posterior(Lives(cut.seen[failed], cut.end[failed]), np.random.default_rng(1))
        assert with_them is not None
        assert without is not None
        used.append(with_them.middle())
        dropped.append(without.middle())
    assert np.median([one.rate for one in used]) == pytest.approx(0.03, rel=0.1)
    assert np.median([one.rate for one in dropped]) > 0.0345
    assert np.median([one.rate_spread for one in used]) == pytest.approx(0.4, abs=0.06)
    assert np.median([one.sudden for one in used]) == pytest.approx(0.002, rel=0.5)
    assert np.median([one.sudden for one in dropped]) > 0.003


def test_a_part_renewed_while_it_was_worn_has_not_failed() -> None:
    lives = draw(Wear(0.1, 0.05, 0.2, 0.03), 30, np.random.default_rng(2))
    failed = np.arange(30) >= 10
    cut, _ = renewed(lives, np.where(failed, lives.end, lives.end - 2))
    found = posterior(cut, np.random.default_rng(2), failed)
    assert found is not None
    assert found.sudden < 0.2
    assert found.middle().rate == pytest.approx(0.05, rel=0.12)
    assert posterior(cut, np.random.default_rng(2), np.zeros(30, np.bool_)) is None


def test_too_few_lives_tell_nothing() -> None:
    for lives in (0, 1):
        drawn = draw(Wear(), 5, np.random.default_rng(1))
        few = Lives(drawn.seen[:lives], drawn.end[:lives])
        assert posterior(few, np.random.default_rng(1)) is None


@pytest.mark.parametrize("jitter", [0.0, 0.3, 1.0, 2.0])
def test_a_jitter_is_found_again_from_how_varied_it_makes_growth(jitter: float) -> None:
    mean, varied = pace_of(jitter)
    grown = np.maximum(1 + jitter * np.random.default_rng(1).standard_normal(200_000), 0)
    assert mean == pytest.approx(grown.mean(), rel=0.01)
    assert varied == pytest.approx(grown.std() / grown.mean(), rel=0.01, abs=1e-9)
    assert jitter_of(varied) == pytest.approx(jitter, abs=0.01)
