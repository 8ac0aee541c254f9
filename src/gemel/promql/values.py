"""What is computed with: matrices of series by moments, and ranges of readings behind each moment.

A grid is the moments that a query is asked for: one for an instant query, up to 11,000 for a
range. All are computed at once, so a value is a matrix, and `there` says where it has one: NaN is
a value of PromQL and not the lack of one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.errors import Refused, Unavailable
from gemel.promql.tree import Matcher

NAME = "__name__"
Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs of label and value, sorted; no value is empty."""
There: TypeAlias = NDArray[np.bool_]
ROWS_A_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Grid:
    """The moments at which something is computed (ns), and the ends of the whole query."""

    times: I64
    begin: int
    end: int


@dataclass(slots=True)
class Budget:
    """How much one query may read and compute, and for how long."""

    samples: int
    seconds: float
    left: int = field(init=False)
    until: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.samples
        self.until = time.monotonic() + self.seconds

    def spend(self, samples: int) -> None:
        """Takes note of readings or values that are held.

        Raises:
            Refused: more than may be.
            Unavailable: it takes too long.
        """
        self.left -= samples
        if self.left < 0:
            raise Refused(
                "query processing would load too many samples into memory: more than "
                f"{self.samples:,}",
                hint="ask for fewer series, a shorter span or a wider step; the setting "
                "promql_samples",
            )
        self.check()

    def check(self) -> None:
        if time.monotonic() > self.until:
            raise Unavailable(
                f"query timed out after {self.seconds:g} s",
                hint="ask for less; the setting promql_timeout",
            )


@dataclass(frozen=True, slots=True)
class Selected:
    """The readings of series that have any: one series behind the other, in order of time.

    Shapes: time and value are (rows,); borders is (series + 1,): where each series begins.
    """

    labels: Sequence[Labels]
    time: I64
    value: F64
    borders: I64


class Source(Protocol):
    """Where series come from."""

    def select(self, matchers: Sequence[Matcher], start: int, end: int, budget: Budget) -> Selected:
        """All series that fit, with their readings from `start` to `end` (ns), both included."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number for each moment."""

    value: F64


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Vector:
    """Shapes: value and there are (series, moments)."""

    labels: list[Labels]
    value: F64
    there: There

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> Vector:
        places = np.asarray(rows, np.intp)
        return Vector([self.labels[i] for i in places], self.value[places], self.there[places])


@dataclass(frozen=True, slots=True)
class Ranges:
    """The readings behind each moment: of series i at moment j the rows low[i, j] to high[i, j].

    Shapes: time and value are (rows,); low and high are (series, moments); ends is (moments,).
    """

    labels: list[Labels]
    time: I64
    value: F64
    low: I64
    high: I64
    ends: I64
    """The last moment of each range, itself included."""
    span: int
    """ns from its first to its last moment."""
    borders: I64
    budget: Budget

    @property
    def counts(self) -> I64:
        return self.high - self.low

    def reduce(self, ufunc: np.ufunc, value: F64, skip: int = 0) -> F64:
        """A ufunc over each range but for its first `skip` rows; 0 where no rows are left."""
        low, high = self.low + skip, self.high
        filled = high > low
        self.budget.check()
        found = np.zeros(low.shape)
        edges = np.stack((low[filled], high[filled]), axis=1).ravel()
        if len(edges):
            found[filled] = ufunc.reduceat(np.append(value, 0.0), edges)[::2]
        return found

    def pieces(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
        """Rows of all ranges that have any, one range behind the other, about a million at a time.

        Gives (cells of the matrix, flat; rows; where each cell's rows begin).
        """
        counts, low = self.counts.ravel(), self.low.ravel()
        cells = np.flatnonzero(counts)
        ends = np.cumsum(counts[cells])
        at = 0
        while at < len(cells):
            self.budget.check()
            before = int(ends[at - 1]) if at else 0
            stop = max(at + 1, int(np.searchsorted(ends, before + ROWS_A_PIECE, "right")))
            these = cells[at:stop]
            sizes = counts[these]
            starts = np.cumsum(sizes) - sizes
            rows = np.repeat(low[these] - starts, sizes) + np.arange(int(sizes.sum()))
            yield these, rows, starts
            at = stop


Value: TypeAlias = Vector | Scalar | Text | Ranges


def without_name(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != NAME)


def unnamed(vector: Vector) -> Vector:
    """The same without names, as what is computed has none."""
    return merged(Vector([*map(without_name, vector.labels)], vector.value, vector.there))


def merged(vector: Vector) -> Vector:
    """Series of equal labels made one.

    Raises:
        Refused: two of them have a value at one moment.
    """
    places: dict[Labels, int] = {}
    of = [places.setdefault(labels, len(places)) for labels in vector.labels]
    if len(places) == len(of):
        return vector
    there = np.zeros((len(places), vector.there.shape[1]), np.int64)
    value = np.zeros(there.shape)
    for row, place in enumerate(of):
        there[place] += vector.there[row]
        value[place] = np.where(vector.there[row], vector.value[row], value[place])
    if (there > 1).any():
        twice = next(labels for labels, at in places.items() if (there[at] > 1).any())
        raise Refused(
            f"vector cannot contain metrics with the same labelset: {shown(twice)}",
            hint="aggregate, or choose by __name__",
        )
    return Vector(list(places), value, there > 0)


def shown(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"


def check_label(name: str, function: str) -> None:
    """Refuses what is no label's name."""
    if not name.isidentifier() or not name.isascii():
        raise Refused(f"invalid label name '{name[:80]}' in {function}")


def written(number: float) -> str:
    """A number as a label's value has it: never with an exponent."""
    if np.isnan(number):
        return "NaN"
    if np.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return np.format_float_positional(number, trim="-")
