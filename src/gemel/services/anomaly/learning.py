"""Learns what is normal from history: baselines of signals and the space of each twin. A run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.services.anomaly.fitted import arrays_of
from gemel.services.anomaly.limits import FLOOR, by_others, limits
from gemel.services.anomaly.multivariate import Space, learn_space
from gemel.services.anomaly.shifts import ewma
from gemel.services.anomaly.statistics import LARGEST
from gemel.services.contract import Column, Fit, Job, Progress, Result

LEAST_SAMPLES = 100
"""Of a signal; fewer say nothing about its spread."""
HELD_OUT = 0.15
"""The last part of the span, from which scores come."""
CELLS = 500_000
"""Samples of signals that are looked at side by side: some tens of megabytes."""
MAD = 1.4826
"""Median absolute deviation of a normal distribution to its standard deviation."""


def learn(job: Job, progress: Progress) -> Result:
    """Baselines by median and deviation, spaces by principal components, limits from parts.

    Raises:
        InvalidInput: no signal has enough samples.
    """
    given = job.parameters
    width = round(float(job.instance.parameters["sample"]) * SECOND)
    weight, share = float(job.instance.parameters["weight"]), float(given["falseAlarms"])
    alone = _each_alone(job, weight, share)
    spaces: dict[str, tuple[list[str], Space]] = {}
    twins = sorted({s.twin for s in job.signals})
    exceeded, samples = 0, 0
    for i, twin in enumerate(twins):
        progress(i / len(twins), twin)
        mine = [k for k, s in enumerate(job.signals) if s.twin == twin]
        columns = {job.signals[k].path: job.columns[k] for k in mine}
        known = {p: c for p, c in columns.items() if len(c.time) >= LEAST_SAMPLES}
        if len(known) < 2:
            continue
        table = aligned(list(known.values()), width)
        moving = np.flatnonzero(np.ptp(table, axis=0) > 0) if len(table) else np.zeros(0, int)
        if len(table) < LEAST_SAMPLES or len(moving) < 2:
            continue
        paths = [list(known)[k] for k in moving.tolist()]
        table = table[:, moving]
        cut = round(len(table) * (1 - HELD_OUT))
        space = learn_space(table[:cut], share, weight)
        spaces[twin] = (paths, space)
        above = space.judged(table[cut:], weight) > space.limits
        exceeded += int(above.any(axis=1).sum())
        samples += len(above)
    if not alone:
        raise InvalidInput(
            f"no signal has {LEAST_SAMPLES} readings in this span", hint="a longer 'span'"
        )
    document, arrays = arrays_of(alone, spaces)
    scores = {"heldOutAbove": round(exceeded / samples, 5) if samples else None}
    fit = Fit(document, arrays, scores, job.begin, job.end)
    summary = {
        "signals": len(alone),
        "signalsWithoutData": len(job.signals) - len(alone),
        "spaces": len(spaces),
        **scores,
    }
    return Result(summary, fit=fit)


def _each_alone(job: Job, weight: float, share: float) -> dict[tuple[str, str], tuple[float, ...]]:
    """Baseline and own limits of each signal; those of as many samples side by side."""
    alike: dict[int, list[int]] = {}
    for i, column in enumerate(job.columns):
        if len(column.time) >= LEAST_SAMPLES:
            alike.setdefault(len(column.time), []).append(i)
    found: dict[int, tuple[float, ...]] = {}
    for count, rows in alike.items():
        most = max(1, CELLS // count)
        for begin in range(0, len(rows), most):
            some = rows[begin : begin + most]
            table = np.stack([job.columns[i].value for i in some], axis=1)
            own = np.hstack((baselines(table, weight), own_limits(table, weight, share)))
            found |= dict(zip(some, map(tuple, own.tolist()), strict=True))
    return {(job.signals[i].twin, job.signals[i].path): found[i] for i in sorted(found)}


def baselines(value: F64, weight: float) -> F64:
    """Of each signal mean, deviation and variance of the EWMA, all robust against outliers.

    Shapes: samples in order of time (n, m) -> (m, 3).
    """
    off = value - np.median(value, axis=0)
    size = np.abs(off)
    deviation = np.median(size, axis=0) * MAD
    within = (size <= 6 * deviation) | (deviation == 0)
    count = within.sum(axis=0)
    mean = value[0] - off[0] + np.where(within, off, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(within, (value - mean) ** 2, 0.0).sum(axis=0) / count)
    smooth = ewma((value - mean) / np.where(spread > 0, spread, 1.0), weight, 0.0)
    middle_half = np.quantile(np.abs(smooth), 0.6827, axis=0) ** 2
    return np.stack((mean, spread, np.maximum(middle_half, weight / (2 - weight))), axis=1)


def own_limits(value: F64, weight: float, false_alarms: float) -> F64:
    """Of `z` and `ewma` of each signal, in deviations: how far they go while all is well.

    Shapes: samples in order of time (n, m) -> (m, 2).
    """

    def judge(known: F64, part: F64) -> F64:
        mean, deviation, spread = known.T
        z = (part - mean) / (deviation + 1e-9 * np.abs(mean) + FLOOR)
        z = np.clip(z, -LARGEST, LARGEST)
        found: F64 = np.abs(np.hstack((z, ewma(z, weight, 0.0) / np.sqrt(spread))))
        return found

    judged = by_others(value, lambda some: baselines(some, weight), judge)
    return limits(judged, false_alarms).reshape(2, -1).T


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
