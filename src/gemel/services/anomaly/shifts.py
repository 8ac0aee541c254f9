"""Small shifts that last, of some signals of a twin at once: T2 of running means (MEWMA).

Running means hardly average out what drifts for hours, so the few samples a limit would come from
say little about the next ones. Hence mean and spread are learnt from all normal samples, and the
limit from four parts of them, each judged by what the other three teach. Source: Lowry and others,
A multivariate exponentially weighted moving average control chart, 1992.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64

PARTS = 4
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


def learn_shifts(value: F64, weight: float, false_alarms: float) -> tuple[Shifts, float]:
    """From normal samples in order of time (n, m); with the limit of T2.

    Args:
        value: the samples.
        weight: of the newest in running means.
        false_alarms: share of normal samples above the limit.
    """
    parts = np.array_split(value, PARTS)
    judged = [
        _spread(np.concatenate(parts[:i] + parts[i + 1 :]), weight).judge(part, weight)
        for i, part in enumerate(parts)
    ]
    limit = float(np.quantile(np.concatenate(judged), 1 - false_alarms))
    return _spread(value, weight), max(limit, FLOOR)


def _spread(value: F64, weight: float) -> Shifts:
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
    found = np.empty(table.shape)
    back = np.arange(BLOCK)[:, None] - np.arange(BLOCK)
    kernel = np.where(back >= 0, weight * (1 - weight) ** np.maximum(back, 0), 0.0)
    stays = (1 - weight) ** np.arange(1, BLOCK + 1)
    level = np.full(table.shape[1], start)
    for at in range(0, len(table), BLOCK):
        piece = table[at : at + BLOCK]
        count = len(piece)
        found[at : at + count] = kernel[:count, :count] @ piece + np.outer(stays[:count], level)
        level = found[at + count - 1]
    return found.reshape(value.shape)
