"""A saving that is known is found again, and is zero where nothing was done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gemel.core.clock import to_iso
from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Instance, Job, Need, Signal
from gemel.services.forecast.baseline import learn, left_out, savings
from gemel.services.forecast.kind import KIND
from gemel.services.forecast.saved import groups, need, savings_run
from gemel.services.schema import completed

HOUR = 3600 * 10**9
DAY = 24 * HOUR
BEGIN = 19_700 * DAY
DAYS, CHANGE = 400, 300


def house(cut: float, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hours: power falls with the outdoor temperature to a base load, less at weekends."""
    random = np.random.default_rng(seed)
    time = BEGIN + np.arange(DAYS * 24) * HOUR
    day = np.arange(DAYS * 24) / 24
    outdoor = 10 - 10 * np.cos(2 * np.pi * day / 365) + random.normal(0, 2, len(day))
    weekend = (time // DAY + 3) % 7 >= 5
    power = 1 + 0.3 * np.maximum(15 - outdoor, 0) - 0.4 * weekend + random.normal(0, 0.2, len(day))
    return time, outdoor, power * np.where(day >= CHANGE, 1 - cut, 1)


def run(cut: float, **given: Any) -> dict[str, Any]:
    time, outdoor, power = house(cut)
    if given.get("counter"):
        power = np.concatenate(([0.0], np.cumsum(power)[:-1]))
    signals = (Signal("house", "power", "kilowatt"), Signal("sky", "outdoor", "degreeCelsius"))
    parameters = completed(
        next(r.parameters for r in KIND.runs if r.name == "savings"),
        {"energy": "power", "temperature": "outdoor", "weather": "sky",
         "change": to_iso(BEGIN + CHANGE * DAY), **given},
    )  # fmt: skip
    instance = Instance("", "forecast", ("house",), parameters)
    columns = [Column(time, power), Column(time, outdoor)]
    found = savings_run(Job(instance, parameters, signals, columns), lambda *_: None)
    (series,) = found.series
    assert (series.path, series.provenance) == ("forecast.baseline", "simulated")
    row: dict[str, Any] = found.document["twins"][0]
    return row


@pytest.mark.parametrize("given", [{}, {"period": 3600}, {"counter": True}])
def test_a_saving_of_a_fifth_is_found_with_its_interval(given: dict[str, Any]) -> None:
    row = run(0.2, **given)
    assert row["share"] == pytest.approx(0.2, abs=0.03)
    assert row["low"] > 0
    assert row["low"] < row["saved"] < row["high"]
    assert row["stepsAfter"] in (99, 100, 2400)


def test_nothing_done_saves_nothing() -> None:
    row = run(0.0)
    assert row["low"] < 0 < row["high"]
    assert row["meetsGuideline14"]


@pytest.mark.parametrize("seed", range(6))
def test_a_home_whose_habits_wander_does_not_count_as_saving(seed: int) -> None:
    """Habits that last for weeks: errors of days say too little of what a season may be off by."""
    random = np.random.default_rng(seed)
    temperature = 10 + random.normal(0, 4, DAYS)
    habit = np.repeat(random.normal(0, 0.25, DAYS // 25), 25)
    energy = (20 + 0.5 * temperature) * np.exp(habit) + random.normal(0, 0.5, DAYS)
    group = np.arange(DAYS) % 7
    known = (energy[:CHANGE], temperature[:CHANGE], group[:CHANGE])
    off = left_out(*known, DAYS - CHANGE)
    assert len(off) == 4
    later = (energy[CHANGE:], temperature[CHANGE:], group[CHANGE:])
    found = savings(learn(*known), *later, off)
    assert found.low < 0 < found.high


def test_parts_of_the_week_that_only_one_part_has_are_no_test_of_the_rest() -> None:
    group = np.repeat(np.arange(4), 10)
    random = np.random.default_rng(1)
    assert len(left_out(random.normal(10, 1, 40), random.normal(10, 1, 40), group, 10)) == 0


def test_too_little_history_is_said() -> None:
    with pytest.raises(InvalidInput, match="30 of each are needed"):
        run(0.2, change=to_iso(BEGIN + 390 * DAY))


def test_parts_of_the_week_begin_on_monday() -> None:
    days = np.arange(4, 12)  # 1970-01-05 was a Monday
    assert groups(days, DAY).tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert groups(np.array([4 * 24, 4 * 24 + 25]), HOUR).tolist() == [0, 25]


class Sky:
    def twins_of(self, model: str) -> list[str]:
        return []

    def signals_of(self, twin: str) -> list[Signal]:
        return [Signal("sky", "outdoor")] if twin == "sky" else [Signal(twin, "power")]

    def document(self, twin: str) -> None:
        return None


def test_the_run_reads_the_weather_of_another_twin_and_names_what_is_missing() -> None:
    instance = Instance("", "forecast", ("a", "b"), {})
    given = {"energy": "power", "temperature": "outdoor", "weather": "sky", "before": 60.0,
             "change": to_iso(BEGIN)}  # fmt: skip
    found: Need = need(given, instance, Sky(), BEGIN + DAY)
    assert [(s.twin, s.path) for s in found.signals] == [
        ("a", "power"), ("b", "power"), ("sky", "outdoor"),
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="no number 'outdoor'"):
        need({**given, "weather": ""}, instance, Sky(), BEGIN + DAY)
    with pytest.raises(InvalidInput, match="when the measure was taken"):
        need({**given, "change": ""}, instance, Sky(), BEGIN + DAY)
    with pytest.raises(InvalidInput, match="not in the past"):
        need(given, instance, Sky(), BEGIN - DAY)
