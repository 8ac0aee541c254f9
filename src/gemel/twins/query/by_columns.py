"""Answers that columns alone can give: counts, groups, and the order of rows, all twins at once."""

from __future__ import annotations

from collections.abc import Generator, Sequence, Set
from typing import Any, TypeAlias, TypeVar

import numpy as np

from gemel.core.batch import I64
from gemel.twins.query.cells import IS_NUMBER, IS_UNDEFINED, Alike, Steps, alike, ranks, sums_of
from gemel.twins.query.columns import is_columnar
from gemel.twins.query.meter import Meter
from gemel.twins.query.patterns import Finder
from gemel.twins.query.scan import paths_of
from gemel.twins.query.tree import Path, Sort
from gemel.twins.query.values import UNDEFINED
from gemel.twins.records import Twin

T = TypeVar("T")
Found: TypeAlias = Generator[None, None, T | None]
"""Yields to let others work; None where columns cannot tell."""


class ByColumns:
    """One query over twins that are not joined; WHERE must be of what columns can judge."""

    def __init__(self, finder: Finder, meter: Meter) -> None:
        self._finder = finder
        self._meter = meter

    def count(self) -> Found[int]:
        """How many twins there are."""
        rows = yield from self._rows(set())
        return None if rows is None else len(rows)

    def ordered(self, order: Sequence[Sort]) -> Found[list[Twin]]:
        """The twins in an order; those that are alike in it by id."""
        wanted = {sort.value.steps for sort in order if isinstance(sort.value, Path)}
        if not order or not all(isinstance(sort.value, Path) for sort in order):
            return None
        rows = yield from self._rows(wanted)
        if rows is None:
            return None
        keys: list[Any] = []
        for sort in order:
            assert isinstance(sort.value, Path), "asked above"
            found = ranks(self._finder.table.cells(sort.value.steps, self._finder.reader), rows)
            if found is None:
                return None
            keys += [-key for key in found] if sort.is_descending else found
        twins = self._finder.table.twins
        return [twins[row] for row in rows[np.lexsort(keys[::-1])].tolist()]

    def alike(self, paths: Sequence[Path], summed: Set[Steps]) -> Found[Kinds]:
        """The kinds of twins that are alike in the values at some paths, with sums of others."""
        rows = yield from self._rows({path.steps for path in paths} | summed)
        if rows is None:
            return None
        table, reader = self._finder.table, self._finder.reader
        kinds = np.zeros(len(rows), np.int64)
        for path in paths:
            own = alike(table.cells(path.steps, reader), rows)
            _, kinds = np.unique(kinds * (len(rows) + 1) + own, return_inverse=True)
        _, first, kinds, count = np.unique(
            kinds, return_index=True, return_inverse=True, return_counts=True
        )
        sums: dict[Steps, tuple[list[float], list[int]]] = {}
        for steps in summed:
            found_sums = sums_of(table.cells(steps, reader), rows, kinds, len(first))
            if found_sums is None:
                return None
            sums[steps] = found_sums
        return Kinds(self._finder, [path.steps for path in paths], rows[first], count, sums)

    def _rows(self, wanted: Set[Steps]) -> Found[I64]:
        """The rows of the twins that WHERE lets pass; on return all columns are prepared."""
        finder = self._finder
        if finder.query.hops or finder.query.collection == "relationships":
            return None
        if not all(map(is_columnar, wanted)):
            return None
        paths = set(wanted)
        for condition in finder.conditions:
            own = paths_of(condition)
            if own is None:
                return None
            paths |= own
        yield from finder.table.prepare(paths, self._meter)
        return np.flatnonzero(finder.mask(finder.conditions))


class Kinds:
    """Twins by what they have alike; only those kinds are read that are asked for."""

    def __init__(
        self,
        finder: Finder,
        paths: Sequence[Steps],
        first: I64,
        count: I64,
        sums: dict[Steps, tuple[list[float], list[int]]],
    ) -> None:
        """`first` is the row of the first twin of each kind, `count` how many there are."""
        self._finder = finder
        self._paths = paths
        self._first = first
        self._count = count
        self._sums = sums

    def __len__(self) -> int:
        return len(self._first)

    def in_order(self) -> list[int] | None:
        """The kinds sorted by their values as ORDER BY does; None where columns cannot tell."""
        table, reader = self._finder.table, self._finder.reader
        keys: list[Any] = []
        for steps in self._paths:
            found = ranks(table.cells(steps, reader), self._first)
            if found is None:
                return None
            keys += found
        return list(np.lexsort(keys[::-1]).tolist()) if keys else None

    def all(self) -> list[Alike]:
        """In the order in which the first twin of each kind comes."""
        return self.some(np.argsort(self._first).tolist())

    def some(self, kinds: Sequence[int]) -> list[Alike]:
        rows = self._first[kinds]
        values = {steps: self._values(steps, rows) for steps in self._paths}
        return [
            Alike(
                {steps: own[at] for steps, own in values.items()},
                int(self._count[kind]),
                {steps: (one[0][kind], one[1][kind]) for steps, one in self._sums.items()},
            )
            for at, kind in enumerate(kinds)
        ]

    def _values(self, steps: Steps, rows: I64) -> list[object]:
        """The values of a prepared column in some rows."""
        table, reader = self._finder.table, self._finder.reader
        cells, twins = table.cells(steps, reader), table.twins
        distinct, found = cells.distinct.values, list[object]()
        for row, code, number in zip(
            rows.tolist(), cells.code[rows].tolist(), cells.number[rows].tolist(), strict=True
        ):
            if code == IS_UNDEFINED:
                found.append(UNDEFINED)
            elif code != IS_NUMBER:
                found.append(distinct[code])
            else:  # a whole number may be written as 5 or as 5.0
                found.append(reader.value(twins[row], steps) if number % 1 == 0 else number)
        return found
