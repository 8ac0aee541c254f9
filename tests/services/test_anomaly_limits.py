"""Limits: what four parts of normal samples say of a fifth; learnt for every statistic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gemel.core.batch import F64
from gemel.services.anomaly.learning import own_limits
from gemel.services.anomaly.limits import LEAST, PARTS, by_others, limits
from gemel.services.anomaly.multivariate import STATISTICS, learn_space
from gemel.services.anomaly.statistics import Settings, Statistics

WEIGHT = 0.1


def drifting(seed: int, count: int, width: int = 5) -> F64:
    """Signals of one cause, whose sums wander as slowly as the day does."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=(count, 1))
    slow = np.cumsum(random.normal(size=(count, width)), axis=0) / np.sqrt(count)
    return 20 + shared + 0.3 * random.normal(size=(count, width)) + slow


@given(arrays(np.float64, (PARTS, 20, 3), elements=st.floats(0, 1e9)), st.floats(1e-6, 0.2))
def test_no_limit_is_below_what_a_part_itself_asks_for(parts: F64, share: float) -> None:
    own = np.quantile(parts, 1 - share, axis=1)
    assert (limits(list(parts), share) >= own.max(axis=0) * (1 - 1e-9)).all()


@given(st.floats(1e-3, 1e3), st.floats(0, 1))
def test_no_part_lifts_a_limit_without_end(high: float, low: float) -> None:
    parts = [np.full((10, 1), high), *[np.full((10, 1), high * low)] * (PARTS - 1)]
    assert limits(parts, 0.01)[0] <= high / LEAST


def test_parts_that_are_alike_give_their_own_limit() -> None:
    part = np.abs(np.random.default_rng(1).normal(size=(500, 2)))
    np.testing.assert_allclose(limits([part] * PARTS, 0.01), np.quantile(part, 0.99, axis=0))


def test_each_part_is_judged_by_the_others_alone() -> None:
    table = np.repeat(np.arange(PARTS, dtype=float), 5)
    found = by_others(table, lambda some: set(some), lambda known, part: np.isin(part, [*known]))
    assert len(found) == PARTS
    assert not np.concatenate(found).any()


def test_a_span_whose_parts_differ_gives_wider_limits_of_every_statistic() -> None:
    still = np.random.default_rng(1).normal(size=(800, 6))
    moved = still.copy()
    moved[600:, 0] += 4
    narrow, wide = (learn_space(table, 0.01, WEIGHT).limits for table in (still, moved))
    for name, before, after in zip(STATISTICS, narrow, wide, strict=True):
        assert after > 1.5 * before, name
    alone = [own_limits(table, WEIGHT, 0.01) for table in (still, moved)]
    assert (alone[1][0] > 1.5 * alone[0][0]).all()
    np.testing.assert_allclose(alone[1][1:], alone[0][1:])


def test_what_drifts_stays_below_limits_that_were_promised_for_it() -> None:
    """The fifth part after the four, on 40 drifting twins; the quantile of all four is no limit."""
    share, above, plainly = 0.01, [], []
    for seed in range(40):
        table = drifting(seed, 1000)
        space = learn_space(table[:800], share, WEIGHT)
        judged = space.judged(table[800:], WEIGHT)
        above.append((judged > space.limits).mean(axis=0))
        plain = np.quantile(space.judged(table[:800], WEIGHT), 1 - share, axis=0)
        plainly.append((judged > plain).mean(axis=0))
    assert (np.mean(above, axis=0) < 0.1).all()
    assert (np.mean(plainly, axis=0)[1:] > 2 * np.mean(above, axis=0)[1:]).all()


def test_a_signal_that_went_beyond_sigmas_while_all_was_well_has_a_limit_of_its_own() -> None:
    random = np.random.default_rng(2)
    value = random.normal(size=1000)
    value[::50] = 15.0
    (own,) = own_limits(value[:, None], WEIGHT, 0.001)
    statistics = Statistics(2, Settings(sigmas=6.0))
    both = np.arange(2), np.zeros(2), np.ones(2), np.full(2, WEIGHT / (2 - WEIGHT))
    statistics.fix(*both, np.stack((own, np.full(2, 3.0))))
    z = statistics.step(slice(None), np.array([12.0, 12.0]))[0]
    assert z[0] < 1
    assert z[1] == pytest.approx(2, rel=1e-6)  # never below `sigmas`
