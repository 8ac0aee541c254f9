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


Node: TypeAlias = (
    Number | Text | Truth | Path | Negative | Arithmetic | Comparison | AllOf | AnyOf | Negate
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
