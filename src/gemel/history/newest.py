"""The newest reading of many series as of a moment: in columns, block by block, the newest first.

Of two readings of one time the later to arrive counts, as in `Reader.last`. Sources are ranked by
when their rows arrived; a block is decoded only if it may hold a reading that is newer, or of the
same time and later to arrive, than what is known of a series in it. So of a reading that was sent
again `received` may be that of a repetition, where `Reader.last` tells the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I32, I64, NO_TEXT, Columns
from gemel.history.memory import Chunk
from gemel.history.segment import Segment
from gemel.history.table import MILLISECOND, Table, sort, text_codes
from gemel.history.view import View

UNKNOWN = int(np.iinfo(np.int64).min)
Places = NDArray[np.intp]


class Newest(NamedTuple):
    """Row i of the columns is the newest reading of `series[i]`; those without one are not there.

    Shapes: series and columns are (n,), in the order of the series' numbers.
    """

    series: I32
    columns: Columns


def newest_of(view: View, series: I32, at: int) -> Newest:
    """The newest readings with time <= `at` of series that are in order, each there once."""
    found = _Found(series, at)
    chunks = [chunk for memory in view.memories for chunk in memory.chunks()]
    ranked = list(enumerate(view.segments))
    for rank, chunk in reversed(list(enumerate(chunks, len(ranked)))):
        if chunk.rows and chunk.time_min <= at:
            _look_in_chunk(found, rank, chunk)
    for rank, segment in sorted(ranked, key=lambda one: (one[1].time_max, one[0]), reverse=True):
        _look_in_segment(found, rank, segment)
    return found.newest()


class _Found:
    """The best that is known so far; entry i of each column is of `series[i]`."""

    def __init__(self, series: I32, at: int) -> None:
        self.series = series
        self.at = at
        self._time: I64 = np.full(len(series), UNKNOWN, np.int64)
        self._rank: I32 = np.full(len(series), -1, np.int32)
        self._value = np.full(len(series), np.nan)
        self._quality = np.zeros(len(series), np.uint8)
        self._received: I64 = np.zeros(len(series), np.int64)
        self._text: dict[int, str] = {}

    def is_beaten(
        self, places: Places, rank: int, time: int | np.signedinteger | I64
    ) -> NDArray[np.bool_]:
        """Whether a reading of this time, from the source of this rank, is newer than what is."""
        known = self._time[places]
        return (time > known) | ((time == known) & (rank > self._rank[places]))

    def offer(self, places: Places, rank: int, rows: Table) -> None:
        """One reading for each of some places."""
        better = self.is_beaten(places, rank, rows.time)
        places, rows = places[better], rows.take(better)
        self._time[places], self._rank[places] = rows.time, rank
        self._value[places], self._quality[places] = rows.value, rows.quality
        self._received[places] = rows.received
        if self._text:
            for place in places.tolist():
                self._text.pop(place, None)
        codes = text_codes(rows.value) if len(rows.texts) else None
        if codes is not None:
            for row in np.flatnonzero(codes >= 0).tolist():
                self._text[int(places[row])] = rows.texts[int(codes[row])]

    def newest(self) -> Newest:
        rows = np.flatnonzero(self._rank >= 0)
        value = self._value[rows]
        value[np.isnan(value)] = np.nan  # a text is hidden in a NaN of its own
        text = NO_TEXT
        if self._text:
            text = {int(np.searchsorted(rows, place)): t for place, t in self._text.items()}
        return Newest(
            self.series[rows],
            Columns(
                self._time[rows],
                value,
                self._quality[rows],
                self._received[rows] * MILLISECOND,
                text,
            ),
        )


def _look_in_chunk(found: _Found, rank: int, chunk: Chunk) -> None:
    table, series = chunk.table(), found.series
    if chunk.is_sorted(table):
        first, last = _spans(table.series, series)
        if found.at < chunk.time_max:
            last = first + _up_to(table.time, first, last, found.at)
    else:
        near = (table.time <= found.at) & np.isin(table.series, series)
        table = sort(table.take(near))
        first, last = _spans(table.series, series)
    places = np.flatnonzero(last > first)
    found.offer(places, rank, table.take(last[places] - 1))


def _look_in_segment(found: _Found, rank: int, segment: Segment) -> None:
    """Block by block from the last, so that the newest part of each series is met first."""
    for number, parts, places in _blocks(found, segment):
        until = int(segment.index.time_max[number])
        wanted = found.is_beaten(places, rank, min(until, found.at))
        if not wanted.any() or (block := segment.block(number)) is None:
            continue
        part, places = parts[wanted] - int(segment.index.first_part[number]), places[wanted]
        first, last = block.starts[part], block.starts[part + 1]
        if found.at < until:
            last = first + _up_to(block.time, first, last, found.at)
        there = last > first
        rows = last[there] - 1
        table = Table(
            block.series[part[there]],
            block.time[rows],
            block.value[rows],
            block.quality[rows],
            block.received[rows],
            block.texts,
        )
        found.offer(places[there], rank, table)


def _blocks(found: _Found, segment: Segment) -> Iterator[tuple[int, Places, Places]]:
    """(block, parts in it, their places) of what may hold something newer, the last block first."""
    if not len(found.series) or segment.time_min > found.at:
        return
    index = segment.index
    first, last = _spans(index.series, found.series)
    counts = last - first
    places = np.repeat(np.arange(len(counts)), counts)
    parts = np.arange(len(places)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    block = index.blocks_of(parts)
    near = index.time_min[block] <= found.at
    parts, places, block = parts[near], places[near], block[near]
    borders = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(block)]
    for begin, end in zip(borders[-2::-1], borders[:0:-1], strict=True):
        if begin < end:
            yield int(block[begin]), parts[begin:end], places[begin:end]


def _spans(column: I32, series: I32) -> tuple[Places, Places]:
    """First and last + 1 of the rows of each series in a sorted column."""
    return np.searchsorted(column, series), np.searchsorted(column, series, "right")


def _up_to(time: I64, first: Places, last: Places, at: int) -> Places:
    """How many rows of each span, which is in order of time, are not after a moment."""
    before = np.concatenate(([0], np.cumsum(time <= at)))
    return np.asarray(before[last] - before[first])
