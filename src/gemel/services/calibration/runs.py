"""The run `calibrate`: parameters of each twin from its history, with a gate."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.calibration.explain import SENSOR
from gemel.services.calibration.offline import Calibrated, Data, calibrate
from gemel.services.calibration.settings import Settings, prepared, slots_of
from gemel.services.contract import (
    Column,
    Fit,
    Instance,
    Job,
    Need,
    Plant,
    Progress,
    Result,
)

MOST_STEPS = 20_000


def need(parameters: Json, instance: Instance, _: Plant, now: int) -> Need:
    """The instance's signals over the span, as they are stored."""
    begin = now - round(float(parameters["span"]) * SECOND)
    return Need(instance.signals, begin, now + 1)


def calibrate_twins(job: Job, progress: Progress) -> Result:
    """Fits each twin on the first part of the span, and judges it on the rest.

    A twin's new parameters pass if their free run over the rest is better than that of those in
    use, and within `most` if that is given.

    Raises:
        InvalidInput: no twin has its signals or enough readings.
    """
    old: Json = job.fit.document["twins"] if job.fit is not None else {}
    found: Json = {}
    problems: Json = {}
    hint = "a longer 'span'"
    twins = job.instance.twins
    with prepared(job.instance) as settings:
        for i, twin in enumerate(twins):

            def told(share: float, what: str, i: int = i, twin: str = twin) -> None:
                progress((i + share) / len(twins), f"{twin}: {what}")

            try:
                found[twin] = _twin(job, settings, twin, old.get(twin, {}), told)
            except InvalidInput as error:
                problems[twin], hint = error.message, error.hint or hint
    if not found:
        first = next(iter(problems.values()), "there are no twins")
        raise InvalidInput(f"nothing was calibrated: {first}", hint=hint)
    passed = [twin for twin, one in found.items() if one["passed"]]
    kept = {t: (found[t] if t in passed else old[t]) for t in found if t in passed or t in old}
    scores = {
        "calibrated": len(found),
        "passed": len(passed),
        "holdoutRmse": float(np.median([one["holdoutRmse"] for one in found.values()])),
    }
    fit = Fit({"twins": {**old, **kept}}, {}, scores, job.begin, job.end, bool(passed))
    return Result({"twins": found, "problems": problems, **scores}, fit=fit)


def _unknown(settings: Settings) -> list[str]:
    """The parameters to fit where none are named: what is known in `values` stays, unless followed.

    Raises:
        InvalidInput: all are known.
    """
    known = set(settings.values) - set(settings.follow)
    found = [p.name for p in settings.behaviour.parameters if p.is_fitted and p.name not in known]
    if not found:
        raise InvalidInput(
            "all parameters of the behaviour stand in `values`, so there is nothing to find",
            hint="name those that are to be found in `fitted`",
        )
    return found


def _twin(job: Job, settings: Settings, twin: str, old: Json, told: Progress) -> Json:
    slots = slots_of(job.instance, settings, twin)
    if slots is None:
        raise InvalidInput("it lacks a signal that is named as input or observed")
    said = old.get("hindsight", {})
    if said.get("verdict") == SENSOR:
        raise InvalidInput(
            f"its sensor is off by {said['bias']:.3g}, as `explain` found",
            hint="mend the sensor; or take the version before that back into use",
        )
    given = job.parameters
    columns = {name: job.columns[slot] for name, slot in slots.items()}
    data = data_of(columns, settings, job.begin, job.end)
    values = {**settings.values, **old.get("parameters", {})}
    starts, holdout = int(given["starts"]), float(given["holdout"])
    fitted = given["fitted"] or _unknown(settings)
    known = {name: value for name, value in settings.values.items() if name not in fitted}
    new = calibrate(
        settings.behaviour, data, fitted=fitted, parameters=values | known, starts=starts,
        holdout=holdout, told=told,
    )  # fmt: skip
    before = _as_now(settings, data, values, holdout)
    limit = given["most"] or np.inf
    passed = new.holdout_rmse <= min(limit, before)
    return document_of(new) | {
        "passed": bool(passed),
        "holdoutRmseInUse": before,
        "spread": {
            one["name"]: min(max(one["relative"], 1e-4), 0.5)
            for one in new.report()
            if one["name"] in settings.follow
        },
    }


def _as_now(settings: Settings, data: Data, values: dict[str, float], holdout: float) -> float:
    """RMSE over the held-out part with the parameters in use; only starting states are fitted."""
    fixed = {p.name: values.get(p.name, p.value) for p in settings.behaviour.parameters}
    found = calibrate(
        settings.behaviour, data, parameters=fixed, starts=1, holdout=holdout, hold=True
    )
    return found.holdout_rmse


def data_of(columns: dict[str, Column], settings: Settings, begin: int, end: int) -> Data:
    """Steps of even width: means of inputs, the last reading of what is observed.

    Raises:
        InvalidInput: an input has no reading, or there are too many steps.
    """
    width = round(settings.seconds * SECOND)
    silent = [name or "what is observed" for name, c in columns.items() if not len(c.time)]
    if silent:
        raise InvalidInput(
            f"no reading in this span: {', '.join(silent)}",
            hint="a longer 'span', or once readings have come; `explain` takes those since the "
            "version in use was made",
        )
    times = [c.time for c in columns.values()]
    first = max(int(t[0]) for t in times) // width + 1
    last = step_after(columns, width, end)
    steps = last - first
    if not 0 < steps <= MOST_STEPS:
        raise InvalidInput(f"{max(steps, 0)} steps", hint=f"1 to {MOST_STEPS}; another 'step'")
    inputs: dict[str, F64] = {}
    for name, column in columns.items():
        if name:
            inputs[name] = means(column, first, steps, width)
    held = {n: np.array(v) for n, v in settings.held.items()}
    observed = lasts(columns[""], first, steps, width)
    return Data({**held, **inputs}, observed, settings.seconds, settings.output)


def step_after(columns: dict[str, Column], width: int, end: int) -> int:
    """The first step of which not all is known at `end`: those before it are over."""
    newest = min(int(c.time[-1]) for c in columns.values())
    return min(newest // width + 1, end // width)


def means(column: Column, first: int, steps: int, width: int) -> F64:
    place = column.time // width - first
    inside = (place >= 0) & (place < steps)
    count = np.bincount(place[inside], minlength=steps)
    total = np.bincount(place[inside], column.value[inside], minlength=steps)
    row = np.searchsorted(column.time, (first + np.arange(steps)) * width, side="left") - 1
    found: F64 = np.where(count > 0, total / np.maximum(count, 1), column.value[np.maximum(row, 0)])
    return found


def lasts(column: Column, first: int, steps: int, width: int) -> F64:
    ends = (first + np.arange(steps) + 1) * width
    row = np.searchsorted(column.time, ends, side="left") - 1
    is_there = (row >= 0) & (column.time[np.maximum(row, 0)] >= ends - width)
    found: F64 = np.where(is_there, column.value[np.maximum(row, 0)], np.nan)
    return found


def document_of(found: Calibrated) -> Json:
    """A calibration for people and programs; see docs/reference/services.md."""
    return {
        "parameters": found.parameters,
        "report": found.report(),
        "correlated": found.correlated(),
        "noise": found.noise,
        "fitRmse": found.fit_rmse,
        "holdoutRmse": found.holdout_rmse,
        "holdoutCoverage": None if np.isnan(found.holdout_coverage) else found.holdout_coverage,
        "startsAgree": [found.starts_agree, found.starts],
    }
