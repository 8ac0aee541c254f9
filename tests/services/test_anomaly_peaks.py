"""Limits that follow peaks: one rate of false alarms for signals however unlike."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.core.batch import F64
from gemel.services.anomaly.episodes import Pace, paced
from gemel.services.anomaly.peaks import BLOCK, KNOWN, LEAST_SAMPLES, Peaks

SIGNALS = 40


def kinds(count: int) -> dict[str, F64]:
    random = np.random.default_rng(4)
    shape = (count, SIGNALS)
    return {
        "even": random.uniform(0, 1, shape),
        "normal": np.abs(random.normal(0, 1, shape)),
        "rattling": np.abs(random.standard_t(3, shape)),
        "bursts": random.lognormal(0, 1.5, shape),
    }


def above(size: F64, samples: float) -> float:
    """The share of samples above limits, after the first 1,000."""
    peaks = Peaks((6.0,), (0.01,), SIGNALS, samples)
    found = 0
    for i, one in enumerate(size):
        found += int((one > peaks.limit[0]).sum()) if i >= 1000 else 0
        peaks.take(slice(None), one[None], None)
    return found / (len(size) - 1000) / SIGNALS


@pytest.mark.parametrize("name", ["even", "normal", "rattling", "bursts"])
def test_every_kind_of_signal_keeps_the_promise_to_within_twice(name: str) -> None:
    size = kinds(6000)[name]
    assert above(size, LEAST_SAMPLES) < 2 / LEAST_SAMPLES
    assert above(1e4 * size, LEAST_SAMPLES) == pytest.approx(above(size, LEAST_SAMPLES), abs=1e-4)


def test_alarms_that_are_to_be_rarer_are_rarer() -> None:
    size = kinds(6000)["rattling"]
    assert above(size, 100 * LEAST_SAMPLES) < 0.3 * above(size, LEAST_SAMPLES)


def test_no_rate_is_promised_that_is_not_known() -> None:
    first, second = (Peaks((6.0,), (0.0,), 1, samples) for samples in (10.0, LEAST_SAMPLES))
    for _ in range(BLOCK * KNOWN):
        for one in (first, second):
            one.take(slice(None), np.ones((1, 1)), None)
    assert first.limit == second.limit


def test_a_limit_is_the_given_one_until_enough_blocks_are_known() -> None:
    peaks = Peaks((6.0,), (0.0,), 1, 1e5)
    for _ in range(BLOCK * KNOWN - 1):
        peaks.take(slice(None), np.full((1, 1), 50.0), None)
    assert peaks.limit[0, 0] == 6.0
    peaks.take(slice(None), np.full((1, 1), 50.0), None)
    assert peaks.limit[0, 0] > 50.0


def test_what_never_moves_or_is_not_counted_teaches_nothing() -> None:
    peaks = Peaks((6.0,), (0.0,), 3, 1e5)
    rows = np.arange(3)
    for _ in range(2 * BLOCK * KNOWN):
        size = np.array([[0.0, np.nan, 9.0]])
        peaks.take(rows, size, np.array([True, True, False]))
    assert (peaks.limit == 6.0).all()
    assert (peaks.blocks == 0).all()


def test_one_excursion_moves_a_limit_little() -> None:
    size = kinds(3000)["normal"]
    plain, hit = (Peaks((6.0,), (0.0,), SIGNALS, 1e4) for _ in range(2))
    for i, one in enumerate(size):
        plain.take(slice(None), one[None], None)
        hit.take(slice(None), np.where(2000 <= i < 2010, 1e3, one)[None], None)
    assert (hit.limit < 1.5 * plain.limit).all()


def test_some_signals_at_a_time_are_as_all_at_once() -> None:
    size = kinds(4 * BLOCK * KNOWN)["bursts"]
    whole, parts = (Peaks((6.0,), (0.0,), SIGNALS, 1e4) for _ in range(2))
    for one in size:
        whole.take(slice(None), one[None], None)
        for rows in (np.arange(0, SIGNALS, 2), np.arange(1, SIGNALS, 2)):
            parts.take(rows, one[None, rows], None)
    np.testing.assert_allclose(parts.limit, whole.limit)


def test_what_a_pace_leaves_open_is_as_long_as_samples_need() -> None:
    open_ = {"returns": 0.7}
    assert paced(open_, 1.0) == Pace(5.0, 0.7, 60.0, 600.0)
    assert paced(open_, 300.0) == Pace(0.0, 0.7, 3600.0, 30_000.0)
    asked = {"hold": 7, "returns": 0.5, "quiet": 1, "rest": 0}
    assert paced(asked, 300.0) == Pace(7.0, 0.5, 1.0, 0.0)
