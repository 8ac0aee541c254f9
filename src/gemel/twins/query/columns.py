"""One property of all twins at once, in numpy columns that are kept between queries.

A `Table` holds the twins in order of id. A `Column` holds one path of all of them: numbers in an
array, everything else as a code into a list of distinct values, so that a condition is judged once
for each distinct value. Device values are laid over it when it is read. After edits only the rows
that changed are read again; this is found by comparing twins by identity, as a twin never changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import orjson
from numpy.typing import NDArray

from gemel.core.batch import F64, I32, I64, U8
from gemel.twins.graph import Graph
from gemel.twins.query.meter import Meter
from gemel.twins.query.reading import Live, Places, Reader, typed
from gemel.twins.query.values import NUMBER, TEXT, UNDEFINED, kind_of, walk
from gemel.twins.records import Twin, value_time
from gemel.twins.state import LastValue

IS_NUMBER, IS_UNDEFINED = -1, -2
EXACT = 1 << 53
"""Integers below are exact as float64; larger ones are kept as distinct values."""
MOST_COLUMNS = 64
MOST_PATCHED = 1_000
"""Changed twins that are taken in one by one."""
COMPUTED = (("$dtId",), ("$etag",), ("$metadata", "$model"))
Pauses = Generator[None, None, None]
Steps = tuple[str, ...]
Sums = dict[Steps, tuple[float, int]]
"""By path: the sum of its numbers, and how many there are."""


def is_columnar(steps: tuple[str, ...]) -> bool:
    """Whether a path is kept as a column."""
    return bool(steps) and (steps in COMPUTED or not steps[0].startswith("$"))


@dataclass(slots=True)
class Distinct:
    """Distinct values that are not plain numbers, each with its code."""

    values: list[object] = field(default_factory=list)
    codes: dict[tuple[int, object], int] = field(default_factory=dict)
    _kinds: U8 = field(default_factory=lambda: np.empty(0, np.uint8))

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


@dataclass(slots=True)
class Column:
    """The stored values of one path, and which series may show later ones."""

    twins: list[Twin]
    """What it was read from, row by row."""
    cells: Cells
    series: I32
    """-1 where no single series belongs to the value."""
    since: I64
    """ns: a device value counts if it is later."""
    is_boolean: NDArray[np.bool_]
    nested: dict[int, tuple[int, ...]]
    """Row to the series of values that are parts of others."""
    seen: int
    """How many series there were."""


class Table:
    """Twins in order of id with columns of their values."""

    def __init__(
        self, graph: Graph, live: Live | None, places: Places, nearby: Table | None = None
    ) -> None:
        self._graph = graph
        self._live = live
        self._nearby = nearby
        """A table of much the same twins, whose columns are taken over for those."""
        self._places = places
        self._version = -1
        self.ids: list[str] = []
        self.twins: list[Twin] = []
        self._columns: dict[tuple[str, ...], Column] = {}
        self._changes: tuple[list[Twin], list[Twin], list[int]] | None = None
        self._moves: tuple[list[Twin], list[Twin], I64] | None = None

    def refresh(self) -> None:
        """Takes in what was edited since; the lists are replaced, never changed."""
        if self._version == self._graph.version or self._patched():
            return
        twins = self._graph.all_twins()
        same = list(map(twins.get, self.ids)) if len(twins) == len(self.ids) else [None]
        if all(same):
            self.twins = same  # type: ignore[assignment]
        else:
            self.ids = sorted(twins)
            self.twins = list(map(twins.__getitem__, self.ids))
        self._version = self._graph.version

    def _patched(self) -> bool:
        """Takes in a few changed twins without looking at the others; false if that cannot be."""
        graph = self._graph
        changed = graph.twins_changed_since(self._version)
        if changed is None or len(changed) > MOST_PATCHED:
            return False
        twins, rows = list(self.twins), set()
        for key in changed:
            row, twin = bisect_left(self.ids, key), graph.find_twin(key)
            is_there = row < len(self.ids) and self.ids[row] == key
            if is_there != (twin is not None):
                return False
            if twin is not None:
                twins[row] = twin
                rows.add(row)
        if rows:
            self._changes = (self.twins, twins, sorted(rows))
            self.twins = twins
        self._version = graph.version
        return True

    # ---- columns -------------------------------------------------------------------------

    def prepare(self, paths: set[tuple[str, ...]], meter: Meter) -> Pauses:
        """Brings the columns of some paths up to date; on return all are of the same moment."""
        while True:
            self.refresh()
            stale = [p for p in paths if not self._is_current(p)]
            if not stale:
                if self._live is None or (yield from self._load(paths)):
                    return
                continue
            for path in stale:
                yield from self._bring(path, meter)

    def _load(self, paths: set[tuple[str, ...]]) -> Generator[None, None, bool]:
        """Has the last values at hand that these columns need; true if no time went by."""
        assert self._live is not None, "asked before"
        is_at_once = True
        for path in paths:
            column = self._columns[path]
            parts = [number for numbers in column.nested.values() for number in numbers]
            single = column.series[column.series >= 0]
            for _ in self._live.load(np.concatenate([single, np.array(parts, np.int32)])):
                is_at_once = False
                yield
        return is_at_once

    def _is_current(self, path: tuple[str, ...]) -> bool:
        column = self._columns.get(path)
        return (
            column is not None
            and column.twins is self.twins
            and (self._live is None or column.seen == len(self._live.series))
        )

    def _bring(self, path: tuple[str, ...], meter: Meter) -> Pauses:
        old = self._columns.pop(path, None)
        if old is None and len(self._columns) >= MOST_COLUMNS:
            self._columns.pop(next(iter(self._columns)))
        twins = self.twins
        if old is None and self._nearby is not None:
            yield from self._nearby.prepare({path}, meter)
            near = self._nearby._columns[path]
            column, rows = self._moved(near, twins, path, near.seen)
        else:
            column, rows = self._aligned(old, twins, path)
        for row in rows:
            self._read(column, row, path)
            if meter.tick():
                yield
        self._columns[path] = column

    def _aligned(
        self, old: Column | None, twins: list[Twin], path: tuple[str, ...]
    ) -> tuple[Column, list[int]]:
        """A column for these twins with what is still valid, and the rows to read."""
        count = len(twins)
        seen = 0 if self._live is None else len(self._live.series)
        if old is None or len(old.cells.distinct.values) > 2 * count + 1000:
            return _empty(twins, Distinct(), seen), list(range(count))
        rows = self._changed(old.twins, twins)
        if rows is not None:
            old.twins = twins
            return old, rows + self._new_series(old, path, seen)
        return self._moved(old, twins, path, seen)

    def _changed(self, before: list[Twin], now: list[Twin]) -> list[int] | None:
        """Rows whose twin changed; None if twins came or went."""
        if before is now:
            return []
        known = self._changes
        if known is not None and known[0] is before and known[1] is now:
            return list(known[2])
        if len(before) != len(now):
            return None
        rows = [row for row, (one, other) in enumerate(zip(before, now)) if one is not other]  # noqa: B905
        if any(before[row].id != now[row].id for row in rows):
            return None
        self._changes = (before, now, rows)
        return list(rows)

    def _moved(
        self, old: Column, twins: list[Twin], path: tuple[str, ...], seen: int
    ) -> tuple[Column, list[int]]:
        """After twins came or went: rows are taken over by twin."""
        source = self._sources(old.twins, twins)
        kept = np.flatnonzero(source >= 0)
        column = _empty(twins, old.cells.distinct, old.seen)
        taken = source[kept]
        for new, before in (
            (column.cells.number, old.cells.number),
            (column.cells.code, old.cells.code),
            (column.series, old.series),
            (column.since, old.since),
            (column.is_boolean, old.is_boolean),
        ):
            new[kept] = before[taken]
        if old.nested:
            target = dict(zip(taken.tolist(), kept.tolist(), strict=True))
            column.nested = {target[r]: s for r, s in old.nested.items() if r in target}
        return column, np.flatnonzero(source < 0).tolist() + self._new_series(column, path, seen)

    def _sources(self, before: list[Twin], now: list[Twin]) -> I64:
        """For each row now, where its twin stood before; -1 where it is new or changed."""
        known = self._moves
        if known is not None and known[0] is before and known[1] is now:
            return known[2]
        place = dict(zip(map(id, before), range(len(before)), strict=True))
        found = (place.get(id(twin), -1) for twin in now)
        source = np.fromiter(found, np.int64, len(now))
        self._moves = (before, now, source)
        return source

    def _new_series(self, column: Column, path: tuple[str, ...], seen: int) -> list[int]:
        """Rows that got series since the column was read."""
        if self._live is None or column.seen == seen:
            return []
        rows, dotted, ids = [], ".".join(path), self.ids
        for key in self._live.series.keys[column.seen : seen]:
            if f"{key.path}.".startswith(f"{dotted}.") or f"{dotted}.".startswith(f"{key.path}."):
                row = bisect_left(ids, key.twin)
                if row < len(ids) and ids[row] == key.twin:
                    rows.append(row)
        column.seen = seen
        return rows

    def _read(self, column: Column, row: int, path: tuple[str, ...]) -> None:
        twin = column.twins[row]
        column.series[row] = -1
        column.nested.pop(row, None)
        if path in COMPUTED:
            value = {"$dtId": twin.id, "$etag": twin.etag}.get(path[0], twin.model)
            column.cells.put(row, value)
            return
        place = self._places.of(twin.model, path)
        doc = {} if place.category == "telemetry" else twin.doc
        column.cells.put(row, walk(doc, path))
        if self._live is None or not place.category:
            return
        find = self._live.series.find
        numbers = [n for p in place.related if (n := find(twin.id, p)) is not None]
        if place.is_plain:
            metadata = walk(doc, (*path[:-1], "$metadata"))
            stored = metadata.get(path[-1]) if isinstance(metadata, dict) else None
            column.since[row] = value_time(stored)
            column.series[row] = numbers[0] if numbers else -1
            column.is_boolean[row] = place.schema is not None and place.schema.kind == "boolean"
        elif numbers:
            column.nested[row] = tuple(numbers)

    # ---- with device values --------------------------------------------------------------

    def cells(self, path: tuple[str, ...], reader: Reader) -> Cells:
        """The values of a prepared path now, those of devices included."""
        column = self._columns[path]
        live, stored = self._live, column.cells
        if live is None or path in COMPUTED:
            return stored
        state = live.state
        rows = np.flatnonzero((column.series >= 0) & (column.series < len(state)))
        numbers = column.series[rows]
        times = state.time[numbers]
        is_newer = (times > column.since[rows]) & (times > 0)
        rows, numbers = rows[is_newer], numbers[is_newer]
        if not len(rows) and not column.nested:
            return stored
        cells = Cells(stored.number.copy(), stored.code.copy(), stored.distinct)
        values = state.value[numbers]
        cells.number[rows] = values
        cells.code[rows] = IS_NUMBER
        is_odd = column.is_boolean[rows] | ~np.isfinite(values) | (np.abs(values) >= EXACT)
        for row, number in zip(rows[is_odd].tolist(), numbers[is_odd].tolist(), strict=True):
            twin = column.twins[row]
            last = state.get(number)
            assert isinstance(last, LastValue), "it has a time"
            cells.put(row, typed(last, self._places.of(twin.model, path).schema))
        for row, parts in column.nested.items():
            if any(number < len(state) and state.time[number] for number in parts):
                cells.put(row, reader.value(column.twins[row], path))
        return cells


def alike(cells: Cells, rows: I64) -> I64:
    """A number for each of these rows, the same where the values are the same."""
    codes = cells.code[rows].astype(np.int64)
    is_number = codes == IS_NUMBER
    codes[~is_number] = codes[~is_number] - IS_UNDEFINED
    above = int(codes.max(initial=0)) + 1
    codes[is_number] = np.unique(cells.number[rows[is_number]], return_inverse=True)[1] + above
    _, dense = np.unique(codes, return_inverse=True)
    return dense.astype(np.int64)


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


def _empty(twins: list[Twin], distinct: Distinct, seen: int) -> Column:
    count = len(twins)
    cells = Cells(np.zeros(count, np.float64), np.full(count, IS_UNDEFINED, np.int32), distinct)
    return Column(
        twins,
        cells,
        np.full(count, -1, np.int32),
        np.zeros(count, np.int64),
        np.zeros(count, np.bool_),
        {},
        seen,
    )


def texts_of(distinct: Distinct) -> bool:
    """Whether all distinct values are texts."""
    kinds = distinct.kinds
    return bool((kinds == TEXT).all())
