"""Formulas as text: + - * / ( ), min, max and names; over numbers or whole arrays of draws."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Amount: TypeAlias = NDArray[np.float64]
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {"min": np.minimum, "max": np.maximum}


def compute(text: str, values: Mapping[str, Amount]) -> Amount:
    """What a formula comes to; a division by zero gives an infinity or NaN.

    Raises:
        ValueError: it has something that is no arithmetic, or an unknown name.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(_value(_tree(text), values), np.float64)


def names(text: str) -> tuple[str, ...]:
    """The names that a formula uses, in their order."""
    found = [n.id for n in ast.walk(_tree(text)) if isinstance(n, ast.Name)]
    return tuple(dict.fromkeys(name for name in found if name not in FUNCTIONS))


@cache
def _tree(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"'{text}' is no formula") from error


def _value(node: ast.expr, values: Mapping[str, Amount]) -> Any:
    match node:
        case ast.BinOp(left, kind, right) if type(kind) in OPERATORS:
            return OPERATORS[type(kind)](_value(left, values), _value(right, values))
        case ast.Constant(float() | int() as number):
            return np.float64(number)
        case ast.Name(name) if name in values:
            return values[name]
        case ast.Call(ast.Name(name), [first, second]) if name in FUNCTIONS:
            return FUNCTIONS[name](_value(first, values), _value(second, values))
    raise ValueError(f"'{ast.unparse(node)}' is no arithmetic of known names")
