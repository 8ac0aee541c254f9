"""Windowed features against the plain definition, on any readings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.services.contract import Column
from gemel.services.learnt.windows import MEASURES, last, measured, samples

SECOND = 1_000_000_000


def plain(how: str, times: np.ndarray, values: np.ndarray) -> float:
    if not len(values) or (how == "slope" and len(np.unique(times)) < 2):
        return np.nan
    if how == "slope":
        return float(np.polyfit(times / SECOND, values, 1)[0])
    return float(getattr(np, how)(values))


@st.composite
def columns(draw: st.DrawFn) -> Column:
    times = sorted(draw(st.lists(st.integers(0, 60), max_size=30)))
    values = draw(
        st.lists(st.floats(-1e3, 1e3), min_size=len(times), max_size=len(times))
    )  # fmt: skip
    return Column(np.array(times, np.int64) * SECOND, np.array(values, float))


@pytest.mark.parametrize("how", MEASURES)
@given(columns(), st.integers(1, 40))
def test_every_measure_is_what_it_says(how: str, column: Column, window: int) -> None:
    moments = np.arange(0, 70, 7) * SECOND
    found = measured(how, column, moments, window)
    for moment, value in zip(moments, found, strict=True):
        inside = (column.time > moment - window * SECOND) & (column.time <= moment)
        wanted = plain(how, column.time[inside], column.value[inside])
        assert value == pytest.approx(wanted, abs=2e-3, rel=1e-6, nan_ok=True)


def test_the_last_reading_counts_until_it_is_too_old() -> None:
    column = Column(np.array([10, 20]) * SECOND, np.array([1.0, 2.0]))
    moments = np.array([5, 10, 19, 20, 29, 30]) * SECOND
    assert np.allclose(
        last(column, moments, 10.0), [np.nan, 1, 1, 2, 2, np.nan], equal_nan=True
    )  # fmt: skip


def test_samples_are_even_and_the_newest_is_last() -> None:
    column = Column(np.arange(10) * SECOND, np.arange(10.0))
    found = samples(column, np.array([9]) * SECOND, 4.0, 4)
    assert found.tolist() == [[6.0, 7.0, 8.0, 9.0]]


def test_a_signal_without_readings_is_not_known() -> None:
    empty = Column(np.empty(0, np.int64), np.empty(0))
    moments = np.array([1, 2]) * SECOND
    for how in MEASURES:
        assert np.isnan(measured(how, empty, moments, 5.0)).all()
    assert np.isnan(samples(empty, moments, 5.0, 3)).all()
