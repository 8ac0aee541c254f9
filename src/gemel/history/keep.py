"""How long readings and their roll-ups are kept: a time for each series before which they go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import I32, I64
from gemel.history.rollup import HOUR, MINUTE

EARLIEST, LATEST = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)
READINGS = 0
"""The 'width' of a reading."""
WIDTHS = (READINGS, MINUTE, HOUR)


@dataclass(frozen=True, slots=True)
class Keep:
    """From when on readings, minutes and hours are kept.

    Shapes: from_: (3, n), row 0 readings, 1 minutes, 2 hours; column i is series i.
    Units: ns since 1970 UTC; the least number is for ever.
    """

    from_: I64
    rest: tuple[int, int, int] = (EARLIEST, EARLIEST, EARLIEST)
    """Of series beyond the columns."""

    def latest(self, width: int) -> int:
        """What is younger is kept, whatever its series."""
        row = WIDTHS.index(width)
        return max(self.rest[row], int(self.from_[row].max(initial=EARLIEST)))

    def times(self, width: int, series: I32) -> I64:
        """Of each of some series, when what is kept of this width begins.

        What is finer is never kept longer. Where readings go before their roll-ups do, they go by
        whole hours, so that no row stands for readings half of which are there.
        """
        row = WIDTHS.index(width)
        found = self._row(row, series)
        for finer in range(row):
            found = np.minimum(found, self._row(finer, series))
        if width == READINGS:
            longest = self._row(2, series)
            whole = np.where(found > EARLIEST + HOUR, found // HOUR * HOUR, found)
            found = np.where(longest < found, whole, found)
        return found

    def _row(self, row: int, series: I32) -> I64:
        count = self.from_.shape[1]
        found = np.full(len(series), self.rest[row], np.int64)
        inside = series < count
        found[inside] = self.from_[row][series[inside]]
        return found


def keep_all_from(time: int) -> Keep:
    """Readings and roll-ups of every series from one time on."""
    return Keep(np.empty((3, 0), np.int64), (time, time, time))
