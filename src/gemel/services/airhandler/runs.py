"""The runs `learn` and `plan` of the kind `air-handler`."""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.airhandler import equipment as machines
from gemel.services.airhandler import zones as rooms
from gemel.services.airhandler.equipment import Equipment
from gemel.services.airhandler.kind import COMMANDS
from gemel.services.airhandler.search import Ahead, Grid, Outcome, Prices, Then, candidates, tried
from gemel.services.airhandler.table import (
    DAY,
    UNUSED,
    Table,
    aims_of,
    air_of,
    boxes_of,
    continued,
    expected_co2,
    inputs_of,
    is_used,
    people_co2,
    table_of,
)
from gemel.services.airhandler.zones import Zones
from gemel.services.contract import Fit, Job, Progress, Proposal, Result

STARTS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Hours from now at which the fan may start before use; the choice is made anew with each plan."""
STOPS = (0.0, 0.25, 0.5, 0.75, 1.0, 2.0)
"""Hours before the end of use at which it may stop."""
NEAR = 3.0
"""Hours: an end that is further away is not thought about yet."""


def learn_twins(job: Job, progress: Progress) -> Result:
    """Learns zones and equipment of each air handler; it passes where its free run is good enough.

    Raises:
        InvalidInput: nothing could be learnt; says why.
    """
    found: Json = {}
    problems: Json = {}
    arrays: dict[str, np.ndarray[Any, Any]] = dict(job.fit.arrays) if job.fit is not None else {}
    for i, twin in enumerate(job.instance.twins):
        progress(i / len(job.instance.twins), twin)
        try:
            found[twin], new = _learnt(job, table_of(job, twin))
        except InvalidInput as error:
            problems[twin] = str(error)
            continue
        if found[twin]["passed"]:
            arrays |= {f"{twin}/{name}": value for name, value in new.items()}
    if not found:
        raise InvalidInput(f"nothing was learnt: {next(iter(problems.values()), 'no twins')}")
    passed = [twin for twin, one in found.items() if one["passed"]]
    scores = {
        "learnt": len(found),
        "passed": len(passed),
        "holdoutRmse": float(np.median([max(one["holdoutRmse"]) for one in found.values()])),
    }
    fit = Fit({"twins": found}, arrays, scores, job.begin, job.end, bool(passed))
    return Result({"twins": found, "problems": problems, **scores}, fit=fit)


def _learnt(job: Job, table: Table) -> tuple[Json, dict[str, F64]]:
    given = job.instance.parameters
    zones = rooms.learn(inputs_of(table, given), table.zone["temperature"], table.seconds)
    air, meters = air_of(table), table.handler
    parts = machines.learn(
        air, meters["outdoor"], meters["fan"], meters["cooling"], meters["heating"]
    )
    powers = parts.power(air, meters["outdoor"])
    pairs = zip(powers, ("fan", "cooling", "heating"), strict=True)
    hours = -table.seconds / 3600 / np.log(zones.kept)
    aims = aims_of(table, given)
    document = {
        "heatsAt": [None if np.isnan(x) else x for x in aims[0].tolist()],
        "coolsAt": [None if np.isnan(x) else x for x in aims[1].tolist()],
        "holdoutRmse": zones.rmse.tolist(),
        "hours": hours.T.tolist(),
        "meterRmseKw": {n: float(np.sqrt(np.mean((p - meters[n]) ** 2))) for p, n in pairs},
        "fan": parts.fan.tolist(),
        "cooling": parts.cooling.tolist(),
        "heating": parts.heating.tolist(),
        "passed": bool(zones.rmse.max() <= job.parameters["worst"]),
    }
    arrays = {"kept": zones.kept, "gain": zones.gain, "rmse": zones.rmse}
    arrays |= {"fan": parts.fan, "cooling": parts.cooling, "heating": parts.heating}
    arrays["aims"] = aims
    return document, {**arrays, "co2": people_co2(table, given)}


def plan_twins(job: Job, progress: Progress) -> Result:
    """The cheapest set points of each air handler for the hours to come.

    Raises:
        InvalidInput: no twin can be planned; says why.
    """
    unknown = sorted(set(job.parameters["commands"]) - set(COMMANDS))
    if unknown:
        raise InvalidInput(f"there is no set point '{unknown[0]}'", hint=", ".join(COMMANDS))
    if job.fit is None:
        raise InvalidInput("nothing is learnt yet", hint="the run `learn` comes first")
    found: Json = {}
    problems: Json = {}
    proposals: list[Proposal] = []
    for i, twin in enumerate(job.instance.twins):
        progress(i / len(job.instance.twins), twin)
        try:
            found[twin] = _planned(job, twin, table_of(job, twin))
        except InvalidInput as error:
            problems[twin] = str(error)
            continue
        proposals += _proposals(job, twin, found[twin])
    if not found:
        raise InvalidInput(f"nothing was planned: {next(iter(problems.values()), 'no twins')}")
    return Result({"twins": found, "problems": problems}, proposals=proposals)


def _proposals(job: Job, twin: str, found: Json) -> list[Proposal]:
    commands, first = job.parameters["commands"], found["first"]
    made = []
    for name in COMMANDS:
        if name not in commands or (name != "fan" and not first["fan"]):
            continue
        why = f"first of the cheapest set points until {found['to']}: {found['kwh']:.4g} kWh"
        gain = f"{found['gain']:.3g} kWh" if found["gain"] is not None else ""
        sure = found["confidence"]
        made.append(
            Proposal(
                twin,
                commands[name],
                first[name],
                why,
                seconds=job.parameters["period"],
                gain=gain,
                confidence=sure,
            )
        )
    return made


def _planned(job: Job, twin: str, table: Table) -> Json:
    given = job.instance.parameters
    assert job.fit is not None
    arrays = {n: job.fit.arrays.get(f"{twin}/{n}") for n in NAMES}
    if any(value is None for value in arrays.values()):
        raise InvalidInput("nothing is learnt of it", hint="the run `learn`, and its `problems`")
    values = {name: np.asarray(value, float) for name, value in arrays.items()}
    zones = Zones(values["kept"], values["gain"], values["rmse"])
    parts = Equipment(values["fan"], values["cooling"], values["heating"])
    day = round(DAY / table.seconds)
    if len(table) < day:
        raise InvalidInput("it has less than a day of readings", hint="a longer 'span'")
    an_hour, period = (round(s / table.seconds) for s in (3600, job.parameters["period"]))
    ahead = _ahead(job, table, values["co2"], day)
    used = np.flatnonzero(ahead.is_used)
    begin = to_iso(int(table.times[-1]) + round(table.seconds * SECOND))
    if not len(used):
        return _off(begin)
    stands = np.flatnonzero(np.diff(used) > 1)
    end = int(used[stands[0]] if len(stands) else used[-1]) + 1
    ahead = _until(ahead, end)
    wanted, first, aims = job.parameters, int(used[0]), job.fit.arrays.get(f"{twin}/aims")
    unknown = np.full((2, len(given["zones"])), np.nan)
    boxes = boxes_of(given, unknown if aims is None else np.asarray(aims, float), wanted["margin"])
    start = rooms.settled(zones, inputs_of(table, given), table.zone["temperature"])
    level = table.zone["co2"][-1]
    co2 = np.where(np.isfinite(level), level, 600.0)
    prices = Prices(wanted["degree"], wanted["co2"], given["limit"] - 50)
    standing = _standing(table, wanted, end)
    grid = _grid(wanted, first, end, an_hour)
    coarse = grid | {name: grid[name][::2] for name in SET_POINTS}
    then: Then | None = None
    for one in (coarse, grid):  # what would hold all day, then what is best until that follows
        tries = np.column_stack((candidates(one), standing))
        found = tried(zones, parts, boxes, start, co2, ahead, tries, prices, table.seconds, then)
        best = int(np.argmin(found.cost[:-1]))
        supply, pressure, fresh = tries[:3, best].tolist()
        then = Then((supply, pressure, fresh), first + an_hour)
    to = int(table.times[-1]) + (end + 1) * round(table.seconds * SECOND)
    document = _document(found, tries, best, ahead, (max(period, 1), an_hour))
    return document | {"from": begin, "to": to_iso(to)}


def _grid(wanted: Json, first: int, end: int, an_hour: int) -> Grid:
    """What is tried, where use begins after `first` steps and ends after `end`."""
    stops = STOPS if end <= NEAR * an_hour else STOPS[:1]
    return {
        "supply": wanted["supplies"],
        "pressure": wanted["pressures"],
        "fresh": wanted["shares"],
        "start": sorted({min(round(h * an_hour), first) for h in STARTS} | {first}),
        "stop": sorted({max(end - round(h * an_hour), 0) for h in stops}),
    }


SET_POINTS = ("supply", "pressure", "fresh")
NAMES = ("kept", "gain", "rmse", "fan", "cooling", "heating", "co2")


def _standing(table: Table, wanted: Json, end: int) -> F64:
    """What goes on if nothing is changed, as the last running step had it."""
    running = np.flatnonzero(table.zone["flow"].sum(axis=1) > UNUSED)
    last = int(running[-1]) if len(running) else len(table) - 1
    read = [table.handler[n][last] for n in ("supply", "pressure")]
    return np.array([*read, max(table.handler["fresh"][last], min(wanted["shares"])), 0.0, end])


def _ahead(job: Job, table: Table, people: F64, day: int) -> Ahead:
    given, wanted = job.instance.parameters, job.parameters
    steps = round(wanted["hours"] * 3600 / table.seconds)
    width = round(table.seconds * SECOND)
    times = table.times[-1] + width * (1 + np.arange(steps))
    hours = table.seconds / 3600
    outdoor = continued(table.handler["outdoor"], steps, day, hours)
    sun = table.handler["solar"][len(table) - day + np.arange(steps) % day]
    used = is_used(given, times, table.seconds)
    handler = {**table.handler, "outdoor": outdoor, "solar": sun}
    none = {"heat": np.zeros((steps, len(given["zones"])))}
    inputs = inputs_of(Table(times, handler, none, table.seconds), given)
    low = np.where(used > 0, given["low"] + wanted["margin"], given["lowOutside"])
    high = np.where(used > 0, given["high"] - wanted["margin"], given["highOutside"])
    return Ahead(inputs, outdoor, used, low, high, expected_co2(table, given, people, times))


def _until(ahead: Ahead, end: int) -> Ahead:
    parts = (ahead.inputs, ahead.outdoor, ahead.is_used, ahead.low, ahead.high, ahead.co2)
    return Ahead(*(part[:end] for part in parts))


def _document(found: Outcome, tries: F64, best: int, ahead: Ahead, steps: tuple[int, int]) -> Json:
    """A plan for people and for commands; steps until the next plan, and of an hour."""
    period, an_hour = steps
    supply, pressure, fresh, begin, stop = (float(x) for x in tries[:, best])
    is_on = begin < period <= stop or (begin == 0 and stop > 0)
    path = found.temperatures[:, :, best]
    inside = (path >= ahead.low[:, None] - 0.3) & (path <= ahead.high[:, None] + 0.3)
    used = ahead.is_used > 0
    gain = float(found.cost[-1] - found.cost[best])
    return {
        "first": {"supply": supply, "pressure": pressure, "fresh": fresh, "fan": float(is_on)},
        "startsInHours": begin / an_hour,
        "kwh": float(found.kwh[best]),
        "kwhAsItStands": float(found.kwh[-1]),
        "gain": gain,
        "outsideHours": float(found.degrees[best]),
        "co2Hours": float(found.excess[best]),
        "confidence": float(inside[used].mean()),
        "candidates": tries.shape[1] - 1,
    }


def _off(begin: str) -> Json:
    """Nobody is expected within the horizon."""
    first = {"supply": 0.0, "pressure": 0.0, "fresh": 0.0, "fan": 0.0}
    return {
        "first": first, "startsInHours": None, "kwh": 0.0, "kwhAsItStands": None, "gain": None,
        "outsideHours": 0.0, "co2Hours": 0.0, "confidence": None, "candidates": 0,
        "from": begin, "to": begin,
    }  # fmt: skip
