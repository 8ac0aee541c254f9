"""Roll-ups of one series over a span, from all segments and what is not sealed yet, as one.

A minute that lies in one segment alone is taken as it stands there. One that lies in several (late
readings came, or the same ones twice) is made again from the readings, so that the answer is what
the readings themselves would give. Only where they are gone the rows of several are put together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from gemel.core.batch import I64, Columns
from gemel.core.quality import Quality
from gemel.history.memory import Memory
from gemel.history.query import merge, take
from gemel.history.rollfile import gone, kept
from gemel.history.rollup import HOUR, MINUTE, Rolls, coarsened, roll_columns, stacked
from gemel.history.segment import Segment
from gemel.history.view import View

Readings: TypeAlias = Callable[[int, int], Columns]
"""Good readings of the series at start <= time < end."""


def has_gone(view: View, series: int) -> bool:
    """Whether roll-ups stand for readings of a series that are there no more."""
    number = gone(series)
    return any(r.has(number) for s in view.segments for r in s.rolls.values())


def rolls_of(
    view: View, series: int, start: int, end: int, width: int, readings: Readings, *, revised: bool
) -> Rolls:
    """Roll-ups of a series, in order of time; start and end are multiples of the width."""
    parts: list[Rolls] = []
    touched: list[I64] = []
    every: list[Segment | Memory] = [*view.segments, *view.memories]
    for part in every:
        rolls = _kept(part, series, start, end, width) if isinstance(part, Segment) else None
        if rolls is None:
            found = merge(part.find(series, start, end), bad=True, is_revised=revised)
            good = found.quality < Quality.BAD
            if revised:  # a bad value may have taken the place of a good one of another part
                touched.append(found.time[~good] // width * width)
            rolls = roll_columns(series, take(found, np.flatnonzero(good)), width)
        parts.append(rolls)
    moved = np.concatenate(touched) if touched else np.empty(0, np.int64)
    there = _agreed(stacked(parts), series, width, readings, moved)
    gone_too = away(view, series, start, end, width)
    return coarsened(stacked([gone_too, there]), width) if len(gone_too) else there


def _kept(segment: Segment, series: int, start: int, end: int, width: int) -> Rolls | None:
    """The rows that are kept beside a segment's readings; None where there are none."""
    file = segment.rolls.get(width)
    if file is None or not file.has(kept(series)):
        return None
    found = file.find(kept(series), start, end)
    return None if found is None else found.numbered(found.series // 2)


def _agreed(rolls: Rolls, series: int, width: int, readings: Readings, moved: I64) -> Rolls:
    """One row for each minute or hour; those of several parts, or `moved`, made from readings."""
    order = np.argsort(rolls.time, kind="stable")
    if not (order[1:] > order[:-1]).all():
        rolls = rolls.take(order)
    same = rolls.time[1:] == rolls.time[:-1]
    shared = np.isin(rolls.time, moved)
    if not same.any() and not shared.any():
        return rolls
    shared[1:] |= same
    shared[:-1] |= same
    again = [
        roll_columns(series, readings(low, high), width)
        for low, high in _runs(np.unique(rolls.time[shared]), width)
    ]
    whole = stacked([rolls.take(~shared), *again])
    return whole.take(np.argsort(whole.time, kind="stable"))


def _runs(times: I64, width: int) -> list[tuple[int, int]]:
    """Neighbouring rows as spans of time."""
    breaks = np.flatnonzero(np.diff(times) != width)
    firsts = np.concatenate(([0], breaks + 1))
    lasts = np.append(breaks, len(times) - 1)
    return [(int(times[f]), int(times[e]) + width) for f, e in zip(firsts, lasts, strict=True)]


def away(view: View, series: int, start: int, end: int, width: int) -> Rolls:
    """Rows of readings that are gone; where minutes are gone too, hours stand for them."""
    number = gone(series)
    found: dict[int, Rolls] = {}
    for one in (MINUTE, HOUR):
        if one > width and one != HOUR:
            continue
        low = start // one * one
        rows = [
            file.find(number, low, end)
            for segment in view.segments
            if (file := segment.rolls.get(one)) is not None and file.has(number)
        ]
        rolls = stacked([r for r in rows if r is not None])
        found[one] = coarsened(rolls.numbered(rolls.series // 2), one)
    if width == HOUR:
        return found[HOUR]
    minutes, hours = found[MINUTE], found[HOUR]
    known = np.unique(minutes.time // HOUR * HOUR)
    return stacked([minutes, hours.take(~np.isin(hours.time, known))])
