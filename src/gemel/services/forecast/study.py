"""The run `forecast`: history on an even grid, a forecast of each signal, its scores."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.services.contract import Column, Job, Progress, Result, Series
from gemel.services.forecast.bands import Forecast, forecast, least

MOST_GAP = 0.2
"""Share of steps without a reading above which nothing is said."""


def forecast_run(job: Job, progress: Progress) -> Result:
    """Every signal of the instance; one that cannot be forecast says why."""
    p = job.instance.parameters
    step = round(p["step"] * 1e9)
    rows: list[Json] = []
    series: list[Series] = []
    for number, (signal, column) in enumerate(zip(job.signals, job.columns, strict=True)):
        progress(number / max(len(job.signals), 1), f"{signal.twin} {signal.path}")
        row: Json = {"twin": signal.twin, "property": signal.path}
        values, last, why = grid(column, step, least(p["season"], p["lags"], p["horizon"]))
        if why:
            rows.append(row | {"problem": why})
            continue
        found = forecast(values, p["season"], p["lags"], p["horizon"])
        rows.append(row | {"model": found.model, **found.scores})
        series.append(_series(found, signal.twin, signal.path, signal.unit, last, step))
    return Result({"signals": rows}, series=series)


def grid(column: Column, step: int, needed: int) -> tuple[F64, int, str]:
    """(means of each step, the time of the last, why not); short gaps are straight lines."""
    if not len(column.time):
        return np.empty(0), 0, "no readings in the span"
    place = column.time // step
    first, count = int(place[0]), int(place[-1] - place[0]) + 1
    if count < needed:
        return np.empty(0), 0, f"{count} steps of history, {needed} are needed"
    at = (place - first).astype(np.intp)
    seen = np.bincount(at, minlength=count)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(at, column.value, count) / seen
    empty = seen == 0
    if empty.mean() > MOST_GAP:
        return np.empty(0), 0, f"{empty.mean():.0%} of the steps have no reading"
    where = np.arange(count)
    mean[empty] = np.interp(where[empty], where[~empty], mean[~empty])
    return mean, (first + count - 1) * step, ""


def _series(found: Forecast, twin: str, path: str, unit: str, last: int, step: int) -> Series:
    """A value stands for the middle of its step, as its mean does."""
    time = last + step // 2 + step * np.arange(1, len(found.value) + 1, dtype=np.int64)
    return Series(twin, path, "predicted", time, found.value, found.low, found.high, unit)
