"""What a signal usually is at an hour of the day, alone and in the detector."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.core.batch import F64
from gemel.core.clock import SECOND
from gemel.services.anomaly.days import HOURS, RATE, Days
from gemel.services.anomaly.kind import KIND
from gemel.services.anomaly.live import AnomalyDetector
from gemel.services.contract import Instance, Notice, Readings, Setup, Signal
from gemel.services.schema import completed

STEP = 300
A_DAY = 86_400 // STEP
BEGIN = 1_699_920_000 * SECOND
"""Midnight."""
ONLY = np.zeros(1, np.intp)
ODD = range(10 * A_DAY + 144, 10 * A_DAY + 180)


def made() -> AnomalyDetector:
    parameters = completed(KIND.parameters, {"sample": STEP})
    signal = Signal("pump", "flow")
    return AnomalyDetector(Setup(Instance("watch", "anomaly", ("pump",), parameters, (signal,))))


def days(is_odd: bool) -> F64:
    """Twelve of them; on the eleventh noon is as the night is, which is no unusual value."""
    at = np.arange(12 * A_DAY)
    value = (
        10 + 5 * (np.abs(at % A_DAY - 144) < 36) + np.random.default_rng(1).normal(0, 0.2, len(at))
    )
    if is_odd:
        value[ODD.start : ODD.stop] -= 5
    return value


def told(live: AnomalyDetector, value: F64, first: int = 0) -> list[Notice]:
    time = BEGIN + (first + np.arange(len(value))) * STEP * SECOND
    found = live.update(Readings(np.zeros(len(value), np.int32), time, value))
    return [n for n in found.notices if n.kind == "raise" and n.time >= BEGIN + 5 * 86_400 * SECOND]


def place(notice: Notice) -> int:
    return (notice.time - BEGIN) // SECOND // STEP


def test_a_usual_value_at_an_unusual_hour_is_told() -> None:
    first = next(n for n in told(made(), days(is_odd=True)) if place(n) >= ODD.start)
    assert place(first) in ODD
    assert first.details["statistic"] == "daily"
    assert first.details["contributions"][0]["normal"] == pytest.approx(15, abs=0.3)
    assert not [n for n in told(made(), days(is_odd=False)) if place(n) in ODD]


def test_a_step_at_the_same_time_every_day_is_no_news() -> None:
    assert len(told(made(), days(is_odd=False))) <= 2  # of seven days


def test_a_restart_amid_an_hour_changes_nothing() -> None:
    value = days(is_odd=True)
    cut = 7 * A_DAY + 5
    before = made()
    first = told(before, value[:cut])
    after = made()
    after.restore(before.snapshot())
    assert first + told(after, value[cut:], cut) == told(made(), value)


def test_an_hour_is_usual_once_it_has_been_seen() -> None:
    hours = Days(1)
    seen, deviation = np.zeros(1), np.ones(1)
    hours.turn(ONLY, np.array([0]), seen, deviation)
    for day, value in enumerate((10.0, 12.0, 100.0)):
        for hour in range(HOURS):
            found = hours.take(ONLY, np.array([value]))
            seen += 1
            if day == 0:
                assert np.isnan(found)
            elif day == 1:  # the hour before has been as high already
                assert found == pytest.approx(2.0 if hour == 0 else 2.0 - 2 * RATE)
            hours.turn(ONLY, np.array([(hour + 1) % HOURS]), seen, deviation)
    usual = 10 + 2 * RATE
    assert hours.profile == pytest.approx(usual + 3 * RATE)  # three deviations at most
