"""The run `savings`: energy after a change against what it would have been without (M&V).

A baseline of energy on outdoor temperature and calendar is learnt from before the change; what it
expects of the weather after it, less what was measured, is the saving, with an interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import (
    Column,
    Instance,
    Job,
    Need,
    Plant,
    Progress,
    Result,
    Series,
    Signal,
)
from gemel.services.forecast.baseline import learn, left_out, savings

DAY, HOUR, WEEK = 86_400, 3_600, 604_800
MONDAY = 4 * DAY
"""1970 began on a Thursday: so long until the first Monday."""
LEAST = 30
"""Steps on each side of the change."""
BASELINE = "forecast.baseline"


def need(parameters: Json, instance: Instance, plant: Plant, now: int) -> Need:
    """Energy of the twins, and temperature of each or of the one that has it.

    Raises:
        InvalidInput: there is no such signal, or the change is not in the past.
    """
    if not parameters["change"]:
        raise InvalidInput(
            "'change' says when the measure was taken", hint="like 2026-03-01T00:00:00Z"
        )
    change = from_iso(parameters["change"])
    if not 0 < change < now:
        raise InvalidInput(f"the change at {parameters['change']} is not in the past")
    wanted = [(twin, parameters["energy"]) for twin in instance.twins]
    places = (parameters["weather"],) if parameters["weather"] else instance.twins
    wanted += [(twin, parameters["temperature"]) for twin in places]
    signals = []
    for twin, path in wanted:
        found = next((s for s in plant.signals_of(twin) if s.path == path), None)
        if found is None:
            raise InvalidInput(
                f"twin '{twin}' has no number '{path}'",
                hint="'weather' names the twin that has the temperature",
            )
        signals.append(found)
    begin = change - round(float(parameters["before"]) * SECOND)
    return Need(tuple(signals), begin, now)


def savings_run(job: Job, progress: Progress) -> Result:
    """Each twin's saving; one of which too little is known says so."""
    p = job.parameters
    step = round(float(p["period"]) * SECOND)
    columns = {(s.twin, s.path): c for s, c in zip(job.signals, job.columns, strict=True)}
    units = {s.twin: s.unit for s in job.signals if s.path == p["energy"]}
    rows: list[Json] = []
    series: list[Series] = []
    for i, twin in enumerate(job.instance.twins):
        progress(i / max(len(job.instance.twins), 1), twin)
        weather = columns[p["weather"] or twin, p["temperature"]]
        try:
            row, one = _twin(Signal(twin, p["energy"], units[twin]), columns, weather, p, step)
        except InvalidInput as error:
            rows.append({"twin": twin, "problem": error.message})
            continue
        rows.append({"twin": twin, **row})
        series.append(one)
    known = [row for row in rows if "problem" not in row]
    if not known:
        first = rows[0]["problem"] if rows else "there are no twins"
        hint = "more history, or another 'period'"
        raise InvalidInput(f"nothing can be said: {first}", hint=hint)
    return Result({"change": p["change"], "twins": rows}, series=series)


def _twin(
    signal: Signal, columns: dict[tuple[str, str], Column], weather: Column, p: Json, step: int
) -> tuple[Json, Series]:
    energy = _by_step(columns[signal.twin, signal.path], step, is_counter=bool(p["counter"]))
    outdoor = _by_step(weather, step)
    steps, mine, theirs = np.intersect1d(energy[0], outdoor[0], return_indices=True)
    value, temperature = energy[1][mine], outdoor[1][theirs]
    if not p["counter"]:
        value = value * (step / SECOND / HOUR)
    change = -(-from_iso(p["change"]) // step)  # the step in which it was made is left out
    before, after = steps < change - 1, steps >= change
    if min(before.sum(), after.sum()) < LEAST:
        raise InvalidInput(
            f"{before.sum()} steps with readings before the change and {after.sum()} after it; "
            f"{LEAST} of each are needed"
        )
    group = groups(steps, step)
    unknown = np.setdiff1d(group[after], group[before])
    if len(unknown):
        raise InvalidInput("parts of the week after the change were never seen before it")
    base = learn(value[before], temperature[before], group[before])
    off = left_out(value[before], temperature[before], group[before], int(after.sum()))
    found = savings(base, value[after], temperature[after], group[after], off)
    expected = base.expected(temperature[after], group[after])
    row: Json = {
        "unit": signal.unit if p["counter"] else f"{signal.unit or '1'} h",
        "measured": float(value[after].sum()),
        "expected": found.expected,
        "saved": found.value,
        "low": found.low,
        "high": found.high,
        "share": found.share,
        "cvRmse": base.cv_rmse,
        "nmbe": base.nmbe,
        "meetsGuideline14": base.meets_hourly,
        "stepsBefore": int(before.sum()),
        "stepsAfter": int(after.sum()),
        "from": to_iso(int(steps[before][0]) * step),
        "to": to_iso((int(steps[after][-1]) + 1) * step),
    }
    scale = 1.0 if p["counter"] else step / SECOND / HOUR
    time = steps[after] * step + step // 2
    return row, Series(signal.twin, BASELINE, "simulated", time, expected / scale)


def groups(steps: I64, step: int) -> NDArray[np.int64]:
    """The part of the week of each step: its hour where steps are shorter than a day, its day."""
    second = (steps * (step // SECOND) - MONDAY) % WEEK
    return second // (HOUR if step < DAY * SECOND else DAY)


def _by_step(column: Column, step: int, *, is_counter: bool = False) -> tuple[I64, F64]:
    """(numbers of the steps, mean or increase in each) of those that have readings."""
    place = column.time // step
    if is_counter:
        first = np.flatnonzero(np.diff(place, prepend=-1))
        numbers, value = place[first], column.value[first]
        whole = np.flatnonzero((np.diff(numbers) == 1) & (np.diff(value) >= 0))
        return numbers[whole], np.diff(value)[whole]
    numbers, inverse, count = np.unique(place, return_inverse=True, return_counts=True)
    return numbers, np.bincount(inverse, column.value, len(numbers)) / np.maximum(count, 1)
