"""The values of one path as numpy arrays: numbers, and codes of the distinct values of other kinds.

A condition is judged once for each distinct value, and for all numbers at once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

import numpy as np
import orjson

from gemel.core.batch import F64, I32, I64, U8
from gemel.twins.query.values import NUMBER, TEXT, UNDEFINED, UNDEFINED_KIND, kind_of, order_key

Steps = tuple[str, ...]
IS_NUMBER, IS_UNDEFINED, IS_NEW = -1, -2, -3
EXACT = 1 << 53
"""Integers below are exact as float64; larger ones are kept as distinct values."""


@dataclass(slots=True)
class Distinct:
    """Distinct values that are not plain numbers, each with its code."""

    values: list[object] = field(default_factory=list)
    codes: dict[tuple[int, object], int] = field(default_factory=dict)
    _kinds: U8 = field(default_factory=lambda: np.empty(0, np.uint8))
    _places: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    _texts: list[str] = field(default_factory=list)
    """The texts among them, sorted, as far as `_sorted` of the values go."""
    _sorted: int = 0

    def code(self, value: object) -> int:
        kind = kind_of(value)
        key: tuple[int, object] = (kind, value)
        if isinstance(value, dict | list):
            key = (kind, orjson.dumps(value))
        found = self.codes.get(key)
        if found is None:
            found = self.codes[key] = len(self.values)
            self.values.append(value)
        return found

    def cells_of(self, values: list[object]) -> tuple[list[int], list[float]]:
        """For each value its code, and the number that it is, or 0."""
        codes, numbers, known = list[int](), list[float](), self.codes
        for value in values:
            kind = type(value)
            number = 0.0
            if kind is str:
                code = known.get((TEXT, value), IS_NEW)
            elif value is UNDEFINED:
                code = IS_UNDEFINED
            elif kind is float or (kind is int and abs(value) < EXACT):  # type: ignore[arg-type]
                code, number = IS_NUMBER, value  # type: ignore[assignment]
            else:
                code = IS_NEW
            codes.append(self.code(value) if code == IS_NEW else code)
            numbers.append(number)
        return codes, numbers

    def texts_from(self, prefix: str) -> list[int]:
        """The codes of the texts that start so.

        Cost: that of a search; the first time, and after new values came, that of sorting.
        """
        if self._sorted < len(self.values):
            self._texts += [v for v in self.values[self._sorted :] if isinstance(v, str)]
            self._texts.sort()
            self._sorted = len(self.values)
        size, texts = len(prefix), self._texts
        begin = bisect_left(texts, prefix)
        end = bisect_right(texts, prefix, begin, key=lambda text: text[:size])
        return [self.codes[TEXT, text] for text in texts[begin:end]]

    @property
    def places(self) -> I64:
        """Of each value, where it stands when all are sorted."""
        known = len(self._places)
        if known < len(self.values):
            order = sorted(range(len(self.values)), key=lambda at: order_key(self.values[at]))
            self._places = np.empty(len(order), np.int64)
            self._places[order] = np.arange(len(order))
        return self._places

    @property
    def kinds(self) -> U8:
        """Of each value, as `values.kind_of` says."""
        known = len(self._kinds)
        if known < len(self.values):
            more = np.fromiter(map(kind_of, self.values[known:]), np.uint8)
            self._kinds = np.concatenate([self._kinds, more])
        return self._kinds


@dataclass(slots=True)
class Cells:
    """The values of one path: `code` is `IS_NUMBER`, `IS_UNDEFINED`, or an index of `distinct`."""

    number: F64
    code: I32
    distinct: Distinct

    def put(self, row: int, value: object) -> None:
        if value is UNDEFINED:
            self.code[row] = IS_UNDEFINED
        elif kind_of(value) == NUMBER and (isinstance(value, float) or abs(value) < EXACT):  # type: ignore[arg-type]
            self.code[row] = IS_NUMBER
            self.number[row] = value  # type: ignore[call-overload]
        else:
            self.code[row] = self.distinct.code(value)


@dataclass(frozen=True, slots=True)
class Alike:
    """Twins that have the same values at some paths."""

    values: dict[Steps, object]
    count: int
    sums: dict[Steps, tuple[float, int]]
    """Of other paths: the sum of their numbers, and how many there are."""


def alike(cells: Cells, rows: I64) -> I64:
    """A number for each of these rows, the same where the values are the same."""
    codes = cells.code[rows].astype(np.int64)
    is_number = codes == IS_NUMBER
    codes[~is_number] = codes[~is_number] - IS_UNDEFINED
    above = int(codes.max(initial=0)) + 1
    codes[is_number] = np.unique(cells.number[rows[is_number]], return_inverse=True)[1] + above
    _, dense = np.unique(codes, return_inverse=True)
    return dense.astype(np.int64)


def ranks(cells: Cells, rows: I64) -> list[F64] | None:
    """Keys, the first counting most, by which these rows sort as ORDER BY sorts their values.

    None where a column does not tell, as of numbers too large for it.
    """
    distinct = cells.distinct
    if (distinct.kinds == NUMBER).any():
        return None
    codes = cells.code[rows]
    kind = np.concatenate([[UNDEFINED_KIND, NUMBER], distinct.kinds]).astype(np.float64)
    place = np.concatenate([[0, 0], distinct.places]).astype(np.float64)
    values = np.where(codes == IS_NUMBER, cells.number[rows], place[codes + 2])
    return [kind[codes + 2], values]


def sums_of(
    cells: Cells, rows: I64, kinds: I64, count: int
) -> tuple[list[float], list[int]] | None:
    """Sum and number of the numbers among these rows, by kind; None where float64 is not exact."""
    if (cells.distinct.kinds == NUMBER).any():
        return None  # numbers too large for a column
    is_number = cells.code[rows] == IS_NUMBER
    values, kinds = cells.number[rows[is_number]], kinds[is_number]
    if len(values) and float(np.abs(values).sum()) >= EXACT:
        return None
    totals = np.bincount(kinds, values, count).tolist()
    is_whole = np.bincount(kinds, values % 1 != 0, count) == 0
    for kind in np.flatnonzero(is_whole).tolist():
        totals[kind] = int(totals[kind])  # as a sum of whole numbers is written
    return totals, np.bincount(kinds, minlength=count).tolist()


def texts_of(distinct: Distinct) -> bool:
    """Whether all distinct values are texts."""
    kinds = distinct.kinds
    return bool((kinds == TEXT).all())
