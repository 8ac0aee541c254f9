"""Last values as of a moment: asked of the history when they are first looked at, then kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from gemel.core.batch import F64, I32, I64
from gemel.twins.state import NEVER, LastValue

LastAt = Callable[[int], LastValue | None]
"""From a series' number to its newest reading up to the moment."""


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
            self._recall(series)
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
        """Recalls some series; yields after each that had to be asked for."""
        if not len(numbers):
            return
        self._grow(int(numbers.max()) + 1)
        for number in numbers[~self._is_known[numbers]].tolist():
            self._recall(number)
            yield

    def forget(self, numbers: I32) -> None:
        """These series have had readings of before the moment since: they are asked for again."""
        known = numbers[numbers < len(self)]
        self._is_known[known] = False
        self.time[known] = NEVER
        for number in known.tolist():
            self._text.pop(number, None)

    def _recall(self, series: int) -> None:
        self._grow(series + 1)
        found = self._last_at(series)
        self._is_known[series] = True
        if found is None:
            return
        self.time[series], self.value[series] = found.time, found.value
        self._quality[series], self._received[series] = found.quality, found.received
        if found.text is not None:
            self._text[series] = found.text

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
