"""Drops readings that came twice: within one call, and again after they were made durable.

This is the cheap first line; history drops every exact duplicate for good. A repetition is dropped
only where it changes nothing: of several values at one time the one received last counts, so that
of A, B, A the last is let through.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gemel.core import fast
from gemel.core.batch import I32, I64, Batch

WIDTH = 65_536
"""Series that are this far apart share a place: so what is remembered is bounded."""
MANY_BITS = 21
"""2**21 places for readings of whichever series, 16 MB once they are all written."""
FEW = 16
_MIX = tuple(np.uint64(m) for m in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
NOBODY = -1


class Recent:
    """The last durable reading of each series, and most of the last million of all.

    Only what is durable may be remembered: a reading that was accepted but not written must not
    make its repetition a duplicate, or it would be acknowledged and lost.

    Args:
        newest: gives the time of the newest durable reading of each series, by number: what is
            later repeats nothing. Without it every reading is looked up.

    Cost: 20 bytes for each of the first 65,536 series, 16 MB for the rest; about 15 ns a reading.
    """

    def __init__(self, newest: Callable[[], I64] | None = None) -> None:
        self._newest = newest
        self._owner = np.full(0, NOBODY, np.int32)
        """Whose reading stands at each place."""
        self._times = np.zeros(0, np.int64)
        self._values = np.zeros(0, np.int64)
        self._prints = np.zeros(1 << MANY_BITS, np.uint64)
        """What came last for a series and time, at a place that both choose."""

    def remember(self, batch: Batch) -> None:
        """Takes note of readings that are durable, a later one in place of an earlier."""
        if not len(batch):
            return
        series, time, bits = batch.series, batch.time, _bits(batch)
        late = self._is_late(batch)
        if np.count_nonzero(late):
            self._forget(series[late], time[late])
        self._grow(int(series.max()) + 1)
        place = series.astype(np.intp) & (WIDTH - 1)
        self._owner[place] = series
        self._times[place] = time
        self._values[place] = bits
        slots, prints = _prints(series, time, bits)
        self._prints[slots] = prints

    def _is_late(self, batch: Batch) -> NDArray[np.bool_]:
        """The rows that may be of a time for which something is remembered."""
        if self._newest is None:
            return np.ones(len(batch), np.bool_)
        newest = self._newest()
        if not len(newest):
            return np.zeros(len(batch), np.bool_)
        return batch.time <= newest.take(batch.series, mode="clip")

    def _place(self, series: I32) -> I32:
        """Where a series is remembered; those that were never go to where another is."""
        place: I32 = (series & (WIDTH - 1)) % len(self._owner)
        return place

    def _forget(self, series: I32, time: I64) -> None:
        """What was received for these times before is not the last any more."""
        if not len(self._owner):
            return
        place = self._place(series)
        same = (self._owner[place] == series) & (self._times[place] == time)
        self._owner[place[same]] = NOBODY

    def drop(self, batch: Batch) -> Batch:
        """The batch without rows that are remembered or that repeat an earlier row of it."""
        count = len(batch)
        if not count:
            return batch
        known = self._is_late(batch)
        if np.count_nonzero(known):
            self._confirm(batch, known)
        if count > 1:
            _mark_repeated(batch, known)
        return _without(batch, known) if np.count_nonzero(known) else batch

    def _confirm(self, batch: Batch, known: NDArray[np.bool_]) -> None:
        """Keeps in `known` only rows that are exactly what is remembered."""
        if not len(self._owner):
            known[:] = False
            return
        rows = np.flatnonzero(known)
        series, time, bits = batch.series[rows], batch.time[rows], _bits(batch)[rows]
        place = self._place(series)
        same = (self._owner[place] == series) & (self._times[place] == time)
        same &= self._values[place] == bits
        slots, prints = _prints(series, time, bits)
        same |= self._prints[slots] == prints
        known[rows] = same
        if same.any():
            rows = rows[np.lexsort((batch.time[rows], batch.series[rows]))]
            known[rows[_contradicted(batch.series[rows], batch.time[rows], _bits(batch)[rows])]] = 0

    def _grow(self, size: int) -> None:
        width = len(self._owner)
        if width >= min(size, WIDTH):
            return
        more = (0, min(max(size, 2 * width, 1024), WIDTH) - width)
        self._owner = np.pad(self._owner, more, constant_values=NOBODY)
        self._times, self._values = np.pad(self._times, more), np.pad(self._values, more)


def _bits(batch: Batch) -> I64:
    """Values as bits; a text's are its hash."""
    bits = batch.value.view(np.int64)
    if batch.text:
        bits = bits.copy()
        for row, text in batch.text.items():
            bits[row] = hash(text)
    return bits


def _prints(series: I32, time: I64, bits: I64) -> tuple[I64, NDArray[np.uint64]]:
    """The place of each reading by series and time, and 64 bits that tell it from all others."""
    mixed = series.astype(np.uint64)
    mixed *= _MIX[0]
    mixed ^= time.view(np.uint64)
    mixed *= _MIX[1]
    mixed ^= mixed >> np.uint64(29)
    mixed *= _MIX[2]
    slots = (mixed >> np.uint64(64 - MANY_BITS)).view(np.int64)
    mixed ^= bits.view(np.uint64) * _MIX[0]
    mixed |= np.uint64(1)  # nothing stands as 0
    return slots, mixed


def _contradicted(series: I32, time: I64, bits: I64) -> NDArray[np.bool_]:
    """The rows, in order of series and time, whose time bears several values."""
    is_first = np.ones(len(series), np.bool_)
    is_first[1:] = (series[1:] != series[:-1]) | (time[1:] != time[:-1])
    group = np.cumsum(is_first) - 1
    differs = bits != bits[is_first][group]
    several: NDArray[np.bool_] = np.bincount(group, differs)[group] > 0
    return several


def _mark_repeated(batch: Batch, known: NDArray[np.bool_]) -> None:
    """Marks all of equal rows but the last."""
    bits = _bits(batch)
    if not _has_repeated(batch, bits):
        return
    columns = (batch.series[::-1], batch.time[::-1], bits[::-1])
    found = np.zeros(len(bits), np.uint8)
    fast.mark_repeated(*columns, found)
    known |= found[::-1].view(np.bool_)


def _has_repeated(batch: Batch, bits: I64) -> bool:
    if fast.IS_COMPILED:
        found = np.zeros(len(bits), np.uint8)
        return fast.mark_repeated(batch.series, batch.time, bits, found) > 0
    if len(bits) <= FEW:
        rows = zip(batch.series.tolist(), batch.time.tolist(), bits.tolist(), strict=True)
        return len(set(rows)) < len(bits)
    mixed = batch.series.astype(np.uint64) * _MIX[0]
    mixed ^= batch.time.view(np.uint64) * _MIX[1]
    mixed ^= mixed >> np.uint64(29)
    mixed += bits.view(np.uint64) * _MIX[2]
    mixed.sort()
    return bool((mixed[1:] == mixed[:-1]).any())


def _without(batch: Batch, dropped: NDArray[np.bool_]) -> Batch:
    rows = np.flatnonzero(~dropped)
    text = batch.text
    if text:
        place = np.cumsum(~dropped) - 1
        text = {int(place[r]): t for r, t in text.items() if not dropped[r]}
    return Batch(
        batch.series[rows],
        batch.time[rows],
        batch.value[rows],
        batch.quality[rows],
        batch.received,
        text,
    )
