"""What a condition is mainly about: the first property it names, and the limit beside it."""

from __future__ import annotations

from gemel.services.rules.expression import (
    AllOf,
    AnyOf,
    Arithmetic,
    Call,
    Comparison,
    Gather,
    Measure,
    Negate,
    Negative,
    Node,
    NoReading,
    Number,
    Path,
    Quantified,
    Schedule,
    Text,
    Truth,
)

LIKE_ITS_READINGS = frozenset({"mean", "min", "max", "percentile"})
"""Statistics that are compared with the same limits as single readings."""


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, (AllOf, AnyOf, Arithmetic, Comparison)):
        return node.left, node.right
    if isinstance(node, (Negate, Negative, Measure)):
        return (node.operand,)
    if isinstance(node, Call):
        return node.operands
    if isinstance(node, NoReading):
        return (node.path,)
    return ()


def is_computed(node: Node) -> bool:
    """Whether something is read that is not of the twin itself: relatives, the time of day."""
    return isinstance(node, (Gather, Quantified, Schedule)) or any(
        is_computed(child) for child in _children(node)
    )


def first_compared(node: Node) -> tuple[Path, Number | Text | Truth | Path] | None:
    """The first property that is compared with a fixed value."""
    if isinstance(node, Comparison):
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(side, Measure) and side.statistic in LIKE_ITS_READINGS:
                side = side.operand
            if isinstance(side, Path) and isinstance(other, (Number, Text, Truth)):
                return side, other
    for child in _children(node):
        found = first_compared(child)
        if found is not None:
            return found
    return None


def first_path(node: Node) -> Path | None:
    if isinstance(node, Path):
        return node
    for child in _children(node):
        found = first_path(child)
        if found is not None:
            return found
    return None
