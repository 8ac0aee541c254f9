"""Percentiles of columns of samples of which one row changes: kept in order, not sorted each time.

In each step of a window only one row of its samples changes, that of the current bucket: what was
there leaves, what is there joins.
"""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.ranks import slide


class Ranks:
    """The percentile of each column, `percentile_of` to the last bit.

    Args:
        samples: rows of buckets, NaN where unknown; written by its owner, here only read.
        share: of the percentile, 0 to 1.
    """

    def __init__(self, samples: F64, share: float) -> None:
        self._samples, self._share = samples, share
        self._ordered: F64 = np.zeros((0, 0))
        self._known: I64 = np.zeros(0, np.int64)
        self._held: F64 | None = None
        """What is in order of the row that changes; None before anything is."""

    def forget(self) -> None:
        """The rows are others than it has seen."""
        self._held = None

    def advance(self, row: int) -> None:
        """The next bucket begins: `row` becomes its own, and still holds what leaves."""
        if self._held is not None:
            self._held[:] = self._samples[row]

    def now(self, row: int) -> F64:
        """The percentiles with what the current row holds."""
        if self._held is None:
            self._ordered = np.sort(self._samples.T.copy(), axis=1)
            self._known = np.isfinite(self._ordered).sum(axis=1)
            self._ordered[np.isnan(self._ordered)] = np.inf
            self._held = self._samples[row].copy()
        found: F64 = np.empty(len(self._known))
        slide(self._ordered, self._known, self._held, self._samples[row], self._share, found)
        return found
