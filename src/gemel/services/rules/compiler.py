"""Tree and model to a kernel: numpy functions over columns of instances, checked beforehand."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput
from gemel.core.series import BESIDE, DERIVED
from gemel.services.rules import quantity
from gemel.services.rules.about import first_compared, first_path, is_computed
from gemel.services.rules.expression import (
    AllOf,
    AnyOf,
    Arithmetic,
    Comparison,
    Expression,
    Negate,
    Negative,
    Node,
    Number,
    Path,
    Text,
    Truth,
    start_of,
)
from gemel.services.rules.features import Feature, Inner, Named, raw_paths
from gemel.services.rules.parser import mistake
from gemel.services.rules.quantity import Unit
from gemel.services.rules.text import code_of_value
from gemel.services.rules.truths import (
    ARITHMETIC,
    ONE,
    OPPOSITE,
    Flags,
    Numbers,
    Truths,
    all_of,
    any_of,
    evaluation,
    negate,
    truths,
)


@dataclass(frozen=True, slots=True)
class PropertyShape:
    """What a rule must know of a property: how to compare it and in which unit it is."""

    kind: str
    """`number`, `boolean`, `text`, `enumeration`; `mixed` where relatives differ."""
    unit: str = ""
    """As in the model, such as `degreeCelsius`."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Enumerations: name to the value that telemetry carries."""
    formula: Inner | None = None
    """How it is computed, if it is a derived property."""
    stands_for: str = ""
    """The path under which its readings come, if that is another: `anomaly.score@derived`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The property a rule is mainly about: what an alarm shows beside its title."""

    path: str
    unit: str
    limit: float | str | bool | None
    is_number: bool = True


@dataclass(frozen=True, slots=True)
class Kernel:
    """A compiled rule; all rules of one `shape` share one kernel call.

    `evaluate(values, parameters)` returns two columns: the condition holds, and it is over (with
    deadbands taken into account). Neither is true where a value that matters is unknown.
    """

    shape: str
    paths: tuple[str, ...]
    """By slot; the subject is slot 0."""
    parameters: tuple[float, ...]
    evaluate: Callable[[F64, F64], tuple[Flags, Flags]]
    hold: int
    off: int
    subject: Subject
    features: Mapping[str, Feature] = field(default_factory=dict)
    """The paths that are computed and not measured."""
    named: tuple[Named, ...] = ()

    @property
    def identity(self) -> str:
        """Equal for rules that decide alike, in every process."""
        parts = (self.shape, self.paths, self.parameters, self.hold, self.off)
        return repr((*parts, [n.name for n in self.named]) if self.named else parts)

    @property
    def raw_paths(self) -> set[str]:
        """The twin's own telemetry and properties that it reads."""
        return raw_paths(self.paths, self.features)


@dataclass(frozen=True, slots=True)
class Value:
    """A number that is computed: its unit, whether it is a difference, and how."""

    unit: Unit
    is_difference: bool
    numbers: Numbers
    shape: str


