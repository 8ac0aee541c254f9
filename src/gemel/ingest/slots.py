"""The checks of all points as columns, so that a batch is checked at once and not by reading."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64, I32, U8

RANGED = 1
CONVERTED = 2


class Slots:
    """Growing columns; a slot is one way a value gets to a series: its range and conversion."""

    def __init__(self) -> None:
        self.series: I32 = np.empty(64, np.int32)
        self.minimum: F64 = np.empty(64)
        self.maximum: F64 = np.empty(64)
        self.scale: F64 = np.empty(64)
        self.offset: F64 = np.empty(64)
        self.flags: U8 = np.empty(64, np.uint8)
        self.rows: list[tuple[int, float, float, float, float, int]] = []
        """The same as plain numbers, for batches so small that columns do not pay."""
        self._used = 0
        self._free: list[int] = []

    def __len__(self) -> int:
        return self._used - len(self._free)

    def add(self, series: int, minimum: float, maximum: float, scale: float, offset: float) -> int:
        """Takes a slot and gives its number."""
        if self._free:
            slot = self._free.pop()
        else:
            slot = self._used
            self._used += 1
            self.rows.append((0, 0.0, 0.0, 0.0, 0.0, 0))
            if slot == len(self.series):
                self._grow()
        self.series[slot] = series
        self.minimum[slot] = minimum
        self.maximum[slot] = maximum
        self.scale[slot] = scale
        self.offset[slot] = offset
        flags = RANGED if minimum > -np.inf or maximum < np.inf else 0
        flags |= CONVERTED if scale != 1.0 or offset != 0.0 else 0
        self.flags[slot] = flags
        self.rows[slot] = (series, minimum, maximum, scale, offset, flags)
        return slot

    def free(self, slot: int) -> None:
        """Gives a slot back; no message that is under way may still refer to it."""
        self._free.append(slot)

    def _grow(self) -> None:
        for name in ("series", "minimum", "maximum", "scale", "offset", "flags"):
            old = getattr(self, name)
            new = np.empty(2 * len(old), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
