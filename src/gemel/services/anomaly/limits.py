"""Limits of statistics from normal samples: what the next part of them is likely to stay below.

Normal samples come in order of time and drift, so that neither those a statistic was learnt from
nor the few after them say how high it goes next. Hence samples are cut into four parts, and each
is judged by what the other three teach. How much the four differ says how far beyond them a fifth
may go: the limit is what the share wanted of it stays below with a probability of 0.9, logarithms
of the parts being taken as normal. Source: Hahn, Factors for calculating two-sided prediction
intervals for samples from a normal distribution, 1969 (one-sided here, one future value).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from gemel.core.batch import F64

PARTS = 4
REACH = 1.6377 * (1 + 1 / PARTS) ** 0.5
"""Student's t for 0.9 with three degrees of freedom, for one more part of the same kind. It is
above 1.5, which is as far as one of four lies from their mean: no limit is below a part's own."""
FLOOR = 1e-12
T = TypeVar("T")
LEAST = 0.01
"""Of the highest part: a part in which nothing moved does not lift the limit without end."""


def by_others(value: F64, learn: Callable[[F64], T], judge: Callable[[T, F64], F64]) -> list[F64]:
    """Each part of samples judged by what the others teach. Shapes: (n, m) -> PARTS of (k, s)."""
    parts = np.array_split(value, PARTS)
    return [
        judge(learn(np.concatenate((*parts[:i], *parts[i + 1 :]))), part)
        for i, part in enumerate(parts)
    ]


def limits(judged: Sequence[F64], false_alarms: float) -> F64:
    """Of each statistic, from what `by_others` gave. Shapes: PARTS of (k, s) -> (s,).

    Args:
        judged: the statistics of each part, none below 0.
        false_alarms: share of normal samples above the limit.
    """
    each = np.array([np.quantile(one, 1 - false_alarms, axis=0) for one in judged])
    each = np.log(np.maximum(each, np.maximum(each.max(axis=0) * LEAST, FLOOR)))
    found: F64 = np.exp(each.mean(axis=0) + REACH * each.std(axis=0, ddof=1))
    return found
