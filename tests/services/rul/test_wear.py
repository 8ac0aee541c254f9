"""Lines of wear: the same whatever the order of sums."""

from __future__ import annotations

import numpy as np

from gemel.services.rul import wear


def test_the_order_of_sums_leaves_no_trace_in_what_is_learnt() -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(2_000, 6))
    remaining = np.abs(rows @ np.arange(6.0)) * 10
    condition = random.integers(0, 2, 2_000)
    weight = np.ones(2_000)
    one = wear.learn(condition, rows, remaining, weight, 100.0, 2)
    order = random.permutation(2_000)
    two = wear.learn(condition[order], rows[order], remaining[order], weight, 100.0, 2)
    np.testing.assert_array_equal(one.weight, two.weight)
    np.testing.assert_array_equal(one.level, two.level)
