"""Which check each value goes through, as columns: a batch is checked at once, not by reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gemel.core.batch import F64, I32, U8

RANGED = 1
CONVERTED = 2


class Check(NamedTuple):
    """The range of a value, and its conversion to the unit of its property."""

    minimum: float
    maximum: float
    scale: float
    offset: float

    @property
    def flags(self) -> int:
        """What there is to do."""
        is_ranged = self.minimum > -np.inf or self.maximum < np.inf
        is_converted = self.scale != 1.0 or self.offset != 0.0
        return RANGED * is_ranged | CONVERTED * is_converted


class Checks:
    """All different checks, each once: their number is that of models and units, not of twins."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, float, float, int]] = []
        """Each with its flags: for batches so small that columns do not pay."""
        self._numbers: dict[Check, int] = {}
        self._columns: F64 = np.empty((4, 0))
        self._flags: U8 = np.empty(0, np.uint8)

    def number(self, check: Check) -> int:
        """The number of a check, given now if it is new."""
        found = self._numbers.get(check)
        if found is None:
            found = self._numbers[check] = len(self.rows)
            self.rows.append((*check, check.flags))
        return found

    def _brought_up(self) -> None:
        if len(self._flags) < len(self.rows):
            self._columns = np.array([row[:4] for row in self.rows]).T.copy()
            self._flags = np.array([row[4] for row in self.rows], np.uint8)

    @property
    def flags(self) -> U8:
        self._brought_up()
        return self._flags

    @property
    def columns(self) -> F64:
        """Shapes: (4, n), rows as the fields of `Check`."""
        self._brought_up()
        return self._columns


class Slots:
    """Growing columns; a slot is one way a value gets to a series. Those of a twin are a block.

    Cost: 8 bytes a slot.
    """

    def __init__(self) -> None:
        self.checks = Checks()
        self.series: I32 = np.empty(64, np.int32)
        self.check: I32 = np.empty(64, np.int32)
        """Numbers in `checks`."""
        self._used = 0
        self._free: dict[int, list[int]] = {}
        """First slots by the size of the block."""

    def __len__(self) -> int:
        return self._used - sum(size * len(blocks) for size, blocks in self._free.items())

    def add(self, series: Sequence[int], checks: Sequence[int]) -> int:
        """Takes a block of slots and gives the number of the first."""
        count = len(series)
        blocks = self._free.get(count)
        if blocks:
            first = blocks.pop()
        else:
            first = self._used
            self._used += count
            if self._used > len(self.series):
                self._grow()
        self.series[first : first + count] = series
        self.check[first : first + count] = checks
        return first

    def free(self, first: int, count: int = 1) -> None:
        """Gives a block back; no message that is under way may still refer to it."""
        if count:
            self._free.setdefault(count, []).append(first)

    def _grow(self) -> None:
        size = max(self._used, 2 * len(self.series))
        for name in ("series", "check"):
            old = getattr(self, name)
            new = np.empty(size, old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
