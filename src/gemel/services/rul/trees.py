"""Boosted trees as plain arrays: learnt by LightGBM in a worker, evaluated here by numpy alone.

So the server needs no LightGBM, a version is arrays without code in them, and each prediction can
say which signals it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I32
from gemel.core.errors import InvalidInput

ROWS = 256
"""Evaluated at once: so much memory, times the trees."""
FIELDS = ("feature", "threshold", "left", "right", "value", "root")


@dataclass(frozen=True, slots=True)
class Trees:
    """All nodes of all trees. A leaf has itself as both children.

    Shapes: all (nodes,), root (trees,). `value` of an inner node is the mean over its leaves.
    """

    feature: I32
    threshold: F64
    left: I32
    right: I32
    value: F64
    root: I32
    depth: int

    def predict(self, rows: F64) -> F64:
        """The sum over all trees, for each row. Cost: rows x trees x depth, in numpy."""
        found = np.empty(len(rows))
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            found[start : start + len(part)] = self.value[self._leaves(part)].sum(axis=1)
        return found

    def _leaves(self, rows: F64) -> NDArray[np.intp]:
        node = np.repeat(self.root[None].astype(np.intp), len(rows), axis=0)
        for _ in range(self.depth):
            node = self._next(rows, node)
        return node

    def _next(self, rows: F64, node: NDArray[np.intp]) -> NDArray[np.intp]:
        value = np.take_along_axis(rows, self.feature[node].astype(np.intp), axis=1)
        found: NDArray[np.intp] = np.where(
            value <= self.threshold[node], self.left[node], self.right[node]
        )
        return found

    def shares(self, row: F64) -> F64:
        """What each feature adds to a prediction of one row, from the mean of all.

        Source: A. Saabas, "Interpreting random forests", 2014: along each path, the change of the
        node's mean goes to the feature that was asked.
        """
        found = np.zeros(len(row))
        node = self.root[None].astype(np.intp)
        for _ in range(self.depth):
            after = self._next(row[None], node)
            np.add.at(found, self.feature[node[0]], self.value[after[0]] - self.value[node[0]])
            node = after
        return found

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        return {name: getattr(self, name) for name in FIELDS}


def of_arrays(arrays: dict[str, np.ndarray[Any, Any]], depth: int) -> Trees:
    return Trees(**{name: arrays[name] for name in FIELDS}, depth=depth)


def learn(rows: F64, target: F64, weight: F64, count: int, seed: int, averaged: int = 1) -> Trees:
    """Boosts `averaged` times so many trees on squared error; the worker needs LightGBM.

    Raises:
        InvalidInput: LightGBM is not installed.
    """
    try:
        import lightgbm
    except ModuleNotFoundError:
        raise InvalidInput(
            "the level 'learnt' needs LightGBM",
            hint="pip install 'gemel[services]', or choose the level 'trend' or 'age'",
        ) from None
    settings = {**SETTINGS, "min_data_in_leaf": max(5, min(100, len(rows) // 50))}
    grown = []
    for one in range(averaged):
        data = lightgbm.Dataset(rows, target, weight=weight, params=settings)
        booster = lightgbm.train({**settings, "seed": seed * 1_000 + one}, data, count)
        grown.append(booster.dump_model(num_iteration=count))
    return of_dumps(grown)


SETTINGS: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.04,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "max_bin": 63,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "use_missing": False,
    "verbose": -1,
}


def of_dumps(dumps: list[dict[str, Any]]) -> Trees:
    """The mean of several boosters as arrays."""
    columns: dict[str, list[float]] = {name: [] for name in FIELDS}
    deepest = 0
    for dump in dumps:
        for tree in dump["tree_info"]:
            columns["root"].append(len(columns["feature"]))
            deepest = max(deepest, _add(columns, tree["tree_structure"], 0))
    kinds: dict[str, Any] = {"threshold": np.float64, "value": np.float64}
    arrays: dict[str, Any] = {n: np.array(c, kinds.get(n, np.int32)) for n, c in columns.items()}
    arrays["value"] = arrays["value"] / len(dumps)
    return of_arrays(arrays, deepest)


def _add(columns: dict[str, list[float]], node: dict[str, Any], depth: int) -> int:
    at = len(columns["feature"])
    is_leaf = "split_feature" not in node
    columns["feature"].append(0 if is_leaf else node["split_feature"])
    columns["threshold"].append(np.inf if is_leaf else node["threshold"])
    columns["value"].append(node["leaf_value"] if is_leaf else node["internal_value"])
    columns["left"].append(at)
    columns["right"].append(at)
    if is_leaf:
        return depth
    columns["left"][at] = len(columns["feature"])
    left = _add(columns, node["left_child"], depth + 1)
    columns["right"][at] = len(columns["feature"])
    return max(left, _add(columns, node["right_child"], depth + 1))
