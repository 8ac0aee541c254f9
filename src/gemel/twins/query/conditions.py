"""Conditions and columns as functions of one row: the twins and relationships that were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from gemel.twins.graph import Graph
from gemel.twins.query.reading import Reader
from gemel.twins.query.tree import (
    READINGS,
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
    within,
)
from gemel.twins.records import Link, Twin

Item: TypeAlias = Twin | Link
Row: TypeAlias = Sequence[Any]
"""By slot: the twin or relationship found there."""
Test: TypeAlias = Callable[[Row], Truth]
Value: TypeAlias = Callable[[Row], object]


def conjuncts(condition: Condition | None) -> list[Condition]:
    """The conditions that must all hold."""
    if condition is None:
        return []
    if isinstance(condition, AllOf):
        return [part for operand in condition.operands for part in conjuncts(operand)]
    return [condition]


def aliases(found: Condition) -> set[str]:
    """The names that a condition speaks of."""
    if isinstance(found, Path):
        return {found.alias}
    if isinstance(found, Call):
        return {a.alias for a in found.arguments if isinstance(a, Path)}
    if isinstance(found, Compare):
        return aliases(found.left) | aliases(found.right)
    if isinstance(found, Within | Negate):
        return aliases(found.operand)
    if isinstance(found, AllOf | AnyOf):
        return set().union(*map(aliases, found.operands))
    return set()


class Compiler:
    """Turns trees into functions of a row."""

    def __init__(self, graph: Graph, reader: Reader, slots: Mapping[str, int]) -> None:
        self._graph = graph
        self._reader = reader
        self._slots = slots

    def test(self, found: Condition) -> Test:
        """The outcome of a condition: true, false, or None."""
        if isinstance(found, AllOf):
            return _all_of([self.test(operand) for operand in found.operands])
        if isinstance(found, AnyOf):
            return _any_of([self.test(operand) for operand in found.operands])
        if isinstance(found, Negate):
            inner = self.test(found.operand)
            return lambda row: negated(inner(row))
        if isinstance(found, Compare):
            sign, left, right = found.operator, self.value(found.left), self.value(found.right)
            return lambda row: compare(sign, left(row), right(row))
        if isinstance(found, Within):
            operand, values = self.value(found.operand), found.values
            if found.is_negative:
                return lambda row: negated(within(operand(row), values))
            return lambda row: within(operand(row), values)
        value = self.value(found)
        return lambda row: truth(value(row))

    def value(self, found: Condition) -> Value:
        """A value; conditions are true, false or undefined."""
        if isinstance(found, Literal):
            literal = found.value
            return lambda row: literal
        if isinstance(found, Path):
            slot, steps, read = self._slots[found.alias], found.steps, self._reader.value
            if not steps:
                whole = self._reader.whole
                return lambda row: whole(row[slot])
            return lambda row: read(row[slot], steps)
        if isinstance(found, Call):
            return self._call(found)
        test = self.test(found)

        def outcome(row: Row) -> object:
            answer = test(row)
            return UNDEFINED if answer is None else answer

        return outcome

    def _call(self, call: Call) -> Value:
        name = call.name
        first = call.arguments[0]
        if name == "IS_OF_MODEL":
            return self._is_of_model(call)
        if name in READINGS:
            assert isinstance(first, Path), "checked"
            slot, steps, read = self._slots[first.alias], first.steps, self._reader.reading
            which = 0 if name == "TIME" else 1

            def reading(row: Row) -> object:
                found = read(row[slot], steps)
                return UNDEFINED if found is None else found[which]

            return reading
        value = self.value(first)
        if name in TYPE_TESTS:
            test = TESTS[name]
            return lambda row: test(value(row))
        other = self.value(call.arguments[1])
        if name in TEXT_TESTS:
            return lambda row: _known(text_test(name, value(row), other(row)))
        return lambda row: _known(array_contains(value(row), other(row)))

    def _is_of_model(self, call: Call) -> Value:
        path, model = call.arguments
        assert isinstance(path, Path), "checked"
        assert isinstance(model, Literal), "checked"
        slot, wanted, is_exact = self._slots[path.alias], str(model.value), call.is_exact
        is_of_model = self._graph.is_of_model
        return lambda row: is_of_model(row[slot], wanted, is_exact)


def _known(answer: Truth) -> object:
    return UNDEFINED if answer is None else answer


def _all_of(tests: list[Test]) -> Test:
    def all_of(row: Row) -> Truth:
        answer: Truth = True
        for test in tests:
            one = test(row)
            if one is False:
                return False
            if one is None:
                answer = None
        return answer

    return all_of


def _any_of(tests: list[Test]) -> Test:
    def any_of(row: Row) -> Truth:
        answer: Truth = False
        for test in tests:
            one = test(row)
            if one is True:
                return True
            if one is None:
                answer = None
        return answer

    return any_of
