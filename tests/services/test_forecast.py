"""Forecasts and baselines on series whose answer is known, and on ETTh1."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from gemel.services.contract import Column, Instance, Job, Signal
from gemel.services.forecast.bands import forecast, wider
from gemel.services.forecast.baseline import learn, left_out, savings
from gemel.services.forecast.grid import grid
from gemel.services.forecast.models import fit, seasonal, windows
from gemel.services.forecast.study import forecast_run

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
HOUR = 3600 * 10**9


def daily(count: int, noise: float, seed: int = 1) -> np.ndarray:
    at = np.arange(count)
    return (
        10
        + 3 * np.sin(2 * np.pi * at / 24)
        + noise * np.random.default_rng(seed).normal(0, 1, count)
    )


def test_ridge_continues_a_wave_that_it_has_seen() -> None:
    values = daily(600, 0.0)
    ahead = fit(values[:500], 48, 24, 1e-6).forecast(values[:500])
    assert np.abs(ahead - values[500:524]).max() < 0.02
    assert seasonal(values[:500], 24, 30)[:24].tolist() == values[476:500].tolist()


def test_bands_hold_what_they_say_on_noise() -> None:
    held = []
    for seed in range(10):
        values = daily(1_500, 1.0, seed)
        found = forecast(values[:-24], 24, 48, 24)
        assert found.model == "ridge"
        held.append(((found.low <= values[-24:]) & (values[-24:] <= found.high)).mean())
    assert 0.84 < np.mean(held) < 0.95
    assert found.scores["rmse"] < found.scores["rmseSeasonal"]


def test_a_band_from_few_horizons_is_wider_and_holds() -> None:
    random, held = np.random.default_rng(5), []
    for _ in range(60):
        steps = random.normal(0, 1, 200)
        for i in range(1, 200):
            steps[i] += 0.9 * steps[i - 1]
        found = forecast(steps[:160], 8, 8, 20)
        assert found.scores["horizons"] == pytest.approx(4.8)
        held.append(((found.low <= steps[160:180]) & (steps[160:180] <= found.high)).mean())
    assert np.mean(held) > 0.85
    assert wider(2) == 3.0
    factors = [wider(m) for m in (4, 8, 16, 64, 1e6)]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(1.0, abs=1e-4)


def run(column: Column) -> dict:
    parameters = {"signals": [], "step": 3600.0, "season": 24, "lags": 48, "horizon": 24}
    instance = Instance("f", "forecast", ("house",), parameters)
    job = Job(instance, {}, (Signal("house", "power", "watt"),), [column])
    found = forecast_run(job, lambda *_: None)
    return {"row": found.document["signals"][0], "series": found.series}


def test_the_run_gives_predicted_values_after_the_last_reading() -> None:
    time = 1_700_000_000 * 10**9 // HOUR * HOUR + np.arange(1_000) * HOUR
    keep = np.random.default_rng(1).random(1_000) > 0.1  # with gaps
    keep[-1] = True
    found = run(Column(time[keep], daily(1_000, 0.3)[keep]))
    (series,) = found["series"]
    assert series.provenance == "predicted"
    assert series.time[0] == time[-1] + 3 * HOUR // 2
    assert (series.low <= series.value).all()
    assert (series.value <= series.high).all()
    assert found["row"]["coverage"] == pytest.approx(0.9, abs=0.08)


def test_what_cannot_be_forecast_says_why() -> None:
    time = np.arange(1_000) * HOUR
    assert "needed" in run(Column(time[:20], np.ones(20)))["row"]["problem"]
    assert "no readings" in run(Column(time[:0], np.ones(0)))["row"]["problem"]
    assert "no reading" in run(Column(time[::3], np.ones(334)))["row"]["problem"]
    assert grid(Column(time[:2], np.ones(2)), HOUR, 1)[2] == ""


def test_savings_are_found_and_their_interval_holds_them() -> None:
    hits, random = 0, np.random.default_rng(3)
    for _ in range(40):
        temperature = 10 + 8 * random.standard_normal(1_500)
        group = np.arange(1_500) % 24
        error = np.zeros(1_500)
        for i in range(1, 1_500):  # errors that follow each other
            error[i] = 0.5 * error[i - 1] + random.normal(0, 3)
        use = 50 + group + 2 * np.maximum(15 - temperature, 0) + error
        base = learn(use[:1_000], temperature[:1_000], group[:1_000])
        real = 0.1 * (use[1_000:] - error[1_000:]).sum()
        after = use[1_000:] - 0.1 * (use[1_000:] - error[1_000:])
        off = left_out(use[:1_000], temperature[:1_000], group[:1_000], 500)
        found = savings(base, after, temperature[1_000:], group[1_000:], off)
        hits += found.low <= real <= found.high
    assert hits >= 31  # of 40, 90 % wanted
    assert found.share == pytest.approx(0.1, abs=0.02)
    assert base.meets_hourly
    assert abs(base.nmbe) < 1e-9
    assert base.persistence == pytest.approx(0.5, abs=0.06)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data beside the checkout")
def test_ridge_is_near_the_published_error_on_etth1() -> None:
    """MSE at 96 hours, all signals scaled, 12/4/4 months; DLinear, published: 0.375."""
    with (SHARED / "ett" / "ETTh1.csv").open() as lines:
        table = np.array([[float(c) for c in row[1:]] for row in list(csv.reader(lines))[1:]])
    months = 30 * 24
    train = table[: 12 * months]
    scaled = (table - train.mean(axis=0)) / train.std(axis=0)
    total = 0.0
    for signal in scaled.T:
        model = fit(signal[: 12 * months], 336, 96)
        before, after = windows(signal[16 * months - 336 : 20 * months], 336, 96)
        total += float(((model.forecast(before) - after) ** 2).mean())
    assert total / 7 < 0.385
