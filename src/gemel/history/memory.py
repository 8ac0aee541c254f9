"""The readings of one log file in memory: cheap to append to, sorted when first asked.

One thread appends; any thread reads. Rows are written before the count is raised, and a full chunk
is replaced by its sorted copy in one assignment, so readers need no lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from threading import Lock

import numpy as np

from gemel.history.block import parts_of
from gemel.history.gather import gathered, ranges
from gemel.history.payload import Stack
from gemel.history.table import (
    MILLISECOND,
    QUIET_NAN,
    Table,
    sort,
    text_values,
    without_duplicates,
)

CHUNK_ROWS = 65_536
NO_SERIES = np.empty(0, np.int32)
EARLIEST = int(np.iinfo(np.int64).min)


class Chunk:
    """Rows in the order of arrival until full; then sorted once by whoever reads it first."""

    __slots__ = ("_columns", "_lock", "_sorted", "rows", "time_max", "time_min")

    def __init__(self, capacity: int, texts: Sequence[str]) -> None:
        self._columns = Table(
            np.empty(capacity, np.int32),
            np.empty(capacity, np.int64),
            np.empty(capacity, np.float64),
            np.empty(capacity, np.uint8),
            np.empty(capacity, np.int64),
            texts,
        )
        self._sorted: Table | None = None
        self._lock = Lock()
        self.rows = 0
        self.time_min = np.iinfo(np.int64).max
        self.time_max = np.iinfo(np.int64).min

    def room(self) -> int:
        return len(self._columns) - self.rows

    def append(self, part: Table) -> None:
        rows = slice(self.rows, self.rows + len(part))
        mine = self._columns
        mine.series[rows] = part.series
        mine.time[rows] = part.time
        mine.value[rows] = part.value
        mine.quality[rows] = part.quality
        mine.received[rows] = part.received
        self.time_min = min(self.time_min, int(part.time.min()))
        self.time_max = max(self.time_max, int(part.time.max()))
        self.rows = rows.stop

    def table(self) -> Table:
        """All rows: sorted if the chunk is full, else in the order of arrival."""
        done = self._sorted
        if done is not None:
            return done
        columns, rows = self._columns, self.rows
        if rows < len(columns):
            return columns.take(slice(0, rows))
        with self._lock:
            if self._sorted is None:
                self._columns = self._sorted = sort(columns)
            return self._sorted

    def is_sorted(self, table: Table) -> bool:
        """Whether what `table` gave is in order of (series, time)."""
        return table is self._sorted

    def run(self) -> Table:
        """All rows, sorted."""
        table = self.table()
        return table if self.is_sorted(table) else sort(table)

    def find(self, series: int, start: int, end: int) -> Table | None:
        """Rows of one series with start <= time < end, in order of time; None if there are none."""
        if self.rows == 0 or end <= self.time_min or start > self.time_max:
            return None
        table = self.table()
        if self.is_sorted(table):
            first, last = np.searchsorted(table.series, np.array((series, series + 1), np.int32))
            if first == last:
                return None
            low, high = np.searchsorted(table.time[first:last], (start, end))
            return table.take(slice(first + low, first + high)) if low < high else None
        time = table.time
        rows = np.flatnonzero((table.series == series) & (time >= start) & (time < end))
        return sort(table.take(rows)) if len(rows) else None


class Memory:
    """All readings of log file `number` that are durable."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.rows = 0
        self.highest_series = -1
        self._chunks: list[Chunk] = []
        self._texts: list[str] = []
        self._places: dict[str, int] = {}

    def append(self, readings: Stack) -> None:
        """Makes readings visible."""
        count = len(readings.columns)
        if not count:
            return
        table = self._as_table(readings)
        self.highest_series = max(self.highest_series, int(table.series.max()))
        at = 0
        while at < count:
            if not self._chunks or not self._chunks[-1].room():
                self._chunks.append(Chunk(CHUNK_ROWS, self._texts))
            chunk = self._chunks[-1]
            take = min(chunk.room(), count - at)
            chunk.append(table if take == count else table.take(slice(at, at + take)))
            at += take
        self.rows += count

    def _as_table(self, readings: Stack) -> Table:
        batch = readings.columns
        value = batch.value
        nan = np.isnan(value)
        if batch.text or nan.any():
            value = value.copy()
            value[nan] = np.int64(QUIET_NAN).view(np.float64)
            rows = list(batch.text)
            value[rows] = text_values(np.array([self._place(batch.text[r]) for r in rows], int))
        received = np.repeat(readings.received // MILLISECOND, readings.rows)
        return Table(batch.series, batch.time, value, batch.quality, received, self._texts)

    def _place(self, text: str) -> int:
        place = self._places.get(text)
        if place is None:
            place = self._places[text] = len(self._texts)
            self._texts.append(text)
        return place

    def find(self, series: int, start: int, end: int) -> list[Table]:
        """Parts of one series in the order of arrival, each in order of time."""
        if series > self.highest_series:
            return []
        found = (chunk.find(series, start, end) for chunk in list(self._chunks))
        return [part for part in found if part is not None]

    def newest(self, series: int, at: int) -> int | None:
        """The latest time <= `at` of a series; None if there is none."""
        best: int | None = None
        if series > self.highest_series:
            return None
        for chunk in list(self._chunks):
            if best is None or chunk.time_max > best:
                found = chunk.find(series, EARLIEST if best is None else best, at + 1)
                if found is not None:
                    best = int(found.time[-1])
        return best

    def rows_of(self, start: int, end: int) -> int:
        """At most this many rows, of all series, lie in a span."""
        chunks = list(self._chunks)
        return sum(c.rows for c in chunks if c.time_min < end and c.time_max >= start)

    def chunks(self) -> list[Chunk]:
        """In the order of arrival."""
        return list(self._chunks)

    def runs(self) -> list[Table]:
        """All rows, sorted in each table; what is equal in the order of arrival."""
        return [chunk.run() for chunk in list(self._chunks)]


class Ordered:
    """All rows of some memories on their way into a segment."""

    def __init__(self, memories: Sequence[Memory]) -> None:
        self._runs = [run for memory in memories for run in memory.runs() if len(run)]
        parts = [parts_of(run.series) for run in self._runs]
        self._series = np.concatenate([part[0] for part in parts] or [NO_SERIES])
        self._counts = np.concatenate([part[1] for part in parts] or [NO_SERIES])

    @property
    def rows_a_series(self) -> float:
        """On average."""
        return float(self._counts.sum()) / max(1, int(np.count_nonzero(np.bincount(self._series))))

    def tables(self, revised: Collection[int] = ()) -> Iterator[Table]:
        """By (series, time), copies once, a quarter million rows at a time."""
        for first, end, _ in ranges(self._series, self._counts):
            some = np.array((first, end), np.int32)
            pieces = [
                run.take(slice(*np.searchsorted(run.series, some).tolist())) for run in self._runs
            ]
            yield without_duplicates(gathered(pieces), revised)
