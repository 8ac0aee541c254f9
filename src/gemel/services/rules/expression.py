"""What a rule says, as a tree of frozen values; `at` is the place in the text, for messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    unit: str
    """As written; "" when none was."""
    at: int
    parameter: str = ""
    """The name in braces that it stands for; the number is then its default (NaN: none)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """`{limit}`: becomes a `Number` once the rule's defaults are known."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    at: int


@dataclass(frozen=True, slots=True)
class Truth:
    value: bool
    at: int


@dataclass(frozen=True, slots=True)
class Path:
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Negative:
    operand: Node
    at: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: str
    left: Node
    right: Node
    at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: Node
    right: Node
    deadband: Number | None
    at: int


@dataclass(frozen=True, slots=True)
class AllOf:
    left: Node
    right: Node
    at: int


@dataclass(frozen=True, slots=True)
class AnyOf:
    left: Node
    right: Node
    at: int


@dataclass(frozen=True, slots=True)
class Negate:
    operand: Node
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """`abs(x)`, `min(x, y, ...)`, `max(x, y, ...)`."""

    function: str
    operands: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A statistic of the readings of a sliding window."""

    statistic: str
    """mean, sd, min, max, percentile, slope, range, rise, fall, count, sum, edges."""
    operand: Node
    window: int
    """ns."""
    share: float
    """Of the percentile, 0 to 1."""
    at: int


@dataclass(frozen=True, slots=True)
class Relation:
    """Which relatives: those that a relationship leads to, or with `incoming` those it is from."""

    name: str
    is_incoming: bool = False
    model: str = ""
    """Only those whose model has this name; "" is all."""
    is_deep: bool = False
    """Those of relatives too, and so on."""


@dataclass(frozen=True, slots=True)
class Gather:
    """A statistic over the relatives as they are now."""

    statistic: str
    operand: Node
    """About each relative."""
    relation: Relation
    at: int


@dataclass(frozen=True, slots=True)
class Quantified:
    """How many of the relatives fulfil a condition."""

    kind: str
    """any, all, none, least, most."""
    count: int
    operand: Node
    """About each relative."""
    relation: Relation
    at: int


@dataclass(frozen=True, slots=True)
class NoReading:
    path: Path
    window: int
    at: int


@dataclass(frozen=True, slots=True)
class Schedule:
    begin: int
    """Minute of the day."""
    end: int
    days: tuple[int, ...]
    """0 is Monday."""
    zone: str
    """IANA name; "" is that of the rule."""
    at: int


Node: TypeAlias = (
    Number
    | Parameter
    | Text
    | Truth
    | Path
    | Negative
    | Arithmetic
    | Comparison
    | AllOf
    | AnyOf
    | Negate
    | Call
    | Measure
    | Gather
    | Quantified
    | NoReading
    | Schedule
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A whole rule text: a condition, how long it must hold, and how long it must be gone."""

    text: str
    condition: Node
    hold: int
    """ns that the condition must hold before the alarm is raised; 0 is at once."""
    off: int
    """ns that it must be gone before the alarm is cleared."""
    rule: str = ""
    """The rule's id, for messages."""


def start_of(node: Node) -> int:
    """The place in the text where the words of a node begin."""
    while isinstance(node, (Arithmetic, Comparison, AllOf, AnyOf)):
        node = node.left
    return node.at
