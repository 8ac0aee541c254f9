"""Comparing values: three outcomes, true, false, and None where a comparison makes no sense.

A value that is not there is `UNDEFINED`. What is undefined, or of another type, is neither equal
nor unequal, so neither `x = 5` nor `x != 5` nor `NOT x = 5` finds it; `IS_DEFINED` does.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson


class Undefined:
    """The type of `UNDEFINED`."""

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Undefined()
Truth = bool | None

UNDEFINED_KIND, NULL, BOOL, NUMBER, TEXT, OBJECT, ARRAY = range(7)
"""Kinds of values, in the order in which they are sorted."""

ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MIRROR = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def kind_of(value: object) -> int:
    if value is UNDEFINED:
        return UNDEFINED_KIND
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int | float):
        return NUMBER
    if isinstance(value, str):
        return TEXT
    return OBJECT if isinstance(value, dict) else ARRAY


def compare(sign: str, left: object, right: object) -> Truth:
    """One comparison; None if a side is undefined or the types differ."""
    kind = kind_of(left)
    if kind == UNDEFINED_KIND or kind != kind_of(right):
        return None
    if kind in (NUMBER, TEXT) or sign in ("=", "!="):
        return ORDERS[sign](left, right)
    return None


def within(value: object, values: Sequence[object]) -> Truth:
    """IN: whether a value is one of some; None if it is undefined."""
    if value is UNDEFINED:
        return None
    return any(compare("=", value, other) for other in values)


def negated(value: Truth) -> Truth:
    return None if value is None else not value


def truth(value: object) -> Truth:
    """A value that stands as a condition by itself."""
    return value if isinstance(value, bool) else None


def is_primitive(value: object) -> bool:
    return kind_of(value) in (NULL, BOOL, NUMBER, TEXT)


TESTS: dict[str, Callable[[object], bool]] = {
    "IS_DEFINED": lambda value: value is not UNDEFINED,
    "IS_NULL": lambda value: value is None,
    "IS_BOOL": lambda value: isinstance(value, bool),
    "IS_NUMBER": lambda value: kind_of(value) == NUMBER,
    "IS_STRING": lambda value: isinstance(value, str),
    "IS_PRIMITIVE": is_primitive,
    "IS_OBJECT": lambda value: isinstance(value, dict),
}
TEXTS: dict[str, Callable[[str, str], bool]] = {
    "STARTSWITH": str.startswith,
    "ENDSWITH": str.endswith,
    "CONTAINS": str.__contains__,
}


def text_test(name: str, value: object, part: object) -> Truth:
    if isinstance(value, str) and isinstance(part, str):
        return TEXTS[name](value, part)
    return None


def array_contains(value: object, item: object) -> Truth:
    if not isinstance(value, list) or item is UNDEFINED:
        return None
    return any(compare("=", one, item) for one in value)


def order_key(value: object) -> tuple[int, Any]:
    """Sorts values of any kind: undefined, null, false, true, numbers, texts, the rest."""
    kind = kind_of(value)
    if kind in (UNDEFINED_KIND, NULL):
        return kind, 0
    if kind in (OBJECT, ARRAY):
        return OBJECT, orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return kind, value


def walk(value: object, steps: Sequence[str]) -> object:
    """The value inside objects, or `UNDEFINED`."""
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return UNDEFINED
        value = value[step]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
