"""Filters of events: a condition of the query language over the fields of one event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.twins.query.mistakes import mistake
from gemel.twins.query.parser import parse_condition
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
    Within,
)
from gemel.twins.query.values import (
    TESTS,
    UNDEFINED,
    Truth,
    array_contains,
    compare,
    negated,
    text_test,
    truth,
    walk,
    within,
)

CODE = "EventRouteFilterInvalid"


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition over the fields of an event."""

    condition: Condition

    def passes(self, event: Mapping[str, Any]) -> bool:
        return _test(self.condition, dict(event)) is True

    def may_pass(self, known: Mapping[str, Any]) -> bool:
        """Whether an event with these fields, and any others, could pass."""
        return _test(self.condition, _Partial(known)) is not False


class _Partial(dict[str, Any]):
    """Fields of an event of which more may come."""


def parse_filter(text: str) -> Filter:
    """The filter that a text describes.

    Raises:
        InvalidInput: the text is no condition, or uses what events do not have.
    """
    try:
        condition = parse_condition(text)
        _check(condition, text)
    except InvalidInput as error:
        message = error.message.replace("SQL query parse failed", "the filter cannot be read")
        raise InvalidInput(message, hint=error.hint, code=CODE, details=error.details) from None
    return Filter(condition)


def _check(found: Condition, text: str) -> None:
    if isinstance(found, Call):
        if found.name not in TYPE_TESTS | TEXT_TESTS | {"ARRAY_CONTAINS"}:
            raise mistake(text, found.at, f"{found.name} cannot stand in a filter")
        wanted = 1 if found.name in TYPE_TESTS else 2
        if len(found.arguments) != wanted:
            raise mistake(text, found.at, f"{found.name} takes {wanted} arguments")
    elif isinstance(found, AllOf | AnyOf):
        for operand in found.operands:
            _check(operand, text)
    elif isinstance(found, Negate | Within):
        _check(found.operand, text)
    elif isinstance(found, Compare):
        _check(found.left, text)
        _check(found.right, text)


def _test(found: Condition, event: Json) -> Truth:
    if isinstance(found, AllOf):
        outcomes = [_test(operand, event) for operand in found.operands]
        return False if False in outcomes else None if None in outcomes else True
    if isinstance(found, AnyOf):
        outcomes = [_test(operand, event) for operand in found.operands]
        return True if True in outcomes else None if None in outcomes else False
    if isinstance(found, Negate):
        return negated(_test(found.operand, event))
    if isinstance(found, Compare):
        return compare(found.operator, _value(found.left, event), _value(found.right, event))
    if isinstance(found, Within):
        outcome = within(_value(found.operand, event), found.values)
        return negated(outcome) if found.is_negative else outcome
    return truth(_value(found, event))


def _value(found: Condition, event: Json) -> object:
    if isinstance(found, Literal):
        return found.value
    if isinstance(found, Path):
        return walk(event, found.steps)
    if isinstance(found, Call):
        value = _value(found.arguments[0], event)
        if value is UNDEFINED and isinstance(event, _Partial):
            return UNDEFINED
        if found.name in TYPE_TESTS:
            return TESTS[found.name](value)
        other = _value(found.arguments[1], event)
        is_array = found.name == "ARRAY_CONTAINS"
        outcome = array_contains(value, other) if is_array else text_test(found.name, value, other)
    else:
        outcome = _test(found, event)
    return UNDEFINED if outcome is None else outcome