class Compiler:
    """Walks one tree; slots and parameters are numbered as they are met."""

    def __init__(self, expression: Expression, properties: Mapping[str, PropertyShape]) -> None:
        self.expression = expression
        self.properties = properties
        self.slots: dict[str, int] = {}
        self.parameters: list[float] = []
        self.features: dict[str, Feature] = {}
        self.named: list[Named] = []
        self.has_deadband = False

    def wrong(self, at: int, what: str, expected: str = "") -> InvalidInput:
        return mistake(self.expression.rule, self.expression.text, at, what, expected)

    # -- names and numbers --------------------------------------------------------------------

    def property_of(self, path: Path) -> PropertyShape:
        name, mark, _ = path.name.partition(BESIDE)
        found = self.properties.get(name)
        if found is not None and mark:
            found = PropertyShape(found.kind, found.unit, found.values, stands_for=path.name)
            if found.kind != "number":
                raise self.wrong(path.at, f"'{name}' is no number", "a number")
        if found is None:
            path = Path(name, path.at)
            near = difflib.get_close_matches(path.name, self.properties, 3, 0.5)
            names = near or sorted(self.properties)[:8]
            expected = "one of: " + ", ".join(names) if names else "a model with telemetry"
            raise self.wrong(
                path.at, f"the model has no telemetry or property '{path.name}'", expected
            )
        if found.kind == "mixed":
            what = f"the relatives measure '{path.name}' in different units or ways"
            raise self.wrong(path.at, what, "the name of a model, such as 'of Pump'")
        return found

    def place_of(self, path: Path) -> str:
        """What the slot of a path is called."""
        found = self.property_of(path)
        if found.formula is not None:
            self.features[found.formula.key] = found.formula
            return found.formula.key
        return found.stands_for or path.name

    def read(self, path: Path) -> tuple[Numbers, str]:
        slot = self.slots.setdefault(self.place_of(path), len(self.slots))
        return lambda x, _p: x[slot], f"x{slot}"

    def parameter(self, value: float) -> tuple[Numbers, str]:
        number = len(self.parameters)
        self.parameters.append(value)
        return lambda _x, p: p[number], f"p{number}"

    def unit(self, number: Number) -> Unit:
        try:
            return quantity.written(number.unit)
        except InvalidInput as error:
            at = max(self.expression.text.find(number.unit, number.at), number.at)
            expected = error.hint or "a unit such as °C, %, bar, m³/h, kW or mm/s"
            raise self.wrong(at, f"there is no unit '{number.unit}'", expected) from error

    def fixed(self, number: Number, like: Unit, *, is_difference: bool) -> float:
        """A number of the text in the unit of what it meets."""
        if not number.unit:
            return number.value
        unit = self.unit(number)
        found = quantity.conversion(unit, like)
        if found is None:
            what = f"'{number.unit}' does not fit here: the other side is {measured(like)}"
            raise self.wrong(
                number.at, what, "a plain number" if not like else f"{quantity.shown(like)}"
            )
        scale, offset = found
        return number.value * scale + (0.0 if is_difference else offset)

    def literal(self, number: Number, like: Value, *, is_difference: bool) -> Value:
        value = self.fixed(number, like.unit, is_difference=is_difference)
        numbers, shape = self.parameter(value)
        if number.parameter:
            self.name_parameter(number, like.unit, is_difference=is_difference)
        return Value(like.unit, is_difference, numbers, shape)

    def name_parameter(self, number: Number, like: Unit, *, is_difference: bool) -> None:
        """Notes that the parameter added last is the twin's own value, where it has one."""
        own = self.properties.get(number.parameter)
        scale, offset = 1.0, 0.0
        if own is not None and own.unit:
            found = quantity.conversion(quantity.unit_of(own.unit), like)
            if found is None:
                what = f"'{number.parameter}' is in {quantity.shown(quantity.unit_of(own.unit))}"
                raise self.wrong(number.at, what, f"a value {measured(like)}")
            scale, offset = found
        offset = 0.0 if is_difference else offset
        self.named.append(Named(len(self.parameters) - 1, number.parameter, scale, offset))

    def converted(self, value: Value, like: Unit, at: int, verb: str) -> Value:
        found = quantity.conversion(value.unit, like)
        if found is None:
            raise self.wrong(
                at,
                f"cannot {verb} {measured(like)} and {measured(value.unit)}",
                "two values of one dimension",
            )
        scale, offset = found
        if value.is_difference:
            offset = 0.0
        if (scale, offset) == (1.0, 0.0):
            return Value(like, value.is_difference, value.numbers, value.shape)
        (by, by_shape), (plus, plus_shape) = self.parameter(scale), self.parameter(offset)
        inner = value.numbers
        return Value(
            like,
            value.is_difference,
            lambda x, p: inner(x, p) * by(x, p) + plus(x, p),
            f"({value.shape}*{by_shape}+{plus_shape})",
        )

    # -- arithmetic ---------------------------------------------------------------------------

    def number(self, node: Node) -> Value:
        """A node that must be a number."""
        if isinstance(node, Number):
            numbers, shape = self.parameter(node.value)
            unit = self.unit(node) if node.unit else quantity.PLAIN
            if node.parameter:
                self.name_parameter(node, unit, is_difference=False)
            return Value(unit, False, numbers, shape)
        if isinstance(node, Path):
            found = self.property_of(node)
            if found.kind != "number":
                raise self.wrong(
                    node.at, f"'{node.name}' is {_a(found.kind)}, not a number", "a number"
                )
            numbers, shape = self.read(node)
            return Value(quantity.unit_of(found.unit), False, numbers, shape)
        if isinstance(node, Negative):
            inner = self.number(node.operand)
            operand = inner.numbers
            return Value(
                inner.unit, inner.is_difference, lambda x, p: -operand(x, p), f"(-{inner.shape})"
            )
        if isinstance(node, Arithmetic):
            return self.sum(node) if node.operator in "+-" else self.product(node)
        raise self.wrong(start_of(node), "a number must stand here", "a property or a number")

    def sum(self, node: Arithmetic) -> Value:
        minus = node.operator == "-"
        if isinstance(node.right, Number):
            left = self.number(node.left)
            right = self.literal(node.right, left, is_difference=bool(left.unit))
        elif isinstance(node.left, Number):
            right = self.number(node.right)
            left = self.literal(node.left, right, is_difference=bool(right.unit) and not minus)
        else:
            left, right = self.number(node.left), self.number(node.right)
            verb = "subtract" if minus else "add"
            right = self.converted(right, left.unit, node.at, verb)
        between = left.is_difference == right.is_difference
        is_difference = between if minus else left.is_difference and right.is_difference
        return self.joined(node, left, right, left.unit, is_difference=is_difference)

    def product(self, node: Arithmetic) -> Value:
        left, right = self.number(node.left), self.number(node.right)
        sign = 1 if node.operator == "*" else -1
        if sign < 0 and right.unit and quantity.conversion(right.unit, left.unit):
            right = self.converted(right, left.unit, node.at, "divide")
        unit = quantity.product(left.unit, right.unit, sign)
        is_difference = left.is_difference or right.is_difference
        return self.joined(node, left, right, unit, is_difference=is_difference)

    def joined(
        self, node: Arithmetic, left: Value, right: Value, unit: Unit, *, is_difference: bool
    ) -> Value:
        join, first, second = ARITHMETIC[node.operator], left.numbers, right.numbers
        return Value(
            unit,
            is_difference,
            lambda x, p: join(first(x, p), second(x, p)),
            f"({left.shape}{node.operator}{right.shape})",
        )

    # -- conditions ---------------------------------------------------------------------------

    def condition(self, node: Node, *, held: bool, is_positive: bool = True) -> tuple[Truths, str]:
        """A node that must be true or false.

        Args:
            node: the tree.
            held: whether deadbands widen the condition, as they do while an alarm stands.
            is_positive: False below an odd number of `not`.
        """
        if isinstance(node, (AllOf, AnyOf)):
            left, left_shape = self.condition(node.left, held=held, is_positive=is_positive)
            right, right_shape = self.condition(node.right, held=held, is_positive=is_positive)
            if isinstance(node, AllOf):
                return all_of(left, right), f"({left_shape}&{right_shape})"
            return any_of(left, right), f"({left_shape}|{right_shape})"
        if isinstance(node, Negate):
            inner, shape = self.condition(node.operand, held=held, is_positive=not is_positive)
            return negate(inner), f"!{shape}"
        if isinstance(node, Comparison):
            return self.comparison(node, held=held, is_positive=is_positive)
        if isinstance(node, Path) and self.property_of(node).kind == "boolean":
            numbers, shape = self.read(node)
            return truths("==", numbers, lambda _x, _p: ONE), f"({shape}=1)"
        raise self.wrong(
            start_of(node), "this is neither true nor false", "a comparison such as x > 80 °C"
        )

    def comparison(self, node: Comparison, *, held: bool, is_positive: bool) -> tuple[Truths, str]:
        words = self.words(node)
        if words is not None:
            if node.deadband is not None:
                raise self.wrong(node.deadband.at, "only numbers have a deadband", "no deadband")
            left, right, shape = words
            return truths(node.operator, left, right), shape
        one, other = self.sides(node)
        shape = f"({one.shape}{node.operator}{other.shape}"
        if node.deadband is None:
            return truths(node.operator, one.numbers, other.numbers), shape + ")"
        width = self.deadband(node, one)
        if not held:
            return truths(node.operator, one.numbers, other.numbers), shape + ")"
        toward = 1.0 if (node.operator[0] == ">") == is_positive else -1.0
        shift, shift_shape = self.parameter(toward * width)
        widened = one.numbers
        return (
            truths(node.operator, lambda x, p: widened(x, p) + shift(x, p), other.numbers),
            f"{shape}~{shift_shape})",
        )

    def deadband(self, node: Comparison, like: Value) -> float:
        band = node.deadband
        if band is None:
            return 0.0
        if node.operator not in OPPOSITE:
            raise self.wrong(band.at, f"'{node.operator}' has no deadband", "> >= < or <=")
        width = self.fixed(band, like.unit, is_difference=True)
        if width <= 0:
            raise self.wrong(band.at, "a deadband must be more than 0", "a number above 0")
        self.has_deadband = True
        return width

    def sides(self, node: Comparison) -> tuple[Value, Value]:
        """Both sides of a comparison of numbers, in the unit of the left one that is computed."""
        if isinstance(node.left, Number) and isinstance(node.right, Number):
            raise self.wrong(
                node.left.at, "this compares two fixed numbers", "a property on one side"
            )
        if isinstance(node.right, Number):
            left = self.number(node.left)
            return left, self.literal(node.right, left, is_difference=left.is_difference)
        if isinstance(node.left, Number):
            right = self.number(node.right)
            return self.literal(node.left, right, is_difference=right.is_difference), right
        left, right = self.number(node.left), self.number(node.right)
        return left, self.converted(right, left.unit, node.at, "compare")

    def words(self, node: Comparison) -> tuple[Numbers, Numbers, str] | None:
        """Both sides of a comparison of texts, booleans or enumerations; None for numbers."""
        kinds = {self.kind_of(node.left), self.kind_of(node.right)}
        if kinds == {"number"}:
            return None
        if node.operator not in ("==", "!="):
            raise self.wrong(
                node.at, f"'{node.operator}' compares numbers, and this is not one", "== or !="
            )
        if kinds not in ({"text"}, {"boolean"}, {"enumeration"}) and (
            "enumeration" not in kinds or "boolean" in kinds
        ):
            names = " with ".join(_a(kind) for kind in sorted(kinds))
            raise self.wrong(node.at, f"cannot compare {names}", "two values of one kind")
        left, left_shape = self.word(node.left, node.right)
        right, right_shape = self.word(node.right, node.left)
        return left, right, f"({left_shape}{node.operator}{right_shape})"

    def kind_of(self, node: Node) -> str:
        if isinstance(node, Path):
            return self.property_of(node).kind
        if isinstance(node, Text):
            return "text"
        if isinstance(node, Truth):
            return "boolean"
        if isinstance(node, (Comparison, AllOf, AnyOf, Negate)):
            raise self.wrong(start_of(node), "a condition cannot be compared", "a value")
        return "number"

    def word(self, node: Node, other: Node) -> tuple[Numbers, str]:
        if isinstance(node, Path):
            return self.read(node)
        if isinstance(node, Truth):
            return self.parameter(float(node.value))
        if isinstance(other, Path) and self.property_of(other).kind == "enumeration":
            return self.parameter(code_of_value(self.enumerated(node, other)))
        if isinstance(node, Text):
            return self.parameter(code_of_value(node.value))
        raise self.wrong(
            start_of(node), "this cannot be compared with a text", 'a text in "quotes"'
        )

    def enumerated(self, node: Node, path: Path) -> Any:
        values = self.property_of(path).values
        if isinstance(node, Text) and node.value in values:
            return values[node.value]
        if isinstance(node, (Text, Number)) and node.value in values.values():
            return node.value
        names = ", ".join(f'"{name}"' for name in values)
        raise self.wrong(start_of(node), f"'{path.name}' never has this value", f"one of {names}")

    # -- the whole ----------------------------------------------------------------------------

    def about(self) -> tuple[Path, Node | None]:
        """The property that the condition is mainly about, and what it is compared with."""
        compared = first_compared(self.expression.condition)
        if compared is not None:
            return compared
        first = first_path(self.expression.condition)
        return (first or Path("", 0)), None

    def subject(self) -> Subject:
        path, other = self.about()
        if not path.name:
            return Subject("", "", None)
        shape = self.property_of(path)
        limit: float | str | bool | None = None
        if isinstance(other, Number) and shape.kind == "number":
            like = quantity.unit_of(shape.unit)
            limit = self.fixed(other, like, is_difference=False)
            limit = None if math.isnan(limit) else limit
        elif isinstance(other, (Text, Truth, Number)):
            limit = other.value
        name = f"{path.name}{BESIDE}{DERIVED}" if shape.formula is not None else path.name
        return Subject(shape.stands_for or name, shape.unit, limit, shape.kind == "number")

    def kernel(self) -> Kernel:
        first = first_path(self.expression.condition)
        if first is None and not is_computed(self.expression.condition):
            raise self.wrong(0, "the rule names no property", "such as temperature > 80 °C")
        self.slots["" if first is None else self.place_of(self.about()[0])] = 0
        raised, shape = self.condition(self.expression.condition, held=False)
        over: Truths | None = None
        if self.has_deadband:
            over, held_shape = self.condition(self.expression.condition, held=True)
            shape += "/" + held_shape
        return Kernel(
            shape,
            tuple(self.slots),
            tuple(self.parameters),
            evaluation(raised, over),
            self.expression.hold,
            self.expression.off,
            self.subject(),
            dict(self.features),
            tuple(self.named),
        )


def measured(unit: Unit) -> str:
    return f"in {quantity.shown(unit)}" if unit else "a plain number without a unit"


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
