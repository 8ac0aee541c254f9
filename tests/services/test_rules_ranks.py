"""Percentiles kept from second to second are those that sorting gives, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.ranks import percentile_of
from gemel.services.rules.features import Window
from gemel.services.rules.windows import WindowColumns

COLUMNS = 5
SHARES = [0.0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.9999999999999999, 1.0]
steps = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 5, 40]),
        st.lists(
            st.tuples(st.integers(0, COLUMNS - 1), st.integers(-9, 9).map(lambda n: n / 7)),
            max_size=COLUMNS,
        ),
    ),
    min_size=1,
    max_size=60,
)


def columns_of(seconds, share):
    window = Window("percentile", seconds, share, "a", None)
    keys = [str(i) for i in range(COLUMNS)]
    every = np.arange(COLUMNS)
    return WindowColumns(window, keys, every, every)


@pytest.mark.parametrize("seconds", [1, 2, 3, 10, 70, 200, 600])
@settings(max_examples=25, deadline=None)
@given(steps, st.sampled_from(SHARES), st.integers(0, 60))
def test_a_percentile_kept_is_the_one_that_sorting_gives(seconds, taken, share, rebuilt_at):
    kept, second, values = columns_of(seconds, share), 1_000, np.full(COLUMNS, np.nan)
    for number, (later, samples) in enumerate(taken):
        second += later
        if number == rebuilt_at:
            fresh = columns_of(seconds, share)
            fresh.take(kept.state())
            kept = fresh
        column = np.array([c for c, _ in samples], np.int64)
        value = np.array([v for _, v in samples], np.float64)
        if kept.step(second, column, value, values):
            expected = percentile_of(kept.arrays["last"], share)
            assert np.array_equal(values, expected, equal_nan=True)
