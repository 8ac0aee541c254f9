"""Readings of an air handler as columns of even steps, and what is expected of the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.airhandler.equipment import AIR_HEAT, Air
from gemel.services.airhandler.kind import SIGNALS, ZONE_SIGNALS, paths_of
from gemel.services.airhandler.search import LEAK, OUTDOOR_CO2, Boxes
from gemel.services.calibration.runs import lasts, means, step_after
from gemel.services.contract import Job

DAY = 86_400
MONDAY = 4
"""1970-01-01 was a Thursday: so many days later it was Monday."""
FADE = 4.0
"""Hours in which what is unlike the day before is forgotten."""
UNUSED = 1e-3
AT_WORK, LEAST_SEEN = (0.1, 0.9), 12
"""Shares of what a box can between which it regulates, and the steps that must have been seen."""
SEEN, TODAY = 5400.0, (0.4, 1.6)
"""Seconds of use from which it is taken how many came today, and within which shares of usual."""


@dataclass(frozen=True, slots=True)
class Table:
    """Shapes: those of the air handler (T,), those of zones (T, Z); `times` begins of steps, ns."""

    times: I64
    handler: dict[str, F64]
    zone: dict[str, F64]
    seconds: float

    def __len__(self) -> int:
        return len(self.times)


def table_of(job: Job, twin: str) -> Table:
    """What is known of one twin in even steps.

    Raises:
        InvalidInput: a signal is missing, or has no reading.
    """
    given = job.instance.parameters
    known = {s.path: i for i, s in enumerate(job.signals) if s.twin == twin}
    wanted = paths_of(given)
    missing = [path for path in wanted if path not in known]
    if missing:
        raise InvalidInput(f"it has no {missing[0]!r}", hint="name its paths in the parameters")
    columns = {path: job.columns[known[path]] for path in wanted}
    empty = [path for path, column in columns.items() if not len(column.time)]
    if empty:
        raise InvalidInput(f"'{empty[0]}' has no reading in this span", hint="a longer 'span'")
    width = round(float(given["step"]) * SECOND)
    first = max(int(c.time[0]) for c in columns.values()) // width + 1
    steps = step_after(columns, width, job.end) - first
    if steps < 4:
        raise InvalidInput(f"{max(steps, 0)} steps of readings are too few", hint="'span'")
    handler = {n: means(columns[given[n]], first, steps, width) for n in SIGNALS}
    zone = {}
    for name in ZONE_SIGNALS:
        take = lasts if name in ("temperature", "co2") else means
        parts = [take(columns[z[name]], first, steps, width) for z in given["zones"]]
        zone[name] = np.stack(parts, axis=1)
    return Table((first + np.arange(steps)) * width, handler, zone, width / SECOND)


def is_used(given: Json, times: I64, seconds: float) -> F64:
    """1 where a step lies within hours of use."""
    middle = times // SECOND + int(seconds / 2)
    hour = middle % DAY / 3600
    days = np.isin((middle // DAY - MONDAY) % 7, given["days"])
    found: F64 = (days & (hour >= given["from"]) & (hour < given["to"])).astype(np.float64)
    return found


def inputs_of(table: Table, given: Json) -> F64:
    """(T, U, Z), as `zones.INPUTS`."""
    hour = table.times // SECOND % DAY / 3600
    sun = table.handler["solar"]
    parts = np.stack(
        (
            np.ones(len(table)), table.handler["outdoor"], np.zeros(len(table)),
            sun * (hour < 11), sun * ((hour >= 11) & (hour < 15)), sun * (hour >= 15),
            is_used(given, table.times, table.seconds),
        ),
        axis=1,
    )  # fmt: skip
    zones = len(given["zones"])
    found = np.repeat(parts[:, :, None], zones, axis=2)
    found[:, 2] = table.zone["heat"]
    return found


def boxes_of(given: Json, aims: F64, margin: float) -> Boxes:
    """Those of the parameters, with what was learnt of their thermostats, (2, Z).

    What was not seen at work is taken to keep the band, less a margin.
    """

    def column(name: str) -> F64:
        return np.array([float(zone[name]) for zone in given["zones"]])

    names = ("least", "most", "reheat", "volume")
    least, most, reheat, volume = (column(name) for name in names)
    heats = np.where(np.isfinite(aims[0]), aims[0], given["low"] + margin)
    cools = np.where(np.isfinite(aims[1]), aims[1], given["high"] - margin)
    return Boxes(least, most, reheat, volume, float(given["design"]), heats, cools)


def aims_of(table: Table, given: Json) -> F64:
    """The temperatures at which thermostats reheat and open, (2, Z); NaN where none was at work.

    A box that neither stands at its least nor gives its most holds its zone at what it aims for.
    """
    found = np.full((2, len(given["zones"])), np.nan)
    boxes = boxes_of(given, found, 0.0)
    flow, temperature = table.zone["flow"], table.zone["temperature"]
    brought = AIR_HEAT * flow * (table.handler["supply"][:, None] - temperature)
    pressure = np.maximum(table.handler["pressure"][:, None], 0.0)
    reheat = np.maximum(table.zone["heat"] - brought, 0.0) / np.maximum(boxes.reheat, 1e-9)
    most = boxes.most * np.sqrt(pressure / boxes.design)
    low, high = AT_WORK
    opened = (flow - boxes.least) / np.maximum(most - boxes.least, 1e-9)
    heats = (flow > UNUSED) & (opened < low) & (reheat > low) & (reheat < high)
    cools = (flow > UNUSED) & (opened > low) & (opened < high)
    for row, at_work in enumerate((heats, cools)):
        for zone in range(len(given["zones"])):
            mine = temperature[at_work[:, zone], zone]
            mine = mine[np.isfinite(mine)]
            if len(mine) >= LEAST_SEEN:
                found[row, zone] = np.median(mine)
    return found


def air_of(table: Table) -> Air:
    """What the air handler did, from its readings."""
    flow, temperature = table.zone["flow"], table.zone["temperature"]
    total = flow.sum(axis=1)
    back = (flow * temperature).sum(axis=1) / np.maximum(total, 1e-9)
    share, supply = table.handler["fresh"], table.handler["supply"]
    mix = back - share * (back - table.handler["outdoor"])
    moved = AIR_HEAT * total
    brought = AIR_HEAT * flow * (supply[:, None] - temperature)
    reheat = np.maximum(table.zone["heat"] - brought, 0.0).sum(axis=1)
    return Air(
        total, table.handler["pressure"], moved * np.maximum(mix - supply, 0.0),
        moved * np.maximum(supply - mix, 0.0) + reheat,
    )  # fmt: skip


def given_off(table: Table, given: Json) -> F64:
    """CO2 that people give, ppm m³/s, from what came in, went out and stayed; (T, Z)."""
    boxes = boxes_of(given, np.full((2, len(given["zones"])), np.nan), 0.0)
    flow, level, share = table.zone["flow"], table.zone["co2"], table.handler["fresh"][:, None]
    total = flow.sum(axis=1, keepdims=True)
    back = (flow * level).sum(axis=1, keepdims=True) / np.maximum(total, 1e-9)
    supplied = share * OUTDOOR_CO2 + (1 - share) * back
    leak = LEAK * boxes.volume / 3600
    rise = np.diff(level, axis=0, prepend=level[:1]) / table.seconds
    gone = flow * (level - supplied) + leak * (level - OUTDOOR_CO2)
    found: F64 = np.maximum(boxes.volume * rise + gone, 0.0)
    return found


def people_co2(table: Table, given: Json) -> F64:
    """Mean and deviation of what people give by the step of a day of use: (2, steps a day, Z)."""
    people = given_off(table, given)
    steps = round(DAY / table.seconds)
    place = (table.times // round(table.seconds * SECOND)) % steps
    used = is_used(given, table.times, table.seconds) > 0
    found = np.zeros((2, steps, people.shape[1]))
    for row in range(steps):
        mine = people[used & (place == row)]
        mine = mine[np.isfinite(mine).all(axis=1)]
        if len(mine):
            found[:, row] = mine.mean(axis=0), mine.std(axis=0)
    return found


def expected_co2(table: Table, given: Json, usual: F64, times: I64) -> F64:
    """What people will give, (T, Z): as usual; once they are there, by how many came today."""
    width = round(table.seconds * SECOND)
    mean, deviation = usual[:, (times // width) % usual.shape[1]]
    recent = slice(len(table) - round(SEEN / table.seconds), None)
    if not is_used(given, table.times[recent], table.seconds).all():
        found: F64 = mean + 0.5 * deviation
        return found
    before = usual[0, (table.times[recent] // width) % usual.shape[1]].sum(axis=0)
    share = np.nan_to_num(given_off(table, given)[recent]).sum(axis=0) / np.maximum(before, 1e-9)
    known: F64 = mean * np.clip(share, *TODAY)
    return known


def continued(column: F64, steps: int, day: int, hours_a_step: float) -> F64:
    """As on the day before, begun where things stand."""
    again = column[len(column) - day + np.arange(steps) % day]
    off = column[-1] - column[-1 - day] if len(column) > day else 0.0
    fade = np.exp(-(np.arange(steps) + 1) * hours_a_step / FADE)
    found: F64 = again + off * fade
    return found
