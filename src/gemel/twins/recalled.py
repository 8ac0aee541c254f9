"""Last values as of a moment: asked of the history when they are first looked at, then kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from gemel.core.batch import F64, I32, I64, Columns
from gemel.twins.state import NEVER, LastValue

Found: TypeAlias = tuple[I32, I32, Columns]
"""Series that this answers for; those of them that have a reading; row i is that of the i-th."""
LastAt: TypeAlias = Callable[[I32], Iterator[Found]]
"""From numbers of series to their newest readings up to the moment, in pieces."""
SERIES_AT_ONCE = 2_000
"""Looked up before others have their turn."""


class Recalled:
    """What `State` shows of last values, of then."""

    def __init__(self, last_at: LastAt, until: int) -> None:
        self._last_at = last_at
        self.until = until
        """The moment in ns: later readings do not matter."""
        self.time: I64 = np.empty(0, np.int64)
        self.value: F64 = np.empty(0, np.float64)
        self._quality = np.empty(0, np.uint8)
        self._received: I64 = np.empty(0, np.int64)
        self._is_known = np.empty(0, np.bool_)
        self._text: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.time)

    def get(self, series: int) -> LastValue | None:
        if series < 0:
            return None
        if series >= len(self) or not self._is_known[series]:
            for _ in self.load(np.array([series], np.int32)):
                pass
        if self.time[series] == NEVER:
            return None
        return LastValue(
            int(self.time[series]),
            float(self.value[series]),
            int(self._quality[series]),
            int(self._received[series]),
            self._text.get(series),
        )

    def load(self, numbers: I32) -> Iterator[None]:
        """Recalls some series; yields after each piece that had to be asked for."""
        if not len(numbers):
            return
        self._grow(int(numbers.max()) + 1)
        missing = np.unique(numbers[~self._is_known[numbers]])
        for start in range(0, len(missing), SERIES_AT_ONCE):
            for found in self._last_at(missing[start : start + SERIES_AT_ONCE]):
                self._take(*found)
                yield

    def forget(self, numbers: I32) -> None:
        """These series have had readings of before the moment since: they are asked for again."""
        known = numbers[numbers < len(self)]
        self._is_known[known] = False
        self.time[known] = NEVER
        for number in known.tolist():
            self._text.pop(number, None)

    def _take(self, answered: I32, series: I32, newest: Columns) -> None:
        self._is_known[answered] = True
        self.time[series], self.value[series] = newest.time, newest.value
        self._quality[series], self._received[series] = newest.quality, newest.received
        for row, text in newest.text.items():
            self._text[int(series[row])] = text

    def _grow(self, size: int) -> None:
        more = size - len(self.time)
        if more <= 0:
            return
        more = max(more, len(self.time), 1024)
        self.time = np.concatenate([self.time, np.full(more, NEVER, np.int64)])
        self.value = np.concatenate([self.value, np.full(more, np.nan)])
        self._quality = np.concatenate([self._quality, np.zeros(more, np.uint8)])
        self._received = np.concatenate([self._received, np.zeros(more, np.int64)])
        self._is_known = np.concatenate([self._is_known, np.zeros(more, np.bool_)])
