"""Percentiles of columns of samples of which one row changes, without sorting each time.

Within a bucket of a window only its own row changes. Of all other rows a few places round the
wanted rank are enough: what one more sample makes of the sorted rest at a place is that sample,
held between the neighbours there. The rest of the next bucket (all rows but this one and the
oldest) is sorted while this one lasts, a slice of columns each second.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64

Flags = NDArray[np.bool_]
PLACES = 7
"""Two samples that join move a rank by two (by three with rounding); each needs its neighbours."""


def percentile_of(samples: F64, share: float) -> F64:
    """By column, among those that are not NaN, with linear interpolation."""
    ordered = np.sort(samples, axis=0)
    known = np.isfinite(ordered).sum(axis=0)
    place = share * np.maximum(known - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    columns = np.arange(samples.shape[1])
    low, high = ordered[below, columns], ordered[above, columns]
    found: F64 = low + (high - low) * (place - below)
    return found


def _held(value: F64, low: F64, high: F64) -> F64:
    found: F64 = np.minimum(np.maximum(value, low), high)
    return found


class Ranks:
    """The percentile of each column, `percentile_of` to the last bit.

    Args:
        samples: rows of buckets, NaN where unknown; written by its owner, here only read.
        share: of the percentile, 0 to 1.
    """

    def __init__(self, samples: F64, share: float) -> None:
        self._samples, self._share = samples, share
        size = samples.shape[1]
        self._places: F64 = np.full((PLACES, size), np.inf)
        """Of what stays when the next bucket begins: from two below the rank on."""
        self._known: I64 = np.zeros(size, np.int64)
        self._ready = 0
        """Columns that are sorted for the next bucket."""
        self._is_valid = False
        self._low: tuple[F64, F64] = (self._places[0], self._places[0])
        self._high = self._low
        self._part = self._without = self._places[0]

    def forget(self) -> None:
        """The rows are others than it has seen."""
        self._is_valid, self._ready = False, 0

    def advance(self, row: int) -> None:
        """A bucket begins: `row` is the last one's, and the oldest is gone."""
        if not self._is_valid or len(self._samples) < 3:
            self.forget()
            return
        self.prepare(row, self._samples.shape[1])
        self._settle(self._samples[row])
        self._ready = 0

    def prepare(self, row: int, columns: int) -> None:
        """Sorts some more columns for the next bucket; `row` is the current."""
        end = min(self._ready + columns, self._samples.shape[1])
        if self._is_valid and self._ready < end:
            rows = np.arange(row + 2, row + len(self._samples)) % len(self._samples)
            self._sort(rows, slice(self._ready, end))
            self._ready = end

    def now(self, row: int) -> F64:
        """The percentiles with what the current row holds."""
        if not self._is_valid:
            rows = np.delete(np.arange(len(self._samples)), row)
            self._sort(rows, slice(0, self._samples.shape[1]))
            self._settle(np.full(self._samples.shape[1], np.nan))
            self._is_valid, self._ready = True, 0
        value = self._samples[row]
        low, high = _held(value, *self._low), _held(value, *self._high)
        found: F64 = np.where(np.isfinite(value), low + (high - low) * self._part, self._without)
        return found

    def _sort(self, rows: I64, columns: slice) -> None:
        ordered = np.sort(self._samples[rows, columns].T, axis=1)
        known = np.isfinite(ordered).sum(axis=1)
        first = np.floor(self._share * np.maximum(known - 1, 0)).astype(np.int64) - 2
        self._known[columns] = known
        at = first[:, None] + np.arange(PLACES)
        if len(rows):
            found = np.take_along_axis(ordered, np.clip(at, 0, len(rows) - 1), axis=1)
            found[at >= known[:, None]] = np.inf
        else:
            found = np.full(at.shape, np.inf)
        found[at < 0] = -np.inf
        self._places[:, columns] = found.T

    def _settle(self, joining: F64) -> None:
        """What stays and one row more: what is needed to tell the percentile with any sample."""
        is_there = np.isfinite(joining)
        rest = np.where(
            is_there, _held(joining, self._places[:-1], self._places[1:]), self._places[1:]
        )  # from one below the rank on
        first = np.floor(self._share * np.maximum(self._known - 1, 0)).astype(np.int64) - 1
        known = self._known + is_there
        columns = np.arange(len(known))

        def at(place: I64) -> F64:
            found: F64 = rest[place - first, columns]
            return found

        place = self._share * known
        below = np.floor(place).astype(np.int64)
        is_top = below >= known
        self._low = (at(below - 1), at(below))
        above = np.where(is_top, below - 1, below)
        self._high = (at(above), at(above + 1))
        self._part = place - below
        place = self._share * np.maximum(known - 1, 0)
        below = np.floor(place).astype(np.int64)
        low, high = at(below), at(np.minimum(below + 1, np.maximum(known - 1, 0)))
        with np.errstate(invalid="ignore"):
            found = low + (high - low) * (place - below)
        self._without = np.where(known > 0, found, np.nan)
