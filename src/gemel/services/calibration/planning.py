"""The run `plan`: the cheapest input for the hours to come, as a recommendation for each twin."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.behaviour.model import simulate
from gemel.services.calibration.ensemble import Ensemble
from gemel.services.calibration.offline import Data
from gemel.services.calibration.runs import data_of, step_after
from gemel.services.calibration.settings import Settings, prepared, slots_of
from gemel.services.contract import Job, Progress, Proposal, Result, Series
from gemel.services.optimise.horizon import Plan, Wanted, plan, response_of

DAY = 86_400.0
HIDDEN = 1.0
"""Deviation of a state nobody has measured, where the readings begin."""
PATH_INPUT, PATH_OUTPUT = "behaviour.plan.input", "behaviour.plan.output"


def plan_twins(job: Job, progress: Progress) -> Result:
    """Plans each twin from its state now, with the last day as the forecast of what comes.

    Raises:
        InvalidInput: no twin can be planned; says why.
    """
    with prepared(job.instance) as settings:
        settings.behaviour.place("inputs", job.parameters["chosen"])
        if job.parameters["chosen"] not in settings.paths:
            raise InvalidInput(
                "the input that is chosen must be a signal, so that its use is known",
                hint="give it a path in 'inputs'",
            )
        return _planned(job, settings, progress)


def _planned(job: Job, settings: Settings, progress: Progress) -> Result:
    found: Json = {}
    problems: Json = {}
    series: list[Series] = []
    for i, twin in enumerate(job.instance.twins):
        progress(i / len(job.instance.twins), twin)
        try:
            found[twin] = _twin(job, settings, twin, series)
        except InvalidInput as error:
            problems[twin] = error.message
    if not found:
        first = next(iter(problems.values()), "there are no twins")
        raise InvalidInput(f"nothing was planned: {first}", hint="see the readings of the inputs")
    proposals = [_proposal(job, settings, twin, one) for twin, one in found.items()]
    wanted = proposals if job.parameters["command"] else []
    return Result({"twins": found, "problems": problems}, series=series, proposals=wanted)


def _proposal(job: Job, settings: Settings, twin: str, found: Json) -> Proposal:
    """The first step of a twin's plan; it holds until the next one begins."""
    hours, share = job.parameters["hours"], found["gainShare"]
    saved = "" if share is None else f" ({share:.0%})"
    return Proposal(
        twin,
        job.parameters["command"],
        found["first"],
        f"first step of the cheapest {job.parameters['chosen']} for {hours:g} h: costs "
        f"{found['cost']:.4g} instead of {found['costAsDayBefore']:.4g} as on the day before",
        seconds=max(60.0, settings.seconds),
        gain=f"{found['gain']:.4g} in {hours:g} h{saved}",
        confidence=found["confidence"],
    )


def _twin(job: Job, settings: Settings, twin: str, series: list[Series]) -> Json:
    given = job.parameters
    slots = slots_of(job.instance, settings, twin)
    if slots is None:
        raise InvalidInput("it lacks a signal that is named as input or observed")
    columns = {name: job.columns[slot] for name, slot in slots.items()}
    data = data_of(columns, settings, job.begin, job.end)
    steps = round(float(given["hours"]) * 3600 / settings.seconds)
    day = round(DAY / settings.seconds)
    if len(data) < max(day, 2):
        raise InvalidInput("it has less than a day of readings, from which the next is expected")
    width = round(settings.seconds * SECOND)
    times = (step_after(columns, width, job.end) + np.arange(steps + 1)) * width
    learnt: Json = (job.fit.document["twins"] if job.fit is not None else {}).get(twin, {})
    parameters = {**settings.values, **learnt.get("parameters", {})}
    ensemble = _now(settings, data, parameters, learnt.get("spread", {}))
    states = zip(settings.behaviour.states, ensemble.state[:, 0], strict=True)
    start = {s.name: float(members.mean()) for s, members in states}
    again = len(data) - day + np.arange(steps) % day
    chosen: str = given["chosen"]
    ahead = {
        n: (np.full(steps, float(c)) if np.ndim(c) == 0 else c[again])
        for n, c in data.inputs.items()
        if n != chosen
    }
    wanted = wanted_of(given, times, settings.seconds)
    response = response_of(
        settings.behaviour, parameters, chosen, settings.output, settings.seconds, steps
    )
    best = plan(response, ahead, start, wanted)
    used = np.asarray(data.inputs[chosen])[again]
    band = _band(settings, ensemble, ahead, chosen, best)
    for path, unit_values in ((PATH_INPUT, best.chosen), (PATH_OUTPUT, best.output)):
        is_output = path == PATH_OUTPUT
        low, high = (band[0], band[1]) if is_output else (None, None)
        series.append(Series(twin, path, "simulated", times[1:], unit_values, low, high))
    return {
        "from": to_iso(int(times[0])),
        "to": to_iso(int(times[-1])),
        "first": float(best.chosen[0]),
        **_judged(best, used, band, wanted, settings, ensemble, ahead, chosen),
        "constraints": {"low": given["low"], "high": given["high"], "most": given["most"]},
    }


