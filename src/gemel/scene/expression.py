"""Arithmetic of shape specs: numbers, names, + - * / %, comparisons, and a few functions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from gemel.core.errors import InvalidInput

Names = Mapping[str, float]
Compiled = Callable[[Names], float]

TOKEN = re.compile(r"\s*(?:(\d+\.?\d*|\.\d+)|([A-Za-z_]\w*)|(==|<=|>=|[-+*/%()<>,]))", re.ASCII)
FUNCTIONS: dict[str, Callable[..., float]] = {
    "if": lambda test, yes, no: yes if test else no,
    "min": min,
    "max": max,
    "round": lambda x: math.floor(x + 0.5),
    "floor": math.floor,
    "abs": abs,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
}
OPERATORS: dict[str, tuple[int, Callable[[float, float], float]]] = {
    "==": (1, lambda a, b: float(a == b)),
    "<": (1, lambda a, b: float(a < b)),
    ">": (1, lambda a, b: float(a > b)),
    "<=": (1, lambda a, b: float(a <= b)),
    ">=": (1, lambda a, b: float(a >= b)),
    "+": (2, lambda a, b: a + b),
    "-": (2, lambda a, b: a - b),
    "*": (3, lambda a, b: a * b),
    "/": (3, lambda a, b: a / b),
    "%": (3, math.fmod),
}
LONGEST = 500


def compute(expression: Any, names: Names) -> float:
    """The value of a number or an expression.

    Raises:
        InvalidInput: it is no expression, or it has no value with these names.
    """
    if isinstance(expression, int | float):
        return float(expression)
    text = str(expression)
    try:
        return float(_compiled(text)(names))
    except (ArithmeticError, ValueError, TypeError) as error:
        raise InvalidInput(f"'{text[:80]}' has no value: {error}", hint=HINT) from error


HINT = "docs/formats/scene.md, shape specs"


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Compiled:
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tokens: list[str] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = TOKEN.match(text, at)
            if found is None or end > LONGEST:
                raise self._wrong()
            self._tokens.append(found[found.lastindex or 0])
            at = found.end()

    def whole(self) -> Compiled:
        found = self._binary(1)
        if self._at < len(self._tokens):
            raise self._wrong()
        return found

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _binary(self, level: int) -> Compiled:
        left = self._unary()
        while True:
            operator = OPERATORS.get(self._next())
            if operator is None or operator[0] < level:
                return left
            self._at += 1
            left = _joined(operator[1], left, self._binary(operator[0] + 1))

    def _unary(self) -> Compiled:
        token = self._next()
        self._at += 1
        if token == "-":
            inner = self._unary()
            return lambda names: -inner(names)
        if token == "(":
            inner = self._binary(1)
            self._expect(")")
            return inner
        if token[:1].isdigit() or token.startswith("."):
            value = float(token)
            return lambda _: value
        if not token or not (token[0].isalpha() or token[0] == "_"):
            raise self._wrong()
        if self._next() == "(":
            return self._call(token)
        return self._name(token)

    def _name(self, token: str) -> Compiled:
        if token == "pi":
            return lambda _: math.pi

        def look_up(names: Names) -> float:
            if token not in names:
                raise InvalidInput(f"'{self._text[:80]}': there is no '{token}'", hint=HINT)
            return names[token]

        return look_up

    def _call(self, name: str) -> Compiled:
        called = FUNCTIONS.get(name)
        if called is None:
            raise self._wrong()
        inner: list[Compiled] = []
        while True:
            self._at += 1
            inner.append(self._binary(1))
            if self._next() != ",":
                break
        self._expect(")")
        return lambda names: called(*(one(names) for one in inner))

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise self._wrong()
        self._at += 1

    def _wrong(self) -> InvalidInput:
        return InvalidInput(f"'{self._text[:80]}' is no expression", hint=HINT)


def _joined(operator: Callable[[float, float], float], left: Compiled, right: Compiled) -> Compiled:
    return lambda names: operator(left(names), right(names))
