"""Conditions over columns: 1 where true, -1 where false, 0 where neither, for all twins at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.twins.graph import Graph
from gemel.twins.query.cells import EXACT, IS_NUMBER, Cells, texts_of
from gemel.twins.query.columns import is_columnar
from gemel.twins.query.tree import (
    TEXT_TESTS,
    TYPE_TESTS,
    AllOf,
    AnyOf,
    Call,
    Compare,
    Condition,
    Literal,
    Negate,
    Path,
    Scalar,
    Within,
)
from gemel.twins.query.values import (
    MIRROR,
    ORDERS,
    TESTS,
    TEXT,
    TEXTS,
    UNDEFINED,
    Truth,
    array_contains,
    compare,
    text_test,
    truth,
    within,
)

Outcomes: TypeAlias = NDArray[np.int8]
MODEL = ("$metadata", "$model")
CellsOf: TypeAlias = Callable[[tuple[str, ...]], Cells]


def paths_of(found: Condition) -> set[tuple[str, ...]] | None:
    """The columns that a condition of one twin needs; None if columns cannot judge it."""
    if isinstance(found, Literal):
        return set()
    if isinstance(found, Path):
        return _one(found)
    if isinstance(found, Negate):
        return paths_of(found.operand)
    if isinstance(found, AllOf | AnyOf):
        parts = [paths_of(operand) for operand in found.operands]
        whole: set[tuple[str, ...]] = set()
        for part in parts:
            if part is None:
                return None
            whole |= part
        return whole
    if isinstance(found, Compare):
        path, _, literal = _sides(found)
        return _one(path) if path is not None and _is_exact(literal) else None
    if isinstance(found, Within):
        is_path = isinstance(found.operand, Path) and all(map(_is_exact, found.values))
        return paths_of(found.operand) if is_path else None
    return _call_paths(found)


def _one(path: Path) -> set[tuple[str, ...]] | None:
    return {path.steps} if is_columnar(path.steps) else None


def _call_paths(call: Call) -> set[tuple[str, ...]] | None:
    if call.name == "IS_OF_MODEL":
        return {MODEL}
    first, *rest = call.arguments
    if call.name in TYPE_TESTS | TEXT_TESTS | {"ARRAY_CONTAINS"} and isinstance(first, Path):
        return _one(first) if all(isinstance(a, Literal) for a in rest) else None
    return None


def _is_exact(value: Scalar) -> bool:
    """Whether float64 can stand for a number in comparisons."""
    return not isinstance(value, int) or abs(value) < EXACT


def _sides(found: Compare) -> tuple[Path | None, str, Scalar]:
    """Path, operator and literal, whichever side they stand on."""
    left, right = found.left, found.right
    if isinstance(left, Path) and isinstance(right, Literal):
        return left, found.operator, right.value
    if isinstance(left, Literal) and isinstance(right, Path):
        return right, MIRROR[found.operator], left.value
    return None, found.operator, None


class Scan:
    """Judges conditions of one twin over all rows."""

    def __init__(self, graph: Graph, count: int, cells_of: CellsOf) -> None:
        self._graph = graph
        self._count = count
        self._cells_of = cells_of

    def judge(self, found: Condition) -> Outcomes:
        """The outcome for every twin; `paths_of` must have named its columns."""
        if isinstance(found, AllOf):
            return reduce(np.minimum, map(self.judge, found.operands))
        if isinstance(found, AnyOf):
            return reduce(np.maximum, map(self.judge, found.operands))
        if isinstance(found, Negate):
            return -self.judge(found.operand)
        if isinstance(found, Literal):
            return np.full(self._count, _sign(truth(found.value)), np.int8)
        if isinstance(found, Path):
            return _spread(self._cells_of(found.steps), truth)
        if isinstance(found, Compare):
            return self._compare(found)
        if isinstance(found, Within):
            return self._within(found)
        return self._call(found)

    def _compare(self, found: Compare) -> Outcomes:
        path, sign, literal = _sides(found)
        assert path is not None, "paths_of has seen to it"
        cells = self._cells_of(path.steps)
        if isinstance(literal, str):
            return _spread_table(cells, _text_outcomes(cells, sign, literal), 0)
        outcomes = _spread(cells, lambda value: compare(sign, value, literal))
        if isinstance(literal, int | float) and not isinstance(literal, bool):
            is_true = np.asarray(ORDERS[sign](cells.number, literal), np.bool_)
            outcomes = np.where(cells.code == IS_NUMBER, _signs(is_true), outcomes)
        return outcomes

    def _within(self, found: Within) -> Outcomes:
        assert isinstance(found.operand, Path), "paths_of has seen to it"
        cells, values = self._cells_of(found.operand.steps), found.values
        if values and all(isinstance(value, str) for value in values):
            table = np.full(len(cells.distinct.values), -1, np.int8)
            known = [cells.distinct.codes.get((TEXT, value)) for value in values]
            table[[code for code in known if code is not None]] = 1
            outcomes = _spread_table(cells, table, -1)
        else:
            outcomes = _spread(cells, lambda value: within(value, values))
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if numbers:
            is_one = np.isin(cells.number, np.array(numbers, np.float64))
            outcomes = np.where(cells.code == IS_NUMBER, _signs(is_one), outcomes)
        return -outcomes if found.is_negative else outcomes

    def _call(self, call: Condition) -> Outcomes:
        assert isinstance(call, Call), "nothing else is left"
        if call.name == "IS_OF_MODEL":
            return self._is_of_model(call)
        first, *rest = call.arguments
        assert isinstance(first, Path), "paths_of has seen to it"
        cells = self._cells_of(first.steps)
        literal = rest[0].value if rest and isinstance(rest[0], Literal) else None
        name = call.name
        if name in TYPE_TESTS:
            return _spread(cells, TESTS[name])
        if name == "ARRAY_CONTAINS":
            return _spread(cells, lambda value: array_contains(value, literal))
        if name == "STARTSWITH" and isinstance(literal, str):
            table = np.where(cells.distinct.kinds == TEXT, np.int8(-1), np.int8(0))
            table[cells.distinct.texts_from(literal)] = 1
            return _spread_table(cells, table, 0)
        if texts_of(cells.distinct) and isinstance(literal, str):
            test = TEXTS[name]
            hits = np.fromiter(
                (test(text, literal) for text in cells.distinct.values),  # type: ignore[arg-type]
                np.bool_,
                len(cells.distinct.values),
            )
            return _spread_table(cells, _signs(hits), 0)
        return _spread(cells, lambda value: text_test(name, value, literal))

    def _is_of_model(self, call: Call) -> Outcomes:
        wanted = call.arguments[1]
        assert isinstance(wanted, Literal), "checked"
        find, is_exact = self._graph.find_model, call.is_exact

        def test(model: object) -> Truth:
            if model == wanted.value:
                return True
            interface = None if is_exact or not isinstance(model, str) else find(model)
            return interface is not None and wanted.value in interface.bases

        return _spread(self._cells_of(MODEL), test)


def _sign(outcome: Truth) -> int:
    return 0 if outcome is None else 1 if outcome else -1


def _signs(is_true: NDArray[np.bool_]) -> Outcomes:
    return np.where(is_true, np.int8(1), np.int8(-1))


def _spread(cells: Cells, test: Callable[[object], Truth]) -> Outcomes:
    """Judges each distinct value once; of numbers the test must ask the type only."""
    values = cells.distinct.values
    table = np.fromiter((_sign(test(value)) for value in values), np.int8, len(values))
    return _spread_table(cells, table, _sign(test(0.5)), _sign(test(UNDEFINED)))


def _spread_table(cells: Cells, table: Outcomes, of_number: int, of_undefined: int = 0) -> Outcomes:
    whole = np.concatenate([np.array([of_undefined, of_number], np.int8), table])
    return whole[cells.code + 2]  # IS_UNDEFINED is -2, IS_NUMBER is -1


def _text_outcomes(cells: Cells, sign: str, literal: str) -> Outcomes:
    """Each distinct value compared with a text."""
    distinct = cells.distinct
    is_text = distinct.kinds == TEXT
    if sign in ("=", "!="):
        table = np.where(is_text, np.int8(-1 if sign == "=" else 1), np.int8(0))
        code = distinct.codes.get((TEXT, literal))
        if code is not None:
            table[code] = -table[code]
        return table
    order = ORDERS[sign]
    hits = (isinstance(value, str) and order(value, literal) for value in distinct.values)
    signs = _signs(np.fromiter(hits, np.bool_, len(distinct.values)))
    return np.where(is_text, signs, np.int8(0))
