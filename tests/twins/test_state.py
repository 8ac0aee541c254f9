from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.batch import EMPTY, Batch, Columns, join, make_batch
from gemel.core.errors import Damaged
from gemel.twins.state import LastValue, State

Plain = dict[int, tuple[int, float, int, int, str | None]]


def contents(state: State) -> Plain:
    found = {number: state.get(number) for number in range(len(state))}
    return {
        number: (v.time, -1.0 if math.isnan(v.value) else v.value, v.quality, v.received, v.text)
        for number, v in found.items()
        if v is not None
    }


def fold(batches: list[Batch]) -> Plain:
    """The same rules, one reading at a time, in a plain dict."""
    found: Plain = {}
    for batch in batches:
        for row in range(len(batch)):
            number, time = int(batch.series[row]), int(batch.time[row])
            old = found.get(number)
            if old is None or (time, batch.received) >= (old[0], old[3]):
                value = float(batch.value[row])
                found[number] = (
                    time,
                    -1.0 if math.isnan(value) else value,
                    int(batch.quality[row]),
                    batch.received,
                    batch.text.get(row),
                )
    return found


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    found = []
    for received in range(draw(st.integers(0, 5))):
        rows = []
        text = {}
        for row in range(draw(st.integers(0, 8))):
            value = float(draw(st.integers(0, 3)))
            if draw(st.integers(0, 4)) == 0:
                value = math.nan
                text[row] = draw(st.sampled_from(['"on"', '"off"']))
            series, time = draw(st.integers(0, 4)), draw(st.integers(1, 5))
            rows.append((series, time, value, draw(st.sampled_from([0, 128]))))
        found.append(make_batch(rows, received, text))
    return found


@given(batches())
@settings(max_examples=200, deadline=None)
def test_state_equals_a_plain_fold(found: list[Batch]) -> None:
    state = State(1)
    for batch in found:
        state.apply(batch)
    assert contents(state) == fold(found)


@given(batches(), st.randoms())
@settings(max_examples=150, deadline=None)
def test_any_order_with_repeats_gives_the_same_state(
    found: list[Batch], random_source: random.Random
) -> None:
    straight = State(1)
    for batch in found:
        straight.apply(batch)
    shuffled = State(1)
    again = found + found
    random_source.shuffle(again)
    for batch in again:
        shuffled.apply(batch)
    assert contents(shuffled) == contents(straight)


@given(batches())
@settings(max_examples=150, deadline=None)
def test_batches_that_are_joined_give_the_same_state(found: list[Batch]) -> None:
    alone, joined = State(1), State(1)
    for batch in found:
        alone.apply(batch)
    if found:
        lengths = [len(batch) for batch in found]
        joined.apply(join(found), np.repeat([batch.received for batch in found], lengths))
    assert contents(joined) == contents(alone)


@given(batches())
@settings(max_examples=150, deadline=None)
def test_changes_are_the_difference_between_two_states(found: list[Batch]) -> None:
    state = State(1)
    for batch in found:
        before = contents(state)
        changed = state.apply(batch)
        after = contents(state)
        different = {
            n for n, new in after.items() if n not in before or _seen(before[n]) != _seen(new)
        }
        assert sorted(changed.tolist()) == sorted(different)


def _seen(value: tuple[int, float, int, int, str | None]) -> tuple[int, float, int, str | None]:
    time, number, quality, _, text = value
    return time, number, quality, text


@given(batches())
@settings(max_examples=60, deadline=None)
def test_a_snapshot_restores_everything(found: list[Batch]) -> None:
    state = State(1)
    for batch in found:
        state.apply(batch)
    again = State()
    again.apply(make_batch([(3, 9, 9.0, 0), (7, 9, math.nan, 0)], 9, {1: '"left over"'}))
    again.restore(state.snapshot())
    assert contents(again) == contents(state)
    assert len(again) == len(state)
    assert again.snapshot() == state.snapshot()
    for batch in found:
        assert len(again.apply(batch)) == len(state.apply(batch))


def test_a_late_reading_never_overwrites_newer_state() -> None:
    state = State()
    state.apply(make_batch([(0, 100, 1.0, 0)], 100))
    changed = state.apply(make_batch([(0, 99, 2.0, 0)], 200))
    assert len(changed) == 0
    assert state.get(0) == LastValue(100, 1.0, 0, 100, None)


def test_a_text_replaced_by_a_number_is_forgotten() -> None:
    state = State()
    state.apply(make_batch([(0, 1, math.nan, 0)], 1, {0: '"idle"'}))
    assert state.apply(make_batch([(0, 2, 5.0, 0)], 2)).tolist() == [0]
    assert state.get(0) == LastValue(2, 5.0, 0, 2, None)
    assert state.text == {}


def test_an_empty_batch_changes_nothing() -> None:
    state = State()
    assert len(state.apply(EMPTY)) == 0
    assert len(state) == 0


def test_what_was_never_read_is_none() -> None:
    state = State()
    state.apply(make_batch([(5, 1, 1.0, 0)], 1))
    assert [state.get(n) for n in (-1, 0, 4, 6, 10**9)] == [None] * 5


def test_a_negative_series_number_is_a_mistake_and_changes_nothing() -> None:
    state = State()
    with pytest.raises(ValueError, match="negative"):
        state.apply(make_batch([(0, 1, 1.0, 0), (-1, 1, 1.0, 0)], 1))
    assert state.get(0) is None


def test_many_series_grow_the_arrays() -> None:
    state = State(1)
    count = 50_000
    series = np.random.default_rng(1).permutation(count).astype(np.int32)
    state.apply(
        Batch(
            series,
            np.full(count, 7, np.int64),
            series.astype(np.float64),
            np.zeros(count, np.uint8),
            7,
        )
    )
    assert np.array_equal(state.value, np.arange(count))
    assert (state.time == 7).all()
    assert (state.received == 7).all()
    assert not state.quality.any()


@pytest.mark.parametrize("at", [0, 9, 20, 30, -1])
def test_a_damaged_snapshot_is_refused_and_the_state_stays(at: int) -> None:
    state = State()
    state.apply(make_batch([(0, 1, 1.0, 0), (1, 2, math.nan, 0)], 3, {1: '"on"'}))
    data = bytearray(state.snapshot())
    data[at] ^= 0x40
    before = contents(state)
    with pytest.raises(Damaged) as caught:
        state.restore(bytes(data))
    assert "history" in caught.value.hint
    assert contents(state) == before


def test_a_cut_snapshot_is_refused() -> None:
    state = State()
    state.apply(make_batch([(n, 1, 1.0, 0) for n in range(20)], 3))
    data = state.snapshot()
    for cut in range(len(data)):
        with pytest.raises(Damaged):
            State().restore(data[:cut])


def test_newest_readings_that_are_recalled_are_as_if_applied() -> None:
    applied, recalled = State(1), State(1)
    applied.apply(make_batch([(3, 10, 1.5, 0)], 20))
    applied.apply(make_batch([(1, 11, float("nan"), 64)], 21, {0: '"on"'}))
    newest = Columns(
        np.array([11, 10]),
        np.array([np.nan, 1.5]),
        np.array([64, 0], np.uint8),
        np.array([21, 20]),
        {0: '"on"'},
    )
    recalled.recall(np.empty(0, np.int32), newest)
    assert recalled.size == 0
    recalled.recall(np.array([1, 3], np.int32), newest)
    assert recalled.snapshot() == applied.snapshot()
    applied.apply(make_batch([(1, 12, 2.0, 0)], 22))
    recalled.apply(make_batch([(1, 12, 2.0, 0)], 22))
    assert recalled.snapshot() == applied.snapshot()
