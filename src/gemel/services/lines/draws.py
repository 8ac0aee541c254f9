"""How long each job takes at each station, and how long that station stands meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.services.lines.line import Line


@dataclass(frozen=True, slots=True)
class Draws:
    """Seconds. Shapes: both (jobs, stations, repetitions)."""

    work: F64
    stops: F64


def draw(line: Line, jobs: int, repetitions: int, random: np.random.Generator) -> Draws:
    """Gamma cycles of each station's mean and spread; stops by work done, exponential."""
    shape = (jobs, repetitions)
    work, stops = [], []
    for one in line.stations:
        if one.spread > 0:
            form = one.spread**-2
            cycles = random.gamma(form, one.cycle / form, shape)
        else:
            cycles = np.full(shape, one.cycle)
        work.append(cycles)
        if one.between > 0 and one.stop > 0:
            count = random.poisson(cycles / one.between)
            stops.append(random.standard_gamma(count) * one.stop)
        else:
            stops.append(np.zeros(shape))
    return Draws(np.stack(work, axis=1), np.stack(stops, axis=1))
