"""Aggregations: many series into one for each group, at each moment of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.core.errors import Refused
from gemel.promql.tree import Aggregate
from gemel.promql.values import (
    NAME,
    Labels,
    Scalar,
    Text,
    There,
    Vector,
    check_label,
    merged,
    written,
)
from gemel.promql.windows import of_sorted

MOST_VALUES = 10_000
"""Series that count_values may make."""


def aggregated(node: Aggregate, vector: Vector, parameter: Scalar | Text | None) -> Vector:
    """The value of an aggregation."""
    if node.operator in ("topk", "bottomk"):
        assert isinstance(parameter, Scalar)
        return _chosen(node, vector, parameter.value)
    if node.operator == "count_values":
        assert isinstance(parameter, Text)
        return _counted(node, vector, parameter.value)
    keys, order, starts = _groups(node, vector.labels)
    if not keys:
        return Vector([], vector.value[:0], vector.there[:0])
    value, there = vector.value[order], vector.there[order]
    if node.operator == "quantile":
        assert isinstance(parameter, Scalar)
        found = _quantile(value, there, starts, parameter.value)
    else:
        found = FORMS[node.operator](value, there, starts)
    return Vector(keys, found, np.logical_or.reduceat(there, starts, axis=0))


def key_of(labels: Labels, names: Sequence[str], *, is_without: bool) -> Labels:
    """What of a series' labels its group has."""
    if is_without:
        return tuple(p for p in labels if p[0] not in names and p[0] != NAME)
    return tuple(p for p in labels if p[0] in names)


def _groups(
    node: Aggregate, labels: Sequence[Labels]
) -> tuple[list[Labels], NDArray[np.intp], NDArray[np.intp]]:
    """The groups, the series in their order, and where each group begins among them."""
    places: dict[Labels, int] = {}
    keys = (key_of(one, node.labels, is_without=node.is_without) for one in labels)
    of = np.array([places.setdefault(key, len(places)) for key in keys], np.intp)
    order = np.argsort(of, kind="stable")
    return list(places), order, np.searchsorted(of[order], np.arange(len(places)))


def _sum(value: F64, there: There, starts: NDArray[np.intp]) -> F64:
    return np.asarray(np.add.reduceat(np.where(there, value, 0.0), starts, axis=0))


def _count(_: F64, there: There, starts: NDArray[np.intp]) -> F64:
    return np.asarray(np.add.reduceat(there.astype(np.float64), starts, axis=0))


def _average(value: F64, there: There, starts: NDArray[np.intp]) -> F64:
    return _sum(value, there, starts) / np.maximum(_count(value, there, starts), 1)


def _least(value: F64, there: There, starts: NDArray[np.intp]) -> F64:
    return np.asarray(np.fmin.reduceat(np.where(there, value, np.nan), starts, axis=0))


def _most(value: F64, there: There, starts: NDArray[np.intp]) -> F64:
    return np.asarray(np.fmax.reduceat(np.where(there, value, np.nan), starts, axis=0))


def _one(_: F64, there: There, starts: NDArray[np.intp]) -> F64:
    return np.ones((len(starts), there.shape[1]))


def _variance(value: F64, there: There, starts: NDArray[np.intp]) -> F64:
    mean = _average(value, there, starts)
    sizes = np.diff(starts, append=len(value))
    distance = value - np.repeat(mean, sizes, axis=0)
    found = _average(distance**2, there, starts)
    return np.where(_count(value, there, starts) == 1, 0.0, found)  # of one infinite value too


def _deviation(value: F64, there: There, starts: NDArray[np.intp]) -> F64:
    return np.asarray(np.sqrt(_variance(value, there, starts)))


FORMS: dict[str, Callable[[F64, There, NDArray[np.intp]], F64]] = {
    "avg": _average,
    "count": _count,
    "group": _one,
    "max": _most,
    "min": _least,
    "stddev": _deviation,
    "stdvar": _variance,
    "sum": _sum,
}


def _stretches(starts: NDArray[np.intp], rows: int) -> list[tuple[int, int]]:
    return list(zip(starts.tolist(), [*starts[1:].tolist(), rows], strict=True))


def _quantile(value: F64, there: There, starts: NDArray[np.intp], level: F64) -> F64:
    moments = value.shape[1]
    found = np.zeros((len(starts), moments))
    for group, (low, high) in enumerate(_stretches(starts, len(value))):
        own, has = value[low:high].T, there[low:high].T
        order = np.lexsort((own, ~np.isnan(own), ~has), axis=1)
        ordered = np.take_along_axis(own, order, axis=1).ravel()
        sizes = np.maximum(has.sum(axis=1), 1)
        found[group] = of_sorted(ordered, np.arange(moments) * (high - low), sizes, level)
    return found


def _chosen(node: Aggregate, vector: Vector, most: F64) -> Vector:
    """The highest or lowest series of each group, at each moment, in their order."""
    if np.isnan(most).any() or (np.abs(most) > 9e18).any():
        raise Refused(f"scalar value overflows int64 in {node.operator}", hint="a whole number")
    if not len(vector):
        return vector
    sign = -1.0 if node.operator == "topk" else 1.0
    _, order, starts = _groups(node, vector.labels)
    keep = np.zeros(vector.there.shape, np.bool_)
    first: list[int] = []
    for low, high in _stretches(starts, len(order)):
        rows = order[low:high]
        value, there = vector.value[rows] * sign, vector.there[rows]
        ranked = np.lexsort((value, np.isnan(value), ~there), axis=0)
        rank = np.argsort(ranked, axis=0, kind="stable")
        keep[rows] = there & (rank < np.trunc(most))
        first += [int(rows[row]) for row in ranked[:, 0]]
    rows = np.array([row for row in first if keep[row].any()], np.intp)
    return Vector([vector.labels[r] for r in rows], vector.value[rows], keep[rows])


def _counted(node: Aggregate, vector: Vector, label: str) -> Vector:
    check_label(label, "count_values()")
    names = (*node.labels, label) if node.is_without else node.labels
    found: dict[Labels, NDArray[np.float64]] = {}
    for row, labels in enumerate(vector.labels):
        own = vector.value[row]
        kept = key_of(labels, names, is_without=node.is_without)
        key = tuple(pair for pair in kept if pair[0] != label)
        for number in np.unique(own[vector.there[row]]):
            equal = (own == number) | (np.isnan(own) & np.isnan(number))
            place = tuple(sorted((*key, (label, written(float(number))))))
            counts = found.setdefault(place, np.zeros(len(own)))
            counts += equal & vector.there[row]
            if len(found) > MOST_VALUES:
                raise Refused(f"count_values() finds more than {MOST_VALUES:,} values")
    if not found:
        return Vector([], vector.value[:0], vector.there[:0])
    value = np.stack(list(found.values()))
    return merged(Vector(list(found), value, value > 0))
