"""Many small segments become one large one: the same readings, fewer files, no copies.

Only neighbours in the order of the log are merged, so "received later" stays what it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from math import floor, log

import numpy as np

from gemel.core.errors import Unavailable
from gemel.history.block import Block
from gemel.history.gather import ROWS_AT_ONCE, gathered, ranges
from gemel.history.keep import WIDTHS, Keep
from gemel.history.rollup import Rolls, stacked
from gemel.history.segment import Segment
from gemel.history.table import Table, without_duplicates

LATEST = int(np.iinfo(np.int64).max)
EARLIEST = int(np.iinfo(np.int64).min)


class Interrupted(Unavailable):
    """The history is closing; the merge starts again another time."""


def choose(
    segments: Sequence[Segment], sealed_rows: int, fan_in: int, largest: int
) -> list[Segment]:
    """The first run of neighbours of one size class that is worth merging; [] if there is none.

    Each class is `fan_in` times larger than the one before, so a reading is written again only
    once for each class. Segments that were packed in haste do not wait for more of their class
    when none can come.
    """

    def size_class(segment: Segment) -> int | None:
        if segment.is_damaged or segment.rows >= largest:
            return None
        return floor(log(max(1, segment.rows) / sealed_rows * 2, fan_in))

    runs = [(one, list(run)) for one, run in itertools.groupby(segments, size_class)]
    for place, (one, run) in enumerate(runs, 1):
        if one is None:
            continue
        if len(run) >= fan_in:
            return run[:fan_in]
        if place < len(runs) and any(segment.is_light for segment in run):
            return run
    return []


def neighbours(segments: Sequence[Segment]) -> list[list[Segment]]:
    """All runs of two or more undamaged neighbours."""
    runs: list[list[Segment]] = [[]]
    for segment in segments:
        if segment.is_damaged:
            runs.append([])
        else:
            runs[-1].append(segment)
    return [run for run in runs if len(run) > 1]


class Merge:
    """The readings of some segments on their way into one."""

    def __init__(
        self, segments: Sequence[Segment], keep: Keep, revised: Collection[int] = ()
    ) -> None:
        self.segments = segments
        self.revised = revised
        """Series whose later values take the place of earlier ones."""
        self.keep = keep
        self.expired = 0
        """Readings that were not even read, as nothing of them is kept."""

    def tables(self, is_stopping: Callable[[], bool]) -> Iterator[Table]:
        """As `merged`."""
        young = [segment for segment in self.segments if not self._is_forgotten(segment)]
        self.expired += sum(segment.rows for segment in self.segments if segment not in young)
        if young:
            yield from merged(young, is_stopping, self.revised)

    def _is_forgotten(self, segment: Segment) -> bool:
        """Whether neither its readings nor their roll-ups are kept."""
        series = segment.index.series
        return bool(
            all((segment.time_max < self.keep.times(width, series)).all() for width in WIDTHS)
        )

    def before(self, width: int, first: int, end: int) -> Rolls:
        """Roll-ups, of a range of series, of readings that are gone already."""
        files = [segment.rolls[width] for segment in self.segments if width in segment.rolls]
        return stacked([file.gone(first, end) for file in files])


def merged(
    segments: Sequence[Segment], is_stopping: Callable[[], bool], revised: Collection[int] = ()
) -> Iterator[Table]:
    """All readings of the segments by (series, time), each once, a quarter million at a time.

    Raises:
        Damaged: a block is not what was written.
        Interrupted: `is_stopping` said so.
    """
    series = np.concatenate([segment.index.series for segment in segments])
    counts = np.concatenate([segment.index.count for segment in segments])
    held: dict[str, tuple[int, Block]] = {}
    for first, end, rows in ranges(series, counts):
        if end - first == 1 and rows > ROWS_AT_ONCE:
            pieces = _slices_of_one(segments, first, rows)
        else:
            pieces = iter([[t for s in segments for t in s.tables(first, end, held)]])
        for parts in pieces:
            if is_stopping():
                raise Interrupted("the history is closing")
            yield without_duplicates(gathered(parts), revised)


def _slices_of_one(segments: Sequence[Segment], series: int, rows: int) -> Iterator[list[Table]]:
    """A series that is too large for one go, cut by time where blocks begin."""
    borders = np.sort(np.concatenate([segment.block_times(series) for segment in segments]))
    step = max(1, round(len(borders) * ROWS_AT_ONCE / rows))
    cuts = [EARLIEST, *(int(t) for t in np.unique(borders[step::step])), LATEST]
    for start, end in itertools.pairwise(cuts):
        yield [table for segment in segments for table in segment.find(series, start, end)]
        for segment in segments:
            segment.raise_if_damaged()
