"""The run `bottleneck`: stations from parameters and history, changes on the same draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Job, Progress, Result
from gemel.services.lines.bottleneck import changes, report, tried
from gemel.services.lines.draws import draw
from gemel.services.lines.line import Line, Station

LEAST_CYCLES = 20
SPREAD = 0.1
MOST_CELLS = 40_000_000
"""Jobs, stations, changes and repetitions multiplied: what fits in the memory of a run."""


def bottleneck(job: Job, progress: Progress) -> Result:
    """Every station faster, every buffer larger: which gain is the greatest."""
    given = job.parameters
    line, sources = line_of(job)
    options = [
        *changes(line, "station", given["faster"]),
        *changes(line, "buffer", given["more"]),
    ]
    jobs, repetitions = given["jobs"], given["repetitions"]
    cells = jobs * len(line.stations) * (len(options) + 1) * repetitions
    if cells > MOST_CELLS:
        raise InvalidInput(
            f"{jobs:,} jobs x {repetitions} repetitions are too many for this line",
            hint=f"{cells / MOST_CELLS:.1f} times fewer jobs or repetitions",
        )
    progress(0.1, f"{jobs:,} jobs through {len(options) + 1} lines")
    random = np.random.default_rng(given["seed"])
    found, rows = tried(line, draw(line, jobs, repetitions, random), options, jobs // 10)
    document = report(line, found, rows)
    best = rows[0]
    return Result(
        document
        | {
            "best": best.change.words(line) if best.low > 0 else None,
            "buffers": list(line.buffers),
            "sources": sources,
            "seed": given["seed"],
        }
    )


def line_of(job: Job) -> tuple[Line, list[Json]]:
    """The line of an instance, and where each station's cycle came from.

    Raises:
        InvalidInput: a station has neither a cycle nor readings of one.
    """
    parameters = job.instance.parameters
    stations: list[Json] = parameters["stations"] or [{"twin": t} for t in job.instance.twins]
    made, sources = [], []
    for number, one in enumerate(stations):
        station, source = _station(job, one, number)
        made.append(station)
        sources.append({"station": station.name, **source})
    buffers = parameters["buffers"] or [parameters["places"]] * (len(made) - 1)
    return Line(tuple(made), tuple(buffers)), sources


def _station(job: Job, one: Json, number: int) -> tuple[Station, Json]:
    name = one.get("twin") or f"station {number + 1}"
    cycle, spread = one.get("cycle", 0), one.get("spread", -1)
    source: dict[str, Any] = {"cycle": "entered", "readings": 0}
    if cycle == 0 or spread < 0:
        readings = _cycles(job, name)
        if len(readings) >= LEAST_CYCLES:
            cycle = cycle or float(np.median(readings))
            spread = spread if spread >= 0 else _spread(readings)
            source = {"cycle": "measured", "readings": len(readings)}
    if cycle == 0:
        raise InvalidInput(
            f"station '{name}' has no cycle, and fewer than {LEAST_CYCLES} readings of "
            f"'{job.instance.parameters['signal']}' in the span",
            hint="give its cycle in the service's parameters, or a longer span",
        )
    between, stop = one.get("between", 0.0), one.get("stop", 0.0)
    return Station(name, cycle, SPREAD if spread < 0 else spread, between, stop), source


def _cycles(job: Job, twin: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    for signal, column in zip(job.signals, job.columns, strict=True):
        if signal.twin == twin:
            return column.value[column.value > 0]
    return np.empty(0)


def _spread(cycles: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Of the middle of the readings: stops and mistakes are not a spread of cycles."""
    low, middle, high = np.quantile(cycles, (0.16, 0.5, 0.84))
    return float((high - low) / 2 / middle)
