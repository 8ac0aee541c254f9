"""The run `simulate`: what a model says over a span, with inputs as they were read or as given."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.behaviour.model import Trajectory, simulate
from gemel.services.calibration.offline import Data, calibrate
from gemel.services.calibration.runs import data_of
from gemel.services.calibration.settings import Settings, prepared, slots_of
from gemel.services.contract import Job, Progress, Result, Series

PATH = "behaviour.simulated"
KEPT = 100_000
"""Values of other outputs in the answer."""


def simulate_twins(job: Job, progress: Progress) -> Result:
    """Runs the model of each twin freely over the span: no reading of the output is fed back.

    Raises:
        InvalidInput: no twin has its signals or enough readings.
    """
    found: Json = {}
    problems: Json = {}
    series: list[Series] = []
    arrays: dict[str, F64] = {}
    with prepared(job.instance) as settings:
        for name in job.parameters["hold"]:
            settings.behaviour.place("inputs", name)
        for i, twin in enumerate(job.instance.twins):
            progress(i / len(job.instance.twins), twin)
            try:
                found[twin] = _twin(job, settings, twin, series, arrays)
            except InvalidInput as error:
                problems[twin] = str(error)
    if not found:
        first = next(iter(problems.values()), "there are no twins")
        raise InvalidInput(f"nothing was simulated: {first}")
    return Result({"twins": found, "problems": problems}, arrays, series)


def _twin(
    job: Job, settings: Settings, twin: str, series: list[Series], arrays: dict[str, F64]
) -> Json:
    slots = slots_of(job.instance, settings, twin)
    if slots is None:
        raise InvalidInput("it lacks a signal that is named as input or observed")
    columns = {name: job.columns[slot] for name, slot in slots.items()}
    data = data_of(columns, settings, job.begin, job.end)
    learnt: Json = (job.fit.document["twins"] if job.fit is not None else {}).get(twin, {})
    values = {**settings.values, **learnt.get("parameters", {})}
    start = _start(settings, data, values)
    held = {n: np.full(len(data), float(v)) for n, v in job.parameters["hold"].items()}
    inputs = {n: np.broadcast_to(c, len(data)) for n, c in {**data.inputs, **held}.items()}
    values |= {n: float(v) for n, v in job.parameters["change"].items()}
    run = simulate(settings.behaviour, inputs, data.seconds, values, start)
    width = round(settings.seconds * SECOND)
    first = max(int(c.time[0]) for c in columns.values()) // width + 1
    times: I64 = (first + 1 + np.arange(len(data))) * width
    output = run.output(settings.output)[:, 0]
    good = np.isfinite(output)
    series.append(Series(twin, PATH, "simulated", times[good], output[good]))
    if run.outputs.size <= KEPT:
        arrays |= {f"{twin}/{o.name}": run.output(o.name)[:, 0] for o in settings.behaviour.outputs}
        arrays[f"{twin}/time"] = times.astype(np.float64)
    return _summary(settings, data, run, times)


def _start(settings: Settings, data: Data, values: dict[str, float]) -> dict[str, float]:
    """States with which it comes closest to what was seen; none where it has none of its own."""
    if not settings.behaviour.states:
        return {}
    fixed = {p.name: values.get(p.name, p.value) for p in settings.behaviour.parameters}
    found = calibrate(settings.behaviour, data, parameters=fixed, starts=1, holdout=0.05, hold=True)
    states = found.space.values(found.free)[found.space.count :]
    return {s.name: float(v) for s, v in zip(settings.behaviour.states, states, strict=True)}


def _summary(settings: Settings, data: Data, run: Trajectory, times: I64) -> Json:
    outputs = {}
    for one in settings.behaviour.outputs:
        column = run.output(one.name)[:, 0]
        column = column[np.isfinite(column)]
        if len(column):
            outputs[one.name] = {
                "mean": float(column.mean()),
                "least": float(column.min()),
                "most": float(column.max()),
                "last": float(column[-1]),
                "unit": one.unit,
            }
    off = run.output(settings.output)[:, 0] - data.observed
    seen = np.isfinite(off)
    rmse = float(np.sqrt(np.mean(off[seen] ** 2))) if seen.any() else None
    return {
        "from": to_iso(int(times[0])),
        "to": to_iso(int(times[-1])),
        "steps": len(times),
        "rmseToReadings": rmse,
        "outputs": outputs,
    }
