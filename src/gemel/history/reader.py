"""Queries: from any thread, while others write, over segments and memory as one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from gemel.core.batch import I32, I64, Columns
from gemel.core.errors import InvalidInput
from gemel.core.series import SeriesTable
from gemel.history.coarse import away, has_gone, rolls_of
from gemel.history.newest import Newest, newest_of
from gemel.history.query import (
    AGGREGATES,
    Buckets,
    add_buckets,
    bucket,
    bucket_rolls,
    check_aggregates,
    in_time_order,
    join,
    join_buckets,
    m4,
    merge,
    pixel_edges,
    take,
)
from gemel.history.rollup import (
    HOUR,
    MINUTE,
    NO_ROLLS,
    NotNumbers,
    Rolls,
    points,
    roll_columns,
    stacked,
)
from gemel.history.table import Table
from gemel.history.view import View, Views

EARLIEST = int(np.iinfo(np.int64).min)
LATEST = int(np.iinfo(np.int64).max)
ROWS_A_SLICE = 1_000_000
MOST_PIXELS = 100_000
ROWS_WORTH_ROLLS = 200_000
"""Fewer readings than this are looked at themselves: it takes 10 ms or less."""
FINEST_SHARE = 4
T = TypeVar("T")


class Last(NamedTuple):
    """A reading as of a moment."""

    time: int
    value: float
    quality: int
    received: int
    text: str | None


class Reader:
    series: SeriesTable
    _views: Views

    def read(
        self,
        series: int,
        start: int,
        end: int,
        *,
        bad: bool = False,
        limit: int | None = None,
        versions: bool = False,
    ) -> Columns:
        """Readings of one series with start <= time < end, in order of time.

        Two values that were measured at one time are both there, in the order in which they
        arrived; a copy (same time, same value) is there once. Of what was derived, predicted or
        simulated for one time, only the last to arrive is there.

        Args:
            series: its number.
            start: ns since 1970 UTC.
            end: ns since 1970 UTC.
            bad: also readings of bad quality.
            limit: at most so many, the earliest.
            versions: also what was derived, predicted or simulated before for the same time.
        """
        start, end = _bounded(start, end)
        if limit is None:
            return self._merged(series, start, end, bad=bad, versions=versions)
        pieces: list[Columns] = []
        missing = limit
        for low, high in self._slices(series, start, end):
            piece = self._merged(series, low, high, bad=bad, versions=versions)
            pieces.append(take(piece, slice(0, missing)))
            missing -= len(pieces[-1])
            if not missing:
                break
        return join(pieces)

    def stream(self, series: int, start: int, end: int, *, bad: bool = False) -> Iterator[Columns]:
        """`read`, about a million readings at a time."""
        for low, high in self._slices(series, *_bounded(start, end)):
            yield self._merged(series, low, high, bad=bad)

    def read_many(
        self,
        series: Sequence[int],
        start: int,
        end: int,
        *,
        bad: bool = False,
        limit: int | None = None,
    ) -> list[Columns]:
        """`read` for each of several series, in their order."""
        return [self.read(one, start, end, bad=bad, limit=limit) for one in series]

    def last(self, series: int, at: int | None = None) -> Last | None:
        """The newest reading with time <= `at` (of all if None); the later to arrive of two."""
        at = LATEST - 1 if at is None else min(at, LATEST - 1)
        time = self._retried(lambda view: _newest(view, series, at))
        if time is None:
            return None
        found = self._merged(series, time, time + 1, bad=True)
        if not len(found):
            return None
        row = len(found) - 1
        return Last(
            time,
            float(found.value[row]),
            int(found.quality[row]),
            int(found.received[row]),
            found.text.get(row),
        )

    def last_of_many(self, series: I32, at: int | None = None) -> Newest:
        """`last` of many series at once, in the order of their numbers.

        Cost: a block of 16,384 readings is decoded at most once, and only if it may hold an answer.
        """
        at = LATEST - 1 if at is None else min(at, LATEST - 1)
        wanted = np.unique(series).astype(np.int32)
        return self._retried(lambda view: newest_of(view, wanted, at))

    def downsample(
        self,
        series: int,
        start: int,
        end: int,
        px: int,
        *,
        bad: bool = False,
        exact: bool = False,
    ) -> Columns:
        """First, last, lowest and highest reading of each of `px` pixels between start and end.

        A line drawn through them is the same, pixel for pixel, as one through all readings. Of
        texts it has the first reading of each in each pixel, of up to 16 a pixel, and the last.

        Where there are very many readings, and where they are gone and their roll-ups are not,
        the readings that roll-ups remember stand for all. Each is a reading with its own time; a
        pixel may miss one in the minutes (or hours, a quarter of a pixel at most) that its edges
        cut. `exact` looks at every reading that there is.
        """
        if not 1 <= px <= MOST_PIXELS:
            raise InvalidInput(f"{px} pixels are not between 1 and {MOST_PIXELS:,}")
        start, end = _bounded(start, end)
        edges = pixel_edges(start, end, px)
        pixel = (end - start) // px
        if not bad and not exact:
            width = self._width(series, start, end, pixel, FINEST_SHARE, must_divide=False)
            rolls = self._rolls(series, start, end, width) if width else None
            if rolls is not None:
                return m4(points(rolls), edges)
        gone = self._gone(series, start, end, pixel)
        if len(gone):
            there = self._outline(series, start, end, edges, bad=bad)
            return m4(in_time_order([points(gone), there]), edges)
        if self._rows_at_most(series, start, end) <= 4:
            return self.read(series, start, end, bad=bad)
        return self._outline(series, start, end, edges, bad=bad)

    def _outline(self, series: int, start: int, end: int, edges: I64, *, bad: bool) -> Columns:
        """M4 of the readings themselves, a slice at a time."""
        pieces = []
        cuts = self._cuts(series, start, end, edges)
        for low, high in itertools.pairwise(cuts):
            inside = edges[(edges >= low) & (edges <= high)]
            pieces.append(m4(self._merged(series, low, high, bad=bad), inside))
        return join(pieces)

    def buckets(
        self,
        series: int,
        start: int,
        end: int,
        width_ns: int,
        aggregates: Sequence[str] = AGGREGATES,
        *,
        bad: bool = False,
    ) -> Buckets:
        """Aggregates over buckets of time: "time" (where each begins) and one array an aggregate.

        Buckets begin at multiples of the width since 1970; those without readings are left out.
        `count` counts all readings; the others are over numbers only, NaN where there are none.

        Raises:
            InvalidInput: an unknown aggregate, or no width.
        """
        check_aggregates(aggregates)
        if width_ns < 1:
            raise InvalidInput(f"a bucket of {width_ns} ns has no width")
        start, end = _bounded(start, end)
        if not bad:
            coarse = self._width(series, start, end, width_ns, 1, must_divide=True)
            rolls = self._rolls(series, start, end, coarse) if coarse else None
            if rolls is not None:
                return bucket_rolls(rolls, width_ns, aggregates)
        there = self._buckets(series, start, end, width_ns, aggregates, bad=bad)
        gone = self._gone(series, start, end, width_ns)
        if not len(gone):
            return there
        before = bucket_rolls(gone, width_ns, aggregates)
        return add_buckets(there, before)

    def _buckets(
        self,
        series: int,
        start: int,
        end: int,
        width_ns: int,
        aggregates: Sequence[str],
        *,
        bad: bool,
    ) -> Buckets:
        """Buckets of the readings themselves, a slice at a time."""
        first = start // width_ns
        many = (end - 1) // width_ns - first + 1
        rows = self._rows_at_most(series, start, end)
        step = max(1, -(-many * ROWS_A_SLICE // max(rows, 1)))
        count = min(-(-many // step), 1 + rows)
        borders = [(first + i * step) * width_ns for i in range(1, count)]
        cuts = [start, *borders, end]
        pieces = [
            bucket(self._merged(series, low, high, bad=bad), width_ns, aggregates)
            for low, high in itertools.pairwise(cuts)
        ]
        return join_buckets(pieces)

    def _width(
        self, series: int, start: int, end: int, wanted: int, share: int, *, must_divide: bool
    ) -> int:
        """The coarsest roll-ups of which `share` or more lie in `wanted` ns; 0 for the readings."""
        if self._rows_at_most(series, start, end) < ROWS_WORTH_ROLLS:
            return 0
        for width in (HOUR, MINUTE):
            if width * share <= wanted and not (must_divide and wanted % width):
                return width
        return 0

    def _gone(self, series: int, start: int, end: int, wanted: int) -> Rolls:
        """Roll-ups of readings that are there no more, the hours if `wanted` ns have several."""
        width = HOUR if wanted >= HOUR * FINEST_SHARE else MINUTE

        def ask(view: View) -> Rolls:
            return away(view, series, start, end, width)

        has_some = self._retried(lambda view: has_gone(view, series))
        return self._retried(ask) if has_some else NO_ROLLS

    def _rolls(self, series: int, start: int, end: int, width: int) -> Rolls | None:
        """Roll-ups over a span, those at its ends made of what lies inside; None for texts."""
        revised = series in self.series.revised
        low, high = -(-start // width) * width, end // width * width

        def readings(first: int, last: int) -> Columns:
            return self._merged(series, first, last, bad=False)

        def ask(view: View) -> Rolls:
            if low >= high:
                return roll_columns(series, readings(start, end), width)
            inner = rolls_of(view, series, low, high, width, readings, revised=revised)
            ends = [roll_columns(series, readings(*s), width) for s in ((start, low), (high, end))]
            return stacked([ends[0], inner, ends[1]])

        try:
            return self._retried(ask)
        except NotNumbers:
            return None

    def _merged(
        self, series: int, start: int, end: int, *, bad: bool, versions: bool = False
    ) -> Columns:
        is_revised = series in self.series.revised
        found = self._find(series, start, end)
        return merge(found, bad=bad, is_revised=is_revised, versions=versions)

    def _find(self, series: int, start: int, end: int) -> list[Table]:
        return self._retried(lambda view: _parts(view, series, start, end))

    def _retried(self, ask: Callable[[View], T]) -> T:
        """Asks again if a segment was merged into a larger one meanwhile."""
        while True:
            view = self._views.now
            try:
                return ask(view)
            except FileNotFoundError:
                if view is self._views.now:
                    raise

    def _rows_at_most(self, series: int, start: int, end: int) -> int:
        def ask(view: View) -> int:
            rows = sum(segment.rows_of(series, start, end) for segment in view.segments)
            return rows + sum(memory.rows_of(start, end) for memory in view.memories)

        return self._retried(ask)

    def _slices(self, series: int, start: int, end: int) -> list[tuple[int, int]]:
        """The span cut where blocks begin, so that about ROWS_A_SLICE rows are in each slice."""
        rows = self._rows_at_most(series, start, end)
        if rows <= ROWS_A_SLICE:
            return [(start, end)]

        def ask(view: View) -> list[I64]:
            return [segment.block_times(series, start, end) for segment in view.segments]

        times = np.sort(np.concatenate([np.empty(0, np.int64), *self._retried(ask)]))
        step = max(1, round(len(times) * ROWS_A_SLICE / rows))
        inside = np.unique(times[step::step])
        cuts = [start, *(int(t) for t in inside if start < t < end), end]
        return list(itertools.pairwise(cuts))

    def _cuts(self, series: int, start: int, end: int, edges: I64) -> list[int]:
        """As `_slices`, but at the edges of pixels."""
        borders = [low for low, _ in self._slices(series, start, end)[1:]]
        places = np.unique(np.searchsorted(edges, np.array(borders, np.int64)))
        inner = [int(edges[place]) for place in places if 0 < place < len(edges) - 1]
        return [start, *dict.fromkeys(cut for cut in inner if start < cut < end), end]


def _bounded(start: int, end: int) -> tuple[int, int]:
    start = min(max(start, EARLIEST), LATEST)
    return start, max(start, min(end, LATEST))


def _parts(view: View, series: int, start: int, end: int) -> list[Table]:
    """Of one series, in the order of arrival."""
    parts: list[Table] = []
    for segment in view.segments:
        parts += segment.find(series, start, end)
    for memory in view.memories:
        parts += memory.find(series, start, end)
    return parts


def _newest(view: View, series: int, at: int) -> int | None:
    best: int | None = None
    for memory in reversed(view.memories):
        found = memory.newest(series, at)
        if found is not None and (best is None or found > best):
            best = found
    for segment in sorted(view.segments, key=lambda segment: segment.time_max, reverse=True):
        if best is not None and segment.time_max <= best:
            break
        found = segment.newest(series, at)
        if found is not None and (best is None or found > best):
            best = found
    return best
