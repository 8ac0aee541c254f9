"""The score of the Numenta Anomaly Benchmark, from its published definition.

Source: Lavin and Ahmad, Evaluating real-time anomaly detection algorithms, ICMLA 2015. The first
detection inside a window earns a sigmoid of its place (1 at the begin, near 0 at the end); every
detection outside costs up to the false-positive weight, less just behind a window; a window without
detection costs the false-negative weight. 0 is no detection at all, 100 all windows at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PROFILES = {
    "standard": (1.0, 0.11, 1.0),
    "lowFalsePositives": (1.0, 0.22, 1.0),
    "lowFalseNegatives": (1.0, 0.11, 2.0),
}
"""Weights of true positives, false positives, false negatives."""
Window = tuple[int, int]


def probation(rows: int) -> int:
    """The rows at the begin that are not scored."""
    return min(int(0.15 * rows), 750)


def sigmoid(place: float) -> float:
    """1 far before the end of a window, 0 at it, -1 far behind."""
    return -1.0 if place > 3 else float(2 / (1 + np.exp(5 * place)) - 1)


def raw(
    detections: Sequence[int], rows: int, windows: Sequence[Window], profile: str
) -> tuple[float, float, float]:
    """(score, score without detections, best score) of one file."""
    hit, false, missed = PROFILES[profile]
    first = probation(rows)
    counted = [w for w in windows if w[1] >= first]
    score = -missed * len(counted)
    null, best = score, hit * len(counted)
    found: set[Window] = set()
    for at in detections:
        if at < first:
            continue
        inside = next((w for w in counted if w[0] <= at <= w[1]), None)
        if inside is not None:
            if inside not in found:
                found.add(inside)
                place = -(inside[1] - at + 1) / (inside[1] - inside[0] + 1)
                score += missed + hit * sigmoid(place) / sigmoid(-1.0)
            continue
        before = [w for w in windows if w[1] < at]
        if not before:
            score -= false
        else:
            begin, end = before[-1]
            score += false * sigmoid((at - end) / max(end - begin, 1))
    return score, null, best


def normalised(parts: Sequence[tuple[float, float, float]]) -> float:
    """The score of many files, 0 to 100."""
    score, null, best = np.sum(parts, axis=0)
    return float(100 * (score - null) / (best - null)) if best > null else 0.0
