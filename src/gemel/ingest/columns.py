"""Columns under construction: what one call of `accept` collects, made a `Batch` at its end."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import EMPTY, F64, I32, I64, NO_TEXT, U8, Batch
from gemel.core.quality import Quality, worse
from gemel.ingest.slots import CONVERTED, RANGED, Checks, Slots

FEW = 16
"""Up to this many rows are finished one by one."""
NAN = float("nan")
LARGEST = float(np.finfo(np.float64).max)


class Columns:
    """Readings so far; row i of `slots`, `times` and `values` is one reading.

    `array` holds them, so that an append costs no object and the end costs no copy.
    """

    __slots__ = ("quality", "slots", "text", "times", "values")

    def __init__(self) -> None:
        self.slots = array("q")
        self.times = array("q")
        """ns since 1970 UTC"""
        self.values = array("d")
        """As sent; NaN where `text` has the value."""
        self.text: dict[int, str] = {}
        """Row to JSON text."""
        self.quality: dict[int, int] = {}
        """Row to a quality that is known already."""

    def __len__(self) -> int:
        return len(self.slots)

    def extend(self, slot: int, time: I64, value: F64) -> None:
        """Adds the values of one slot."""
        self.slots.extend(array("q", (slot,)) * len(value))
        self.times.frombytes(time.tobytes())
        self.values.frombytes(value.tobytes())

    def cut(self, rows: int) -> None:
        """Takes back all rows from this one on."""
        del self.slots[rows:]
        del self.times[rows:]
        del self.values[rows:]
        tables: tuple[dict[int, Any], ...] = (self.text, self.quality)
        for table in tables:
            while table and next(reversed(table)) >= rows:
                table.popitem()

    def fill_times(self, moment: int) -> None:
        """Gives all rows that have no time yet this one."""
        missing = len(self.slots) - len(self.times)
        if missing == 1:
            self.times.append(moment)
        elif missing:
            self.times.extend(array("q", (moment,)) * missing)

    def finish(self, slots: Slots, received: int) -> Batch:
        """Converts units, compares with ranges, for all rows at once."""
        if not self.slots:
            return EMPTY
        if len(self.slots) <= FEW:
            return self._finish_few(slots, received)
        index = np.frombuffer(self.slots, np.int64)
        check = slots.check.take(index)
        flags = slots.checks.flags.take(check)
        seen = int(np.bitwise_or.reduce(flags))
        value: F64 = np.frombuffer(self.values, np.float64)
        quality: U8 = np.zeros(len(index), np.uint8)
        if seen & CONVERTED:
            value = _convert(value, check, (flags & CONVERTED) > 0, slots.checks, quality)
        if seen & RANGED:
            minimum, maximum = slots.checks.columns[:2]
            outside = (value < minimum.take(check)) | (value > maximum.take(check))
            quality[outside] = Quality.OUT_OF_RANGE
        for row, known in self.quality.items():
            quality[row] = worse(known, int(quality[row]))
        return Batch(
            slots.series.take(index),
            np.frombuffer(self.times, np.int64),
            value,
            quality,
            received,
            self.text or NO_TEXT,
        )

    def _finish_few(self, slots: Slots, received: int) -> Batch:
        """As `finish`, row by row: a column operation costs as much as several rows."""
        series: list[int] = []
        quality: list[int] = []
        values, rows = self.values, slots.checks.rows
        number, check = slots.series.item, slots.check.item
        for row, slot in enumerate(self.slots):
            minimum, maximum, scale, offset, flags = rows[check(slot)]
            series.append(number(slot))
            outside = False
            if flags & CONVERTED:
                value = values[row] * scale + offset
                outside = math.isinf(value)
                values[row] = max(-LARGEST, min(LARGEST, value)) if outside else value
            if flags & RANGED:
                outside = outside or values[row] < minimum or values[row] > maximum
            quality.append(Quality.OUT_OF_RANGE if outside else Quality.GOOD)
        for row, known in self.quality.items():
            quality[row] = worse(known, int(quality[row]))
        return Batch(
            np.array(series, np.int32),
            np.frombuffer(self.times, np.int64),
            np.frombuffer(values, np.float64),
            np.array(quality, np.uint8),
            received,
            self.text or NO_TEXT,
        )


def _convert(value: F64, check: I32, rows: NDArray[np.bool_], checks: Checks, quality: U8) -> F64:
    """Converts some rows, none of the others by a bit; what overflows is the largest number."""
    scale, offset = checks.columns[2:]
    with np.errstate(over="ignore", invalid="ignore"):
        converted = value * scale.take(check) + offset.take(check)
    converted = np.where(rows, converted, value)
    too_large = np.isinf(converted)
    if too_large.any():
        quality[too_large] = Quality.OUT_OF_RANGE
        converted = np.clip(converted, -LARGEST, LARGEST)
    return converted
