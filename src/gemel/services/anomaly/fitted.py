"""What was learnt from history, as arrays of a `Fit`, and back as baselines and spaces."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.services.anomaly.multivariate import Space
from gemel.services.anomaly.shifts import Shifts, unknown
from gemel.services.anomaly.statistics import Statistics
from gemel.services.contract import Arrays, Setup

Rows = NDArray[np.intp]
PARTS = ("mean", "deviation", "loadings", "variance", "limits")
SHIFTS = ("usual", "whitening")
BASELINE = 5
"""Columns of the table of baselines."""


def arrays_of(
    baselines: Mapping[tuple[str, str], tuple[float, ...]],
    spaces: Mapping[str, tuple[list[str], Space]],
) -> tuple[Json, dict[str, NDArray[np.float64]]]:
    """The document and arrays of a fit.

    Args:
        baselines: by twin and path: mean, deviation, variance of the EWMA, limits of z and ewma.
        spaces: by twin: the paths of its columns, and its space.
    """
    document: Json = {
        "signals": [list(key) for key in baselines],
        "spaces": [[twin, paths, space.level] for twin, (paths, space) in spaces.items()],
    }
    arrays: dict[str, F64] = {"baselines": np.array(list(baselines.values())).reshape(-1, BASELINE)}
    for i, (_, space) in enumerate(spaces.values()):
        for part in PARTS:
            arrays[f"{part}/{i}"] = getattr(space, part)
        known = space.shifts.mean, space.shifts.whitening
        arrays |= {f"{part}/{i}": a for part, a in zip(SHIFTS, known, strict=True)}
    return document, arrays


def spaces_of(setup: Setup, statistics: Statistics) -> tuple[list[Space | None], list[Rows]]:
    """Sets the baselines of a fit; gives each twin's space and the slots of its columns."""
    spaces: list[Space | None] = [None] * len(setup.twins)
    slots: list[Rows] = [np.zeros(0, np.intp)] * len(setup.twins)
    if setup.fit is None:
        return spaces, slots
    document, arrays = setup.fit.document, setup.fit.arrays
    slot_of = {(s.twin, s.path): i for i, s in enumerate(setup.signals)}
    known = [(slot_of.get((t, p)), i) for i, (t, p) in enumerate(document["signals"])]
    pairs = np.array([(s, i) for s, i in known if s is not None], np.intp).reshape(-1, 2)
    table = np.asarray(arrays["baselines"])[pairs[:, 1]]
    own = table[:, 3:] if table.shape[1] == BASELINE else None  # none in versions from before
    statistics.fix(pairs[:, 0], table[:, 0], table[:, 1], table[:, 2], own)
    place = {twin: i for i, twin in enumerate(setup.twins)}
    for i, (twin, paths, level) in enumerate(document["spaces"]):
        found = [slot_of.get((twin, path)) for path in paths]
        if twin in place and None not in found:
            spaces[place[twin]] = space_from(arrays, i, float(level))
            slots[place[twin]] = np.array(found, np.intp)
    return spaces, slots


def space_from(arrays: Arrays, number: int, level: float) -> Space:
    mean, deviation, loadings, variance, limits = (
        np.asarray(arrays[f"{part}/{number}"]) for part in PARTS
    )
    if f"usual/{number}" in arrays:
        shifts = Shifts(*(np.asarray(arrays[f"{part}/{number}"]) for part in SHIFTS))
    else:
        shifts, limits = unknown(len(mean)), np.append(limits, 1.0)
    return Space(mean, deviation, loadings, variance, limits, level, shifts)
