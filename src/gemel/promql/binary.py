"""Operators between two values: arithmetic, comparisons and sets, with the matching of series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.core.errors import Refused
from gemel.promql.aggregate import key_of
from gemel.promql.tree import COMPARISONS, Binary, Matching
from gemel.promql.values import (
    NAME,
    Budget,
    Labels,
    Scalar,
    There,
    Vector,
    merged,
    shown,
    unnamed,
)

OPERATORS: dict[str, Callable[[F64, F64], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def joined(node: Binary, left: Scalar | Vector, right: Scalar | Vector, budget: Budget) -> Any:
    """The value of an operator."""
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return Scalar(OPERATORS[node.operator](left.value, right.value).astype(np.float64))
    if isinstance(left, Vector) and isinstance(right, Vector):
        if node.operator in ("and", "or", "unless"):
            return _set(node, left, right)
        return _matched(node, left, right, budget)
    return _with_scalar(node, left, right)


def _with_scalar(node: Binary, left: Scalar | Vector, right: Scalar | Vector) -> Vector:
    vector = left if isinstance(left, Vector) else right
    assert isinstance(vector, Vector)
    found = OPERATORS[node.operator](left.value, right.value)
    if node.operator in COMPARISONS and not node.is_bool:
        return Vector(vector.labels, vector.value, vector.there & found)
    return unnamed(Vector(vector.labels, found.astype(np.float64), vector.there))


def _signatures(matching: Matching, labels: Sequence[Labels]) -> list[Labels]:
    """What of each series must be equal."""
    return [key_of(one, matching.labels, is_without=not matching.is_on) for one in labels]


def _places(keys: Sequence[Labels]) -> dict[Labels, list[int]]:
    found: dict[Labels, list[int]] = {}
    for row, key in enumerate(keys):
        found.setdefault(key, []).append(row)
    return found


def _set(node: Binary, left: Vector, right: Vector) -> Vector:
    """`and`, `or` and `unless`."""
    own, other = (_signatures(node.matching, side.labels) for side in (left, right))
    if node.operator == "or":
        beside = _any_of(own, left.there, other)
        labels = [*left.labels, *right.labels]
        value = np.concatenate((left.value, right.value))
        return merged(Vector(labels, value, np.concatenate((left.there, right.there & ~beside))))
    beside = _any_of(other, right.there, own)
    there = left.there & (beside if node.operator == "and" else ~beside)
    return Vector(left.labels, left.value, there)


def _any_of(keys: Sequence[Labels], there: There, wanted: Sequence[Labels]) -> There:
    """For each wanted key: at which moments a series has it."""
    rows = _places(keys)
    found = np.zeros((len(wanted), there.shape[1]), np.bool_)
    for place, key in enumerate(wanted):
        if key in rows:
            found[place] = there[rows[key]].any(axis=0)
    return found


def _matched(node: Binary, left: Vector, right: Vector, budget: Budget) -> Vector:
    """Arithmetic and comparisons between the series of two sides."""
    is_right = node.matching.group == "right"
    many, one = (right, left) if is_right else (left, right)
    keys = _signatures(node.matching, many.labels)
    of_one = _places(_signatures(node.matching, one.labels))
    is_asked: There = np.logical_or.reduce(many.there, axis=0)
    _must_be_single(of_one, one, is_asked, "left" if is_right else "right")
    budget.spend(sum(len(of_one.get(key, ())) for key in keys) * many.there.shape[1])
    pairs = [(row, other) for row, key in enumerate(keys) for other in of_one.get(key, ())]
    mine = np.array([row for row, _ in pairs], np.intp)
    others = np.array([row for _, row in pairs], np.intp)
    a, b = (others, mine) if is_right else (mine, others)
    found = OPERATORS[node.operator](left.value[a], right.value[b])
    there = many.there[mine] & one.there[others]
    value = found.astype(np.float64)
    if node.operator in COMPARISONS and not node.is_bool:
        there &= found
        value = left.value[a]
    if not node.matching.group:
        _must_be_one_to_one([keys[row] for row in mine], there)
    labels = [_labels(node, many.labels[row], one.labels[other]) for row, other in pairs]
    return merged(Vector(labels, value, there))


def _must_be_single(
    places: dict[Labels, list[int]], side: Vector, is_asked: There, name: str
) -> None:
    """No two series of a group on the side that is to have one, where the other has any."""
    for key, rows in places.items():
        if len(rows) > 1 and ((side.there[rows].sum(axis=0) > 1) & is_asked).any():
            first, second = (shown(side.labels[row]) for row in rows[:2])
            raise Refused(
                f"found duplicate series for the match group {shown(key)} on the {name} hand-side "
                f"of the operation: [{first}, {second}];many-to-many matching not allowed: "
                "matching labels must be unique on one side"
            )


def _must_be_one_to_one(keys: Sequence[Labels], there: NDArray[np.bool_]) -> None:
    for rows in _places(keys).values():
        if len(rows) > 1 and (there[rows].sum(axis=0) > 1).any():
            raise Refused(
                "multiple matches for labels: many-to-one matching must be explicit "
                "(group_left/group_right)"
            )


def _labels(node: Binary, many: Labels, one: Labels) -> Labels:
    """The labels of what two series give."""
    matching = node.matching
    drops_name = node.operator not in COMPARISONS or node.is_bool
    kept = [pair for pair in many if not (drops_name and pair[0] == NAME)]
    if not matching.group:
        names = matching.labels
        kept = [pair for pair in kept if (pair[0] in names) == matching.is_on]
    if matching.include:
        kept = [pair for pair in kept if pair[0] not in matching.include]
        kept += [pair for pair in one if pair[0] in matching.include]
    return tuple(sorted(kept))
