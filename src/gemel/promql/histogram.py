"""histogram_quantile: a quantile out of counts of buckets, which their label `le` bounds."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.promql.values import Labels, Scalar, Vector, without_name

BOUND = "le"


def histogram_quantile(level: Scalar, vector: Vector) -> Vector:
    """One series for each that differ in `le` alone.

    Source: the function of this name as Prometheus documents it: linear within a bucket.
    """
    groups: dict[Labels, list[tuple[float, int]]] = {}
    for row, labels in enumerate(vector.labels):
        bound = _bound(dict(labels).get(BOUND, ""))
        if bound is not None:
            key = tuple(p for p in without_name(labels) if p[0] != BOUND)
            groups.setdefault(key, []).append((bound, row))
    moments = vector.there.shape[1]
    value, there = np.zeros((len(groups), moments)), np.zeros((len(groups), moments), np.bool_)
    for place, buckets in enumerate(groups.values()):
        buckets.sort()
        rows = [row for _, row in buckets]
        patterns, of = np.unique(vector.there[rows], axis=1, return_inverse=True)
        for number in range(patterns.shape[1]):
            columns = np.flatnonzero(of.ravel() == number)
            has = patterns[:, number]
            if not has.any():
                continue
            there[place, columns] = True
            bounds = np.array(
                [b for (b, _), is_there in zip(buckets, has, strict=True) if is_there]
            )
            counts = vector.value[np.array(rows)[has]][:, columns]
            value[place, columns] = _quantile(level.value[columns], bounds, counts)
    return Vector(list(groups), value, there)


def _bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _quantile(level: F64, bounds: F64, counts: F64) -> F64:
    """Shapes: level (moments,), bounds (buckets,) in order, counts (buckets, moments)."""
    bounds, starts = np.unique(bounds, return_index=True)
    counts = np.maximum.accumulate(np.add.reduceat(counts, starts, axis=0), axis=0)
    if len(bounds) < 2 or not np.isposinf(bounds[-1]):
        found = np.full(len(level), np.nan)
    else:
        found = _within(level, bounds, counts)
    found = np.where(level < 0, -np.inf, np.where(level > 1, np.inf, found))
    return np.where(np.isnan(level), np.nan, found)


def _within(level: F64, bounds: F64, counts: F64) -> F64:
    total = counts[-1]
    rank = level * total
    bucket = np.minimum((counts[:-1] < rank).sum(axis=0), len(bounds) - 1)
    moments = np.arange(len(level))
    before = np.maximum(bucket - 1, 0)
    low = np.where(bucket > 0, bounds[before], 0.0)
    below = np.where(bucket > 0, counts[before, moments], 0.0)
    high = np.where(np.isfinite(bounds[bucket]), bounds[bucket], 0.0)
    found = low + (high - low) * ((rank - below) / (counts[bucket, moments] - below))
    found = np.where((bucket == 0) & (bounds[0] <= 0), bounds[0], found)
    found = np.where(bucket == len(bounds) - 1, bounds[-2], found)
    return np.where((total == 0) | np.isnan(total), np.nan, found)