def _judged(
    best: Plan, used: F64, band: F64, wanted: Wanted, settings: Settings, ensemble: Ensemble,
    ahead: dict[str, F64], chosen: str,
) -> Json:  # fmt: skip
    """Cost and comfort of the plan beside doing as on the day before."""
    hours = settings.seconds / 3600
    as_before = Plan(used, _mean(settings, ensemble, ahead, chosen, used), 0.0, 0.0)
    cost, before = best.cost, float(wanted.price @ used)

    def outside(output: F64) -> float:
        off = np.maximum(wanted.low - output, 0) + np.maximum(output - wanted.high, 0)
        return float(off.sum()) * hours

    inside = (band[0] >= wanted.low - 0.05) & (band[1] <= wanted.high + 0.05)
    return {
        "cost": cost,
        "costAsDayBefore": before,
        "gain": before - cost,
        "gainShare": (before - cost) / before if before > 0 else None,
        "outsideHours": outside(best.output),
        "outsideHoursAsDayBefore": outside(as_before.output),
        "confidence": float(inside.mean()),
    }


def wanted_of(given: Json, times: I64, seconds: float) -> Wanted:
    """Bounds and prices of each step, by the hour of the day (UTC) at its end."""
    steps = len(times) - 1
    hour = (times[1:] // SECOND % 86_400) / 3600.0
    begin, end = float(given["from"]), float(given["to"])
    inside = (hour > begin) & (hour <= end) if begin <= end else (hour > begin) | (hour <= end)
    prices = given["prices"] or [1.0]
    if len(prices) not in (1, 24):
        raise InvalidInput(f"{len(prices)} prices", hint="one, or one for each hour of the day")
    begins = (times[:-1] // SECOND % 86_400) // 3600
    price = np.array([prices[int(h) % len(prices)] for h in begins], float) * seconds / 3600
    low = np.where(inside, float(given["low"]), float(given["lowOutside"]))
    return Wanted(
        low, np.full(steps, float(given["high"])), price, float(given["most"]),
        float(given["discomfort"]) * seconds / 3600,
    )  # fmt: skip


def _now(
    settings: Settings, data: Data, parameters: dict[str, float], spread: dict[str, float]
) -> Ensemble:
    """The states after all readings, with what is not known of parameters."""
    ensemble = Ensemble(
        settings.behaviour, settings.output, settings.seconds, settings.follow, [1],
        settings.members, settings.noise,
    )  # fmt: skip
    rows = np.array([0])
    seen = data.observed[np.isfinite(data.observed)]
    start = {s.name: float(seen[0]) if s.unit == "°C" else s.value for s in
             settings.behaviour.states}  # fmt: skip
    hidden = {s.name: HIDDEN for s in settings.behaviour.states}
    ensemble.begin(rows, parameters, start, {**hidden, **spread})
    table = np.stack(
        [
            np.broadcast_to(data.inputs.get(i.name, np.array(i.value)), len(data))
            for i in settings.behaviour.inputs
        ]
    )
    for k in range(len(data)):
        ensemble.step(rows, table[:, k : k + 1], data.observed[k : k + 1])
    return ensemble


def _members(
    settings: Settings, ensemble: Ensemble, ahead: dict[str, F64], chosen: str, values: F64
) -> F64:
    """The output (T, M) of all members under an input."""
    names = [p.name for p in settings.behaviour.parameters]
    parameters = dict(zip(names, ensemble.parameters(np.array([0]))[:, 0], strict=True))
    states = zip(settings.behaviour.states, ensemble.state[:, 0], strict=True)
    start = {s.name: members for s, members in states}
    return simulate(
        settings.behaviour, {**ahead, chosen: values}, settings.seconds, parameters, start
    ).output(settings.output)


def _mean(
    settings: Settings, ensemble: Ensemble, ahead: dict[str, F64], chosen: str, values: F64
) -> F64:
    found: F64 = _members(settings, ensemble, ahead, chosen, values).mean(axis=1)
    return found


def _band(
    settings: Settings, ensemble: Ensemble, ahead: dict[str, F64], chosen: str, best: Plan
) -> F64:
    """The 90 % interval of the output, (2, T)."""
    members = _members(settings, ensemble, ahead, chosen, best.chosen)
    middle = members.mean(axis=1) - best.output
    found: F64 = np.quantile(members, [0.05, 0.95], axis=1) - middle
    return found
