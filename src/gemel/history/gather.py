"""Sorted runs of readings become one: whole parts are moved, not rows compared.

A part is the readings of one series in one run. What arrived later mostly lies later in time too,
so laying the parts of a series one behind the other sorts it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I32, I64
from gemel.history.table import Table, concatenate, in_order, sort

ROWS_AT_ONCE = 262_144
"""So many stay in the processor's cache on their way."""
ROWS_A_PART = 8
"""Below, moving parts costs more than sorting rows."""
Places: TypeAlias = NDArray[np.intp]


def gathered(runs: Sequence[Table]) -> Table:
    """All rows by (series, time), equals in the order of the runs.

    Args:
        runs: each sorted by (series, time).
    """
    runs = [run for run in runs if len(run)]
    whole = concatenate(runs)
    if len(runs) < 2:
        return whole
    is_first = np.empty(len(whole), bool)
    np.not_equal(whole.series[1:], whole.series[:-1], out=is_first[1:])
    is_first[np.cumsum([0, *(len(run) for run in runs[:-1])])] = True
    starts = np.flatnonzero(is_first)
    if len(starts) * ROWS_A_PART > len(whole):
        return sort(whole)
    return _by_parts(whole, starts)


def _by_parts(whole: Table, starts: Places) -> Table:
    """The parts in their order; rows are compared only in series whose parts overlap."""
    order = np.argsort(whole.series[starts], kind="stable")
    counts = np.diff(starts, append=len(whole))[order]
    begins = starts[order]
    rows = np.repeat(begins - (np.cumsum(counts) - counts), counts)
    rows += np.arange(len(whole))
    return in_order(whole, rows, np.repeat(whole.series[begins], counts))


def ranges(series: I32, counts: I32) -> Iterator[tuple[int, int, int]]:
    """(first series, end series, rows): neighbours up to ROWS_AT_ONCE; a larger one alone.

    Args:
        series: of each part, in any order.
        counts: rows of each part.
    """
    if not len(series):
        return
    lowest = int(series.min())
    rows: I64 = np.bincount(series - lowest, weights=counts).astype(np.int64)
    found = np.flatnonzero(rows)
    ends = np.cumsum(rows[found])
    first, before = 0, 0
    while first < len(found):
        last = max(first + 1, int(np.searchsorted(ends, before + ROWS_AT_ONCE, "right")))
        held = int(ends[last - 1]) - before
        yield lowest + int(found[first]), lowest + int(found[last - 1]) + 1, held
        first, before = last, int(ends[last - 1])
