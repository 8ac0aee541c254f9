"""The runs `forecast` and `learn`: history on an even grid, a model of each signal, its scores."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Fit, Job, Progress, Result, Series
from gemel.services.forecast.bands import Forecast, forecast, least
from gemel.services.forecast.grid import grid
from gemel.services.forecast.models import Ridge
from gemel.services.forecast.version import fit_of
from gemel.services.forecast.watch import SHARE, holds


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


def learn_run(job: Job, progress: Progress) -> Result:
    """A version for the live part: the model, the band and the end of history of each signal.

    Raises:
        InvalidInput: no signal can be forecast.
    """
    p = job.instance.parameters
    step = round(p["step"] * 1e9)
    rows: list[Json] = []
    found: list[tuple[Forecast, Ridge, F64, int] | None] = []
    for number, (signal, column) in enumerate(zip(job.signals, job.columns, strict=True)):
        progress(number / max(len(job.signals), 1), f"{signal.twin} {signal.path}")
        needed = least(p["season"], p["lags"], p["horizon"])
        values, last, why = grid(_whole_steps(column, step, job.end), step, needed)
        row: Json = {"twin": signal.twin, "property": signal.path}
        if why:
            rows.append(row | {"problem": why})
            found.append(None)
            continue
        one = forecast(values, p["season"], p["lags"], p["horizon"])
        rows.append(row | {"model": one.model, **one.scores})
        found.append((one, one.ridge, values, last // step))
    known = [row for row in rows if "problem" not in row]
    if not known:
        first = rows[0]["problem"] if rows else "there are no signals"
        raise InvalidInput(f"nothing can be forecast: {first}", hint="a longer 'span'")
    good = [holds(row["coverage"], row["windows"], p["horizon"]) for row in known]
    scores = {
        "signals": len(known),
        "coverage": round(float(np.median([row["coverage"] for row in known])), 4),
        "meant": SHARE,
        "hold": sum(good),
    }
    head, arrays = fit_of(job.signals, found, p)
    head["scores"] = {f"{row['twin']}\n{row['property']}": row for row in known}
    fit = Fit(head, arrays, scores, job.begin, job.end, 2 * sum(good) > len(known))
    return Result({"signals": rows, **scores, "passed": fit.adopt}, fit=fit)


def _whole_steps(column: Column, step: int, end: int) -> Column:
    """Without the step that is not over."""
    keep = int(np.searchsorted(column.time, end // step * step))
    return Column(column.time[:keep], column.value[:keep])


def _series(found: Forecast, twin: str, path: str, unit: str, last: int, step: int) -> Series:
    """A value stands for the middle of its step, as its mean does."""
    time = last + step // 2 + step * np.arange(1, len(found.value) + 1, dtype=np.int64)
    return Series(twin, path, "predicted", time, found.value, found.low, found.high, unit)
