"""The rest of the compiler: statistics, relatives, silence, schedules, functions, parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.services.rules import quantity
from gemel.services.rules.about import first_path, is_computed
from gemel.services.rules.compiler import Compiler, Kernel, PropertyShape, Value
from gemel.services.rules.expression import (
    AllOf,
    AnyOf,
    Call,
    Comparison,
    Expression,
    Gather,
    Measure,
    Negate,
    Node,
    NoReading,
    Number,
    Parameter,
    Path,
    Quantified,
    Relation,
    Schedule,
    start_of,
)
from gemel.services.rules.features import (
    Feature,
    Hours,
    Inner,
    Relatives,
    Silence,
    Window,
    seconds_of,
)
from gemel.services.rules.parser import mistake
from gemel.services.rules.truths import Numbers, Truths, truths

Shapes = Mapping[str, PropertyShape]
Kin = Callable[[Relation], Shapes | None]
"""What the relatives measure; None for a relationship that the model does not have."""
DIFFERENCES = frozenset({"sd", "range", "rise", "fall", "slope"})
PER_SECOND: quantity.Unit = (("second", 1),)
ONE: F64 = np.ones(1)


def no_kin(_: Relation) -> Shapes | None:
    return None


class MeasureCompiler(Compiler):
    """Adds to the compiler what is computed over time and over relatives."""

    def __init__(self, expression: Expression, properties: Shapes, kin: Kin) -> None:
        super().__init__(expression, properties)
        self.kin = kin

    def number(self, node: Node) -> Value:
        if isinstance(node, Call):
            return self.call(node)
        if isinstance(node, Measure):
            return self.measure(node)
        if isinstance(node, Gather):
            return self.gather(node)
        return super().number(node)

    def condition(self, node: Node, *, held: bool, is_positive: bool = True) -> tuple[Truths, str]:
        if isinstance(node, Quantified):
            return self.flag(self.quantified(node, held=held, is_positive=is_positive))
        if isinstance(node, NoReading):
            found = self.property_of(node.path)
            if found.formula is not None:
                what = f"'{node.path.name}' is computed and never sent"
                raise self.wrong(node.path.at, what, "a property that its formula reads")
            name = found.stands_for or node.path.name
            return self.flag(Silence(name, seconds_of(node.window)))
        if isinstance(node, Schedule):
            return self.flag(Hours(node.begin, node.end, node.days, node.zone or "UTC"))
        return super().condition(node, held=held, is_positive=is_positive)

    def kind_of(self, node: Node) -> str:
        if isinstance(node, (Quantified, NoReading, Schedule)):
            raise self.wrong(node.at, "a condition cannot be compared", "a value")
        return super().kind_of(node)

    # -- values that are computed elsewhere ------------------------------------------------------

    def feature(self, feature: Feature) -> tuple[Numbers, str]:
        key = feature.key
        self.features[key] = feature
        slot = self.slots.setdefault(key, len(self.slots))
        return lambda x, _p: x[slot], f"x{slot}"

    def flag(self, feature: Feature) -> tuple[Truths, str]:
        numbers, shape = self.feature(feature)
        return truths("==", numbers, lambda _x, _p: ONE), f"({shape}=1)"

    def child(self, properties: Shapes) -> MeasureCompiler:
        return MeasureCompiler(self.expression, properties, self.kin)

    def inner(self, numbers: Numbers, shape: str) -> Inner:
        """The expression that this compiler has compiled, as a feature; call it on a `child`."""
        return Inner(
            shape,
            tuple(self.slots),
            tuple(self.parameters),
            tuple(self.named),
            numbers,
            dict(self.features),
        )

    def inner_condition(self, node: Node, *, held: bool, is_positive: bool) -> Inner:
        both, shape = self.condition(node, held=held, is_positive=is_positive)

        def value(x: F64, p: F64) -> F64:
            is_true, is_false = both(x, p)
            found: F64 = np.where(is_true, 1.0, np.where(is_false, 0.0, np.nan))
            return found

        return self.inner(value, "?" + shape)

    def is_condition(self, node: Node) -> bool:
        if isinstance(node, Path):
            return self.property_of(node).kind == "boolean"
        return isinstance(node, (Comparison, AllOf, AnyOf, Negate, Quantified, NoReading, Schedule))

    def measure(self, node: Measure) -> Value:
        inner, unit = None, quantity.PLAIN
        if isinstance(node.operand, Path) and self.property_of(node.operand).formula is None:
            shape = self.property_of(node.operand)
            source = shape.stands_for or node.operand.name
            if shape.kind not in ("number", "boolean") and node.statistic != "count":
                raise self.wrong(
                    node.operand.at, f"'{source}' is no number and has no statistics", "a number"
                )
            if node.statistic == "edges" and shape.kind != "boolean":
                raise self.wrong(
                    node.operand.at, f"'{source}' is neither true nor false", "a condition"
                )
            if shape.kind == "number":
                unit = quantity.unit_of(shape.unit)
        else:
            inner, unit = self.operand(node.operand, as_condition=node.statistic == "edges")
            source = inner.key
        window = Window(node.statistic, seconds_of(node.window), node.share, source, inner)
        numbers, shape_text = self.feature(window)
        if node.statistic in ("count", "edges"):
            unit = quantity.PLAIN
        if node.statistic == "slope":
            unit = quantity.product(unit, PER_SECOND, -1)
        return Value(unit, node.statistic in DIFFERENCES, numbers, shape_text)

    def operand(
        self, node: Node, *, as_condition: bool, properties: Shapes | None = None
    ) -> tuple[Inner, quantity.Unit]:
        child = self.child(self.properties if properties is None else properties)
        if as_condition or child.is_condition(node):
            return child.inner_condition(node, held=False, is_positive=True), quantity.PLAIN
        value = child.number(node)
        return child.inner(value.numbers, value.shape), value.unit

    # -- relatives -------------------------------------------------------------------------------

    def shapes_of(self, relation: Relation, at: int) -> Shapes:
        found = self.kin(relation)
        if found is None:
            way = "leads to it" if relation.is_incoming else "leads from it"
            raise self.wrong(
                at,
                f"no relationship '{relation.name}' {way}",
                "the name of a relationship of the model, such as contains",
            )
        return found

    def gather(self, node: Gather) -> Value:
        shapes = self.shapes_of(node.relation, node.at)
        inner, unit = self.operand(
            node.operand, as_condition=node.statistic == "count", properties=shapes
        )
        feature = Relatives(node.statistic, 1, inner.key, inner, node.relation)
        numbers, shape = self.feature(feature)
        if node.statistic == "count":
            unit = quantity.PLAIN
        return Value(unit, node.statistic == "range", numbers, shape)

    def quantified(self, node: Quantified, *, held: bool, is_positive: bool) -> Relatives:
        child = self.child(self.shapes_of(node.relation, node.at))
        sign = is_positive if node.kind in ("any", "all", "least") else not is_positive
        inner = child.inner_condition(node.operand, held=held, is_positive=sign)
        self.has_deadband |= child.has_deadband
        return Relatives(node.kind, node.count, inner.key, inner, node.relation)

    # -- functions -------------------------------------------------------------------------------

    def call(self, node: Call) -> Value:
        first = next((o for o in node.operands if not isinstance(o, Number)), node.operands[0])
        like = self.number(first)
        if node.function == "abs":
            inner = like.numbers
            return Value(
                like.unit,
                like.is_difference,
                lambda x, p: np.abs(inner(x, p)),
                f"abs({like.shape})",
            )
        parts = [like if o is first else self.beside(o, like, node) for o in node.operands]
        choose = np.minimum if node.function == "min" else np.maximum
        all_numbers = [part.numbers for part in parts]

        def chosen(x: F64, p: F64) -> F64:
            found: F64 = reduce(choose, [numbers(x, p) for numbers in all_numbers])
            return found

        shape = f"{node.function}({','.join(part.shape for part in parts)})"
        return Value(like.unit, like.is_difference, chosen, shape)

    def beside(self, node: Node, like: Value, call: Call) -> Value:
        if isinstance(node, Number):
            return self.literal(node, like, is_difference=like.is_difference)
        return self.converted(self.number(node), like.unit, call.at, "compare")


# -- parameters ----------------------------------------------------------------------------------


def _filled(node: Any, fill: Callable[[Parameter], Number], zone: str) -> Any:
    """The tree with each parameter as the number it stands for, and zones filled in."""
    if isinstance(node, Parameter):
        return fill(node)
    if isinstance(node, tuple):
        return tuple(_filled(part, fill, zone) for part in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    if isinstance(node, Schedule):
        return replace(node, zone=node.zone or zone)
    changed = {f.name: _filled(getattr(node, f.name), fill, zone) for f in fields(node)}
    return replace(node, **changed)


def compile_rule(
    expression: Expression,
    properties: Shapes,
    kin: Kin = no_kin,
    parameters: Mapping[str, Number] | None = None,
    zone: str = "UTC",
) -> Kernel:
    """Checks an expression against a model and turns it into a kernel.

    Args:
        expression: what `parse` returned.
        properties: the telemetry and properties of the model by path (`bearing.temperature`).
        kin: what the relatives of a relationship measure.
        parameters: the defaults of `{names}`.
        zone: of schedules that name none.

    Raises:
        InvalidInput: an unknown property or unit, a wrong dimension, a wrong kind; with the place.
    """
    given = dict(parameters or {})

    def fill(node: Parameter) -> Number:
        default, own = given.get(node.name), properties.get(node.name)
        if own is not None and own.kind != "number":
            own = None
        if default is None and own is None:
            raise mistake(
                expression.rule,
                expression.text,
                node.at,
                f"'{{{node.name}}}' has no value",
                f'"parameters": {{"{node.name}": ...}}, or a number of the model of this name',
            )
        if default is None:
            unit = own.unit if own is not None else ""
            return Number(math.nan, unit, node.at, node.name)
        return Number(default.value, default.unit, node.at, node.name)

    condition = _filled(expression.condition, fill, zone)
    return MeasureCompiler(replace(expression, condition=condition), properties, kin).kernel()


def compile_formula(
    expression: Expression, properties: Shapes, kin: Kin = no_kin, unit: str = ""
) -> tuple[Inner, str]:
    """Checks a formula against a model and turns it into what rules compute with.

    Args:
        expression: what `parse_formula` returned.
        properties: what it may name.
        kin: what the relatives of a relationship measure.
        unit: that its values shall have, as a DTDL name; "" is the formula's own. Where the
            formula's is a product of units, or plain, its values are taken as they are.

    Returns:
        The formula, and the unit of its values ("" for none).

    Raises:
        InvalidInput: as `compile_rule`, or its unit cannot be converted to `unit`.
    """
    compiler = MeasureCompiler(expression, properties, kin)
    node = expression.condition
    if first_path(node) is None and not is_computed(node):
        raise compiler.wrong(0, "the formula names no property", "such as sum of power in contains")
    value = compiler.number(node)
    if unit and len(value.unit) == 1 and value.unit[0][1] == 1:
        value = compiler.converted(value, quantity.unit_of(unit), start_of(node), "compare")
    elif not unit and len(value.unit) == 1 and value.unit[0][1] == 1:
        unit = value.unit[0][0]
    return compiler.inner(value.numbers, value.shape), unit
