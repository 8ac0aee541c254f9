"""Percentiles of windows: compiled and in numpy the same, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core import fast
from gemel.core.ranks import percentile_of, percentiles, plain_percentiles, plain_slide, slide

sample = st.one_of(st.just(float("nan")), st.integers(-9, 9).map(lambda n: n / 7))
share = st.sampled_from([0.0, 0.1, 0.5, 0.95, 0.9999999999999999, 1.0])
compiled = pytest.mark.skipif(not fast.IS_COMPILED, reason="nothing is compiled here")


@pytest.mark.parametrize("way", [slide, plain_slide])
@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(sample, sample), min_size=1, max_size=30), st.integers(1, 5), share)
def test_what_slides_is_what_sorting_gives(way, steps, rows, wanted):
    samples = np.full((rows, 2), np.nan)
    ordered, known = np.full((2, rows), np.inf), np.zeros(2, np.int64)
    out = np.zeros(2)
    for number, values in enumerate(steps):
        row = number % rows
        before = samples[row].copy()
        samples[row] = values
        way(ordered, known, before, samples[row].copy(), wanted, out)
        assert np.array_equal(before, samples[row], equal_nan=True)
        assert np.array_equal(out, percentile_of(samples, wanted), equal_nan=True)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(sample.filter(lambda v: v == v), max_size=30),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30),
    share,
)
def test_the_percentiles_of_ranges_are_those_of_each_range(values, moves, wanted):
    since, upto, ranges = 0, 0, []
    for on, further in moves:
        upto = min(upto + further, len(values))
        since = min(since + on, upto)
        ranges.append((since, upto))
    begin, end = (np.array([r[i] for r in ranges], np.int64) for i in (0, 1))
    room = max([1, *(b - a for a, b in ranges)])
    value = np.array(values, np.float64)
    expected = [percentile_of(value[a:b, None], wanted)[0] if b > a else np.nan for a, b in ranges]
    plain = np.empty(len(ranges))
    plain_percentiles(value, begin, end, room, wanted, plain)
    assert np.array_equal(plain, expected, equal_nan=True)
    found = percentiles(value, begin, end, room, wanted)
    assert np.array_equal(found, expected, equal_nan=True)


@compiled
@pytest.mark.parametrize(
    ("since", "upto", "room"),
    [([0], [4], 4), ([1, 0], [2, 2], 4), ([0, 0], [2, 1], 4), ([2], [1], 4), ([0], [3], 2)],
)
def test_ranges_that_do_not_belong_to_the_samples_are_refused(since, upto, room):
    with pytest.raises(ValueError, match="do not belong"):
        percentiles(np.zeros(3), np.array(since), np.array(upto), room, 0.5)


@compiled
def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="do not belong"):
        slide(np.zeros((2, 3)), np.zeros(2, np.int64), np.zeros(1), np.zeros(2), 0.5, np.zeros(2))
    with pytest.raises(ValueError, match="do not belong"):
        slide(np.zeros((2, 3)), np.full(2, 4), np.zeros(2), np.zeros(2), 0.5, np.zeros(2))
