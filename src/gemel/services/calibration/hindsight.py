"""The run `explain`: the plant or its sensor, and what it was goes into a version of its own.

The version has the parameters as they were calibrated, and of each twin what hindsight found. Where
that is the sensor, the live part follows what it is off by, and not the parameters.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.calibration.explain import (
    AS_CALIBRATED,
    CHANGED,
    LEAST_BIAS,
    SENSOR,
    UNCLEAR,
    Explained,
    explain_alike,
)
from gemel.services.calibration.offline import Data
from gemel.services.calibration.runs import data_of, need
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
    Series,
)

HINDSIGHT = "behaviour.hindsight"
"""What the sensor is off by, 0 where it is not the sensor."""
DAY = 86_400
AT_ONCE = 16
"""Twins that step through time together."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One twin that can be judged."""

    twin: str
    data: Data
    parameters: Json
    is_since: bool


def need_of_some(parameters: Json, instance: Instance, plant: Plant, now: int) -> Need:
    """As `need`, of at most as many twins as `most` says: with each day the next ones."""
    every, most = len(instance.twins), int(parameters["most"])
    found = need(parameters, instance, plant, now)
    if every <= most:
        return found
    first = now // (DAY * SECOND) * most % every
    chosen = {instance.twins[(first + i) % every] for i in range(most)}
    signals = tuple(s for s in found.signals if s.twin in chosen)
    return Need(signals, found.begin, found.end)


def explain_twins(job: Job, progress: Progress) -> Result:
    """Says of each twin whether its plant has changed since the version in use, or its sensor.

    Where that is not what the version says already, a version that says so comes into use.

    Raises:
        InvalidInput: no twin can be judged; says why.
    """
    found: dict[str, Explained] = {}
    problems: Json = {}
    hint = ""
    with prepared(job.instance) as settings:
        asked: list[_Asked] = []
        for twin in sorted({s.twin for s in job.signals} or set(job.instance.twins)):
            try:
                asked.append(_asked(job, settings, twin))
            except InvalidInput as error:
                problems[twin], hint = error.message, hint or error.hint
        alike: dict[tuple[int, bool], list[_Asked]] = {}
        for one in asked:
            alike.setdefault((len(one.data), one.is_since), []).append(one)
        for some in (
            group[i : i + AT_ONCE]
            for group in alike.values()
            for i in range(0, len(group), AT_ONCE)
        ):
            progress(len(found) / len(asked), some[0].twin)
            try:
                found |= _explained(settings, some)
            except InvalidInput as error:
                problems |= {one.twin: error.message for one in some}
                hint = hint or error.hint
    if not found:
        first = next(iter(problems.values()), "there are no twins")
        raise InvalidInput(f"nothing could be judged: {first}", hint=hint)
    time = np.array([job.end - 1], np.int64)
    series = [
        Series(t, HINDSIGHT, "derived", time, np.array([one.bias if one.verdict == SENSOR else 0]))
        for t, one in found.items()
    ]
    document = {"twins": {t: asdict(one) for t, one in found.items()}, "problems": problems}
    return Result(document, series=series, fit=_marked(job, settings, found))


def _asked(job: Job, settings: Settings, twin: str) -> _Asked:
    fit = job.fit
    learnt: Json = (fit.document["twins"] if fit is not None else {}).get(twin, {})
    if fit is None or "parameters" not in learnt:
        raise InvalidInput("it is not calibrated", hint="the run `calibrate` comes first")
    slots = slots_of(job.instance, settings, twin)
    if slots is None:
        raise InvalidInput("it lacks a signal that is named as input or observed")
    place = {(s.twin, s.path): i for i, s in enumerate(job.signals)}
    begin = max(job.begin, fit.end)
    columns = {}
    for name, slot in slots.items():
        signal = job.instance.signals[slot]
        column = job.columns[place[signal.twin, signal.path]]
        is_since = column.time >= begin
        columns[name] = Column(column.time[is_since], column.value[is_since])
    data = data_of(columns, settings, begin, job.end)
    values = {**settings.values, **learnt["parameters"]}
    return _Asked(twin, data, values, fit.end >= job.begin)


def _explained(settings: Settings, some: list[_Asked]) -> dict[str, Explained]:
    found = explain_alike(
        settings.behaviour,
        [one.data for one in some],
        [one.parameters for one in some],
        settings.follow,
        settings.noise.reading,
        is_since=some[0].is_since,
    )
    return {one.twin: it for one, it in zip(some, found, strict=True)}


def _marked(job: Job, settings: Settings, found: dict[str, Explained]) -> Fit | None:
    """The version in use with what is known in hindsight; None where it says so already."""
    assert job.fit is not None
    twins = {**job.fit.document["twins"]}
    is_new = False
    for twin, one in found.items():
        was = twins[twin].get("hindsight", {}).get("verdict", AS_CALIBRATED)
        verdict = one.verdict
        if was == SENSOR and abs(one.bias) <= LEAST_BIAS / 2 * settings.noise.reading:
            verdict = AS_CALIBRATED if verdict == UNCLEAR else verdict
        if verdict in (was, UNCLEAR):
            continue
        is_new = True
        twins[twin] = {n: v for n, v in twins[twin].items() if n != "hindsight"}
        if verdict != AS_CALIBRATED:
            twins[twin]["hindsight"] = {
                "verdict": verdict,
                "bias": one.bias if verdict == SENSOR else 0.0,
                "changes": one.changes if verdict == CHANGED else {},
                "evidence": one.evidence,
                "at": to_iso(job.end),
            }
    if not is_new:
        return None
    said = [one["hindsight"]["verdict"] for one in twins.values() if "hindsight" in one]
    scores = {
        **job.fit.scores, "sensorsOff": said.count(SENSOR), "plantsChanged": said.count(CHANGED)
    }  # fmt: skip
    document = {**job.fit.document, "twins": twins}
    return Fit(document, job.fit.arrays, scores, job.fit.begin, job.fit.end)
