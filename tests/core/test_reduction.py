"""Reduction keeps its bound on anything; sums of what is left are those of what was there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.core.reduction import deadband, held, integral, interpolated, swinging_door

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200)


def times(count: int, seed: int = 1) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).integers(1, 10**10, count))


@given(values, st.floats(0, 1e5))
@settings(max_examples=150, deadline=None)
def test_what_is_rebuilt_is_never_further_than_the_bound(found: list[float], bound: float) -> None:
    value, time = np.array(found), times(len(found))
    rows = deadband(value, bound)
    assert np.abs(held(rows, value) - value).max() <= bound
    rows = swinging_door(time, value, bound)
    rebuilt = interpolated(rows, time, value)
    assert np.abs(rebuilt - value).max() <= bound + 1e-9 * np.abs(value).max()
    assert rows[0] == 0
    assert rows[-1] == len(value) - 1


def test_deadband_is_the_plain_loop() -> None:
    value = np.cumsum(np.random.default_rng(4).normal(0, 1, 5000))
    last, plain = np.inf, []
    for i, one in enumerate(value.tolist()):
        if abs(one - last) > 1.5:
            last = one
            plain.append(i)
    assert deadband(value, 1.5).tolist() == plain


def test_a_straight_line_is_its_two_ends_however_long() -> None:
    time = np.arange(20_000) * 10**9
    assert swinging_door(time, 0.25 * np.arange(20_000.0), 1e-6).tolist() == [0, 19_999]
    assert deadband(np.full(20_000, 3.0), 0).tolist() == [0]


def test_means_must_weigh_time() -> None:
    time = np.arange(1000) * 10**9
    value = np.where(np.arange(1000) < 900, 0.0, 10 * np.sin(np.arange(1000)) + 10)
    rows = swinging_door(time, value, 0.1)
    full, reduced = integral(time, value), integral(time[rows], value[rows])
    assert reduced == pytest.approx(full, rel=0.01)
    assert value[rows].mean() > 5 * value.mean()  # the fault of averages over stored points
    assert integral(time, np.full(1000, 2.0), is_held=True) == 2 * 999


def test_what_cannot_be_reduced_is_said() -> None:
    for time, value, bound in (
        (np.array([1, 1]), np.zeros(2), 1.0),
        (np.array([1, 2]), np.array([0, np.nan]), 1.0),
        (np.array([1, 2]), np.zeros(2), -1.0),
    ):
        with pytest.raises(InvalidInput):
            swinging_door(time, value, bound)
