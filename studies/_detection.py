"""The product's detectors over recorded samples: one row of statistics a sample, or its alarms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.services.anomaly.kind import KIND
from gemel.services.anomaly.learning import baselines, own_limits
from gemel.services.anomaly.live import AnomalyDetector
from gemel.services.anomaly.multivariate import STATISTICS as TOGETHER
from gemel.services.anomaly.multivariate import Multivariate, Space, learn_space
from gemel.services.anomaly.peaks import LEAST_SAMPLES
from gemel.services.anomaly.statistics import Settings, Statistics
from gemel.services.contract import Instance, Readings, Setup, Signal
from gemel.services.schema import completed

WEIGHTS = (0.02, 0.05, 0.1, 0.2)
STATISTICS = ("z", "ewma", *TOGETHER)
APART = float(KIND.parameters["properties"]["apart"]["default"])
WARMUP = int(KIND.parameters["properties"]["warmup"]["default"])


def alarms(
    series: Sequence[tuple[I64, F64]], sample: float, apart: float = APART
) -> list[list[int]]:
    """The rows of each signal at which the detector raises, with nothing learnt before.

    Signals are twins of one detector, side by side as the product watches them.

    Args:
        series: times and values of each signal.
        sample: seconds.
        apart: seconds, as the parameter.
    """
    given = completed(KIND.parameters, {"sample": sample, "apart": apart})
    twins = tuple(f"signal-{k:05}" for k in range(len(series)))
    signals = tuple(Signal(twin, "value") for twin in twins)
    detector = AnomalyDetector(Setup(Instance("study", "anomaly", twins, given, signals)))
    place = {twin: k for k, twin in enumerate(twins)}
    found: list[list[int]] = [[] for _ in series]
    for row in range(max(len(time) for time, _ in series)):
        here = [k for k, (time, _) in enumerate(series) if len(time) > row]
        time = np.array([series[k][0][row] for k in here])
        value = np.array([series[k][1][row] for k in here])
        told = detector.update(Readings(np.array(here, np.int32), time, value))
        for notice in told.notices:
            if notice.kind == "raise":
                k = place[notice.twin]
                found[k].append(int(np.flatnonzero(series[k][0] == notice.time)[0]))
    return found


def promised(samples: float, sample: float) -> float:
    """How many false alarms of a signal among so many samples, as the detector ships."""
    return samples / max(APART / sample, LEAST_SAMPLES)


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
        table[i, :2] = np.abs(alone.step(slice(None), sample)[:2]).max(axis=1)
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
