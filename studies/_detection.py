"""The product's detectors over recorded samples: one row of statistics a sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.services.anomaly.learning import baselines, own_limits
from gemel.services.anomaly.multivariate import STATISTICS as TOGETHER
from gemel.services.anomaly.multivariate import Multivariate, Space, learn_space
from gemel.services.anomaly.statistics import Settings, Statistics

WEIGHTS = (0.02, 0.05, 0.1, 0.2)
STATISTICS = ("z", "ewma", *TOGETHER)


def judged(train: F64, test: F64, weight: float, share: float = 0.9) -> dict[str, F64]:
    """Every statistic of each test sample, by what was learnt from `train` alone.

    Args:
        train: (n, m) normal samples in order of time.
        test: (k, m) samples to judge.
        weight: of the newest in running means.
        share: of the variance that the space holds.

    Returns:
        By statistic, in deviations, those of all signals together in units of their limits.
    """
    space = learn_space(train, 0.01, weight, share)
    return judged_by(space, each_alone(train, weight), test, weight)


def each_alone(
    train: F64, weight: float, sigmas: float = 1.0, false_alarms: float | None = None
) -> Statistics:
    """What `train` teaches of each signal; with limits of its own where `false_alarms` is given."""
    width = train.shape[1]
    statistics = Statistics(width, Settings(weight=weight, sigmas=sigmas))
    known = baselines(train, weight)
    deviation = np.maximum(known[:, 1], 1e-9 * (1 + np.abs(known[:, 0])))
    own = None if false_alarms is None else own_limits(train, weight, false_alarms)
    statistics.fix(np.arange(width), known[:, 0], deviation, known[:, 2], own)
    return statistics


def judged_by(space: Space, alone: Statistics, test: F64, weight: float) -> dict[str, F64]:
    """Every statistic of each test sample by what was learnt, in units of its limit."""
    together = Multivariate([space], [np.arange(test.shape[1])], weight)
    only = np.zeros(1, np.intp)
    table = np.empty((len(test), len(STATISTICS)))
    for i, sample in enumerate(test):
        z, shift = alone.step(slice(None), sample)
        table[i, 0], table[i, 1] = np.abs(z).max(), np.abs(shift).max()
        table[i, 2:] = together.step(only, sample)[0]
    return {name: table[:, k] for k, name in enumerate(STATISTICS)}


def shares(alarm: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, float]:
    """F1, false-alarm rate and missed-alarm rate of samples."""
    hits = int((alarm & truth).sum())
    f1 = 2 * hits / max(int(alarm.sum()) + int(truth.sum()), 1)
    far = float((alarm & ~truth).sum() / max((~truth).sum(), 1))
    return {"f1": f1, "far": far, "mar": 1 - hits / max(int(truth.sum()), 1)}


def held(alarm: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Where an alarm has stood for `count` samples."""
    run = np.zeros(len(alarm), np.int64)
    length = 0
    for i, one in enumerate(alarm.tolist()):
        length = length + 1 if one else 0
        run[i] = length
    return run >= count
