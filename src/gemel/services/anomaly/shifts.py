"""Small shifts that last, of some signals of a twin at once: T2 of running means (MEWMA).

Source: Lowry and others, A multivariate exponentially weighted moving average control chart, 1992.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64

RIDGE = 0.4
"""Added to the correlations: combinations that hardly ever varied do not count for everything."""
FLOOR = 1e-12
BLOCK = 64


@dataclass(frozen=True, slots=True)
class Shifts:
    """How running means of a twin's signals vary while all is well. Shapes: (m,), (m, m)."""

    mean: F64
    whitening: F64
    """Makes running means independent and of variance 1; each stays close to its own signal."""

    def judge(self, value: F64, weight: float) -> F64:
        """T2 of samples in order of time, from a running mean of 0. Shapes: (n, m) -> (n,)."""
        white = ewma(value - self.mean, weight, 0.0) @ self.whitening
        found: F64 = (white**2).sum(axis=1)
        return found


def unknown(width: int) -> Shifts:
    """That of a version from before there was one: the statistic stays 0."""
    return Shifts(np.zeros(width), np.zeros((width, width)))


def learn_shifts(value: F64, weight: float) -> Shifts:
    """From normal samples in order of time (n, m), with the weight of the newest."""
    mean = value.mean(axis=0)
    deviation = value.std(axis=0)
    deviation = np.where(deviation > 0, deviation, np.abs(mean) * 1e-6 + FLOOR)
    begun = min(round(3 / weight), len(value) // 2)
    moved = ewma((value - mean) / deviation, weight, 0.0)[begun:]
    least = np.sqrt(weight / (2 - weight)) / 10
    size = np.maximum(np.sqrt((moved**2).mean(axis=0)), least)
    alike = (moved / size).T @ (moved / size) / len(moved)
    spread, vectors = np.linalg.eigh(alike + RIDGE * np.eye(len(alike)))
    root = (vectors / np.sqrt(spread)) @ vectors.T
    return Shifts(mean, root / (size * deviation)[:, None])


def ewma(value: F64, weight: float, start: float) -> F64:
    """Exponentially weighted means of series, begun at `start`. Shapes: (n,) or (n, m)."""
    table = value.reshape(len(value), -1)
    count, width = table.shape
    blocks = np.zeros((-(-count // BLOCK), BLOCK, width))
    blocks.reshape(-1, width)[:count] = table
    back = np.arange(BLOCK)[:, None] - np.arange(BLOCK)
    kernel = np.where(back >= 0, weight * (1 - weight) ** np.maximum(back, 0), 0.0)
    stays = (1 - weight) ** np.arange(1, BLOCK + 1)
    found = np.ascontiguousarray(blocks.transpose(0, 2, 1)) @ kernel.T  # each from a level of 0
    level = np.full(width, start)
    for block in found:  # blocks, not rows
        block += np.outer(level, stays)
        level = block[:, -1].copy()
    return found.transpose(0, 2, 1).reshape(-1, width)[:count].reshape(value.shape)
