"""Limits that follow a signal's own peaks: one promise of false alarms for signals however unlike.

A statistic is cut into blocks of 50 samples. The logarithms of their peaks have a mean and a
deviation, and are taken as of Gumbel's distribution: the limit is what a peak passes so seldom that
one of the wanted number of samples lies above it. So a reading that rattles and one that rests have
the same rate of false alarms, and none needs to be told what it is. Peaks that are far off move the
mean and the deviation only so far. Source: Gumbel, Statistics of Extremes, 1958 (block maxima).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64

Rows = NDArray[np.intp] | slice
BLOCK = 50
KNOWN = 4
"""Blocks before a limit is a signal's own."""
MEMORY = 100
"""Blocks after which most of a peak is forgotten."""
USUAL, TRUST = 0.4, 4
"""The deviation of the logarithm that is supposed before, and how many blocks it counts for."""
CLIP = 2.0
"""Peaks beyond so many deviations of theirs teach no more than that."""
LEAST_SAMPLES = 1000
"""Samples that one false alarm is promised for, at least: a rate is not known better."""
FLOOR = 1e-3
EULER = 0.5772


def columns(table: F64, rows: Rows) -> F64:
    """Those of some signals; indexing in two dimensions takes ten times as long."""
    return table[:, rows] if isinstance(rows, slice) else table.take(rows, axis=1)


def place(table: F64, rows: Rows, value: F64) -> None:
    """Puts columns back."""
    for line, one in zip(table, value, strict=True):
        line[rows] = one


class Peaks:
    """The limits of several statistics of many signals.

    Args:
        start: of each statistic, the limit of signals that are not known yet.
        least: of each statistic, below which no limit goes.
        count: how many signals.
        samples: among which one may lie above a limit while all is well.
    """

    FIELDS = ("since", "peak", "centre", "spread", "blocks")

    def __init__(
        self, start: tuple[float, ...], least: tuple[float, ...], count: int, samples: float
    ) -> None:
        shape = (len(start), count)
        seldom = -math.log1p(-BLOCK / max(samples, LEAST_SAMPLES))
        self._reach = (-math.log(seldom) - EULER) * math.sqrt(6) / math.pi
        self._least = np.array(least)[:, None]
        self.limit = np.repeat(np.array(start)[:, None], count, axis=1)
        self.since = np.zeros(count)
        """Samples of the block that is open."""
        self.peak, self.centre, self.blocks = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.spread = np.full(shape, USUAL**2)

    def take(self, rows: Rows, size: F64, is_counted: NDArray[np.bool_] | None) -> None:
        """Folds samples in; what is no number, or not counted, is none.

        Shapes: size (statistics, k), of as many signals as `rows` has.
        """
        if is_counted is not None:
            size = np.where(is_counted, size, 0.0)
        since = self.since[rows] + (1.0 if is_counted is None else is_counted)
        self.since[rows] = since
        place(self.peak, rows, np.fmax(columns(self.peak, rows), size))
        if since.max(initial=0.0) >= BLOCK:
            ended = since >= BLOCK
            self._end(np.flatnonzero(ended) if isinstance(rows, slice) else rows[ended])

    def _end(self, rows: NDArray[np.intp]) -> None:
        """Learns from the peaks of blocks that are over."""
        peak, centre, spread = (a[:, rows] for a in (self.peak, self.centre, self.spread))
        is_measured = peak > 0.0
        blocks = self.blocks[:, rows] + is_measured
        off = np.log(np.maximum(peak, FLOOR)) - centre
        most = np.where(blocks > 1, CLIP * np.sqrt(spread), np.inf)
        moved = np.where(is_measured, np.clip(off, -most, most), 0.0)
        self.centre[:, rows] = centre + np.maximum(1 / np.maximum(blocks, 1), 1 / MEMORY) * moved
        rate = np.maximum(1 / (blocks + TRUST), 1 / MEMORY) * (is_measured & (blocks > 1))
        self.spread[:, rows] = (1 - rate) * (spread + rate * moved**2)
        self.blocks[:, rows] = blocks
        self.peak[:, rows] = self.since[rows] = 0.0
        self.settle(rows)

    def settle(self, rows: NDArray[np.intp]) -> None:
        """Sets the limits from what is known of peaks."""
        found = np.exp(self.centre[:, rows] + self._reach * np.sqrt(self.spread[:, rows]))
        is_known = self.blocks[:, rows] >= KNOWN
        self.limit[:, rows] = np.where(
            is_known, np.maximum(found, self._least), self.limit[:, rows]
        )
