"""Conditions of three values over columns: true, false, or unknown since a value is not known.

A compiled condition returns two columns, "is true" and "is false" (Kleene's logic).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64

ONE: F64 = np.ones(1)
Flags: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = Callable[[F64, F64], F64]
"""(values by slot and instance, parameters by number and instance) -> one value an instance."""
Truths: TypeAlias = Callable[[F64, F64], tuple[Flags, Flags]]

_SIGNS: dict[str, Callable[[F64, F64], Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
}
OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


def _divide(left: F64, right: F64) -> F64:
    quotient: F64 = np.divide(left, np.where(right == 0.0, np.nan, right))
    return quotient


ARITHMETIC: dict[str, Callable[[F64, F64], F64]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
}


def truths(operator: str, left: Numbers, right: Numbers) -> Truths:
    if operator in OPPOSITE:
        is_true, is_false = _SIGNS[operator], _SIGNS[OPPOSITE[operator]]

        def ordered(x: F64, p: F64) -> tuple[Flags, Flags]:
            a, b = left(x, p), right(x, p)
            return is_true(a, b), is_false(a, b)

        return ordered

    def equal(x: F64, p: F64) -> tuple[Flags, Flags]:
        a, b = left(x, p), right(x, p)
        same, other = a == b, (a < b) | (a > b)
        return (same, other) if operator == "==" else (other, same)

    return equal


def all_of(left: Truths, right: Truths) -> Truths:
    def both(x: F64, p: F64) -> tuple[Flags, Flags]:
        (t1, f1), (t2, f2) = left(x, p), right(x, p)
        return t1 & t2, f1 | f2

    return both


def any_of(left: Truths, right: Truths) -> Truths:
    def either(x: F64, p: F64) -> tuple[Flags, Flags]:
        (t1, f1), (t2, f2) = left(x, p), right(x, p)
        return t1 | t2, f1 & f2

    return either


def negate(operand: Truths) -> Truths:
    def negated(x: F64, p: F64) -> tuple[Flags, Flags]:
        is_true, is_false = operand(x, p)
        return is_false, is_true

    return negated


def evaluation(raised: Truths, held: Truths | None) -> Truths:
    def evaluate(values: F64, parameters: F64) -> tuple[Flags, Flags]:
        with np.errstate(all="ignore"):
            is_true, is_false = raised(values, parameters)
            if held is not None:
                is_false = held(values, parameters)[1]
        return is_true, is_false

    return evaluate
