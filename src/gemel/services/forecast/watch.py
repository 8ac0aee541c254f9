"""The run `review`: whether bands have held since a version was made, and how far it was off.

Forecasts are made again from what was read, with the weights and the band of the version in use, so
that those which the live part could not make count too. Windows follow each other step by step:
as many as there are horizons in the span count as independent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Instance, Job, Need, Notice, Plant, Progress, Result
from gemel.services.forecast.grid import grid
from gemel.services.forecast.models import windows
from gemel.services.forecast.version import version_of

SHARE = 0.9
DEVIATIONS = 3.0
LEAST_HORIZONS = 3.0
"""Below so many in the span nothing is said."""


def need(parameters: Json, instance: Instance, plant: Plant, now: int) -> Need:
    """The span, and before it what the first forecast in it looks back to."""
    del plant
    given = {**instance.parameters, **parameters}
    steps = max(given["lags"], given["season"]) + given["horizon"]
    back = float(given["span"]) + steps * float(given["step"])
    return Need(instance.signals, now - round(back * SECOND), now + 1)


def holds(coverage: float, count: float, horizon: int) -> bool:
    """Whether a band holds its share, less what is chance."""
    alone = max(count / horizon, 1.0)
    chance: float = (SHARE * (1 - SHARE) / alone) ** 0.5
    return coverage >= SHARE - DEVIATIONS * chance


def review_run(job: Job, progress: Progress) -> Result:
    """How the version in use has fared over the span, since it was made.

    Raises:
        InvalidInput: there is no version.
    """
    if job.fit is None:
        raise InvalidInput("there is no version to review", hint="start the run 'learn' first")
    p = job.instance.parameters
    version = version_of(job.fit, job.signals, p)
    step, reach = round(p["step"] * SECOND), max(p["lags"], p["season"])
    rows: list[Json] = []
    for i, (signal, column) in enumerate(zip(job.signals, job.columns, strict=True)):
        progress(i / max(len(job.signals), 1), f"{signal.twin} {signal.path}")
        if not version.has[i]:
            continue
        row: Json = {"twin": signal.twin, "property": signal.path}
        values, _, why = _since(column, step, reach, job.fit.end)
        if not why and len(values) < reach + p["horizon"] * (1 + LEAST_HORIZONS):
            why = f"{max(0, len(values) - reach)} steps since the version was made"
        if why:
            rows.append(row | {"problem": why})
            continue
        before, after = windows(values, reach, p["horizon"])
        ahead = version.forecast(np.ascontiguousarray(before), np.full(len(before), i))
        learnt = job.fit.document["scores"][f"{signal.twin}\n{signal.path}"]["rmse"]
        rows.append(row | _judged(after - ahead, version.low[i], version.high[i], learnt))
    bad = sorted((r for r in rows if r.get("holds") is False), key=lambda r: float(r["coverage"]))
    document: Json = {
        "since": to_iso(job.fit.end),
        "signals": rows,
        "retrain": bool(bad),
        "why": [_reason(row) for row in bad[:10]],
    }
    return Result(document, notices=_notices(job, bad, document["why"]))


def _since(column: Column, step: int, reach: int, end: int) -> tuple[F64, int, str]:
    begin = (end // step - reach) * step
    keep = column.time >= begin
    return grid(Column(column.time[keep], column.value[keep]), step, 1)


def _judged(error: F64, low: F64, high: F64, learnt: float) -> Json:
    coverage = float(((error >= low) & (error <= high)).mean())
    return {
        "coverage": round(coverage, 4),
        "rmse": round(float(np.sqrt((error**2).mean())), 6),
        "rmseLearnt": round(float(learnt), 6),
        "bias": round(float(error.mean()), 6),
        "windows": len(error),
        "holds": holds(coverage, len(error), error.shape[1]),
    }


def _reason(row: Json) -> str:
    return (
        f"the band of {row['property']} of {row['twin']} held {row['coverage']:.2f} of what came; "
        f"{SHARE:g} is meant"
    )


def _notices(job: Job, bad: Sequence[Json], why: Sequence[str]) -> list[Notice]:
    """One alarm, at the twin whose band held least; it ends at all others."""
    worst = str(bad[0]["twin"]) if bad else ""
    notices = [Notice(t, "clear", job.end, 1.0) for t in job.instance.twins if t != worst]
    if not worst:
        return notices
    title = "Its model no longer fits: " + why[0]
    details: Json = {
        "service": job.instance.id,
        "why": list(why),
        "signals": list(bad[:10]),
        "proposed": {"run": "learn", "service": job.instance.id},
    }
    return [*notices, Notice(worst, "raise", job.end, bad[0]["coverage"], title, details)]
