"""Values in JSON text against one element of a model, as strictly as the language defines them.

`schema` judges what devices and people send, and is lenient where that does no harm (`20.0` is a
whole number to it); this module says whether a text conforms, letter by letter, by the table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date
from typing import Any

from gemel.twins.dtdl.elements import Element
from gemel.twins.dtdl.metamodel import Instance
from gemel.twins.dtdl.schema import FLOAT_LIMIT, INTEGER_RANGES, shown

DEEPEST = 64
"""Levels of JSON that are read."""
MOST_DIGITS = 400
"""A longer whole number is beyond every numeric schema."""
WHOLE = {
    "byte": "byte",
    "int": "integer",
    "long": "long",
    "short": "short",
    "unsignedByte": "unsignedByte",
    "unsignedInt": "unsignedInteger",
    "unsignedLong": "unsignedLong",
    "unsignedShort": "unsignedShort",
}
"""Datatypes of XML Schema that are whole numbers, and what DTDL calls them."""


class _Members(list[tuple[str, Any]]):
    """A JSON object with its members in order; a name that stands twice is kept twice."""


def instance_problems(element: Element, text: str) -> list[str]:
    """What keeps a JSON text from conforming to an element; nothing when it conforms.

    Args:
        element: one of a kind that describes values, such as a schema.
        text: the value as JSON.
    """
    try:
        value = read_json(text)
    except ValueError as error:
        return [f"it is not valid JSON: {error}"]
    found: list[str] = []
    _Judge(found).judge(element, value, None)
    return found


def read_json(text: str) -> Any:
    """JSON with objects as lists of their members.

    Raises:
        ValueError: it is not JSON, or nested too deep.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_Members, parse_int=_whole, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if _depth(value) > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    return value


def _whole(digits: str) -> int | float:
    """`-0` is no unsigned number, so it is kept as what it is not: a whole one."""
    if digits == "-0":
        return -0.0
    return int(digits) if len(digits) <= MOST_DIGITS else math.inf


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _depth(value: object) -> int:
    deepest, stack = 0, [(value, 1)]
    while stack and deepest <= DEEPEST:
        one, level = stack.pop()
        if isinstance(one, _Members):
            deepest = max(deepest, level)
            stack += [(item, level + 1) for _, item in one]
        elif isinstance(one, list):
            deepest = max(deepest, level)
            stack += [(item, level + 1) for item in one]
    return deepest


class _Judge:
    """Walks a value and the elements it must conform to, side by side."""

    def __init__(self, found: list[str]) -> None:
        self.found = found

    def judge(self, element: Element, value: Any, name: str | None) -> bool:
        """Whether the value can be looked into further; what is wrong with it is noted."""
        rule = element.kind.instance
        if rule is None:
            return True
        problem = _form_problem(rule, value)
        if problem:
            return self.refuse(problem if name is None else f"'{name}': {problem}")
        if not all(self.follow(element, key, value, name) for key in rule.through):
            return False
        if rule.value and not _is_same(value, element.values.get(rule.value)):
            return self.refuse(f"{_text(value)} is not {element.values.get(rule.value)!r}")
        if rule.name and name != element.values.get(rule.name):
            return self.refuse(f"it has no name that is '{element.values.get(rule.name)}'")
        for key, item in _children(rule, value):
            for through in rule.inner:
                self.follow(element, through, item, key)
        return True

    def follow(self, element: Element, key: str, value: Any, name: str | None) -> bool:
        """Judges the value by what a property of the element holds: all of it, or what matches."""
        targets = [link.target for link in element.links.get(key, ()) if link.target is not None]
        if not element.kind.facets[key].plural:
            return self.judge(targets[0], value, name) if targets else True
        for target in targets:
            if _matches(target, value, name):
                return self.judge(target, value, name)
        if name is not None and targets and targets[0].kind.name == "Field":
            return self.refuse(f"'{name}' matches no name in the schema")
        return self.refuse(f"{_text(value)} matches no value in the schema")

    def refuse(self, problem: str) -> bool:
        self.found.append(problem)
        return False


def _children(rule: Instance, value: Any) -> Iterator[tuple[str | None, Any]]:
    if rule.json == "object":
        yield from value
    elif rule.json == "array":
        for item in value:
            yield None, item


def _matches(element: Element, value: Any, name: str | None) -> bool:
    rule = element.kind.instance
    if rule is None:
        return False
    if rule.value and not _is_same(value, element.values.get(rule.value)):
        return False
    return not rule.name or name == element.values.get(rule.name)


def _is_same(value: object, wanted: object) -> bool:
    return type(value) is type(wanted) and value == wanted


def _form_problem(rule: Instance, value: Any) -> str:
    """What is wrong with a value by itself; "" when nothing is."""
    if rule.json and not _has_type(rule.json, value):
        return f"{_text(value)} is not {rule.words}"
    is_right = (
        not rule.datatype
        or (rule.datatype in WHOLE and _is_whole(WHOLE[rule.datatype], value))
        or (rule.datatype in ("float", "double") and _is_real(rule.datatype, value))
        or rule.datatype not in (*WHOLE, "float", "double")
    )
    if is_right and rule.pattern is not None and rule.json == "string":
        is_right = bool(rule.pattern.search(value)) and _is_moment(rule.datatype, value)
    return "" if is_right else f"{_text(value)} does not conform to {rule.standard}"


def _has_type(wanted: str, value: object) -> bool:
    if wanted == "object":
        return isinstance(value, _Members)
    if wanted == "array":
        return isinstance(value, list) and not isinstance(value, _Members)
    if wanted == "boolean":
        return isinstance(value, bool)
    if wanted == "string":
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(kind: str, value: float) -> bool:
    lowest, highest = INTEGER_RANGES[kind]
    if isinstance(value, float):  # only -0 is a whole number that came as one
        return value == 0 and math.copysign(1, value) < 0 and lowest < 0
    return lowest <= value <= highest


def _is_real(kind: str, value: float) -> bool:
    try:
        number = float(value)
    except OverflowError:
        return False
    return math.isfinite(number) and (kind == "double" or abs(number) < FLOAT_LIMIT)


def _is_moment(datatype: str, text: str) -> bool:
    """Whether a date or time that has the right form exists."""
    if datatype in ("date", "dateTime"):
        try:
            date.fromisoformat(text[:10])
        except ValueError:
            return False
    if datatype not in ("time", "dateTime"):
        return True
    clock = text[11:] if datatype == "dateTime" else text
    hour, minute, second = int(clock[:2]), int(clock[3:5]), int(clock[6:8])
    offset = 0
    if not clock.endswith("Z"):
        if int(clock[-2:]) > 59:
            return False
        offset = int(clock[-5:-3]) * 60 + int(clock[-2:])
    return hour < 24 and minute < 60 and second < 60 and offset <= 14 * 60


def _text(value: object) -> str:
    return shown(dict(value) if isinstance(value, _Members) else value)
