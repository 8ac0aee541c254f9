"""Learns what is normal from history: baselines of signals and the space of each twin. A run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.services.anomaly.fitted import arrays_of
from gemel.services.anomaly.multivariate import Space, learn_space
from gemel.services.anomaly.shifts import ewma
from gemel.services.contract import Column, Fit, Job, Progress, Result

LEAST_SAMPLES = 100
"""Of a signal; fewer say nothing about its spread."""
HELD_OUT = 0.3
"""The last part of the span, from which limits and scores come."""
MAD = 1.4826
"""Median absolute deviation of a normal distribution to its standard deviation."""


def learn(job: Job, progress: Progress) -> Result:
    """Baselines by median and deviation, spaces by principal components, limits from the rest.

    Raises:
        InvalidInput: no signal has enough samples.
    """
    given = job.parameters
    width = round(float(job.instance.parameters["sample"]) * SECOND)
    weight, share = float(job.instance.parameters["weight"]), float(given["falseAlarms"])
    baselines: dict[tuple[str, str], tuple[float, float, float]] = {}
    spaces: dict[str, tuple[list[str], Space]] = {}
    twins = sorted({s.twin for s in job.signals})
    exceeded, samples = 0, 0
    for i, twin in enumerate(twins):
        progress(i / len(twins), twin)
        mine = [k for k, s in enumerate(job.signals) if s.twin == twin]
        columns = {job.signals[k].path: job.columns[k] for k in mine}
        known = {p: c for p, c in columns.items() if len(c.time) >= LEAST_SAMPLES}
        for path, column in known.items():
            baselines[twin, path] = baseline(column.value, weight)
        if len(known) < 2:
            continue
        table = aligned(list(known.values()), width)
        moving = np.flatnonzero(np.ptp(table, axis=0) > 0) if len(table) else np.zeros(0, int)
        if len(table) < LEAST_SAMPLES or len(moving) < 2:
            continue
        paths = [list(known)[k] for k in moving.tolist()]
        table = table[:, moving]
        cut = round(len(table) * (1 - HELD_OUT))
        middle = (cut + len(table)) // 2  # limits from the first half of the rest
        space = learn_space(table[:cut], table[cut:middle], share, weight)
        spaces[twin] = (paths, space)
        above = space.judged(table[middle:], weight) > space.limits
        exceeded += int(above.any(axis=1).sum())
        samples += len(above)
    if not baselines:
        raise InvalidInput(
            f"no signal has {LEAST_SAMPLES} readings in this span", hint="a longer 'span'"
        )
    document, arrays = arrays_of(baselines, spaces)
    scores = {"heldOutAbove": round(exceeded / samples, 5) if samples else None}
    fit = Fit(document, arrays, scores, job.begin, job.end)
    summary = {
        "signals": len(baselines),
        "signalsWithoutData": len(job.signals) - len(baselines),
        "spaces": len(spaces),
        **scores,
    }
    return Result(summary, fit=fit)


def baseline(value: F64, weight: float) -> tuple[float, float, float]:
    """Mean, deviation and variance of the EWMA of one signal, all robust against outliers."""
    middle = float(np.median(value))
    off = np.abs(value - middle)
    deviation = float(np.median(off)) * MAD
    within = off <= 6 * deviation if deviation > 0 else np.ones(len(value), bool)
    mean, spread = float(value[within].mean()), float(value[within].std())
    smooth = ewma((value - mean) / (spread or 1.0), weight, 0.0)
    least = weight / (2 - weight)
    middle_half = np.quantile(np.abs(smooth), 0.6827) ** 2
    return mean, spread, max(float(middle_half), least)


def aligned(columns: Sequence[Column], width: int) -> F64:
    """Samples of several signals side by side: the last value of each at the end of each span.

    Spans in which no signal reports are left out; so are those before the last signal has begun.
    """
    spans: I64 = np.unique(np.concatenate([c.time // width for c in columns]))
    table = np.empty((len(spans), len(columns)))
    first = 0
    for k, column in enumerate(columns):
        row = np.searchsorted(column.time // width, spans, side="right") - 1
        first = max(first, int(np.searchsorted(row, 0)))
        table[:, k] = column.value[np.maximum(row, 0)]
    return table[first:]
