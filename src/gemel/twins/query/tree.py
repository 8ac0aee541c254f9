"""What a query says, as a tree; `at` is the place in the text that errors point at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Literal:
    value: Scalar
    at: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    """A value of a twin or relationship; without `steps` it is that itself."""

    alias: str
    """"" until names are resolved."""
    steps: tuple[str, ...]
    at: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A function in capitals, with paths and literals."""

    name: str
    arguments: tuple[Path | Literal, ...]
    is_exact: bool = False
    at: int = 0


@dataclass(frozen=True, slots=True)
class Compare:
    operator: str
    left: Condition
    right: Condition
    at: int = 0


@dataclass(frozen=True, slots=True)
class Within:
    """IN, or NIN if `is_negative`."""

    operand: Condition
    values: tuple[Scalar, ...]
    is_negative: bool = False
    at: int = 0


@dataclass(frozen=True, slots=True)
class Negate:
    operand: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    operands: tuple[Condition, ...]


Condition: TypeAlias = Literal | Path | Call | Compare | Within | Negate | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the answer."""

    value: Path | Call
    name: str
    """What it is called in the answer; "" until names are resolved if none is given."""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Hop:
    """A step along relationships from one twin to another, of JOIN or MATCH."""

    source: str
    target: str
    variable: str
    """The relationship's name in the query; "" if it has none."""
    names: frozenset[str]
    """Relationship names that are followed; empty is any."""
    direction: str
    """`out` (source to target), `in` or `any`."""
    lowest: int = 1
    highest: int = 1
    at: int = 0

    @property
    def is_single(self) -> bool:
        return self.lowest == self.highest == 1


@dataclass(frozen=True, slots=True)
class Sort:
    value: Path | Call
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    collection: str
    """`twins` or `relationships`."""
    base: str
    """The first name in FROM or MATCH; "" if it has none."""
    nodes: tuple[str, ...] = ()
    """All twins of the pattern; those without a name are called `#1` and so on."""
    hops: tuple[Hop, ...] = ()
    columns: tuple[Column, ...] = ()
    """Empty is `*`."""
    top: int | None = None
    where: Condition | None = None
    group: tuple[Path, ...] = ()
    order: tuple[Sort, ...] = ()
    is_match: bool = False
    as_of: int | None = None
    """ns: what was true then; None is now."""
    recorded: int | None = None
    """ns: as it was known then; None is as it is known now."""
    top_at: int = 0
    star_at: int = 0
    base_at: int = 0


AGGREGATES = frozenset({"COUNT", "MIN", "MAX", "AVG", "SUM"})
READINGS = frozenset({"TIME", "QUALITY"})
TYPE_TESTS = frozenset(
    {
        "IS_DEFINED",
        "IS_NULL",
        "IS_BOOL",
        "IS_NUMBER",
        "IS_STRING",
        "IS_PRIMITIVE",
        "IS_OBJECT",
    }
)
TEXT_TESTS = frozenset({"STARTSWITH", "ENDSWITH", "CONTAINS"})
FUNCTIONS = (
    AGGREGATES | READINGS | TYPE_TESTS | TEXT_TESTS | frozenset({"IS_OF_MODEL", "ARRAY_CONTAINS"})
)
