"""The live forecast says what its version says, whatever is cut, missing or started anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Fit, Found, Instance, Job, Readings, Setup, Signal
from gemel.services.forecast.kind import KIND
from gemel.services.forecast.live import Forecaster
from gemel.services.forecast.study import learn_run
from gemel.services.forecast.watch import review_run
from gemel.services.schema import completed

MINUTE = 60 * 10**9
BEGIN = 1_700_000_000 * 10**9 // MINUTE * MINUTE
GIVEN = {"step": 60, "season": 12, "lags": 16, "horizon": 6}
PARAMETERS = completed(KIND.parameters, GIVEN)
TWINS = ("one", "two")
SIGNALS = (Signal("one", "flow"), Signal("one", "power"), Signal("two", "flow"))
INSTANCE = Instance("f", "forecast", TWINS, PARAMETERS, SIGNALS)


def quiet(share: float, what: str) -> None:
    pass


def wave(begin: int, count: int, seed: int = 1, level: float = 10.0) -> np.ndarray:
    at = np.arange(begin, begin + count)
    noise = np.random.default_rng(seed).normal(0, 0.2, begin + count)[begin:]
    found: np.ndarray = level + 3 * np.sin(2 * np.pi * at / 12) + noise
    return found


def columns(count: int, **more: Any) -> list[Column]:
    time = BEGIN + np.arange(count) * MINUTE + 7 * 10**9
    return [Column(time, wave(0, count, seed, **more)) for seed in (1, 2, 3)]


def job(given: list[Column], count: int, fit: Fit | None = None, **more: Any) -> Job:
    return Job(INSTANCE, more, SIGNALS, given, 0, BEGIN + count * MINUTE, fit=fit)


@pytest.fixture(scope="module")
def fit() -> Fit:
    found = learn_run(job(columns(400), 400), quiet)
    assert found.document["passed"] is True
    assert found.fit is not None
    return found.fit


def readings(begin: int, end: int, slots: tuple[int, ...] = (0, 1, 2)) -> Readings:
    rows = [
        (BEGIN + at * MINUTE + 7 * 10**9, slot, wave(0, end, slot + 1)[at])
        for at in range(begin, end)
        for slot in slots
    ]
    time, slot, value = zip(*rows, strict=True)
    return Readings(np.array(slot, np.int32), np.array(time, np.int64), np.array(value))


def part(readings: Readings, begin: int, end: int) -> Readings:
    cut = slice(begin, end)
    return Readings(readings.slot[cut], readings.time[cut], readings.value[cut])


def rows(founds: list[Found]) -> list[tuple[float, ...]]:
    """(twin, output, time, value, low, high) of all values, in order."""
    found = []
    for one in founds:
        out = one.outputs
        assert out.low is not None
        assert out.high is not None
        columns = (out.twin, out.output, out.time, out.value, out.low, out.high)
        found += [tuple(round(float(x), 9) for x in row) for row in zip(*columns, strict=True)]
    return sorted(found)


def test_it_begins_with_the_first_step_after_what_was_learnt(fit: Fit) -> None:
    live = Forecaster(Setup(INSTANCE, fit, 1))
    assert live.status()["signalsForecast"] == 3
    found = live.update(readings(400, 402)).outputs
    assert len(found) == 3 * 6
    assert found.time.min() == BEGIN + 401 * MINUTE + MINUTE // 2
    truth = 10 + 3 * np.sin(2 * np.pi * np.arange(401, 407) / 12)
    mine = found.value[(found.twin == 0) & (found.output == 0)]
    assert np.abs(mine - truth).max() < 0.6
    assert found.low is not None
    assert found.high is not None
    assert ((found.low < found.value) & (found.value < found.high)).all()


def test_how_readings_are_cut_and_where_it_starts_anew_changes_nothing(fit: Fit) -> None:
    given = readings(400, 430)
    whole = rows([Forecaster(Setup(INSTANCE, fit, 1)).update(given)])
    assert len(whole) == 29 * 3 * 6
    live, founds = Forecaster(Setup(INSTANCE, fit, 1)), []
    for begin in range(0, len(given), 7):
        founds.append(live.update(part(given, begin, begin + 7)))
        again = Forecaster(Setup(INSTANCE, fit, 1))
        again.restore(live.snapshot())
        live = again
    assert rows(founds) == whole


def test_a_short_gap_holds_the_last_value_and_a_long_one_begins_anew(fit: Fit) -> None:
    live = Forecaster(Setup(INSTANCE, fit, 1))
    live.update(readings(400, 402, (0,)))
    assert len(live.update(readings(404, 406, (0,))).outputs) == 2 * 6  # after the gap, and a step
    assert len(live.update(readings(440, 442, (0,))).outputs) == 0
    assert len(live.update(readings(442, 460, (0,))).outputs) > 0
    assert live.status()["signalsForecast"] == 3


def test_a_new_version_goes_on_with_the_steps_that_were_seen(fit: Fit) -> None:
    before = Forecaster(Setup(INSTANCE))
    assert len(before.update(readings(395, 405)).outputs) == 0
    live = Forecaster(Setup(INSTANCE, fit, 1))
    live.restore(before.snapshot())
    assert live.status()["signalsForecast"] == 3
    going_on = Forecaster(Setup(INSTANCE, fit, 1))
    going_on.update(readings(400, 405))
    np.testing.assert_allclose(live.ring, going_on.ring)
    late = readings(405, 407)
    values = [[row[:4] for row in rows([one.update(late)])] for one in (live, going_on)]
    assert values[0] == values[1]


def livelier(begin: int, end: int, times: float) -> Readings:
    """As `readings`, but so many times as far from what is usual."""
    found = readings(begin, end)
    usual = 10 + 3 * np.sin(2 * np.pi * ((found.time - BEGIN) // MINUTE) / 12)
    return Readings(found.slot, found.time, usual + times * (found.value - usual))


def test_bands_follow_what_is_seen_of_them_and_a_new_version_begins_with_its_own(fit: Fit) -> None:
    live = Forecaster(Setup(INSTANCE, fit, 1))
    live.update(readings(400, 460))
    calm = float(np.median(live.scale))
    assert 0.7 <= calm <= 1.1
    found = live.update(livelier(460, 700, 4.0)).outputs
    assert live.status()["bandsWider"] > 2 * calm
    assert found.low is not None
    assert found.high is not None
    truth = {
        (int(slot), int(time // MINUTE)): value
        for slot, time, value in zip(*_columns(livelier(460, 700, 4.0)), strict=True)
    }
    slot = np.where(found.twin == 1, 2, found.output)
    came = np.array(
        [
            truth.get((int(s), int(t)), np.nan)
            for s, t in zip(slot, found.time // MINUTE, strict=True)
        ]
    )
    late = np.isfinite(came) & (found.time > BEGIN + 520 * MINUTE)
    held = (found.low <= came) & (came <= found.high)
    assert 0.82 < held[late].mean() < 0.97
    newer = Forecaster(Setup(INSTANCE, fit, 2))
    newer.restore(live.snapshot())
    assert newer.status()["bandsWider"] == 1.0


def _columns(found: Readings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return found.slot, found.time, found.value


def test_late_readings_are_left_out(fit: Fit) -> None:
    live, other = (Forecaster(Setup(INSTANCE, fit, 1)) for _ in range(2))
    live.update(readings(400, 403))
    other.update(readings(400, 403))
    assert live.update(readings(398, 401)).outputs.twin.size == 0
    assert rows([live.update(readings(403, 405))]) == rows([other.update(readings(403, 405))])


def test_bands_that_still_hold_are_left_alone(fit: Fit) -> None:
    found = review_run(job(columns(700), 700, fit, span=86_400), quiet)
    assert found.document["retrain"] is False
    assert all(row["holds"] for row in found.document["signals"])
    assert {notice.kind for notice in found.notices} == {"clear"}


def test_a_signal_that_behaves_otherwise_raises_an_alarm(fit: Fit) -> None:
    given = columns(700)
    value = given[2].value.copy()
    value[400:] += np.random.default_rng(9).normal(0, 2.0, 300)
    given[2] = Column(given[2].time, value)
    found = review_run(job(given, 700, fit, span=86_400), quiet)
    (notice,) = [n for n in found.notices if n.kind == "raise"]
    assert notice.twin == "two"
    assert notice.details["proposed"] == {"run": "learn", "service": "f"}
    assert "flow of two" in notice.title


def test_too_little_says_so(fit: Fit) -> None:
    found = review_run(job(columns(405), 405, fit, span=86_400), quiet)
    assert all("since the version" in row["problem"] for row in found.document["signals"])
    with pytest.raises(InvalidInput, match="no version"):
        review_run(job(columns(405), 405), quiet)
    with pytest.raises(InvalidInput, match="nothing can be forecast"):
        learn_run(job(columns(20), 20), quiet)
